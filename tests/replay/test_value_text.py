"""Values of an author's code as texts: bounded, and made without running any of that code."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import itertools
import pathlib
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import pytest

from simpleflow_lab.futures import Future
from simpleflow_lab.replay.value_text import MAX_LENGTH, value_text


class Hostile:
    """Whatever is asked of it ends the process."""

    def __init__(self) -> None:
        object.__setattr__(self, "held", 1)

    def _end(self, *args: Any) -> NoReturn:
        raise SystemExit("it was asked")

    __repr__ = __str__ = __len__ = __iter__ = __getattribute__ = __hash__ = __eq__ = __bool__ = __format__ = _end  # type: ignore[assignment]
    __class__ = property(_end)  # type: ignore[assignment]


class HostileMeta(type):
    """Its classes are not even to be looked up."""

    __hash__ = __eq__ = Hostile._end  # type: ignore[assignment]


class OfHostileMeta(metaclass=HostileMeta):
    def __init__(self) -> None:
        self.held = 1


class HostileList(list[Any]):
    __iter__ = __len__ = __repr__ = __getitem__ = Hostile._end  # type: ignore[assignment]


class HostileDict(dict[Any, Any]):
    items = __iter__ = __len__ = __repr__ = Hostile._end  # type: ignore[assignment]


class HostileText(str):
    __repr__ = __len__ = __getitem__ = __str__ = Hostile._end  # type: ignore[assignment]


class HostileNumber(int):
    __repr__ = __str__ = bit_length = Hostile._end  # type: ignore[assignment]


class HostileZone(datetime.tzinfo):
    utcoffset = dst = tzname = __repr__ = Hostile._end  # type: ignore[assignment]


class HostileFuture(Future):
    result = state = done = exception = property(Hostile._end)  # type: ignore[assignment]


@dataclasses.dataclass
class Point:
    x: int
    y: Any


class Pair(NamedTuple):
    first: int
    second: int


class Slotted:
    __slots__ = ("a", "b")


class Color(enum.Enum):
    RED = 1


def slotted() -> Slotted:
    made = Slotted()
    made.a = 1
    return made


def loop() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def finished() -> Future:
    future = Future(task_id="a-1")
    future.set_finished(5)
    return future


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (12, "12"),
        (1.5, "1.5"),
        ("it's", '"it\'s"'),
        (b"ab", "b'ab'"),
        ([], "[]"),
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1,)"),
        ((), "()"),
        ({"a": [1]}, "{'a': [1]}"),
        ({1}, "{1}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        (range(3), "range(0, 3, 1)"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, ... 12 more]"),
        (collections.deque([1]), "deque([1])"),
        (collections.Counter("a"), "Counter{'a': 1}"),
        (Point(1, [2]), "Point(x=1, y=[2])"),
        (Pair(1, 2), "Pair(first=1, second=2)"),
        (slotted(), "Slotted(a=1)"),
        (Color.RED, "Color.RED"),
        (ValueError("no", 3), "ValueError('no', 3)"),
        (object(), "<object>"),
        (Point, "<class Point>"),
        (value_text, "<function value_text>"),
        ((item for item in ()), "<generator>"),
        (itertools.count(), "<count>"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC), "2026-01-02 03:00:00+00:00"),
        (datetime.datetime(2026, 1, 2, 3, tzinfo=zoneinfo.ZoneInfo("UTC")), "2026-01-02 03:00:00+00:00"),
        (datetime.timedelta(seconds=1), "datetime.timedelta(seconds=1)"),
        (decimal.Decimal("1.5"), "Decimal('1.5')"),
        (fractions.Fraction(1, 3), "Fraction(1, 3)"),
        (uuid.UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
        (pathlib.PurePosixPath("/a"), "PurePosixPath('/a')"),
        (loop(), "[[[[[...]]]]]"),
        (Future(task_id="a-1"), "<Future a-1: PENDING>"),
        (finished(), "<Future a-1: FINISHED, 5>"),
    ],
)
def test_values_are_written_as_python_would(value: Any, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Hostile(), "Hostile(held=1)"),
        (lambda: OfHostileMeta(), "OfHostileMeta(held=1)"),
        (lambda: [Hostile()], "[Hostile(held=1)]"),
        (lambda: {"a": Hostile()}, "{'a': Hostile(held=1)}"),
        (lambda: Point(1, Hostile()), "Point(x=1, y=Hostile(held=1))"),
        (lambda: HostileList([1]), "HostileList[1]"),
        (lambda: HostileDict(a=1), "HostileDict{'a': 1}"),
        (lambda: HostileText("a"), "HostileText('a')"),
        (lambda: HostileNumber(7), "HostileNumber(7)"),
        (lambda: HostileFuture(task_id="h"), "<HostileFuture h: PENDING>"),
        (lambda: datetime.datetime(2026, 1, 1, tzinfo=HostileZone()), "<datetime>"),
        (lambda: ValueError(Hostile()), "ValueError(Hostile(held=1))"),
    ],
)
def test_no_code_of_the_author_runs(make: Callable[[], Any], text: str) -> None:
    assert value_text(make()) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 10_000_000,
        lambda: b"x" * 10_000_000,
        lambda: 10**100_000,
        lambda: -(10**100_000),
        lambda: decimal.Decimal("1e999999"),
        lambda: list(range(1_000_000)),
        lambda: dict.fromkeys(range(100_000)),
        lambda: [["y" * 1_000] * 1_000] * 1_000,
        lambda: {f"k{n}": {f"k{m}": ["z" * 200] * 9 for m in range(9)} for n in range(9)},
        lambda: Point(1, Point(2, Point(3, Point(4, Point(5, Point(6, 7)))))),
        lambda: type("N" * 100_000, (), {})(),
        lambda: ValueError("x" * 1_000_000),
        lambda: Future(task_id="f" * 100_000),
    ],
)
def test_texts_are_bounded(make: Callable[[], Any]) -> None:
    assert len(value_text(make())) <= MAX_LENGTH


def test_reading_a_future_handles_no_failure() -> None:
    future = Future(task_id="a", raises=True)
    future.set_exception(ValueError("no"))
    assert value_text([future]) == "[<Future a: FINISHED, ValueError('no')>]"
    assert future.unhandled_failure
