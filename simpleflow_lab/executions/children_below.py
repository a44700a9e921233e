"""The histories of an execution's children and of those below them: to draw them, and to say what failed there.

*Rule:* of a tree of executions only so many are read, and only so deep, as for what they wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.executions.waits_below import MAX_DEPTH, Budget
from simpleflow_lab.swf.event_types import CHILD
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.opened_child import OpenedChild


def opened_children(reader: ExecutionReader, folded: FoldedHistory) -> dict[int, OpenedChild]:
    """The histories of its children and of those below them, by the events that initiated them."""
    return _children_down(reader, folded, Budget(), 0)


def unhandled_below(reader: ExecutionReader, folded: FoldedHistory) -> list[tuple[str, Attempt]]:
    """The attempts in its children, and in theirs, whose failure nobody handled, each with the id of its execution."""
    return list(_unhandled(folded, opened_children(reader, folded)))


def _unhandled(folded: FoldedHistory, children: Mapping[int, OpenedChild]) -> Iterator[tuple[str, Attempt]]:
    for attempt in folded.attempts:
        child = children.get(attempt.scheduled_event_id)
        if child is not None:
            yield from ((attempt.id, each) for each in child.folded.attempts if each.unhandled)
            yield from _unhandled(child.folded, child.children)


def _children_down(
    reader: ExecutionReader, folded: FoldedHistory, budget: Budget, depth: int
) -> dict[int, OpenedChild]:
    found: dict[int, OpenedChild] = {}
    for attempt in folded.attempts:
        if attempt.kind == CHILD and attempt.run_id is not None and depth < MAX_DEPTH and budget.take():
            child = reader.other(attempt.id, attempt.run_id)
            own = child.folded()
            found[attempt.scheduled_event_id] = OpenedChild(own, _children_down(child, own, budget, depth + 1))
    return found
