"""Propagation of signals: a signal that one execution of a family receives is sent to the others too.

A signal that is sent to be propagated (`Signal.propagates`) is passed on to the parent and to every child that runs,
except to the execution that sent it; a child that starts later gets the latest signal of each name. Parents and
children form a tree, so each member gets each signal once and none goes in circles. Other signals, such as those from
outside, are not passed on. The rule is upstream's, whose deciders may decide for the relatives; unlike there a second
signal of the same name is passed on too.

Rule: what is passed on follows from the events alone, whatever the workflow's code does.
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
    """The input as it was recorded; it is passed on unchanged."""
    to: Relative


class Propagation:
    """The signals of one execution that are to be passed on, and to which relatives."""

    def __init__(self) -> None:
        self._parent: Relative | None = None
        self._children: dict[Relative, None] = {}
        self._latest: dict[str, tuple[Signal, str | None]] = {}
        self._due: list[Delivery] = []

    def execution_started(self, started: HistoryEvent) -> None:
        """The execution started, with this event: it names the parent."""
        self._parent = _relative(started, "parentWorkflowExecution")

    def child_event(self, event: HistoryEvent) -> None:
        """A child started or closed; other events are ignored."""
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
        """A signal was received, with this input as it was recorded."""
        if not signal.propagates:
            return
        self._latest[signal.name] = (signal, input)
        if self._parent is not None:
            self._add(signal, input, self._parent)
        for child in self._children:
            self._add(signal, input, child)

    @property
    def is_due(self) -> bool:
        """Some signal may have to be passed on."""
        return bool(self._due)

    def due(self, *, to_parent: bool) -> Iterator[Delivery]:
        """Give the signals that are to be passed on now, in order, each once."""
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
