"""Compile the slot loop without the interpreter's lock, and keep the machine code between runs."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import platformdirs


def _source_key() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


_config: Any = numba.config
_njit: Any = numba.njit  # its types know no _nrt
_FOLDER = Path(platformdirs.user_cache_dir("warmup-planner")) / f"kernel-{_source_key()}"


def compiled(function: Callable[..., Any], *, inline: bool = False, borrows: bool = False) -> Any:
    """Compile a function of numbers and arrays.

    Numba's cache looks at the file of the compiled function alone. The folder's name therefore holds a hash
    of all the sources: a changed equation is never answered by old machine code. Where no folder can be
    written, each process compiles anew.

    A division by zero gives infinity, as in numpy: checking every division costs a tenth of the time.
    """
    options = {"nogil": True, "error_model": "numpy", "forceinline": inline, "_nrt": not borrows}
    found = _config.CACHE_DIR
    _config.CACHE_DIR = str(_FOLDER)
    try:
        return _njit(cache=True, **options)(function)
    except (RuntimeError, OSError):
        return _njit(**options)(function)
    finally:
        _config.CACHE_DIR = found


def borrowing(function: Callable[..., Any]) -> Any:
    """Compile a function that makes no array and keeps none: it need not count references, a quarter of the time."""
    return compiled(function, borrows=True)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function that makes no array and keeps none into its callers."""
    return compiled(function, inline=True, borrows=True)
