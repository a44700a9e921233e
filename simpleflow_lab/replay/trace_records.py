"""The records that an observer of a replay gets: one per decision, and those of which it is made.

Rule: plain, frozen data. Nothing here refers to the workflow's live objects, so a record stays as it was while the
replay goes on, and may be read from any thread. Values of the author's code are texts (see `value_text`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simpleflow_lab.replay.divergence import Divergence
from simpleflow_lab.replay.lines import Line, line_text
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent


class FiberName(NamedTuple):
    """Names one fiber of a run of the workflow's code."""

    number: int
    """1 for the fiber of `run`, then in the order in which the fibers were started. When the code runs again from its
    start, a fiber that it starts again has the number that it had."""
    label: str
    """`run`, `Chain at basic.py:12`, `hook on_task_failure of activity-double-1`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StackFrame:
    """One frame of the author's code."""

    line: Line
    """Where it is."""
    locals: Mapping[str, str] | None
    """Its local variables at that moment, each as a bounded text; `None` if they were not recorded."""
    values: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """Their values at that moment, as the `snapshot` of `watch` copied them; `None` without one."""
    left_out: int = 0
    """Number of local variables beside these, which are the first 1,000."""

    @property
    def text(self) -> str:
        """The line as `basic.py:25, z = self.submit(double, y)`."""
        return line_text(self.line)


class SuspendedFiber(NamedTuple):
    """A fiber that waits for something at the end of a decision."""

    name: FiberName
    """Which fiber."""
    waits_for: str
    """The future that it waits for, as a text."""
    waits_for_ids: Sequence[str]
    """Ids of the tasks behind that future that are not done, at most 20."""
    stack: Sequence[StackFrame]
    """The author's frames, innermost last; empty if only this package's code is suspended there, as in a chain."""
    is_stack_cut: bool
    """The stack has further, outer frames of the author's: only the 50 innermost are recorded."""
    recorded_at: int
    """Id of the `DecisionTaskStarted` event of the decision in which its stack was recorded. It is an earlier one if
    the fiber has not run since, and has no frames of the author's, or if too many fibers wait to inspect each again;
    where too many wait for several tasks, the ids are of that decision, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Raised:
    """An error of the code that ended the execution."""

    text: str
    """The reason with which the execution fails: `ValueError: no 3`."""
    line: Line | None
    """The author's line that raised it."""
    stack: Sequence[StackFrame]
    """The author's frames at the raise, innermost last."""


class CommandRecord(NamedTuple):
    """One command: something that the workflow's code, or the replay by itself, asked of SWF."""

    number: int
    """1, 2, … in the order in which the commands of the execution were made. A retry is a command of its own."""
    kind: str
    """`activity`, `child workflow`, `timer`, `marker`, `signal`, `close`, `cancel of timer`, …"""
    id: str
    """activityId, workflowId, timerId, marker or signal name; of a close the decision type."""
    type: tuple[str, str] | None
    """Name and version of the activity or workflow type."""
    input: str | None
    """Input, details, or a timer's duration in seconds, as SWF gets it."""
    line: Line | None
    """The author's line that made it; `None` for what the replay commands by itself."""
    fiber: FiberName | None
    """The fiber in which that line ran."""


class Match(NamedTuple):
    """A command and the event that records it."""

    command: CommandRecord
    event_id: int


class FutureRecord(NamedTuple):
    """A future, where it comes from, and what is known of it at the end of a decision."""

    number: int
    """1, 2, … in the order in which the tasks were submitted."""
    kind: str
    """`activity`, `child workflow`, `timer`, `signal`, `signal wait`, `marker`, `group`, `chain`, …"""
    id: str | None
    """Id of its task as in `CommandRecord.id`; `None` for groups and chains, and while the id depends on arguments that
    are not there."""
    line: Line | None
    """The author's line that submitted the task."""
    fiber: FiberName | None
    """The fiber in which that line ran."""
    depends_on: Sequence[int]
    """Numbers of the futures among the task's arguments, in order."""
    members: Sequence[int]
    """Of a group or chain: numbers of the futures of its members that are submitted."""
    state: str
    """`PENDING`, `RUNNING`, `FINISHED` or `CANCELLED`, as the workflow's code sees it in this decision."""
    value: str | None
    """The result or the error, as a text; `None` while it is not done."""
    failed: bool
    """It is done and has an error."""
    attempts: int
    """Number of times that the history records its task as scheduled; 0 before the first."""
    scheduled_event_id: int | None
    """Id of the event that records the latest attempt's command."""
    started_event_id: int | None
    """Id of the event by which the latest attempt started."""
    closed_event_id: int | None
    """Id of the event by which the latest attempt closed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalRecord:
    """A signal that the decision saw first."""

    name: str
    event_id: int
    """Id of its `WorkflowExecutionSignaled`."""
    input: str | None
    """As it was recorded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Close:
    """The close of the execution by a decision, or the attempt to close it."""

    decision_type: str
    """`CompleteWorkflowExecution`, `FailWorkflowExecution`, …"""
    event_id: int | None
    """Id of the event that records it; `None` if the history has none (yet)."""
    refused: str | None
    """Why SWF refused it, as `UNHANDLED_DECISION`: something happened while the decision was made. The run went on from
    where it was before this decision, and saw that. `None` if SWF didn't."""


class FutureUse(NamedTuple):
    """The use that the code had made of a future when a watched replay ended."""

    record: FutureRecord
    """The future, as it was then."""
    is_awaited: bool
    """Some code waited for it."""
    is_read: bool
    """Some code read its result or exception, or a task or a container got it."""
    is_canceled: bool
    """The code canceled it, whether or not it still came to its end."""
    is_unhandled: bool
    """It failed, and no code raised or read the error."""
    has_value: bool
    """It has a result other than `None`."""
    not_submitted: int
    """Of a group or chain: how many of its members were not submitted."""


class FutureLog:
    """The records of an execution's futures in the order in which they changed; records of decisions share it.

    It only grows, so what is up to some position stays what it was.
    """

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: list[FutureRecord] = []

    def append(self, record: FutureRecord) -> None:
        """Add what has become of one future."""
        self._records.append(record)

    def __len__(self) -> int:
        return len(self._records)

    def between(self, first: int, last: int) -> tuple[FutureRecord, ...]:
        """The records from position `first` up to, and without, position `last`."""
        return tuple(self._records[first:last])

    def latest(self, last: int) -> tuple[FutureRecord, ...]:
        """Of each future the latest record before position `last`, in the order of their numbers."""
        latest = {record.number: record for record in self._records[:last]}
        return tuple(latest[number] for number in sorted(latest))


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRecord:
    """One decision, as the replay made it."""

    number: int
    """1 for the first decision of the execution, then 2, 3, …"""
    started_event_id: int
    """Id of its `DecisionTaskStarted`: the code saw the events up to this one."""
    completed_event_id: int | None
    """Id of its `DecisionTaskCompleted`; `None` for a decision that is not made yet."""
    is_replayed: bool
    """The history records it. `False` for the open decision at its end."""
    events: Sequence[HistoryEvent]
    """The events that it saw and no decision before did. A decision that follows one whose close SWF refused sees the
    events of that one, too: it is made anew, see `refused_closes`."""
    signals: Sequence[SignalRecord]
    """The signals among them."""
    commands: Sequence[CommandRecord]
    """The commands that were made in this decision, in order."""
    recorded: Sequence[HistoryEvent]
    """The events that record the decision's commands, in order."""
    may_be_cut: bool
    """More events may record the decision: `until` cuts them off, or the history ends with `recorded`, which close
    nothing."""
    matches: Sequence[Match]
    """Which command each of them records. One may have been made in an earlier decision and have waited, because no
    more activity tasks may be open at a time."""
    pending: int
    """Number of commands, of this decision and earlier ones, that no event records yet."""
    suspended: Sequence[SuspendedFiber]
    """The fibers that wait for something, in the order in which they were started."""
    output: str | None
    """The text that the code wrote to standard output, cut after 10,000 characters; `None` if it was not recorded,
    because it went where the code's output goes."""
    decisions: Sequence[Decision]
    """The answer to the decision task in SWF's shape: of a replayed decision as the code makes it now."""
    execution_context: str | None
    """The execution context that the decision set; `None` if it left it as it was."""
    close: Close | None
    """The close of the execution by the decision; `None` if it did not close it."""
    divergence: Divergence | None
    """The first difference between the history and the code: the replay stops at it."""
    error: str | None
    """Why the decision could not be made, if it could not, and its divergence if there is one; cut after 4,000
    characters."""
    lines: Sequence[Line] | None = field(default=None, compare=False)
    """The lines of the author's code that ran in it, each once, in the order in which they ran first, at most 1,000;
    `None` if they were not traced. The first of a fiber that went on is the one in which it waited."""
    raised: Raised | None = None
    """The error of the code that ended the execution in this decision, if one did."""
    raised_at_once: Sequence[str] = ()
    """Ids of the tasks whose failures `run` got where it waits for others as well: so simpleflow decided, which made
    this decision. Deciders of this package raise a failure where the result is read."""
    _futures: FutureLog = field(repr=False, compare=False)
    _first_change: int = field(repr=False, compare=False)
    _last_change: int = field(repr=False, compare=False)

    @property
    def unmatched(self) -> Sequence[CommandRecord]:
        """The commands of this decision that its events don't record: they wait, or are what diverges."""
        matched = {match.command.number for match in self.matches}
        return tuple(command for command in self.commands if command.number not in matched)

    @property
    def futures(self) -> Sequence[FutureRecord]:
        """Every future so far, in the order of their numbers."""
        return self._futures.latest(self._last_change)

    @property
    def changed_futures(self) -> Sequence[FutureRecord]:
        """The futures that are new or have changed since the decision before."""
        return self._futures.between(self._first_change, self._last_change)
