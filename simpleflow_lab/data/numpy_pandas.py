"""Values of numpy and pandas as arguments and results: import it wherever they are written or read.

    import simpleflow_lab.data.numpy_pandas

    @activity.with_attributes(task_list="etl", version="1")
    def clean(frame: pandas.DataFrame) -> pandas.DataFrame: ...

A value comes back equal, with its dtypes, index and names, or is refused with the place where it stands:

    ==========================================  ======================================================================
    type                                        comes back
    ==========================================  ======================================================================
    numpy bool, whole and floating numbers      as Python's `bool`, `int`, `float`, which are equal to them
    numpy.ndarray                               of numbers, text, datetime64 or timedelta64, of any shape
    numpy.datetime64, numpy.timedelta64         with their unit
    pandas.DataFrame, Series, Index             of these, time zones, categories, nullable numbers, text and objects
    pandas.Timestamp, Timedelta, NaT, NA        with unit and time zone
    ==========================================  ======================================================================

NaN and infinities are fine inside arrays and columns. Objects in a column are values that the codec takes. Subclasses,
masked and structured arrays, arrays of objects, complex numbers, periods, intervals and sparse columns are refused.

Rule: nothing is read by pickle, and dtypes in a history are taken from a closed list.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.data import codec
from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.exceptions import EncodingError

_NUMPY: Final = re.compile(r"b1|[iu][1248]|f[248]|[mM]8(\[(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?|U[1-9][0-9]{0,5}")
"""dtypes of arrays, as numpy writes them without their byte order."""
_NULLABLE: Final = frozenset(
    {"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "boolean"}
)
_TEXT: Final = frozenset({"str", "string"})
_ZONE: Final = re.compile(r"(?!dateutil/)[A-Za-z][A-Za-z0-9_+:-]*(/[A-Za-z0-9_+-]+)*")
"""Names of time zones. pandas takes other names for paths of files, and opens them."""
_ZONED: Final = re.compile(rf"datetime64\[(s|ms|us|ns), ({_ZONE.pattern})\]")
_MAX_TEXT: Final = 1 << 24
"""Characters of an array of text, every element as long as the longest."""
_ODD: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Numbers that JSON does not have, by their text."""


# -- numpy -------------------------------------------------------------------------------------------------------------


def _array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    name = array.dtype.str.lstrip("<>|=")
    if not _NUMPY.fullmatch(name):
        raise EncodingError(f"an array of {array.dtype}: convert it with astype() or tolist() first")
    flat = array.ravel()
    if array.dtype.kind in "mM":
        data = flat.astype(flat.dtype.newbyteorder("=")).view(np.int64).tolist()
    elif array.dtype.kind == "f":
        data = _numbers(flat.tolist())
    else:
        data = flat.tolist()
    return {"dtype": name, "shape": list(array.shape), "data": data}


def _array_of(written: Mapping[str, Any]) -> Any:
    name, data = written["dtype"], written["data"]
    if not _NUMPY.fullmatch(name):
        raise ValueError(f"no dtype {name!r}")
    dtype = np.dtype(name)
    if dtype.kind == "U" and dtype.itemsize // 4 * max(len(data), 1) > _MAX_TEXT:
        raise ValueError(f"an array of {len(data)} texts of {name}")
    if dtype.kind in "mM":
        flat = np.array(data, dtype=np.int64).view(dtype)
    else:
        flat = np.array(_finite(data) if dtype.kind == "f" else data, dtype=dtype)
    return flat.reshape(written["shape"])


def _numbers(data: list[float]) -> list[Any]:
    """Floating numbers, with those that JSON does not have as text."""
    return [number if math.isfinite(number) else _word(number) for number in data]


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _finite(data: list[Any]) -> list[float]:
    return [_ODD[number] if isinstance(number, str) else number for number in data]


def _datetime(value: Any) -> dict[str, Any]:
    return _array(np.asarray(value))


def _datetime_of(written: Mapping[str, Any]) -> Any:
    return _array_of(written)[()]


# -- pandas: columns ---------------------------------------------------------------------------------------------------


def _column(values: Any) -> dict[str, Any]:
    """The values of a series or an index: `{"dtype": …, …}`."""
    if type(values) is pd.arrays.NumpyExtensionArray:  # a column of text is a subclass
        values = values.to_numpy()
    dtype = values.dtype
    name = str(dtype)
    if isinstance(dtype, np.dtype):
        return _objects(values) if dtype.kind == "O" else _array(np.asarray(values))
    if isinstance(dtype, pd.CategoricalDtype):
        categorical = pd.Categorical(values)
        return {
            "dtype": "category",
            "codes": categorical.codes.tolist(),
            "categories": _index(categorical.categories),
            "ordered": bool(categorical.ordered),
        }
    if isinstance(dtype, pd.DatetimeTZDtype):
        if not _ZONED.fullmatch(name) or pd.DatetimeTZDtype(unit=dtype.unit, tz=str(dtype.tz)) != dtype:
            raise EncodingError(f"times in the zone {dtype.tz!r}: convert them with tz_convert() to a named one first")
        return {"dtype": name, "data": pd.DatetimeIndex(values).asi8.tolist()}
    if name in _NULLABLE or name in _TEXT:
        missing = values.isna()
        data = [None if gone else value for gone, value in zip(missing, _plain(values), strict=True)]
        return {"dtype": name, "data": data}
    raise EncodingError(f"a column of {name}: convert it with astype() first")


def _plain(values: Any) -> list[Any]:
    plain: list[Any] = values.astype(object).tolist()
    return plain


def _objects(values: Any) -> dict[str, Any]:
    """A column of objects. Missing values are often NaN there, which the codec does not take."""
    data = list(np.asarray(values, dtype=object))
    nan = [place for place, value in enumerate(data) if isinstance(value, float) and math.isnan(value)]
    for place in nan:
        data[place] = None
    for value in data:
        _check_round_trip(value)
    return {"dtype": "object", "data": data, "nan": nan}


def _check_round_trip(value: Any) -> None:
    """Raise for an object that the codec would write as something else, such as a tuple."""
    if type(value) in (list, tuple, set, frozenset, dict):
        if type(value) not in (list, dict):
            raise EncodingError(f"a column that has a {type(value).__name__}: convert it to a list first")
        for item in value.values() if isinstance(value, dict) else value:
            _check_round_trip(item)
    elif value is not None and type(value) not in (bool, int, float, str) and not codec.is_registered(type(value)):
        raise EncodingError(f"a column that has a {type(value).__name__}: convert it first")


def _column_of(written: Mapping[str, Any]) -> Any:
    name, data = written["dtype"], written.get("data", [])
    if name == "object":
        objects = np.empty(len(data), dtype=object)
        for place, value in enumerate(data):  # one by one: of lists numpy would make more dimensions
            objects[place] = value
        for place in written["nan"]:
            objects[place] = math.nan
        return objects
    if name == "category":
        return pd.Categorical.from_codes(
            written["codes"], categories=_index_of(written["categories"]), ordered=written["ordered"]
        )
    zoned = _ZONED.fullmatch(name)
    if zoned:
        times = pd.DatetimeIndex(np.array(data, dtype=np.int64).view(f"M8[{zoned[1]}]"))
        return times.tz_localize("UTC").tz_convert(zoned[2]).array
    if name in _NULLABLE or name in _TEXT:
        return pd.array(data, dtype=name)
    return _array_of(written)


# -- pandas: indexes, series, frames ----------------------------------------------------------------------------------


def _index(index: pd.Index[Any]) -> dict[str, Any]:
    if type(index) is pd.RangeIndex:
        return {"range": [index.start, index.stop, index.step], "name": _label(index.name)}
    if type(index) is pd.MultiIndex:
        return {
            "levels": [_column(index.get_level_values(level)) for level in range(index.nlevels)],
            "names": [_label(name) for name in index.names],
        }
    if type(index) not in (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex):
        raise EncodingError(f"a {type(index).__name__}: convert it with astype() first")
    written = {"column": _column(index), "name": _label(index.name)}
    frequency = getattr(index, "freqstr", None)
    return written | ({"freq": frequency} if frequency else {})


def _index_of(written: Mapping[str, Any]) -> Any:
    if "range" in written:
        start, stop, step = written["range"]
        return pd.RangeIndex(start, stop, step, name=_label_of(written["name"]))
    if "levels" in written:
        levels = [pd.Index(_column_of(level)) for level in written["levels"]]
        return pd.MultiIndex.from_arrays(levels, names=[_label_of(name) for name in written["names"]])
    values, name = _column_of(written["column"]), _label_of(written["name"])
    # With its dtype, or pandas would choose one by the objects.
    index: Any = pd.Index(values, name=name, dtype=values.dtype)
    if "freq" in written:
        index.freq = written["freq"]
    return index


def _label(name: Any) -> Any:
    """The name of a series, index or level. A tuple is a name with several levels."""
    if isinstance(name, tuple):
        return {"tuple": [_label(part) for part in name]}
    if isinstance(name, np.generic):
        return name.item()
    if not isinstance(name, str | int | float | None):
        raise EncodingError(f"the name {name!r}: rename it to a text")
    return name


def _label_of(written: Any) -> Any:
    return tuple(_label_of(part) for part in written["tuple"]) if isinstance(written, dict) else written


def _series(series: pd.Series[Any]) -> dict[str, Any]:
    return {"column": _column(series.array), "index": _index(series.index), "name": _label(series.name)}


def _series_of(written: Mapping[str, Any]) -> Any:
    values = _column_of(written["column"])
    return pd.Series(
        values, index=_index_of(written["index"]), name=_label_of(written["name"]), dtype=values.dtype, copy=False
    )


def _frame(frame: pd.DataFrame) -> dict[str, Any]:
    columns = [_column(frame.iloc[:, place].array) for place in range(frame.shape[1])]
    return {"columns": _index(frame.columns), "index": _index(frame.index), "data": columns}


def _frame_of(written: Mapping[str, Any]) -> pd.DataFrame:
    index = _index_of(written["index"])
    columns = {}
    for place, column in enumerate(written["data"]):
        values = _column_of(column)
        columns[place] = pd.Series(values, index=index, dtype=values.dtype, copy=False)
    frame = pd.DataFrame(columns, index=index)
    frame.columns = _index_of(written["columns"])
    return frame


# -- pandas: single values ---------------------------------------------------------------------------------------------


def _timestamp(value: pd.Timestamp) -> dict[str, Any]:
    zone = None if value.tz is None else str(value.tz)
    written = {"at": value.isoformat(), "unit": value.unit, "tz": zone}
    if zone is not None and (not _ZONE.fullmatch(zone) or _timestamp_of(written).tz != value.tz):
        raise EncodingError(f"a time in the zone {value.tz!r}: convert it with tz_convert() to a named one first")
    return written


def _timestamp_of(written: Mapping[str, Any]) -> Any:
    value, zone = pd.Timestamp(written["at"]), written["tz"]
    if zone is not None and not _ZONE.fullmatch(zone):
        raise ValueError(f"no time zone {zone!r}")
    return (value if zone is None else value.tz_convert(zone)).as_unit(written["unit"])


def _timedelta(value: pd.Timedelta) -> dict[str, Any]:
    return {"unit": value.unit, "value": value.asm8.view(np.int64).item()}


def _timedelta_of(written: Mapping[str, Any]) -> Any:
    return pd.Timedelta(np.timedelta64(written["value"], written["unit"])).as_unit(written["unit"])


codec.register(np.bool_, encode=bool)
codec.register(np.integer, encode=int)
codec.register(np.floating, encode=float)
codec.register(np.ndarray, name="numpy.ndarray", encode=_array, decode=_array_of)
codec.register(np.datetime64, name="numpy.datetime64", encode=_datetime, decode=_datetime_of)
codec.register(np.timedelta64, name="numpy.timedelta64", encode=_datetime, decode=_datetime_of)
codec.register(pd.DataFrame, name="pandas.DataFrame", encode=_frame, decode=_frame_of)
codec.register(pd.Series, name="pandas.Series", encode=_series, decode=_series_of)
codec.register(pd.Timestamp, name="pandas.Timestamp", encode=_timestamp, decode=_timestamp_of)
codec.register(pd.Timedelta, name="pandas.Timedelta", encode=_timedelta, decode=_timedelta_of)
codec.register(type(pd.NaT), name="pandas.NaT", encode=lambda _: None, decode=lambda _: pd.NaT)
codec.register(type(pd.NA), name="pandas.NA", encode=lambda _: None, decode=lambda _: pd.NA)
for _kind in (pd.Index, pd.RangeIndex, pd.MultiIndex, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex):
    codec.register(_kind, name=f"pandas.{_kind.__name__}", encode=_index, decode=_index_of)
