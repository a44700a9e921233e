"""The JSON text of arguments of which ids of idempotent tasks are made.

It is the text that upstream's encoder writes. That differs from `codec.encode` in keys that are not strings, which it
sorts as what they are, and in times, which it may cut (`times.upstream_text_of`). A set has no text of its own there,
for it is written in whatever order it has: here it is sorted.

Rule: an id is made of this text, and never a value read from it: it may have lost something.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any, Final

from simpleflow_lab.data import codec

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)

TimeText = Callable[[datetime.date | datetime.time], str]
"""A function that writes a date or time."""


def text_with_times(value: Any, time_text: TimeText) -> str:
    """The text of a value with its times written by `time_text`. Raises `EncodingError` as `codec.encode` does."""
    exact = codec.encode(value)
    try:
        return _ENCODER.encode(_spelled(value, time_text))
    except TypeError:  # keys of several types can't be sorted: upstream refuses them
        return exact


def _spelled(value: Any, time_text: TimeText) -> Any:
    if type(value) is dict:
        return {key: _spelled(item, time_text) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_spelled(item, time_text) for item in value]
    if isinstance(value, datetime.date | datetime.time) and not codec.is_registered(type(value)):
        return time_text(value)
    if value is None or type(value) in (str, bool, int, float):
        return value
    return codec.parse(codec.encode(value))
