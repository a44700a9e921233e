"""Makes of a recorded execution the `Script` of the world outside, for a simulation that repeats it.

A history has its times in milliseconds, in which much can happen: which of two tasks came first, and whether a decision
still saw it, is known by the order of the events. So each event gets a time in nanoseconds that keeps that order, and
what the script says are differences of these: with nothing changed they add up to what was recorded.

Rule: what happens at once in the engine has one time: that of the event from which the others follow.
"""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay.history_reader import identity_of_ours
from simpleflow_lab.runtime.simulation_script import NANOSECONDS, REFUSED, SIGNAL, Attempted, Incoming, Script
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.explanation_lines import first_few
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.task_labels import task_label

MAX_SCALE: Final = 1_000_000.0
"""The largest number by which a duration can be multiplied."""
_REFUSED: Final = ("schedule_failed", "start_failed")
"""States of attempts that SWF did not take, as of a type that was not registered yet."""


def recorded_script(
    folded: FoldedHistory,
    *,
    workers: int | Mapping[str, int] | None,
    scale: float | Mapping[str, float] | None,
    without_retries: bool,
) -> Script:
    """The script of the world outside, changed as `what_if` says. Raises `UsageError`."""
    factors = _Factors(scale, folded)
    times = _Times(folded.history)
    recorded: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in folded.attempts:
        if attempt.kind in TASKS:
            recorded[attempt.id].append(attempt)
    by_list: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in folded.attempts:
        if attempt.kind == ACTIVITY and attempt.task_list is not None:
            by_list[attempt.task_list].append(attempt)
    most = {name: times.most_at_once(attempts) for name, attempts in by_list.items()}
    slots = _slots(most, workers)
    delays = {
        id: delay for name, attempts in by_list.items() for id, delay in _delays(attempts, most[name], times).items()
    }
    attempts = {
        id: [
            _attempted(each, factors, delays, times, folded.history)
            for each in (found[-1:] if without_retries else found)
        ]
        for id, found in recorded.items()
    }
    by_name: dict[str, Attempted] = {}
    for id, found in recorded.items():
        if found[-1].state == "completed":
            by_name.setdefault(found[-1].name, attempts[id][-1])
    decisions, later = _decisions(folded.history, times)
    return Script(
        attempts=attempts,
        by_name=by_name,
        slots=slots,
        default_slots=workers if isinstance(workers, int) else max(most.values(), default=1) or 1,
        decisions=decisions,
        later_decisions=later,
        incoming=_incoming(folded.history, times),
        not_signaled=frozenset(
            (str(initiated.get("signalName")), str(initiated.get("workflowId")))
            for event in folded.history
            if event.type == "SignalExternalWorkflowExecutionFailed" and event.attributes.get("initiatedEventId")
            for initiated in [folded.history.event(event.attributes["initiatedEventId"]).attributes]
        ),
        is_by_ours=_is_by_ours(folded.history),
        runs_out=folded.history.close_status == "TIMED_OUT",
    )


class _Times:
    """The times of the events of a history, in nanoseconds: those of one millisecond evenly spread, in their order."""

    def __init__(self, history: History) -> None:
        self._at: dict[int, int] = {}
        self._started: dict[int, int] = {}
        for milliseconds, group in itertools.groupby(history, lambda event: round(event.timestamp.timestamp() * 1000)):
            events = list(group)
            for place, event in enumerate(events):
                self._at[event.id] = milliseconds * NANOSECONDS + place * NANOSECONDS // len(events)
                cause = _cause(event, history)
                if cause is not None:
                    self._at[event.id] = self._at.get(cause, self._at[event.id])
                elif event.type == "TimerFired":
                    self._at[event.id] = min(
                        self._at[event.id], self._due(history.event(event.attributes["startedEventId"]))
                    )
                if event.type in _STARTS:
                    self._started[event.attributes[_STARTS[event.type]]] = event.id

    def _due(self, timer: HistoryEvent) -> int:
        """The time at which a timer should have fired, as it does in the simulation: that it was late counts as a
        decider's wait."""
        return self._at[timer.id] + int(timer.attributes["startToFireTimeout"]) * 1000 * NANOSECONDS

    def of(self, event_id: int) -> int:
        """The time of this event."""
        return self._at[event_id]

    def started(self, attempt: Attempt) -> int | None:
        """The time at which an attempt was started; `None` if it was not."""
        found = self._started.get(attempt.scheduled_event_id)
        return None if found is None else self._at[found]

    def closed(self, attempt: Attempt) -> int | None:
        """The time at which an attempt closed; `None` if it did not."""
        return None if attempt.closed_event_id is None else self._at[attempt.closed_event_id]

    def most_at_once(self, attempts: list[Attempt]) -> int:
        """The most of these that ran at the same time."""
        changes: list[tuple[int, int]] = []
        for attempt in attempts:
            started, closed = self.started(attempt), self.closed(attempt)
            if started is not None:
                changes.append((started, 1))
                if closed is not None:
                    changes.append((closed, -1))
        return max(itertools.accumulate(change for _, change in sorted(changes)), default=0)


_STARTS: Final = {
    "ActivityTaskStarted": "scheduledEventId",
    "LambdaFunctionStarted": "scheduledEventId",
    "ChildWorkflowExecutionStarted": "initiatedEventId",
}
"""Events that start an attempt, and the attribute that has the event which scheduled it."""


def _cause(event: HistoryEvent, history: History) -> int | None:
    """The earlier event with which this one happened at once; `None` if there is none."""
    if event.type == "DecisionTaskScheduled":
        before = history.event(event.id - 1)
        initiated = _initiated_at_once(before, history)
        return before.id if initiated is None else initiated
    return event.attributes.get("decisionTaskCompletedEventId") if event.decision is not None else None


def _initiated_at_once(event: HistoryEvent, history: History) -> int | None:
    """The event that initiated this one, if this one follows at once in the simulation, whose decider then wakes."""
    if event.type == "WorkflowExecutionSignaled":
        return event.attributes["externalInitiatedEventId"] if _is_from_itself(event, history) else None
    return event.attributes.get("initiatedEventId") if event.type in _AT_ONCE else None


_AT_ONCE: Final = (
    "ChildWorkflowExecutionStarted",
    "ExternalWorkflowExecutionSignaled",
    "SignalExternalWorkflowExecutionFailed",
    "ExternalWorkflowExecutionCancelRequested",
    "RequestCancelExternalWorkflowExecutionFailed",
)
"""Events that the engine records as soon as the decision is made that initiates them, and Amazon SWF somewhat later."""


class _Factors:
    """The numbers by which the durations of tasks are multiplied."""

    def __init__(self, scale: float | Mapping[str, float] | None, folded: FoldedHistory) -> None:
        given = scale if isinstance(scale, Mapping) else {}
        self._by_name = {str(name): _factor(factor, f"scale of {name}") for name, factor in given.items()}
        self._all = 1.0 if scale is None or isinstance(scale, Mapping) else _factor(scale, "scale")
        known = {name for attempt in folded.attempts for name in _names_of(attempt)}
        for name in self._by_name:
            if name not in known:
                names = sorted({attempt.name for attempt in folded.attempts if attempt.kind in TASKS})
                children = dict.fromkeys(attempt.id for attempt in folded.attempts if attempt.kind == CHILD)
                theirs = (
                    f"; a task of a child is scaled in a what_if of the child: {first_few(children)}"
                    if children
                    else ""
                )
                raise UsageError(
                    f"scale: no task is named {name!r:.80}: there are {first_few(names) or 'none'}{theirs}"
                )

    def of(self, attempt: Attempt) -> float:
        """The factor of this attempt: of its id, or else of its name."""
        return next((self._by_name[name] for name in _names_of(attempt) if name in self._by_name), self._all)


def _names_of(attempt: Attempt) -> tuple[str, ...]:
    return attempt.id, task_label(attempt.id, attempt.name), attempt.name, attempt.name.rpartition(".")[2]


def _factor(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SCALE:
        raise UsageError(f"{what} is a number from 0 to {MAX_SCALE:,.0f}, not {value!r:.80}")
    return float(value)


def _slots(most: Mapping[str, int], workers: Any) -> dict[str, int]:
    """The number of activities that run at once, by task list: as many as did, unless it is given."""
    given = dict(workers) if isinstance(workers, Mapping) else dict.fromkeys(most, workers)
    for name, count in given.items():
        if name not in most:
            raise UsageError(
                f"workers: no activity ran on a task list {name!r:.80}: there are {first_few(sorted(most))}"
            )
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise UsageError(f"workers is a number from 1, or one for each task list, not {count!r:.80}")
    if not most and workers is not None and not isinstance(workers, Mapping | int):
        raise UsageError(f"workers is a number from 1, or one for each task list, not {workers!r:.80}")
    return {name: given.get(name) or count or 1 for name, count in most.items()}


def _delays(attempts: list[Attempt], most: int, times: _Times) -> dict[int, int]:
    """By the event that scheduled an activity task of one list: from when a worker was free for it to its start."""
    started = [(at, attempt) for attempt in attempts for at in [times.started(attempt)] if at is not None]
    found: dict[int, int] = {}
    # The worker that has been free longest takes the next task: so the simulation gives them out.
    free, busy = [0] * most, list[int]()
    for at, attempt in sorted(started, key=lambda each: (each[0], each[1].scheduled_event_id)):
        while busy and (busy[0] <= at or not free):
            heapq.heappush(free, heapq.heappop(busy))
        since = heapq.heappop(free) if free else 0
        found[attempt.scheduled_event_id] = at - max(times.of(attempt.scheduled_event_id), min(since, at))
        closed = times.closed(attempt)
        if closed is not None:
            heapq.heappush(busy, closed)
    return found


def _is_by_ours(history: History) -> bool:
    """Whether a decider of ours made the first decision."""
    started = (event for event in history if event.type == "DecisionTaskStarted")
    return any(identity_of_ours(event.attributes.get("identity")) is not None for event in itertools.islice(started, 1))


def _attempted(
    attempt: Attempt, factors: _Factors, delays: Mapping[int, int], times: _Times, history: History
) -> Attempted:
    if attempt.state in _REFUSED:
        return Attempted(name=attempt.name, input=attempt.input, state=REFUSED, running=None, cause=attempt.reason)
    scheduled, started, closed = times.of(attempt.scheduled_event_id), times.started(attempt), times.closed(attempt)
    delay = 0 if started is None else max(0, started - scheduled)
    ended = started is not None and closed is not None
    return Attempted(
        name=attempt.name,
        input=attempt.input,
        state=attempt.state,
        running=round(max(0, closed - started) * factors.of(attempt)) if ended else None,  # type: ignore[operator]
        delay=max(0, delays.get(attempt.scheduled_event_id, delay)),
        canceling=round(_canceling(attempt, times, history) * factors.of(attempt)),
        result=attempt.result,
        reason=attempt.reason,
        details=attempt.details,
        timeout_type=attempt.timeout_type,
    )


def _canceling(attempt: Attempt, times: _Times, history: History) -> int:
    """Nanoseconds from the request to cancel an attempt to its end; 0 if it was not canceled at a request."""
    closed = times.closed(attempt)
    if attempt.state != "canceled" or closed is None or attempt.closed_event_id is None:
        return 0
    requested = history.event(attempt.closed_event_id).attributes.get("latestCancelRequestedEventId")
    return max(0, closed - times.of(requested)) if requested else 0


def _decisions(history: History, times: _Times) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """The times for which each decision waited for a decider, and took, and the medians of these."""
    found: list[tuple[int, int]] = []
    free_since = 0  # the next decision may be due while one is made
    for event in history:
        if event.type == "DecisionTaskCompleted":
            scheduled, started, at = (
                times.of(id)
                for id in (event.attributes["scheduledEventId"], event.attributes["startedEventId"], event.id)
            )
            found.append((max(0, started - max(scheduled, free_since)), max(0, at - started)))
            free_since = at
    if not found:
        return [], (0, 0)
    waits, takes = zip(*found, strict=True)
    return found, (round(statistics.median(waits)), round(statistics.median(takes)))


def _incoming(history: History, times: _Times) -> list[Incoming]:
    """The signals and cancel requests that came, and the termination, with their times after the start.

    A signal that the execution sent to itself is none of them: its code sends it again.
    """
    found: list[Incoming] = []
    for event in history:
        after = max(0, times.of(event.id) - times.of(history[0].id))
        if event.type == "WorkflowExecutionSignaled" and not _is_from_itself(event, history):
            given = {name: event.attributes[name] for name in ("signalName", "input") if name in event.attributes}
            found.append(Incoming(after, SIGNAL, given, event.attributes.get("externalWorkflowExecution")))
        elif event.type == "WorkflowExecutionCancelRequested":
            found.append(Incoming(after, "request_cancel_workflow_execution", {}))
        elif event.type == "WorkflowExecutionTerminated":
            given = {name: event.attributes[name] for name in ("reason", "details") if event.attributes.get(name)}
            found.append(Incoming(after, "terminate_workflow_execution", given))
    return found


def _is_from_itself(signaled: HistoryEvent, history: History) -> bool:
    """The execution with this history sent this signal to itself."""
    initiated = signaled.attributes.get("externalInitiatedEventId") or 0
    sender: Any = signaled.attributes.get("externalWorkflowExecution") or {}
    if not 0 < initiated < signaled.id:
        return False
    sent = history[initiated - 1]
    return sent.type == "SignalExternalWorkflowExecutionInitiated" and sent.attributes["workflowId"] == sender.get(
        "workflowId"
    )
