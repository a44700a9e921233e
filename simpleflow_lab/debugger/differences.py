"""Differences between two steps: in futures, local variables, where the code waits, commands.

Rule: every text is one line, bounded, and not escaped; it displays itself escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.debugger.step_text import command_text, fiber_text
from simpleflow_lab.debugger.trigger_text import task_words
from simpleflow_lab.replay.trace import DecisionRecord, FutureRecord, SuspendedFiber
from simpleflow_lab.views.formatting import HOVER_LIMIT, shortened
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing

FUTURE: Final = "future"
LOCAL: Final = "local"
WAITS: Final = "waits"
COMMAND: Final = "command"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not the same in two steps."""

    kind: str
    """`future`, `local`, `waits` or `command`."""
    name: str
    """The future, as `activity fetch-3`; the variable, as `total`, with the function if it is not that of `run`; the
    fiber."""
    before: str | None
    """As it is in the first of the steps; `None` if it is not there."""
    after: str | None
    """As it is in the second."""


class StepDifference(ListingView[Difference]):
    """The differences between two steps. It displays itself; `to_pandas()` gives a frame."""

    def __init__(self, first: int, second: int, items: Sequence[Difference]) -> None:
        super().__init__(items)
        self.first = first
        """The number of the first step."""
        self.second = second
        """The number of the second."""

    @property
    def _nothing(self) -> str:
        return f"steps {self.first} and {self.second} are the same"

    def of(self, kind: str) -> list[Difference]:
        """The differences of one kind: `future`, `local`, `waits` or `command`."""
        return [each for each in self if each.kind == kind]

    def listing(self) -> Listing:
        """One row for each."""
        columns = {
            "about": Kind.TEXT,
            "name": Kind.TEXT,
            f"step {self.first}": Kind.TEXT,
            f"step {self.second}" if self.first != self.second else "the same step": Kind.TEXT,
        }
        rows = [(each.kind, each.name, each.before, each.after) for each in self]
        return Listing(columns=columns, rows=rows)


def difference(first: DecisionRecord, second: DecisionRecord) -> StepDifference:
    """The differences of two records, which both have the values of local variables."""
    found = [
        *_of_futures(first.futures, second.futures),
        *_of_locals(first.suspended, second.suspended),
        *_of_fibers(first.suspended, second.suspended),
        *_of_commands(first, second),
    ]
    return StepDifference(first.number, second.number, found)


def _of_futures(first: Sequence[FutureRecord], second: Sequence[FutureRecord]) -> Iterator[Difference]:
    before = {future.number: future for future in first}
    after = {future.number: future for future in second}
    for number in sorted(before.keys() | after.keys()):
        old, new = before.get(number), after.get(number)
        if _future_text(old) != _future_text(new):
            known = new or old
            assert known is not None
            name = task_words(known.kind, known.id or known.number)
            yield Difference(kind=FUTURE, name=name, before=_future_text(old), after=_future_text(new))


def _future_text(future: FutureRecord | None) -> str | None:
    if future is None:
        return None
    value = f", {shortened(future.value, HOVER_LIMIT)}" if future.value is not None else ""
    tries = f", attempt {future.attempts}" if future.attempts > 1 else ""
    return f"{future.state}{', failed' if future.failed else ''}{value}{tries}"


def _of_locals(first: Sequence[SuspendedFiber], second: Sequence[SuspendedFiber]) -> Iterator[Difference]:
    before, after = _variables(first), _variables(second)
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if old != new:
            yield Difference(kind=LOCAL, name=key, before=old, after=new)


def _variables(fibers: Sequence[SuspendedFiber]) -> Mapping[str, str]:
    """The text of each variable by its name, with function and fiber where it is not of the innermost one of `run`."""
    found: dict[str, str] = {}
    for fiber in fibers:
        for depth, frame in enumerate(reversed(fiber.stack)):
            where = "" if depth == 0 else f" of {frame.line.function}"
            where += "" if fiber.name.number == 1 else f" in {shortened(fiber.name.label)}"
            texts: Mapping[str, Any] = frame.locals or {}
            for name, text in texts.items():
                found[f"{name}{where}"] = shortened(text, HOVER_LIMIT)
    return found


def _of_fibers(first: Sequence[SuspendedFiber], second: Sequence[SuspendedFiber]) -> Iterator[Difference]:
    before = {fiber.name: fiber_text(fiber) for fiber in first}
    after = {fiber.name: fiber_text(fiber) for fiber in second}
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name) != after.get(name):
            yield Difference(kind=WAITS, name=shortened(name.label), before=before.get(name), after=after.get(name))


def _of_commands(first: DecisionRecord, second: DecisionRecord) -> Iterator[Difference]:
    if first.number == second.number:
        return
    for command in first.commands:
        yield Difference(kind=COMMAND, name=shortened(command.id), before=command_text(command), after=None)
    for command in second.commands:
        yield Difference(kind=COMMAND, name=shortened(command.id), before=None, after=command_text(command))
