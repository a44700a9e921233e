"""One typed table, `Listing`.

A listing holds plain Python values and says of each column what kind of values it holds. Shell, CSV, JSON and notebook
each have one way to write a kind, so they show any listing without knowing which command made it.

No pandas here, and nothing that reads histories: a command that prints ten lines should not wait for it.
"""

from __future__ import annotations

import datetime
import enum
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Kind(enum.Enum):
    """The kind of value in a column of a listing. Any cell may also be `None`: there is no value."""

    TEXT = "text"
    """`str`, as recorded."""
    STATE = "state"
    """The state of a task (`completed`) or the status of an execution (`COMPLETED`), a `str` in SWF's spelling."""
    TIME = "time"
    """A timezone-aware `datetime`."""
    SECONDS = "seconds"
    """A duration: `float` or `int`."""
    COUNT = "count"
    """A whole number: of things, or an event id."""
    PERCENTAGE = "percentage"
    """A share of a whole: `float`, 0 to 100."""
    JSON = "json"
    """A JSON text, made by `json_text`. Where listings are written as JSON, it becomes the value itself."""

    @property
    def is_number(self) -> bool:
        """Whether cells are numbers, which people read from the right."""
        return self in (Kind.SECONDS, Kind.COUNT, Kind.PERCENTAGE)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A table of plain values, with the kind of each column."""

    columns: Mapping[str, Kind]
    """The kind of each column by its title, in the order of the columns."""
    rows: Sequence[tuple[Any, ...]]
    """One tuple a row, with one value a column."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The titles of the columns."""
        return tuple(self.columns)


def json_text(value: Any, *, indent: int | None = None, ascii: bool = False) -> str:
    """A value as a JSON text in which all alphabets stay readable, or with `ascii` escapes for all but ASCII.

    What JSON does not have becomes `plain` text, and a number that is none (`nan`, `inf`) becomes `null`, as in
    JavaScript: every reader takes what is written.
    """

    def dumps(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii, default=plain, indent=indent, allow_nan=False)

    try:
        return dumps(value)
    except ValueError:
        return dumps(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else json_text(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def plain(value: Any) -> str:
    """A value that is no number as text: a time in ISO 8601, in UTC with milliseconds; anything else as its `str`."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
