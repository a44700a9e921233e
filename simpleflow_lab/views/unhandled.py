"""The failures that nobody handled: tasks at their last attempt, and signals that SWF did not deliver.

Rule: which these are our decider has written down by their ids; see `views.history_fold`. A signal is a row like that
of a task, of the kind `external_signal`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.event_types import EXTERNAL_SIGNAL
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.attempts import Attempt, seconds_between
from simpleflow_lab.views.formatting import well_formed


def undelivered_signals(history: History, names: Collection[str]) -> Iterator[Attempt]:
    """The signals of these names that SWF did not deliver, as attempts. Raises nothing for a damaged event."""
    sent: dict[int, HistoryEvent] = {}
    for event in history:
        if event.type == "SignalExternalWorkflowExecutionInitiated":
            sent[event.id] = event
        elif event.type == "SignalExternalWorkflowExecutionFailed":
            first = sent.get(event.attributes.get("initiatedEventId") or 0)
            if first is not None and first.attributes.get("signalName") in names:
                yield _attempt(first, event)


def _attempt(sent: HistoryEvent, failed: HistoryEvent) -> Attempt:
    attributes = sent.attributes
    name = well_formed(attributes.get("signalName")) or ""
    control = read_control(_text(attributes.get("control")))
    whom, cause = _text(attributes.get("workflowId")), _text(failed.attributes.get("cause"))
    return Attempt(
        kind=EXTERNAL_SIGNAL,
        name=name,
        version=None,
        id=name,
        attempt=1,
        state="failed",
        open=False,
        scheduled=sent.timestamp,
        closed=failed.timestamp,
        waiting=seconds_between(sent.timestamp, failed.timestamp),
        input=well_formed(_text(attributes.get("input"))),
        reason=well_formed(f"signal to {whom}: {cause}"),
        unhandled=True,
        scheduled_event_id=sent.id,
        closed_event_id=failed.id,
        line=control.line,
        decision_event_id=attributes.get("decisionTaskCompletedEventId"),
        depends_on=control.depends_on,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
