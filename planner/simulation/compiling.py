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
_FOLDER = Path(platformdirs.user_cache_dir("warmup-planner")) / f"kernel-{_source_key()}"


def compiled(function: Callable[..., Any], *, inline: bool = False) -> Any:
    """Compile a function of numbers and arrays.

    Numba's cache looks at the file of the compiled function alone. The folder's name therefore holds a hash
    of all the sources: a changed equation is never answered by old machine code. Where no folder can be
    written, each process compiles anew.
    """
    found = _config.CACHE_DIR
    _config.CACHE_DIR = str(_FOLDER)
    try:
        return numba.njit(nogil=True, cache=True, forceinline=inline)(function)
    except (RuntimeError, OSError):
        return numba.njit(nogil=True, forceinline=inline)(function)
    finally:
        _config.CACHE_DIR = found


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into its callers: a call with arrays would count references, which costs more than it."""
    return compiled(function, inline=True)
