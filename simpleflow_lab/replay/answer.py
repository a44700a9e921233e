"""The answer to a decision task: pending commands as decisions, within SWF's sizes and order.

One answer holds at most 100 decisions and 1 MB; what does not fit is sent with the next one, which a timer of 0 s
brings. Activity tasks and child executions over the limits of open ones wait for one to close (`budgets`). A close is
sent alone with what survives it.

Rule: selecting changes nothing, so that a caller may inspect an answer that is never given.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.data.references import Reference
from simpleflow_lab.exceptions import JumboTooLargeError
from simpleflow_lab.replay import patches
from simpleflow_lab.replay.budgets import RequestSize, Room
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.commands.activity import ACTIVITY
from simpleflow_lab.replay.commands.child import CHILD
from simpleflow_lab.replay.commands.kinds import Kinds
from simpleflow_lab.replay.commands.marker import MARKER
from simpleflow_lab.replay.commands.timer import TIMER
from simpleflow_lab.replay.history_reader import IDENTITY_KEY
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.swf import decisions as swf_decisions
from simpleflow_lab.swf import execution_context
from simpleflow_lab.swf.conventions import WAKE_UP_TIMER
from simpleflow_lab.swf.decisions import Decision

UNHANDLED_FAILURES: Final = "unhandled_failures"
"""The member of our part of the execution context that has the ids of tasks whose failures nothing handled."""
MAX_UNHANDLED_SO_FAR: Final = 50
"""The most tasks that a decision which does not close names as unhandled."""


class Answer(NamedTuple):
    """A decider's answer to a decision task."""

    decisions: list[Decision]
    """In SWF's shape."""
    execution_context: str | None
    """`None` leaves it as it is; "" clears it."""
    large: Sequence[tuple[Reference, str]] = ()
    """Texts of large fields, to be stored as objects before the answer is given."""
    refused_timers: int = 0
    """Number of times that SWF has refused timers of this answer because too many were started at once. Nothing but the
    answer itself can wait for that: a timer can't wait for a timer."""


class Selection(NamedTuple):
    """The commands and decisions of one answer."""

    commands: list[Command]
    """The commands that it sends."""
    decisions: list[Decision]
    """Their decisions, in order, with that of the timer that brings the next answer if this one is full."""
    deferred: int = 0
    """Number of activity tasks that wait until fewer are open."""


def select(run: ReplayedRun, kinds: Kinds, *, room: Room) -> Selection:
    """Choose the commands of the next answer; `room` is taken, and says what is deferred."""
    closing = run.closing
    commands: list[Command] = []
    decisions: list[Decision] = []
    size = RequestSize()
    is_whole = True
    for command in _in_order(run):
        if command is closing or command.sent:
            continue
        if closing is not None and command.kind.is_lost_at_close:
            continue
        if command.kind is ACTIVITY and not room.takes_activity(command):
            continue  # sent when an open one closes
        if command.kind is CHILD and not room.takes_child(command):
            continue
        decision = command.decision()
        if not size.takes(decision):
            is_whole = False
            break
        commands.append(command)
        decisions.append(decision)
    if is_whole and closing is not None and not kinds.signals.is_passing_on:
        decision = closing.decision()
        is_whole = size.takes_last(decision)
        if is_whole:
            commands.append(closing)
            decisions.append(decision)
    if not is_whole:
        decisions.append(swf_decisions.start_timer(timer_id=WAKE_UP_TIMER, start_to_fire_timeout=0))
    return Selection(commands, decisions, room.held_activities)


def answer_with(run: ReplayedRun, kinds: Kinds, selection: Selection, recorded: str) -> Answer:
    """The answer that sends this selection; its commands count as sent. `recorded` is the execution
    context so far."""
    for command in selection.commands:
        command.sent = True
    decisions, context = selection.decisions, new_context(run, kinds, selection, recorded)
    refused = max((command.attempts.refusals for command in selection.commands if command.kind is TIMER), default=0)
    if not run.fields.has_unwritten:
        return Answer(decisions, context, refused_timers=refused)
    written = itertools.chain([context], *(swf_decisions.attributes(decision).values() for decision in decisions))
    return Answer(decisions, context, run.fields.take_unwritten(written), refused)


def _in_order(run: ReplayedRun) -> Iterable[Command]:
    """The pending commands, patches first: a replay depends on their being recorded by this very decision."""
    new_patches = run.pending.named(MARKER, patches.MARKER_NAME)
    return dict.fromkeys([*new_patches, *run.pending]) if new_patches else run.pending


def new_context(run: ReplayedRun, kinds: Kinds, selection: Selection, recorded: str) -> str | None:
    """The execution context if it changes: what is waited for beyond the tasks in the history, and the failures that
    nothing handled: so far, the first `MAX_UNHANDLED_SO_FAR` of them, and at a close all. `swf.execution_context` and
    `views.history_fold` read it."""
    context: dict[str, Any] = {}
    awaited = kinds.signals.awaited
    if awaited:
        context[execution_context.WAITING_SIGNALS] = awaited
    if run.closing is not None:
        if run.failures.total:
            context[IDENTITY_KEY] = {UNHANDLED_FAILURES: run.failures.unhandled()}
    else:
        # It may be closed without another decision, by a timeout or a terminate.
        ours = _deferred(run, selection) if run.deferring or selection.deferred else {}
        unhandled = run.failures.unhandled()[:MAX_UNHANDLED_SO_FAR] if run.failures.total else []
        if unhandled or UNHANDLED_FAILURES in recorded:
            ours[UNHANDLED_FAILURES] = unhandled
        if ours:
            context[IDENTITY_KEY] = ours
    if run.reused is not None:
        context.setdefault(IDENTITY_KEY, {})[execution_context.REUSED] = len(run.reused)
    text = json.dumps(context) if context else ""
    try:
        text = run.fields.fit(text, "execution context")
    except JumboTooLargeError:
        return None
    return None if text == recorded else text


def _deferred(run: ReplayedRun, selection: Selection) -> dict[str, Any]:
    groups = [
        [group.max_parallel, group.deferred]
        for group in itertools.islice(run.deferring, execution_context.MAX_GROUPS)
        if not group.done
    ]
    found: dict[str, Any] = {execution_context.MAX_PARALLEL: groups} if groups else {}
    if selection.deferred:
        found[execution_context.OPEN_ACTIVITIES] = selection.deferred
    return found
