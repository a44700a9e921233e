"""Times as a column of numpy: what tables and charts are made of."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.views.attempts import EPOCH, AttemptColumns

_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_NAN: Final = float("nan")
_NEVER: Final = np.datetime64("NaT", "ms")


Times = np.ndarray[Any, np.dtype[np.datetime64]]


def times_of(attempts: AttemptColumns, name: str) -> Times:
    """A column of times of attempts, as `milliseconds` gives it, made once. Not to be changed."""
    made: Times | None = attempts.made.get(name)
    if made is None:
        made = attempts.made[name] = milliseconds(attempts.by_name[name])
        made.flags.writeable = False
    return made


def milliseconds(values: Sequence[datetime.datetime | None]) -> Times:
    """Times in UTC as `datetime64[ms]`, cut to the millisecond; `NaT` for `None`."""
    # Seconds since a time that is near are a small number, which takes half as long to make.
    first = next((value for value in values if value is not None), EPOCH)
    seconds = np.array([_NAN if value is None else (value - first).total_seconds() for value in values], "float64")
    never = np.isnan(seconds)
    seconds[never] = 0.0
    # A double has the microseconds between any times of the calendar.
    since_first = np.rint(seconds * 1e6).astype("int64")
    column = ((first - EPOCH) // _MICROSECOND + since_first) // 1000
    column = column.view("datetime64[ms]")
    column[never] = _NEVER
    return column
