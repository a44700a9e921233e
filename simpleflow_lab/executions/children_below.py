"""The histories of an execution's children and of those below them: to draw them, and to say what failed there.

Rule: of a tree of executions only so many are read, and only so deep: see `reading_budget`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.executions.reading_budget import MAX_DEPTH, Budget
from simpleflow_lab.swf.event_types import CHILD
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.opened_child import OpenedChild


def opened_children(reader: ExecutionReader, folded: FoldedHistory) -> dict[int, OpenedChild]:
    """The histories of its children and of those below them, by the events that initiated them."""
    return _children_down(reader, folded, Budget(), 0)


def unhandled_below(reader: ExecutionReader, folded: FoldedHistory) -> list[tuple[str, Attempt]]:
    """The failures in its children, and in theirs, that nobody handled, each with the id of its execution."""
    return list(_unhandled_down(reader, folded, Budget(), 0))


def _unhandled_down(
    reader: ExecutionReader, folded: FoldedHistory, budget: Budget, depth: int
) -> Iterator[tuple[str, Attempt]]:
    for attempt in folded.attempts:
        for run, own in _runs_of(reader, attempt, budget, depth):
            yield from ((attempt.id, each) for each in own.unhandled)
            yield from _unhandled_down(run, own, budget, depth + 1)


def _children_down(
    reader: ExecutionReader, folded: FoldedHistory, budget: Budget, depth: int
) -> dict[int, OpenedChild]:
    found: dict[int, OpenedChild] = {}
    for attempt in folded.attempts:
        for child, own in islice(_runs_of(reader, attempt, budget, depth), 1):
            found[attempt.scheduled_event_id] = OpenedChild(own, _children_down(child, own, budget, depth + 1))
    return found


def _runs_of(
    reader: ExecutionReader, attempt: Attempt, budget: Budget, depth: int
) -> Iterator[tuple[ExecutionReader, FoldedHistory]]:
    """The runs of a child, one for each time that it continued as new, with their histories: none of what is no child
    or is too deep, nor of what is deleted because its retention period is over."""
    run_id = attempt.run_id if attempt.kind == CHILD and depth < MAX_DEPTH else None
    while run_id is not None and budget.take():
        run = reader.other(attempt.id, run_id)
        try:
            own = run.folded()
        except UnknownResourceFault:
            return
        yield run, own
        run_id = own.history[-1].attributes.get("newExecutionRunId")
