"""A step by the record of its decision alone: nothing here replays anything.

`debugger.steps` adds what its replay knows: variables, lines that ran, why it happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from simpleflow_lab.debugger import step_text
from simpleflow_lab.debugger.decision_size import Budgets
from simpleflow_lab.debugger.edited_lines import EditedLine, edited_lines
from simpleflow_lab.debugger.step_listings import futures_listing
from simpleflow_lab.replay.budgets import size_of
from simpleflow_lab.replay.trace import (
    Close,
    CommandRecord,
    DecisionRecord,
    Divergence,
    FutureRecord,
    Match,
    SignalRecord,
    SuspendedFiber,
)
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.event_types import DECISION_FAILURE, EVENT_TYPES, EXECUTION
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_DECISIONS, MAX_HISTORY_EVENTS, MAX_REQUEST_BYTES

if TYPE_CHECKING:
    import pandas as pd

_FAILED_STATES: Final = frozenset({"failed", "timed_out", "start_failed", "schedule_failed", "record_failed"})
_FAILURES: Final = frozenset(
    type
    for type, row in EVENT_TYPES.items()
    if (row.state in _FAILED_STATES and row.entity != EXECUTION and row.closes) or row.entity == DECISION_FAILURE
)
"""The types of events by which something failed."""


class RecordedStep:
    """One decision, as its record says it."""

    __slots__ = ("record",)

    def __init__(self, record: DecisionRecord) -> None:
        self.record = record
        """All that the replay recorded of it, as plain data."""

    # -- which decision --

    @property
    def number(self) -> int:
        """1 for the first decision of the execution, then 2, 3, …"""
        return self.record.number

    @property
    def is_replayed(self) -> bool:
        """The history records it. `False` for the open decision at its end: how the code would decide now."""
        return self.record.is_replayed

    @property
    def started_event_id(self) -> int:
        """Id of its `DecisionTaskStarted`: the code saw the events up to this one."""
        return self.record.started_event_id

    @property
    def completed_event_id(self) -> int | None:
        """Id of its `DecisionTaskCompleted`; `None` of the open decision."""
        return self.record.completed_event_id

    # -- what it saw --

    @property
    def events(self) -> Sequence[HistoryEvent]:
        """The events that it saw and no decision before did."""
        return self.record.events

    @property
    def signals(self) -> Sequence[SignalRecord]:
        """The signals among them."""
        return self.record.signals

    # -- what the code did --

    @property
    def edited(self) -> Sequence[EditedLine]:
        """The lines that made its commands, where they read otherwise here than when it was recorded."""
        return edited_lines(self.record)

    @property
    def commands(self) -> Sequence[CommandRecord]:
        """The commands that the code made in it, in order, each with its line."""
        return self.record.commands

    @property
    def recorded(self) -> Sequence[HistoryEvent]:
        """The events that record its commands, in order."""
        return self.record.recorded

    @property
    def matches(self) -> Sequence[Match]:
        """The command that each of these events records."""
        return self.record.matches

    @property
    def unmatched(self) -> Sequence[CommandRecord]:
        """The commands that no event records: they wait, or are what diverges."""
        return self.record.unmatched

    @property
    def pending(self) -> int:
        """The number of commands, of this decision and earlier ones, that no event records yet."""
        return self.record.pending

    @property
    def futures(self) -> Sequence[FutureRecord]:
        """Every future so far: its state and value after this decision, and where it comes from."""
        return self.record.futures

    @property
    def changed_futures(self) -> Sequence[FutureRecord]:
        """The futures that are new or have changed since the decision before."""
        return self.record.changed_futures

    @property
    def output(self) -> str | None:
        """The text that the code printed in it, cut after 10,000 characters."""
        return self.record.output

    @property
    def suspended(self) -> Sequence[SuspendedFiber]:
        """The fibers that wait at its end, in the order in which they were started."""
        return self.record.suspended

    def futures_frame(self) -> pd.DataFrame:
        """One row per future so far, as pandas: `future kind id state failed value attempts line fiber depends_on
        scheduled_event_id started_event_id closed_event_id`."""
        from simpleflow_lab.views.tables import listing_table  # noqa: PLC0415  pandas

        return listing_table(futures_listing(self.futures))

    # -- what became of it --

    @property
    def decisions(self) -> Sequence[Decision]:
        """The answer to the decision task in SWF's shape: of a replayed decision as the code makes it now."""
        return self.record.decisions

    @property
    def decided(self) -> list[str]:
        """The decisions in one line each, without what no replay compares: `ScheduleActivityTask fetch-3 {"args":…}`.

        For tests: equal code decides equal lines.
        """
        return [step_text.decision_text(decision) for decision in self.record.decisions]

    @property
    def execution_context(self) -> str | None:
        """The execution context that the decision set; `None` if it left it as it was."""
        return self.record.execution_context

    @property
    def close(self) -> Close | None:
        """The close of the execution by the decision; `None` if it did not close it."""
        return self.record.close

    @property
    def raised(self) -> str | None:
        """The error that ended `run` in this step, with its line: `ValueError: no 3, at flows.py:12, raise …`."""
        return None if self.record.raised is None else step_text.raised_text(self.record.raised)

    @property
    def divergence(self) -> Divergence | None:
        """The first difference between the history and the code: the steps end here."""
        return self.record.divergence

    @property
    def error(self) -> str | None:
        """Why the decision could not be made, or what diverges; the steps end here."""
        return self.record.error

    @property
    def budgets(self) -> Budgets:
        """The size of its decision, with SWF's limits."""
        record = self.record
        last = record.recorded[-1].id if record.recorded else record.completed_event_id
        return Budgets(
            decisions=len(record.decisions),
            max_decisions=MAX_DECISIONS,
            bytes=sum(map(size_of, record.decisions)),
            max_bytes=MAX_REQUEST_BYTES,
            events=last if last is not None else record.started_event_id + 1 + len(record.decisions),
            max_events=MAX_HISTORY_EVENTS,
        )

    @property
    def has_failure(self) -> bool:
        """Whether something failed: a task in the events that it saw, a decision that SWF refused, `run` itself, or
        the decision."""
        record = self.record
        return (
            record.error is not None
            or any(event.type in _FAILURES for event in record.events)
            or (record.close is not None and record.close.decision_type == "FailWorkflowExecution")
        )
