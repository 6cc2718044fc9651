"""Tables as text for spreadsheets, none of whose cells is taken for a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(frame: pd.DataFrame, separator: str = ",") -> str:
    """Write a table, columns named in the first line.

    Examples
    --------
    >>> import pandas as pd
    >>> print(csv_text(pd.DataFrame({"provider": ["gmail", "=1+1"], "volume": [-1, 2]})), end="")
    provider,volume
    gmail,-1
    '=1+1,2
    """
    text = [name for name, column in frame.items() if column.dtype.kind not in "biufM"]
    harmless = frame.assign(**{str(name): frame[name].map(_no_formula) for name in text})
    return harmless.to_csv(index=False, sep=separator, lineterminator="\n")


def _no_formula(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
