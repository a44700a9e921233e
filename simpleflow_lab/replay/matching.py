"""Recorded decisions matched with commands.

Each decision leaves one event right behind its `DecisionTaskCompleted`. While a history is replayed, every such event
must record a command of the code, of the same type and with the same input; and every command that the code made by
then must be recorded. Otherwise the code is not the code that wrote this history: a `Divergence`.

Rule: a divergence is returned as data; nothing is raised here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from simpleflow_lab.exceptions import EDITED_CODE, RENUMBERED, UNKNOWN_IDS, DivergenceCause
from simpleflow_lab.replay import patches
from simpleflow_lab.replay.command import Command, CommandKind, PendingCommands, closed_with, describe
from simpleflow_lab.replay.commands.activity import ACTIVITY
from simpleflow_lab.replay.commands.child import CHILD
from simpleflow_lab.replay.commands.close import CLOSE, closes_otherwise
from simpleflow_lab.replay.commands.kinds import KINDS
from simpleflow_lab.replay.commands.marker import MARKER
from simpleflow_lab.replay.commands.signal import SIGNAL
from simpleflow_lab.replay.commands.timer import TIMER
from simpleflow_lab.replay.divergence import Divergence
from simpleflow_lab.replay.history_reader import DecisionBatch
from simpleflow_lab.replay.inherited import Unclaimed
from simpleflow_lab.replay.json_texts import same_json
from simpleflow_lab.replay.lines import shortened
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.conventions import WAKE_UP_TIMER
from simpleflow_lab.swf.event_types import DECISION_FAILURE, EXECUTION, EventType
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_OPEN_CHILDREN

_OPENING: Final = frozenset({"ActivityTaskScheduled", "StartChildWorkflowExecutionInitiated", "TimerStarted"})
"""The events after which a task is open."""


class Matched(NamedTuple):
    """One decision batch, matched."""

    pairs: Sequence[tuple[HistoryEvent, Command]]
    """Each recording event with the command that it records."""
    divergence: Divergence | None
    """The first difference, if there is one; nothing behind it is matched."""


class Matching:
    """The commands of one run that its history records."""

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run
        self._by_first_event: dict[int, Command] = {}
        self._by_simpleflow: list[HistoryEvent] = []
        """The events that record tasks with a number, in decisions that no decider of ours made."""
        self.open: dict[CommandKind, int] = {ACTIVITY: 0, CHILD: 0, TIMER: 0}
        """Numbers of activity tasks, child executions and timers that were commanded and are not closed."""

    def command_of(self, event: HistoryEvent, row: EventType) -> Command | None:
        """The recorded command that this event is about, or `None`; forgotten if the event closes it."""
        first = (event.attributes.get(row.find.follows) if row.find.follows else None) or event.id
        command = self._by_first_event.get(first)
        if command is not None and row.closes:
            del self._by_first_event[first]
            if command.kind in self.open and first != event.id:
                self.open[command.kind] -= 1
        return command

    def match(
        self, batch: DecisionBatch, *, expects_all: bool, max_open_activities: int, close_waits: bool = False
    ) -> Matched:
        """Match a batch with the pending commands.

        With `expects_all` every command must be recorded, unless an answer could not hold it: a decider of ours made
        the decision, which kept at most this many activity tasks open. With `close_waits` the close comes later than
        the end of the code: a signal that was passed on has not arrived.
        """
        pairs: list[tuple[HistoryEvent, Command]] = []
        is_limited = False
        pending = self._run.pending
        for event in batch.recorded:
            if event.attributes.get("timerId") == WAKE_UP_TIMER:
                is_limited = True
                continue
            kind = KINDS.get(event.row.decision or "")
            if kind is None or (kind is MARKER and patches.may_be_missing(event, pending)):
                continue
            command = _find(event, kind, pending)
            if command is None:
                return Matched(pairs, self._explained(_divergence(event, kind, pending), event, kind))
            closed = closes_otherwise(event, command) if command.kind is CLOSE and expects_all else None
            if closed is not None:
                return Matched(pairs, _closed_otherwise(event, command, *closed))
            pairs.append((event, command))
            self.record(event, command)
            if not expects_all and kind.has_unique_ids:
                self._by_simpleflow.append(event)
            # A close that SWF carried out was sent with everything that survives it.
            is_limited = is_limited or (command.kind is CLOSE and event.row.entity != EXECUTION)
        if not expects_all or is_limited or not len(pending):
            return Matched(pairs, None)
        return Matched(pairs, _unrecorded(batch.completed, self._expected(max_open_activities, close_waits)))

    def inherit(self, recorded: Sequence[HistoryEvent], unclaimed: Unclaimed) -> list[tuple[HistoryEvent, Command]]:
        """Match inherited events with the pending commands as far as they go; the others are unclaimed."""
        pairs: list[tuple[HistoryEvent, Command]] = []
        for event in recorded:
            kind = KINDS.get(event.row.decision or "")
            if kind is None or kind is CLOSE or event.attributes.get("timerId") == WAKE_UP_TIMER:
                continue
            command = _find(event, kind, self._run.pending)
            if command is None:
                unclaimed.add(event, kind)
            else:
                pairs.append((event, command))
                self.record(event, command)
        return pairs

    def claim(self, command: Command, unclaimed: Unclaimed) -> HistoryEvent | None:
        """The unclaimed event that records this command, which is pending; `None` if there is none."""
        for event in unclaimed.of(command):
            if _is_same(event, command):
                self.record(event, command)
                return event
        return None

    def forget_open(self) -> list[Command]:
        """Forget the recorded commands that are not closed, and give them in the order in which they were recorded."""
        found = [command for command in self._by_first_event.values() if not command.closed]
        self._by_first_event.clear()
        self.open = dict.fromkeys(self.open, 0)
        return found

    def find(self, event: HistoryEvent) -> Command | None:
        """The pending command that this event records, or `None`."""
        kind = KINDS.get(event.row.decision or "")
        return None if kind is None else _find(event, kind, self._run.pending)

    def lacks(self, events: Sequence[HistoryEvent]) -> bool:
        """No pending command is recorded by one of these events, which record a decision's commands."""
        return any(
            event.attributes.get("timerId") != WAKE_UP_TIMER
            and (kind := KINDS.get(event.row.decision or "")) is not None
            and kind is not MARKER
            and _find(event, kind, self._run.pending) is None
            for event in events
        )

    def record(self, event: HistoryEvent, command: Command) -> None:
        """This event records the pending command."""
        run = self._run
        run.pending.remove(command)
        if run.fields.has_unwritten:
            # The objects exist that the event names. Another decider may have named others for the same values, and a
            # retry names ours: it writes them.
            recorded = [value for value in event.attributes.values() if isinstance(value, str)]
            run.fields.take_unwritten(text for text in (command.input, *command.options.values()) if text in recorded)
        command.sent = True
        if command.kind is CLOSE and event.row.entity != "execution":
            run.pending.add(command.reset())  # refused, for something happened meanwhile: it is commanded again
        if command.kind.is_followed or event.row.entity == DECISION_FAILURE:  # a refusal is about its own command
            self._by_first_event[event.id] = command
        if event.type in _OPENING:
            self.open[command.kind] += 1

    def _explained(self, divergence: Divergence, event: HistoryEvent, kind: CommandKind) -> Divergence:
        """A divergence with what else than edited code may be its cause."""
        if not self._run.workflow_id and kind in (CHILD, SIGNAL):
            return divergence._replace(cause=UNKNOWN_IDS)
        earlier = next((each for each in self._by_simpleflow if _is_numbered_again(event, each, kind)), None)
        if earlier is None or divergence.cause == RENUMBERED:
            return divergence
        id = shortened(str(earlier.attributes.get(kind.id_attribute or "")))
        return divergence._replace(cause=DivergenceCause.numbered_before(id))

    def _expected(self, max_open_activities: int, close_waits: bool) -> list[Command]:
        """The pending commands that a decider of ours would have sent."""
        run = self._run
        left = [command for command in run.pending if command.kind is not CLOSE or not close_waits]
        if run.closing is not None:
            left = [command for command in left if not command.kind.is_lost_at_close]
        if self.open[ACTIVITY] >= max_open_activities:
            left = [command for command in left if command.kind is not ACTIVITY]
        if self.open[CHILD] >= MAX_OPEN_CHILDREN:
            left = [command for command in left if command.kind is not CHILD]
        return left


def _find(event: HistoryEvent, kind: CommandKind, pending: PendingCommands) -> Command | None:
    """The pending command that this event records."""
    for command in _candidates(event, kind, pending):
        if _is_same(event, command):
            return command
    return None


def _candidates(event: HistoryEvent, kind: CommandKind, pending: PendingCommands) -> Sequence[Command]:
    """The pending commands of this kind with the event's id; of this kind alone if the event has no id."""
    id = event.row.decision if kind.id_attribute is None else event.attributes.get(kind.id_attribute)
    if id is not None:
        return pending.named(kind, str(id))
    return [command for command in pending if command.kind is kind]


def _is_same(event: HistoryEvent, command: Command) -> bool:
    attributes, kind = event.attributes, command.kind
    if command.type is not None:
        type = attributes.get("activityType") or attributes.get("workflowType") or {}
        if type.get("name") not in (command.type[0], command.alias) or type.get("version") != command.type[1]:
            return False
    if kind.is_same is not None:
        return kind.is_same(event, command)
    name = kind.input_attribute
    if name is None or (name not in attributes and event.type.endswith("Failed")):
        return True
    return same_json(attributes.get(name), command.input, command.arguments)


def _divergence(event: HistoryEvent, kind: CommandKind, pending: PendingCommands) -> Divergence:
    """The event records none of the pending commands: it is shown with the one that comes nearest."""
    attributes = event.attributes
    of_kind = (command for command in pending if command.kind is kind)
    nearest = next(iter(_candidates(event, kind, pending)), None) or next(of_kind, None) or next(iter(pending), None)
    type = attributes.get("activityType") or (attributes.get("workflowType") if kind is CHILD else None)
    recorded = describe(
        kind.name,
        str(event.row.decision if kind.id_attribute is None else attributes.get(kind.id_attribute)),
        (str(type.get("name")), str(type.get("version"))) if type else None,
        closed_with(attributes) if kind is CLOSE else attributes.get(kind.input_attribute or "input"),
    )
    is_renumbered = kind.has_unique_ids and any(_is_renumbered(event, kind, command) for command in pending)
    return Divergence(
        event_id=event.id,
        recorded=recorded,
        commanded=nearest.describe() if nearest is not None else None,
        recorded_line=read_control(attributes.get("control")).line,
        commanded_line=nearest.line_text if nearest is not None else None,
        cause=RENUMBERED if is_renumbered else EDITED_CODE,
    )


def _is_renumbered(event: HistoryEvent, kind: CommandKind, command: Command) -> bool:
    """The event records this command under another number."""
    recorded = str(event.attributes.get(kind.id_attribute or ""))
    return (
        command.kind is kind
        and command.id != recorded
        and command.id.rstrip("0123456789") == recorded.rstrip("0123456789")
        and _is_same(event, command)
    )


def _is_numbered_again(event: HistoryEvent, earlier: HistoryEvent, kind: CommandKind) -> bool:
    """Two events record the same task, by its type and input, under two numbers."""
    first, second = (str(each.attributes.get(kind.id_attribute or "")) for each in (earlier, event))
    return (
        first != second
        and first.rstrip("0123456789") == second.rstrip("0123456789")
        and all(
            earlier.attributes.get(name) == event.attributes.get(name)
            for name in ("activityType", "workflowType", kind.input_attribute)
            if name is not None
        )
    )


def _closed_otherwise(event: HistoryEvent, command: Command, recorded: str, commanded: str) -> Divergence:
    """The execution was closed in this way, with another reason or input."""
    return Divergence(
        event_id=event.id,
        recorded=describe(CLOSE.name, command.id, None, recorded),
        commanded=describe(CLOSE.name, command.id, None, commanded),
        commanded_line=command.line_text,
    )


def _unrecorded(completed: HistoryEvent, commands: Sequence[Command]) -> Divergence | None:
    """The first of the commands that this decision should have recorded, or `None` if there are none."""
    for command in commands:
        return Divergence(
            event_id=completed.id,
            recorded=None,
            commanded=command.describe(),
            commanded_line=command.line_text,
        )
    return None
