"""Arrays, frames and columns of numpy and pandas as short texts: shape, types, and the first values.

Neither is imported here: a value of theirs is there only if somebody has imported them.

Rule: only exact types of theirs are written, and of what is inside only plain values: no code of an author's runs.
"""

from __future__ import annotations

import datetime
import sys
from typing import Any, Final

_FIRST: Final = 6
"""Values that are written of an array or a column."""
_MAX_COLUMNS: Final = 5
_MAX_NAME: Final = 40
_PLAIN_KINDS: Final = frozenset("biufcmMSU")
"""Kinds of dtypes whose values are no objects."""
_PLAIN_TYPES: Final = frozenset(
    {str, bytes, bool, int, float, complex, type(None), datetime.datetime, datetime.date, datetime.timedelta}
)
"""Types of values that never change."""


def is_array(kind: type) -> bool:
    """Whether this is the class of numpy's arrays itself."""
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and kind is getattr(numpy, "ndarray", None)


def is_frame(kind: type) -> bool:
    """Whether this is the class of pandas' frames itself."""
    pandas: Any = sys.modules.get("pandas")
    return pandas is not None and kind is getattr(pandas, "DataFrame", None)


def is_series(kind: type) -> bool:
    """Whether this is the class of pandas' columns itself."""
    pandas: Any = sys.modules.get("pandas")
    return pandas is not None and kind is getattr(pandas, "Series", None)


def is_scalar(kind: type) -> bool:
    """Whether this is the class of numpy's numbers, texts or times of one kind itself."""
    numpy: Any = sys.modules.get("numpy")
    known: Any = getattr(numpy, "sctypeDict", None)
    return bool(known) and kind in known.values() and kind not in (numpy.object_, numpy.void)


def has_plain_values(value: Any) -> bool:
    """Whether an array, or a column or an index of pandas, holds nothing but plain values. It looks at all objects."""
    values = _values_of(value)
    if values is None:
        return _is_text(value.dtype)
    if values.dtype.kind != "O":
        return values.dtype.kind in _PLAIN_KINDS
    return set(map(type, values.ravel().tolist())) <= _PLAIN_TYPES


def _values_of(value: Any) -> Any:
    """The array of numpy's behind an array, a column or an index; `None` if another holds the values."""
    values = value if is_array(type(value)) else value.values
    return values if is_array(type(values)) else None


def _is_text(dtype: Any) -> bool:
    """It is pandas' own dtype of texts."""
    return type(dtype).__module__.partition(".")[0] == "pandas" and dtype.name in ("str", "string")


def array_text(value: Any, kind: type) -> str | None:
    """The text of an array, a frame or a column; `None` if it is none."""
    if is_array(kind):
        return f"array of shape {value.shape}, {value.dtype.name}: {_first_of(value)}"
    if is_series(kind):
        return f"Series of {len(value)}, {value.dtype}: {_first_of(value)}"
    if not is_frame(kind):
        return None
    rows, columns = value.shape
    parts = []
    for place in range(min(columns, _MAX_COLUMNS)):
        column, name = value.iloc[:, place], value.columns[place]
        named = name[:_MAX_NAME] if type(name) is str else place
        parts.append(f"{named} {column.dtype}: {_first_of(column)}")
    more = f"; … {columns - _MAX_COLUMNS} more" if columns > _MAX_COLUMNS else ""
    return f"DataFrame of {rows} rows and {columns} columns: {'; '.join(parts)}{more}"


def _first_of(value: Any) -> str:
    values, size = _values_of(value), value.size
    if values is None:
        first = value.iloc[:_FIRST].tolist() if _is_text(value.dtype) else []
    else:
        first = values.flat[:_FIRST].tolist() if values.dtype.kind in _PLAIN_KINDS | {"O"} else []
    texts = [str(each)[:_MAX_NAME] if type(each) in _PLAIN_TYPES else "…" for each in first]
    return f"[{', '.join([*texts, '…'] if size > len(texts) else texts)}]"
