"""Snapshots of the values of local variables: as they were at one moment.

Plain data (numbers, texts, dates, containers of these, named tuples, data classes, and small arrays and frames) is
copied, and so stays live: one calculates with it. What is no plain data becomes a `Shown`, a bounded text that
displays as itself; of a future its state and value, too, and of the workflow, which is `self` in `run`, its attributes.

Rule: a snapshot runs no code of the author's, and takes bounded time and memory, whatever the values are.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import fractions
import inspect
import pathlib
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar
from uuid import UUID

from simpleflow_lab.debugger.plain_records import is_record, is_tuple, values_of
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.futures import FINISHED, Future
from simpleflow_lab.replay.array_text import has_plain_values, is_array, is_frame, is_scalar, is_series
from simpleflow_lab.replay.value_text import value_text
from simpleflow_lab.workflow import Workflow

MAX_NODES: Final = 10_000
"""Most values that are copied of the variables of one step, those inside containers counted."""
MAX_CHARACTERS: Final = 1_000_000
"""Most characters of strings and bytes that are copied of the variables of one step."""
MAX_SHOWN: Final = 200
"""Most values of one step, beside the variables themselves, that become texts."""
MAX_ATTRIBUTES: Final = 1_000
"""Most attributes of the workflow that are kept of one step."""
_MAX_DEPTH: Final = 50
_MAX_COLUMNS: Final = 50
"""Columns of the widest frame that is copied."""


_DictT = TypeVar("_DictT", bound=dict[Any, Any])


class Shown:
    """The substitute of a value that could not be copied: its text at that moment."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __deepcopy__(self, memo: dict[int, Any]) -> Shown:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shown) and type(other) is type(self) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class ShownFuture(Shown):
    """A future as it was: its state, and its result or error, as a snapshot has values."""

    __slots__ = ("_result", "error", "state", "task_id")

    def __init__(self, text: str, *, task_id: str | None, state: str, result: Any, error: Any) -> None:
        super().__init__(text)
        self.task_id = task_id
        """Id of its task, if it has one."""
        self.state = state
        """`PENDING`, `RUNNING`, `FINISHED` or `CANCELLED`."""
        self.error = error
        """The error with which it failed, or `None`."""
        self._result = result

    def __deepcopy__(self, memo: dict[int, Any]) -> ShownFuture:
        made = memo[id(self)] = ShownFuture(
            self._text, task_id=self.task_id, state=self.state, result=None, error=self.error
        )
        made._result = copy.deepcopy(self._result, memo)
        return made

    @property
    def done(self) -> bool:
        """Whether it was done then."""
        return self.state not in ("PENDING", "RUNNING")

    @property
    def result(self) -> Any:
        """Its result at that moment. Raises `UsageError` if it had none."""
        if self.state != FINISHED or self.error is not None:
            raise UsageError(f"this future had no result then: {self!r}")
        return self._result


class ShownWorkflow(Shown):
    """The workflow as it was: what it holds are attributes of this, as a snapshot has values. It has no methods."""

    __slots__ = ("_held", "_kind")

    def __init__(self, text: str, kind: type[Workflow], held: dict[str, Any]) -> None:
        super().__init__(text)
        self._kind = kind
        self._held = held

    def __deepcopy__(self, memo: dict[int, Any]) -> ShownWorkflow:
        made = memo[id(self)] = ShownWorkflow(self._text, self._kind, {})
        made._held = copy.deepcopy(self._held, memo)
        return made

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._held]

    def __getattr__(self, name: str) -> Any:
        """An attribute that the workflow held then, or a plain value of its class. Raises `AttributeError`."""
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._held:
            return self._held[name]
        value = inspect.getattr_static(self._kind, name, self)  # which is no plain value
        if type(value) in _PLAIN_OF_CLASS:
            return value
        raise AttributeError(
            f"{self._text[:60]} held no {name!r:.60} then: of a workflow attributes are kept, no methods or properties"
        )


class _Full(Exception):
    """No more of this variable is copied."""


class Snapshots:
    """Copies the variables of one step after the other. The frames of a step share its bounds, the first come first."""

    def __init__(self) -> None:
        self._current = _Snapshot()
        self._held = _Snapshot()
        """The snapshot of what the workflow holds, with bounds of its own: it takes no room from the variables."""
        self._workflows: dict[int, ShownWorkflow] = {}

    def begin(self) -> int:
        """The next step begins. Gives the size of the one before: values that were copied of it, and its texts."""
        size = self._current.size + self._held.size
        self._current, self._held, self._workflows = _Snapshot(), _Snapshot(), {}
        return size

    def take(self, found: dict[str, Any]) -> dict[str, Any]:
        """A snapshot of these variables of one frame, by name."""
        return {
            name: self._of_workflow(value) if issubclass(type(value), Workflow) else self._current.variable(value)
            for name, value in found.items()
        }

    def _of_workflow(self, value: Workflow) -> ShownWorkflow:
        made = self._workflows.get(id(value))  # it lives as long as its frames
        if made is None:
            held: dict[str, Any] = _held_by(value)
            names = [name for name in list(held)[: MAX_ATTRIBUTES + 1] if type(name) is str and name != "executor"]
            values = {name: self._held.variable(held[name]) for name in names}
            made = self._workflows[id(value)] = ShownWorkflow(value_text(value), type(value), values)
        return made


class _Snapshot:
    """Copies the values of one step; what is left of its bounds is shared by them."""

    __slots__ = ("_characters", "_copies", "_keys", "_nodes", "_shown")

    def __init__(self) -> None:
        self._nodes = MAX_NODES
        self._characters = MAX_CHARACTERS
        self._shown = MAX_SHOWN
        self._keys = 0
        """Within how many keys and members of sets it is: a record there would be compared by the author's code."""
        self._copies: dict[int, tuple[object, Any]] = {}
        """The copy of each container by the id of the container, which is held so that the id stays its own."""

    @property
    def size(self) -> int:
        """The amount that it has copied: objects, with 64 characters of text counted as one."""
        return MAX_NODES - max(self._nodes, 0) + (MAX_CHARACTERS - max(self._characters, 0)) // 64

    def variable(self, value: Any) -> Any:
        left, copied = (self._nodes, self._characters, self._shown), len(self._copies)
        try:
            return self._copy_of(value, 0)
        except (_Full, RuntimeError):  # another thread may change a container meanwhile
            self._nodes, self._characters, self._shown = left
            while len(self._copies) > copied:
                self._copies.popitem()  # a container that holds the same must not get a part of it
        return Shown(value_text(value))

    def _copy_of(self, value: Any, depth: int) -> Any:
        self._nodes -= 1
        if self._nodes < 0 or depth > _MAX_DEPTH:
            raise _Full
        kind = type(value)
        if kind is str or kind is bytes:
            self._characters -= len(value)
            if self._characters < 0:
                raise _Full
            return value
        if kind is int:
            self._characters -= value.bit_length() // 8
            if self._characters < 0:
                raise _Full
            return value
        if kind in _UNCHANGING:
            return value
        if kind is datetime.datetime or kind is datetime.time:
            return value if type(value.tzinfo) in _PLAIN_ZONES else Shown(value_text(value))
        copy = _COPIES.get(kind) if type(kind) is type else None
        if copy is None and not self._keys and is_record(kind):
            copy = _Snapshot.of_named_tuple if is_tuple(kind) else _Snapshot.of_data_class
        if copy is not None:
            known = None if self._keys else self._copies.get(id(value))
            return known[1] if known is not None else copy(self, value, depth)
        array = self._of_array(value, kind)
        if array is not None:
            return array
        self._shown -= bool(depth)
        if self._shown < 0:
            raise _Full
        if issubclass(kind, Future):
            return self._of_future(value, depth)
        return Shown(value_text(value))

    def _of_array(self, value: Any, kind: type) -> Any:
        """The copy of an array, a frame or a column of plain values; `None` of anything else, or if it is large."""
        if is_scalar(kind):
            parts, copied = [], value
        elif is_array(kind):
            parts, copied = [value], None
        elif is_series(kind):
            parts, copied = [value, value.index], None
        elif is_frame(kind) and len(value.columns) <= _MAX_COLUMNS:
            parts = [value.index, *(value.iloc[:, place] for place in range(len(value.columns)))]
            copied = None
        else:
            return None
        size = value.nbytes if is_scalar(kind) else sum(each.nbytes for each in parts)
        if size > self._characters:
            return None
        if copied is None:
            known = self._copies.get(id(value))
            if known is not None:
                return known[1]
            if not all(map(has_plain_values, parts)) or not _has_plain_names(value, kind):
                return None
            copied = value.copy()
            self.copied(value, copied)
        self._characters -= size
        return copied

    def _of_future(self, value: Future, depth: int) -> ShownFuture:
        known = self._copies.get(id(value))
        if known is not None:
            found: ShownFuture = known[1]
            return found
        state, result, error = Future.peek(value)
        is_done = state == FINISHED
        made = ShownFuture(
            value_text(value),
            task_id=value.task_id if type(value.task_id) is str else None,
            state=state,
            result=self._copy_of(result, depth + 1) if is_done and error is None else None,
            error=None if error is None else Shown(value_text(error)),
        )
        self._copies[id(value)] = value, made
        return made

    def of_sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        kinds = set(map(type, value))
        if kinds <= _UNCHANGING or kinds == {int} or kinds == {str}:  # nothing to enter
            self._nodes -= len(value)
            if kinds == {int}:
                self._characters -= sum(map(int.bit_length, value)) // 8
            elif kinds == {str}:
                self._characters -= sum(map(len, value))
            if self._nodes < 0 or self._characters < 0:
                raise _Full
            made = type(value)(value)
            self.copied(value, made)
            return made
        return self._of_list(value, depth) if type(value) is list else _made_of_items(tuple)(self, value, depth)

    def _of_list(self, value: list[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        self._copies[id(value)] = value, made
        made.extend(self.each(value, depth))
        return made

    def of_dict(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        return self._filled({}, value, depth)

    def of_ordered_dict(self, value: OrderedDict[Any, Any], depth: int) -> OrderedDict[Any, Any]:
        return self._filled(OrderedDict[Any, Any](), value, depth)

    def of_counter(self, value: Counter[Any], depth: int) -> Counter[Any]:
        return self._filled(Counter[Any](), value, depth)

    def of_defaultdict(self, value: defaultdict[Any, Any], depth: int) -> defaultdict[Any, Any]:
        factory = value.default_factory
        return self._filled(
            defaultdict(factory if type(factory) is type and factory in _FACTORIES else None), value, depth
        )

    def _filled(self, made: _DictT, value: dict[Any, Any], depth: int) -> _DictT:
        self._copies[id(value)] = value, made
        for key, each in value.items():
            made[self._key(key, depth)] = self._copy_of(each, depth + 1)
        return made

    def _key(self, value: Any, depth: int) -> Any:
        self._keys += 1
        try:
            return self._copy_of(value, depth + 1)
        finally:
            self._keys -= 1

    def of_named_tuple(self, value: Any, depth: int) -> Any:
        made = tuple.__new__(type(value), self.each(tuple.__iter__(value), depth))
        self.copied(value, made)
        return made

    def of_data_class(self, value: Any, depth: int) -> Any:
        made = object.__new__(type(value))
        self.copied(value, made)
        values_of(made).update({name: self._copy_of(each, depth + 1) for name, each in dict(values_of(value)).items()})
        return made

    def of_bytearray(self, value: bytearray, depth: int) -> bytearray:
        self._characters -= len(value)
        if self._characters < 0:
            raise _Full
        return bytearray(value)

    def copied(self, value: Any, made: Any) -> None:
        """The copy of this value is made."""
        self._copies[id(value)] = value, made

    def each(self, values: Iterable[Any], depth: int) -> list[Any]:
        return [self._copy_of(each, depth + 1) for each in values]

    def keys(self, values: Iterable[Any], depth: int) -> list[Any]:
        return [self._key(each, depth) for each in values]


def _has_plain_names(value: Any, kind: type) -> bool:
    """Whether what pandas keeps beside the values, and copies with them, is plain."""
    if is_array(kind):
        return True
    names = [*value.columns, value.columns.name] if is_frame(kind) else [value.name]
    return not value.attrs and {*map(type, names), type(value.index.name)} <= {str, int, type(None)}


def _of_deque(snapshot: _Snapshot, value: deque[Any], depth: int) -> deque[Any]:
    made = deque[Any](snapshot.each(value, depth), value.maxlen)
    snapshot.copied(value, made)
    return made


def _made_of_items(make: Callable[[Iterable[Any]], Any]) -> Callable[[_Snapshot, Any, int], Any]:
    def copy(snapshot: _Snapshot, value: Any, depth: int) -> Any:
        made = make(snapshot.each(value, depth))
        snapshot.copied(value, made)
        return made

    return copy


def _made_of_keys(make: Callable[[Iterable[Any]], Any]) -> Callable[[_Snapshot, Any, int], Any]:
    def copy(snapshot: _Snapshot, value: Any, depth: int) -> Any:
        made = make(snapshot.keys(value, depth))
        snapshot.copied(value, made)
        return made

    return copy


_UNCHANGING: Final = frozenset(
    {
        *(type(None), bool, float, complex, range),
        *(datetime.date, datetime.timedelta, datetime.timezone),
        *(decimal.Decimal, fractions.Fraction, UUID, pathlib.PosixPath, pathlib.PurePosixPath),
        *(type(...), type(NotImplemented)),
    }
)
"""Types whose values never change, and hold nothing that does."""
_PLAIN_OF_CLASS: Final = _UNCHANGING | {str, bytes, int}
"""Types of attributes of a class that a snapshot of its object has, too."""
_held_by: Final[Callable[[Workflow], dict[str, Any]]] = vars(Workflow)["__dict__"].__get__
"""Gets what a workflow holds, by name, whatever its class makes of the access to attributes."""
_FACTORIES: Final = frozenset({list, dict, set, int, float, str, bool, tuple, deque, Counter, OrderedDict})
"""Functions that make the missing values of a copied `defaultdict`; another factory may be the author's, and is left
out."""
_PLAIN_ZONES: Final = frozenset({type(None), datetime.timezone, zoneinfo.ZoneInfo})

_COPIES: Final[dict[type, Callable[[_Snapshot, Any, int], Any]]] = {
    list: _Snapshot.of_sequence,
    tuple: _Snapshot.of_sequence,
    dict: _Snapshot.of_dict,
    OrderedDict: _Snapshot.of_ordered_dict,
    Counter: _Snapshot.of_counter,
    defaultdict: _Snapshot.of_defaultdict,
    bytearray: _Snapshot.of_bytearray,
    set: _made_of_keys(set),
    frozenset: _made_of_keys(frozenset),
    deque: _of_deque,
}
"""The functions that copy containers of each type. Those of derived types, which may have code of the author's, are
not, but for records: see `debugger.plain_records`."""
