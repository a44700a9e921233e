"""Values to SWF's strings and back: JSON, strict both ways.

What an activity takes and gives must come back from a history as it went in. JSON's own types do. A few others are
common enough to be written as what they become, always the same way:

    ======================  =====================================================================
    Python                  JSON
    ======================  =====================================================================
    tuple, generator        array
    set, frozenset          array, in the order of the elements' own JSON (so ids don't depend on hashing)
    datetime, date, time    string, ISO 8601, microseconds kept
    UUID                    string
    bytes                   string, if they are UTF-8
    ======================  =====================================================================

Everything else is refused with the place where it stands: NaN and infinities, mapping keys that are not strings (JSON
would turn them into strings), bytes that are not UTF-8, lone surrogates, nesting deeper than `MAX_DEPTH`, and objects.
Text is compact, with sorted keys and ASCII only: equal values have equal text, and characters are bytes.
"""

from __future__ import annotations

import datetime
import json
import math
import uuid
from collections.abc import Mapping
from types import GeneratorType
from typing import Any, NoReturn

from simpleflow_lab.exceptions import EncodingError, UsageError

MAX_DEPTH = 100
"""Deepest nesting of arrays and objects, written or read."""

_ENCODER = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=False
)


def encode(value: Any) -> str:
    """JSON text of a value. Raises `EncodingError` naming the place of what JSON can't hold unchanged."""
    return _ENCODER.encode(_plain(value, "", 0))


def decode(text: str) -> Any:
    """The value of JSON text. Raises `ValueError` for text that is not JSON, NaN, or nesting beyond `MAX_DEPTH`."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(f"JSON nested deeper than {MAX_DEPTH} levels") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def decode_or_text(text: str | None) -> Any:
    """The value of a field that any worker, in any language, may have written: JSON if it is JSON, else the text."""
    if text is None:
        return None
    try:
        return decode(text)
    except ValueError:
        return text


def decode_input(text: str, *, where: str) -> tuple[list[Any], dict[str, Any]]:
    """Arguments from what a person typed: an array is the positional ones, `{"args": …, "kwargs": …}` both, else one.

    `where` names the source in the error. Raises `UsageError` in one line.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
    except RecursionError:
        raise UsageError(f"{where}: JSON nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise UsageError(
            f"{where} is not JSON ({error}): write it as in '[1, 5]' or '{{\"kwargs\": {{\"x\": 1}}}}'"
        ) from None
    return arguments_of(value, where=where)


def arguments_of(value: Any, *, where: str) -> tuple[list[Any], dict[str, Any]]:
    """`(args, kwargs)` of an input value, by upstream's rule (SD-14). Raises `UsageError`."""
    if isinstance(value, list | tuple):
        return list(value), {}
    if isinstance(value, Mapping) and value and set(value) <= {"args", "kwargs"}:
        args, kwargs = value.get("args", []), value.get("kwargs", {})
        if not isinstance(args, list | tuple):
            raise UsageError(f'{where}: "args" must be an array, not {type(args).__name__}')
        if not isinstance(kwargs, Mapping):
            raise UsageError(f'{where}: "kwargs" must be an object, not {type(kwargs).__name__}')
        return list(args), dict(kwargs)
    if isinstance(value, Mapping) and {"args", "kwargs"} & set(value):
        odd = ", ".join(sorted(set(value) - {"args", "kwargs"}))
        raise UsageError(f'{where}: beside "args" and "kwargs" there is {odd}: put it inside "kwargs"')
    return [value], {}


def _plain(value: Any, where: str, depth: int) -> Any:
    """The value in JSON's own types."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is str:
        return value if value.isascii() else _text(value, where)
    if kind is float:
        if not math.isfinite(value):
            _refuse(f"the number {value}", where)
        return value
    if depth >= MAX_DEPTH:
        _refuse(f"more than {MAX_DEPTH} levels", where)
    if kind is list or kind is tuple:
        return [_plain(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if kind is dict:
        return {_key(key, where): _plain(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}
    return _other(value, where, depth)


def _other(value: Any, where: str, depth: int) -> Any:
    """The value of a type that JSON does not have, or of a subclass of one that it has."""
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes | bytearray):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            _refuse("bytes that are not UTF-8", where)
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, f"{where}{{…}}", depth + 1) for item in value), key=_ENCODER.encode)
    if isinstance(value, Mapping):
        return _plain(dict(value), where, depth)
    if isinstance(value, list | tuple | GeneratorType):
        return _plain(list(value), where, depth)
    if isinstance(value, str):
        return _text(str.__str__(value), where)
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float):
        return _plain(float(value), where, depth)
    _refuse(f"a {type(value).__module__}.{type(value).__qualname__}", where)


def _text(value: str, where: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        _refuse("text with a lone surrogate", where)
    return value


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        _refuse(f"the key {key!r}: only strings can be keys", where)
    return _text(key, where)


def _refuse(what: str, where: str) -> NoReturn:
    place = f" at {where}" if where else ""
    raise EncodingError(f"JSON can't hold {what}{place}: convert it first, or store it elsewhere and pass its name")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} stands twice")
            seen.add(key)
    return value


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH + 1:
            raise ValueError(f"JSON nested deeper than {MAX_DEPTH} levels")
        level = [
            child
            for item in level
            if isinstance(item, list | dict)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
