"""A history watched: the workflow's code runs along it, and each decision gives a record.

`watch` needs a history and the workflow's class, and no service. It runs the code as a decider does that has lost its
replay: `run`, and the hooks that belong to every replay (`before_replay`, `after_replay`, `should_cancel`,
`on_task_failure`). What the code prints is recorded and not written; what it logs is dropped. `watch` runs no activity,
no hook of a close (`on_completed`, `on_failure`, `on_canceled`, `after_closed`), and sends nothing.

Going back is watching a prefix: `until`.

Rule: a history is watched in one thread, the one that asks for the first record. `replay_thread` lets others ask. An
iterator that another thread drops is closed when its own thread watches the next history.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice, takewhile
from typing import Any, Final, Literal

from simpleflow_lab.exceptions import DecisionTaskError, StoreError, UsageError
from simpleflow_lab.replay.divergence import Divergence
from simpleflow_lab.replay.muted_output import watched_output
from simpleflow_lab.replay.recorder import Recorder
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.suspended_code import Snapshot
from simpleflow_lab.replay.trace_records import (
    Close,
    CommandRecord,
    DecisionRecord,
    FiberName,
    FutureRecord,
    FutureUse,
    Match,
    Raised,
    SignalRecord,
    StackFrame,
    SuspendedFiber,
)
from simpleflow_lab.replay.traced_lines import TracedLines
from simpleflow_lab.swf.event_types import CLOSE_STATUS, DECISION_TASK
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.workflow import Workflow

__all__ = [
    "Close",
    "CommandRecord",
    "DecisionRecord",
    "Divergence",
    "FiberName",
    "FutureRecord",
    "FutureUse",
    "Match",
    "Raised",
    "SignalRecord",
    "StackFrame",
    "SuspendedFiber",
    "close_replay",
    "open_decision",
    "watch",
]

_open: Final[weakref.WeakKeyDictionary[_Records, list[int]]] = weakref.WeakKeyDictionary()
"""The iterators of `watch` that somebody holds, each with the thread that owns it, once it has begun."""

_Records = Generator[DecisionRecord, None, None]

_COMPLETED_ID: Final = "decisionTaskCompletedEventId"


def watch(
    workflow: type[Workflow],
    history: Sequence[HistoryEvent],
    *,
    until: int | None = None,
    dry: bool = False,
    on_divergence: Literal["raise", "collect"] = "raise",
    stacks_from: int = 1,
    snapshot: Snapshot | None = None,
    lines_from: int | None = None,
    at_end: Callable[[Sequence[FutureUse]], None] | None = None,
    on_detail: Callable[[DecisionRecord], None] | None = None,
    **options: Any,
) -> Iterator[DecisionRecord]:
    """One record for each decision that the history records, in order, as soon as it is replayed.

    `until` is the id of the last event to replay. If it lies among the events that record a decision, the rest of them
    says which patches the code takes: so pass the whole history and `until`, not a part of the history. `dry` adds the
    open decision at the end, if a decision task is started there and not closed: how the code would decide now.
    `stacks_from` spares the local variables of decisions that started before this event; `snapshot` gets those of each
    frame, by name, and what it gives is recorded as `StackFrame.values`: it must not run code of the author's.
    `lines_from` notes the lines that run in the decisions that started at this event or later. `on_detail` gets, before
    each record of the decisions from `stacks_from` on, one more of the same decision: that alone has local variables
    and lines. `at_end` is called behind the last record with what the code has done with each future. `options` are
    those of `Replay`: child ids, ids of activities and signals to the execution itself depend on `workflow_id` and
    `run_id`, large values on `fields`.

    Raises `NondeterminismError` at the first decision that the code makes otherwise than recorded, and another
    `DecisionTaskError` or `StoreError` where it can make none, each after the record that says so. With
    `on_divergence="collect"` the records end there and nothing is raised. Raises `HistoryError` if `history` is none.
    An iterator that is open when the interpreter ends is closed before.
    A `KeyboardInterrupt` in the main thread ends the iteration and is raised, wherever it comes, and leaves no record.
    Raises `UsageError`, and ends, if a later record is asked for in another thread than the first.
    """
    owners: list[int] = []
    found = _watch(
        owners,
        workflow,
        history,
        until=until,
        dry=dry,
        on_divergence=on_divergence,
        stacks_from=stacks_from,
        snapshot=snapshot,
        lines_from=lines_from,
        at_end=at_end,
        on_detail=on_detail,
        **options,
    )
    _open[found] = owners
    return found


def _watch(
    owners: list[int],
    workflow: type[Workflow],
    history: Sequence[HistoryEvent],
    *,
    until: int | None,
    dry: bool,
    on_divergence: Literal["raise", "collect"],
    stacks_from: int,
    snapshot: Snapshot | None,
    lines_from: int | None,
    at_end: Callable[[Sequence[FutureUse]], None] | None,
    on_detail: Callable[[DecisionRecord], None] | None,
    **options: Any,
) -> _Records:
    records: list[DecisionRecord] = []
    abandoned = _abandoned.replays
    while abandoned:
        close_replay(abandoned.pop())
    owner = threading.get_ident()
    owners.append(owner)
    lines = None if lines_from is None else TracedLines(workflow, first=lines_from)
    recorder = Recorder(records.append, stacks_from=stacks_from, snapshot=snapshot, lines=lines, on_detail=on_detail)
    replay = Replay(workflow, observer=recorder, **options)
    last = len(history) if until is None else max(0, min(until, len(history)))
    try:
        for events in _in_pieces(history, last):
            replay.feed(events)
            if records:
                yield from _taken(records)
        replay.replay_last_batch(_rest_of_batch(history, last))
        yield from _taken(records)
        started = open_decision(history[:last]) if dry else None
        if started is not None:
            replay.decide(started, dry=True)
            yield from _taken(records)
        if at_end is not None:
            at_end(recorder.uses())
    except (DecisionTaskError, StoreError):
        yield from _taken(records)
        if on_divergence != "collect":
            raise
        if at_end is not None:
            at_end(recorder.uses())
    finally:
        if lines is not None and threading.get_ident() == owner:
            lines.end()
        if threading.get_ident() == owner:
            close_replay(replay)
        else:
            abandoned.append(replay)


def open_decision(history: Sequence[HistoryEvent]) -> int | None:
    """Id of the `DecisionTaskStarted` of the decision that is open at the end of this history, or `None`."""
    for event in reversed(history):
        if event.type in CLOSE_STATUS:
            return None
        if event.row.entity == DECISION_TASK:
            return event.id if event.row.state == "started" else None
    return None


def _in_pieces(history: Sequence[HistoryEvent], last: int) -> Iterator[list[HistoryEvent]]:
    """The events up to this one, in pieces that each end with a completed decision task: fed one, a replay comes no
    further than to the end of the decision before it."""
    piece: list[HistoryEvent] = []
    for event in islice(history, last):
        piece.append(event)
        if event.type == "DecisionTaskCompleted":
            yield piece
            piece = []
    yield piece


def _taken(records: list[DecisionRecord]) -> Iterator[DecisionRecord]:
    """Takes the records out of the list. Raises `UsageError` if the next one is asked for in another thread."""
    owner = threading.get_ident()
    while records:
        yield records.pop(0)
        if threading.get_ident() != owner:
            raise UsageError(
                "a history is watched in one thread, the one that asked for the first record: "
                "watch it anew, or in a ReplayThread if several threads ask"
            )


class _Abandoned(threading.local):
    """The replays of a thread whose iterators were dropped in another one: their fibers can end in their own alone."""

    def __init__(self) -> None:
        self.replays: list[Replay] = []


_abandoned: Final = _Abandoned()


def close_replay(replay: Replay) -> None:
    """End the fibers of a replay that was watched, from its own thread."""
    with watched_output(lambda text: None):  # abandoned code may print in its `finally` clauses
        replay.close()


def _rest_of_batch(history: Sequence[HistoryEvent], position: int) -> list[HistoryEvent]:
    """The events from this position on that belong to the decision whose events are just before it."""
    rest = islice(history, position, None)
    return list(takewhile(lambda event: event.decision is not None and _COMPLETED_ID in event.attributes, rest))


@atexit.register
def _close_open() -> None:
    """Close the iterators that are open: once the interpreter takes its modules apart, no fiber can end in order."""
    for records, owners in list(_open.items()):
        if owners == [threading.get_ident()]:
            with contextlib.suppress(ValueError):  # it runs: the program ends in the midst of it
                records.close()
