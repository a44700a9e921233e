"""Any value as a short text, without running code of its author.

What a workflow's variables hold is shown to people at moments when the workflow must not notice: a `__repr__` could
print, take a minute, read a future or change what it shows. So no method or property of an author's class is called.
Containers, dataclasses and other objects are read field by field, by what Python itself keeps of them.

Rule: the text is bounded in length, depth and number of items, and so is the time to make it, whatever the value is.
Making it never raises.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import pathlib
import zoneinfo
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache
from itertools import islice
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Final
from uuid import UUID

from simpleflow_lab.data.references import JumboValue
from simpleflow_lab.futures import FINISHED, Future
from simpleflow_lab.replay.array_text import array_text
from simpleflow_lab.workflow import Workflow

MAX_LENGTH: Final = 400
"""Most characters of the text of one value."""
MAX_ITEMS: Final = 8
"""Most items or fields that are shown of one container or object."""
MAX_DEPTH: Final = 4
"""The most levels to which containers and objects are entered."""
_MAX_STRING: Final = 120
_MAX_BITS: Final = 512


def value_text(value: object) -> str:
    """The value in one line of at most `MAX_LENGTH` characters."""
    kind = type(value)
    write = _EXACT.get(kind) if type(kind) is type else None
    try:
        text = _Writer().text(value, MAX_DEPTH) if write is None else write(value)
    except Exception as error:  # another thread may change a container meanwhile
        return f"<{_name(type(value))}: {type(error).__name__} while it was read>"
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."


class _Writer:
    """Writes one value; what is left of its length is shared by all of its parts."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_LENGTH

    def text(self, value: Any, depth: int) -> str:
        # `type(value)` and `issubclass`, for `isinstance` asks the value for its `__class__`.
        kind = type(value)
        write = _EXACT.get(kind) if _is_hashable(kind) else None
        if write is not None:
            found: str = write(value)
        elif self._left <= 0:
            return "..."
        else:
            found = self._of_other(value, kind, depth)
        self._left -= len(found)
        return found

    def _of_other(self, value: Any, kind: type, depth: int) -> str:
        text = array_text(value, kind)
        if text is not None:
            return _cut(text, MAX_LENGTH)
        for base, write in _BASES:
            if issubclass(kind, base):
                return write(self, value, depth)
        return self.fields(value, _fields(value), depth)

    def items(self, values: Iterable[Any], length: int, depth: int, opening: str, closing: str) -> str:
        if not length:
            return opening + closing
        if depth <= 0:
            return f"{opening}...{closing}"
        parts: list[str] = []
        for value in islice(values, MAX_ITEMS):
            if self._left <= 0:
                break
            parts.append(self.text(value, depth - 1))
        if len(parts) < length:
            parts.append(f"... {length - len(parts)} more")
        return opening + ", ".join(parts) + closing

    def pairs(self, mapping: Iterable[tuple[Any, Any]], length: int, depth: int) -> str:
        if not length:
            return "{}"
        if depth <= 0:
            return "{...}"
        parts: list[str] = []
        for key, value in islice(mapping, MAX_ITEMS):
            if self._left <= 0:
                break
            parts.append(f"{self.text(key, depth - 1)}: {self.text(value, depth - 1)}")
        if len(parts) < length:
            parts.append(f"... {length - len(parts)} more")
        return "{" + ", ".join(parts) + "}"

    def fields(self, value: Any, fields: Mapping[str, Any], depth: int) -> str:
        name = _name(type(value))
        if not fields:
            return f"<{name}>"
        if depth <= 0:
            return f"{name}(...)"
        parts: list[str] = []
        for field, held in islice(fields.items(), MAX_ITEMS):
            if self._left <= 0:
                break
            parts.append(f"{field}={self.text(held, depth - 1)}")
        if len(parts) < len(fields):
            parts.append(f"... {len(fields) - len(parts)} more")
        return f"{name}({', '.join(parts)})"


# -- what Python keeps of an object, read without the object's own code --

_qualname: Final[Callable[[type], str]] = type.__dict__["__qualname__"].__get__
_mro: Final[Callable[[type], tuple[type, ...]]] = type.__dict__["__mro__"].__get__
_namespace: Final[Callable[[type], Mapping[str, Any]]] = type.__dict__["__dict__"].__get__


def _name(kind: type) -> str:
    return _cut(_qualname(kind).rpartition("<locals>.")[2], _MAX_STRING)


def _fields(value: object) -> dict[str, Any]:
    """The attributes in the object's slots and `__dict__`, by name."""
    kind: Any = type(value)
    slots, held_in = _layout(kind) if _is_hashable(kind) else _read_layout(kind)
    found: dict[str, Any] = {}
    for name, slot in slots:
        try:
            found[name] = slot.__get__(value)
        except AttributeError:
            continue  # a slot that is not set
    if held_in is not None:
        held = held_in.__get__(value)
        if type(held) is dict:
            found.update((key, held[key]) for key in islice(held, 2 * MAX_ITEMS) if type(key) is str)
    return found


def _read_layout(kind: type) -> tuple[tuple[tuple[str, MemberDescriptorType], ...], GetSetDescriptorType | None]:
    """The places in which objects of this class keep their attributes: slots, and what gets their `__dict__`."""
    slots: dict[str, MemberDescriptorType] = {}
    held_in: GetSetDescriptorType | None = None
    for each in reversed(_mro(kind)):
        namespace = _namespace(each)
        for name, member in namespace.items():
            if type(member) is MemberDescriptorType and "__slots__" in namespace:  # C types have members, too
                slots[name] = member
        held = namespace.get("__dict__")
        if type(held) is GetSetDescriptorType:
            held_in = held
    return tuple(slots.items()), held_in


_layout: Final = lru_cache(maxsize=256)(_read_layout)


def _is_hashable(kind: type) -> bool:
    """The class can be looked up in a table without running code of its metaclass."""
    meta: Any = type(kind)
    return meta is type or (meta.__hash__ is type.__hash__ and meta.__eq__ is type.__eq__)


# -- how the values of each type are written --


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _of_str(value: str) -> str:
    length = str.__len__(value)
    if length <= _MAX_STRING:
        return str.__repr__(value)
    return f"{str.__repr__(str.__getitem__(value, slice(_MAX_STRING)))}... ({length} characters)"


def _of_bytes(value: bytes | bytearray) -> str:
    length = len(value)
    return repr(bytes(value[:40])) + (f"... ({length} bytes)" if length > 40 else "")


def _of_int(value: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= _MAX_BITS else f"<int of {bits} bits>"


def _of_range(value: range) -> str:
    return f"range({', '.join(_of_int(each) for each in (value.start, value.stop, value.step))})"


def _of_decimal(value: decimal.Decimal) -> str:
    return f"Decimal('{_cut(str(value), 60)}')" if value.adjusted() < 1000 else "<Decimal>"


def _of_fraction(value: fractions.Fraction) -> str:
    return f"Fraction({_of_int(value.numerator)}, {_of_int(value.denominator)})"


def _of_list(writer: _Writer, value: list[Any], depth: int) -> str:
    return _prefixed(value, list) + writer.items(list.__iter__(value), list.__len__(value), depth, "[", "]")


def _of_tuple(writer: _Writer, value: tuple[Any, ...], depth: int) -> str:
    names = _namespace(type(value)).get("_fields") if type(value) is not tuple else None
    if type(names) is tuple and len(names) == tuple.__len__(value):
        return writer.fields(value, dict(zip(names, tuple.__iter__(value), strict=True)), depth)
    text = writer.items(tuple.__iter__(value), tuple.__len__(value), depth, "(", ")")
    return _prefixed(value, tuple) + (f"{text[:-1]},)" if tuple.__len__(value) == 1 else text)


def _of_dict(writer: _Writer, value: dict[Any, Any], depth: int) -> str:
    return _prefixed(value, dict) + writer.pairs(iter(dict.items(value)), dict.__len__(value), depth)


def _of_set(writer: _Writer, value: set[Any], depth: int) -> str:
    if not set.__len__(value):
        return f"{_name(type(value))}()"
    return _prefixed(value, set) + writer.items(set.__iter__(value), set.__len__(value), depth, "{", "}")


def _of_frozenset(writer: _Writer, value: frozenset[Any], depth: int) -> str:
    return _name(type(value)) + writer.items(frozenset.__iter__(value), frozenset.__len__(value), depth, "({", "})")


def _of_deque(writer: _Writer, value: deque[Any], depth: int) -> str:
    return "deque" + writer.items(deque.__iter__(value), deque.__len__(value), depth, "([", "])")


def _of_future(writer: _Writer, value: Future, depth: int) -> str:
    state, result, error = Future.peek(value)
    id = f" {_cut(value.task_id, 80)}" if type(value.task_id) is str else ""
    shown = f"{_name(type(value))}{id}: {state}"
    if state != FINISHED:
        return f"<{shown}>"
    return f"<{shown}, {writer.text(result if error is None else error, depth - 1)}>"


def _of_error(writer: _Writer, value: BaseException, depth: int) -> str:
    args: tuple[Any, ...] = BaseException.args.__get__(value)  # type: ignore[attr-defined]
    return _name(type(value)) + writer.items(iter(args), len(args), depth, "(", ")")


def _of_workflow(writer: _Writer, value: Workflow, depth: int) -> str:
    return writer.fields(value, {name: held for name, held in _fields(value).items() if name != "executor"}, depth)


def _of_enum(writer: _Writer, value: Enum, depth: int) -> str:
    return f"{_name(type(value))}.{_cut(str(_fields(value).get('_name_')), _MAX_STRING)}"


def _prefixed(value: object, plain: type) -> str:
    kind = type(value)
    return "" if kind is plain else _name(kind)


_EXACT: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): repr,
    type(NotImplemented): repr,
    type(...): repr,
    bool: repr,
    int: _of_int,
    float: repr,
    complex: repr,
    str: _of_str,
    bytes: _of_bytes,
    bytearray: _of_bytes,
    range: _of_range,
    slice: lambda value: "<slice>",
    datetime.datetime: lambda value: _cut(value.isoformat(" ") if _is_plain_zone(value.tzinfo) else "<datetime>", 60),
    datetime.date: datetime.date.isoformat,
    datetime.time: lambda value: _cut(str(value) if _is_plain_zone(value.tzinfo) else "<time>", 60),
    datetime.timedelta: repr,
    datetime.timezone: repr,
    decimal.Decimal: _of_decimal,
    fractions.Fraction: _of_fraction,
    UUID: repr,
    pathlib.PosixPath: lambda value: _cut(repr(value), 200),
    pathlib.PurePosixPath: lambda value: _cut(repr(value), 200),
    FunctionType: lambda value: f"<function {_cut(value.__qualname__, 80)}>",
    BuiltinFunctionType: lambda value: f"<function {_cut(value.__qualname__, 80)}>",
    MethodType: lambda value: "<method>",
    ModuleType: lambda value: "<module>",
    type: lambda value: f"<class {_name(value)}>",
    JumboValue: lambda value: "<a large value that is not loaded>",
}
"""Types without subclasses' code, and how each is written."""

_BASES: Final[tuple[tuple[type, Callable[[_Writer, Any, int], str]], ...]] = (
    (Future, _of_future),
    (Workflow, _of_workflow),
    (Enum, _of_enum),
    (dict, _of_dict),
    (list, _of_list),
    (tuple, _of_tuple),
    (str, lambda writer, value, depth: _prefixed(value, str) + f"({_of_str(value)})"),
    (int, lambda writer, value, depth: _prefixed(value, int) + f"({_of_int(value)})"),
    (float, lambda writer, value, depth: f"{_prefixed(value, float)}({float.__repr__(value)})"),
    (set, _of_set),
    (frozenset, _of_frozenset),
    (deque, _of_deque),
    (BaseException, _of_error),
    (type, lambda writer, value, depth: f"<class {_name(value)}>"),
)
"""Base classes, and how what derives from them is written; what they themselves are comes first."""


def _is_plain_zone(zone: datetime.tzinfo | None) -> bool:
    """The zone is none of an author's own class."""
    return zone is None or type(zone) in (datetime.timezone, zoneinfo.ZoneInfo)
