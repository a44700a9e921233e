"""What `Workflow.get_event_details` gives: the latest marker, signal or timer of a name, under upstream's keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.codec import decode_or_text
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.history import HistoryEvent

Details = dict[str, Any]


class Kind(NamedTuple):
    """How the events of one kind are found and told."""

    entity: str
    name_attribute: str
    tell: Callable[[Mapping[str, Any]], Details]
    """From an event's attributes to what is particular to the kind."""


def _marker(attributes: Mapping[str, Any]) -> Details:
    return {"details": decode_or_text(attributes.get("details"))}


def _signal(attributes: Mapping[str, Any]) -> Details:
    sender = attributes.get("externalWorkflowExecution") or {}
    return {
        "input": decode_or_text(attributes.get("input")),
        "external_workflow_id": sender.get("workflowId"),
        "external_run_id": sender.get("runId"),
        "external_initiated_event_id": attributes.get("externalInitiatedEventId"),
    }


def _timer(attributes: Mapping[str, Any]) -> Details:
    # Only the start tells these; what comes later keeps them.
    told: Details = {"id": attributes["timerId"]}
    if "startToFireTimeout" in attributes:
        told["start_to_fire_timeout"] = int(attributes["startToFireTimeout"])
        told["control"] = decode_or_text(attributes.get("control"))
    return told


KINDS: Final[Mapping[str, Kind]] = {
    "marker": Kind(event_types.MARKER, "markerName", _marker),
    "signal": Kind(event_types.SIGNAL, "signalName", _signal),
    "timer": Kind(event_types.TIMER, "timerId", _timer),
}


def event_details(events: Iterable[HistoryEvent], kind: str, name: str) -> Details | None:
    """The latest of this kind and name, or `None`. Raises `UsageError` for a kind that is not in the table."""
    row = KINDS.get(kind)
    if row is None:
        raise UsageError(f'event details are kept of "marker", "signal" and "timer", not of {kind!r}')
    found: Details | None = None
    for event in events:
        if event.row.entity != row.entity or event.attributes.get(row.name_attribute) != name:
            continue
        if event.row.state.endswith("_failed"):
            continue  # refused: it changed nothing
        before = found if kind == "timer" and found is not None else {}
        found = {
            **before,
            "type": kind,
            "name": name,
            "state": event.row.state,
            "event_id": event.id,
            "timestamp": event.timestamp,
            **row.tell(event.attributes),
        }
    return found
