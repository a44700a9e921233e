"""Signals passed on: what one execution of a family gets, the others get too.

A signal that asks for it (`Signal.propagates`) is passed on to the parent and to every child that runs, except to the
execution that it came from; a child that starts later gets the latest signal of each name. Parents and children form a
tree, so each member gets each signal once and none goes in circles. Signals that don't ask for it, such as those from
outside, stay where they are. The rule is upstream's, whose deciders may decide for the relatives; unlike there a second
signal of the same name is passed on too.

It follows from the events alone, whatever the workflow's code does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simpleflow_lab.signal import Signal
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.history import HistoryEvent


class Relative(NamedTuple):
    """The parent or a child of an execution."""

    workflow_id: str
    run_id: str


class Delivery(NamedTuple):
    """A signal that is to be passed on."""

    signal: Signal
    input: str | None
    """The input as it was recorded; it goes on as it came."""
    to: Relative


class Propagation:
    """Which signals of one execution are to be passed on to whom."""

    def __init__(self, started: HistoryEvent):
        self._parent = _relative(started, "parentWorkflowExecution")
        self._children: dict[Relative, None] = {}
        self._latest: dict[str, tuple[Signal, str | None]] = {}
        self._due: list[Delivery] = []

    def child_event(self, event: HistoryEvent) -> None:
        """A child started or closed; events of other kinds are passed over."""
        child = _relative(event, "workflowExecution") if event.row.entity == event_types.CHILD else None
        if child is None:
            return
        if event.row.closes:
            self._children.pop(child, None)
            return
        self._children[child] = None
        for signal, input in self._latest.values():
            self._add(signal, input, child)

    def signaled(self, signal: Signal, input: str | None) -> None:
        """A signal came, with this input as it was recorded."""
        if not signal.propagates:
            return
        self._latest[signal.name] = (signal, input)
        if self._parent is not None:
            self._add(signal, input, self._parent)
        for child in self._children:
            self._add(signal, input, child)

    @property
    def is_due(self) -> bool:
        """Something may have to be passed on."""
        return bool(self._due)

    def due(self, *, to_parent: bool) -> Iterator[Delivery]:
        """What is to be passed on now, in order, each once."""
        due, self._due = self._due, []
        for delivery in due:
            if delivery.to in self._children or (to_parent and delivery.to == self._parent):
                yield delivery

    def _add(self, signal: Signal, input: str | None, to: Relative) -> None:
        if (signal.workflow_id, signal.run_id) != to:
            self._due.append(Delivery(signal, input, to))


def _relative(event: HistoryEvent, attribute: str) -> Relative | None:
    execution = event.attributes.get(attribute)
    return Relative(execution["workflowId"], execution["runId"]) if execution else None
