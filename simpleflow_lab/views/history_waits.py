"""Finds in a history what its execution waits for.

A history says which tasks, timers and children are open, and what the code waits for beside them stands in the
execution context of its latest decision (`swf.execution_context`).

Rule: an open execution has at least one row, and a closed one has none. What a row says stands behind "waits for",
and below a column of that name.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from simpleflow_lab.swf.conventions import DEADLINE_TIMER, RETRY_TIMER, WAKE_UP_TIMER, is_worker_lost
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, EXTERNAL_CANCEL, EXTERNAL_SIGNAL, LAMBDA, TIMER
from simpleflow_lab.swf.execution_context import latest_context, waits_in
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.advice_text import can_be_typed, with_command
from simpleflow_lab.views.attempts import Attempt, DecisionTask
from simpleflow_lab.views.formatting import ERROR_LIMIT, HOVER_LIMIT, beginning, count, duration, shortened
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.list_loads import ListLoad, loads_of
from simpleflow_lab.views.waiting import BLOCKED, CODE, DECISION, DISK, KINDS, LIMIT, REQUEST, RETRY, SIGNAL, Wait
from simpleflow_lab.views.worker_advice import UNKNOWN, Polling, start_more

MAX_OF_A_KIND: Final = 10
"""The most rows of one kind in one execution; one more row says how many there are beside them."""
LONG_DECISION: Final = 5.0
"""Seconds after which it is said that a decider has not answered yet."""


def waits_of(
    history: History | FoldedHistory,
    *,
    workflow_id: str = "",
    depth: int = 0,
    tasks: Iterable[Mapping[str, Any]] = (),
    errors: Iterable[Mapping[str, Any]] = (),
    running_line: str = "",
    polling: Polling = UNKNOWN,
    until: datetime.datetime | None = None,
) -> list[Wait]:
    """The waits of its execution that this history shows; none if it has closed.

    `depth` is how far it is below the execution that was asked for. An engine knows more: `tasks` are those of
    `WatchableService.describe_waiting`, `errors` the `decisionErrors` of `describe_reports` that are about it.
    `running_line` is the author's line that runs in the decision being made, if it is known and takes long; `polling`
    says who polls now.
    """
    folded = fold_history(history, until=until)
    events = folded.history
    if not events or events.close_status is not None:
        return []
    rows = _Rows(
        folded, workflow_id, depth, {task.get("scheduledEventId"): task for task in tasks}, running_line, polling
    )
    blocked = list(rows.blocked(errors))
    waits = [
        *blocked,
        *rows.decision(is_blocked=bool(blocked)),
        *rows.signals(),
        *rows.attempts(),
        *rows.limits(),
        *rows.requests(),
    ]
    return sorted(waits, key=_place) if waits else [rows.nothing()]


def _signals_since_decision(history: History) -> set[str]:
    """The names of the signals that came after the latest decision that was made had begun."""
    names: set[str] = set()
    decided_for = 0
    for event in reversed(history):
        if event.id <= decided_for:
            break
        if event.type == "DecisionTaskCompleted" and not decided_for:
            started = event.attributes.get("startedEventId")
            decided_for = started if isinstance(started, int) else event.id
        elif event.type == "WorkflowExecutionSignaled":
            names.add(str(event.attributes.get("signalName")))
    return names


class _Rows:
    """The rows of one execution, kind by kind."""

    def __init__(
        self,
        folded: FoldedHistory,
        workflow_id: str,
        depth: int,
        tasks: Mapping[Any, Mapping[str, Any]],
        running_line: str,
        polling: Polling,
    ) -> None:
        self._folded = folded
        self._running_line, self._polling = running_line, polling
        self._id, self._depth = workflow_id, depth
        self._tasks = tasks
        """The engine's reports of open tasks, by the ids of the events that scheduled them."""
        self._context = waits_in(latest_context(reversed(folded.history)))
        decided = [task.closed for task in folded.decision_tasks if task.state == "completed"]
        self._decided_at = decided[-1] if decided else None
        self._signals_to_see = _signals_since_decision(folded.history)
        """Signals that the next decision will see: nobody waits for them any more."""

    def blocked(self, errors: Iterable[Mapping[str, Any]]) -> Iterator[Wait]:
        for error in errors:
            yield blocked_wait(error, workflow_id=self._id, depth=self._depth)

    def decision(self, *, is_blocked: bool) -> Iterator[Wait]:
        tasks = [task for task in self._folded.decision_tasks if task.open]
        made = [task for task in tasks if task.started is not None]  # what is queued behind it waits for it
        for task in (made or tasks)[-1:]:
            known = self._tasks.get(task.scheduled_event_id, {})
            if is_blocked and task.started is not None and not known.get("isSilent"):
                continue  # its decider can't answer, which the blocked row says
            if task.started is not None:
                yield self._of_taken_decision(task, task.started, known)
                continue
            name = _inner(self._folded.history[task.scheduled_event_id - 1].attributes, "taskList", "name")
            reason = known.get("reason") or f"no decider has taken it from task list {shortened(name)}"
            if known.get("isServed"):
                to_do = _BUSY if known.get("busyPollers") else ""
            else:
                to_do = self._silent_remedy(is_taken=False) if known.get("isSilent") else _RESUME
            yield self._wait(DECISION, f"a decision: {reason}", since=task.scheduled, to_do=to_do)

    def _of_taken_decision(self, task: DecisionTask, started: datetime.datetime, known: Mapping[str, Any]) -> Wait:
        lasted = (self._folded.until - started).total_seconds()
        pid = _inner(known, "holder", "pid")
        process = f"process {pid}" if pid is not None else ""
        what, to_do, goes_on = "a decider has taken it", "", True
        if known.get("isSilent"):
            what, to_do, goes_on = f"{what}{_silent(known)}", _SILENT, False
        elif self._running_line:
            where = ", ".join(part for part in (process, self._running_line) if part)
            # By a virtual clock no time passes meanwhile.
            how_long = f" for {duration(lasted)}" if lasted >= LONG_DECISION else ""
            what, to_do, goes_on = f"run has not come back{how_long}: {where}", _TAKES_LONG, False
        elif lasted >= LONG_DECISION and known:
            where = f": {process}" if process else ""
            what, to_do, goes_on = f"its decider has not answered for {duration(lasted)}{where}", _NO_ANSWER, False
        elif lasted >= LONG_DECISION:  # nobody tells whether its process lives, as on Amazon SWF
            where = f": {task.worker}" if task.worker else ""
            what, to_do, goes_on = f"a decider has taken it, and has not answered{where}", _MAY_HAVE_DIED, False
        limit = _seconds(self._folded.history[task.scheduled_event_id - 1].attributes.get("startToCloseTimeout"))
        until = None if limit is None else started + limit
        return self._wait(DECISION, f"a decision: {what}", since=started, until=until, to_do=to_do, goes_on=goes_on)

    def signals(self) -> Iterator[Wait]:
        names = [name for name in self._context.signals if name not in self._signals_to_see]
        for name in names[:MAX_OF_A_KIND]:
            yield self._wait(
                SIGNAL,
                f"signal {shortened(name)}",
                id=name,
                since=self._decided_at,
                to_do=signal_remedy(self._id, name, is_child=self._depth > 0),
            )
        yield from self._more(SIGNAL, len(names) - MAX_OF_A_KIND, "signal")

    def attempts(self) -> Iterator[Wait]:
        kinds: dict[str, list[Attempt]] = {}
        for attempt in self._folded.attempts:
            if not attempt.open:
                continue
            if attempt.kind == TIMER and attempt.id == WAKE_UP_TIMER:
                yield self._wait(DECISION, "the next decision: one answer could not hold all", since=attempt.scheduled)
                continue
            kind = RETRY if attempt.kind == TIMER and attempt.id.startswith(RETRY_TIMER) else attempt.kind
            kinds.setdefault(kind, []).append(attempt)
        for kind, found in kinds.items():
            # What nobody has taken says more than what runs.
            found.sort(key=lambda attempt: attempt.started is not None)
            unlisted = Counter(map(_alike, found[MAX_OF_A_KIND:]))
            for attempt in found[:MAX_OF_A_KIND]:
                wait = self._of_attempt(kind, attempt)
                yield dataclasses.replace(wait, unlisted=unlisted.pop(_alike(attempt), 0)) if unlisted else wait
            yield from self._more(kind, len(found) - MAX_OF_A_KIND, _NOUNS[kind])

    def _of_attempt(self, kind: str, attempt: Attempt) -> Wait:
        attributes = self._folded.history[attempt.scheduled_event_id - 1].attributes
        until = _time_limit(attempt, attributes)
        known = self._tasks.get(attempt.scheduled_event_id, {})
        since = attempt.started or attempt.scheduled
        name, end = shortened(attempt.id), ""
        match kind:
            case "retry":
                task_id = attempt.id.removeprefix(RETRY_TIMER)
                what = f"the pause before the next attempt of {shortened(task_id)}{self._failure_of(task_id)}"
            case "timer" if attempt.id.startswith(DEADLINE_TIMER):
                what = "the timeout of a wait for futures"
            case "timer":
                what = f"timer {name}"
            case "child" if attempt.started is None:
                what = f"child {name} of {shortened(attempt.name)}, which has not started"
            case "child":
                what = f"child {name} of {shortened(attempt.name)}"
            case _ if attempt.started is None:
                where = f" in task list {shortened(attempt.task_list)}" if attempt.task_list else ""
                what = f"{kind} {shortened(attempt.name)} [{name}], which is queued{where}"
                end = f": {known['reason']}" if known.get("reason") else ""
            case _:
                where = f" in {shortened(attempt.worker)}" if attempt.worker else ""
                what = f"{kind} {shortened(attempt.name)} [{name}], which runs{where}{self._heartbeat(known)}"
                end = _silent(known)
        if attempt.cancel_requested:
            what += ", its cancel requested"
        return self._wait(
            kind,
            what + end,
            id=attempt.id,
            run_id=attempt.run_id,
            since=since,
            until=until,
            to_do=self._remedy_of(attempt, known) if kind in (ACTIVITY, CHILD) else "",
            has_reason=bool(known.get("reason") or known.get("isSilent")),
            goes_on=attempt.started is not None and attempt.kind in (ACTIVITY, LAMBDA) and not known.get("isSilent"),
        )

    def _remedy_of(self, attempt: Attempt, known: Mapping[str, Any]) -> str:
        """Advice for people on an open activity task or child; `known` is what the engine says of it."""
        if known.get("isSilent"):
            return self._silent_remedy(is_taken=attempt.started is not None)
        if attempt.kind != ACTIVITY or attempt.started is not None:
            return ""
        if known.get("isDefined") is False:
            return _DEFINE
        if not attempt.task_list or not can_be_typed(attempt.task_list):
            return "start a worker of its task list"
        load = self._loads.get(attempt.task_list)
        ran = 0 if load is None else max(load.most_at_once, bool(load.taken))
        call = start_more(attempt.task_list, ran_at_once=ran, polling=self._polling)
        return f"start {'more' if ran or self._polling.of(attempt.task_list) else 'its'} workers: {call}"

    def _silent_remedy(self, *, is_taken: bool) -> str:
        """Advice for people on a task that a process holds, or is to take, which does not answer."""
        return _SILENT if is_taken else _SILENT_HOLDER.format(_resume(self._id))

    @functools.cached_property
    def _loads(self) -> dict[str, ListLoad]:
        return loads_of(self._folded.columns, self._folded.until)

    def _failure_of(self, task_id: str) -> str:
        """Why the latest attempt of a task failed, if the history says."""
        for attempt in reversed(self._folded.attempts):
            if attempt.id == task_id and attempt.kind != TIMER:
                why = (
                    "its worker was lost" if is_worker_lost(attempt.details) else attempt.reason or attempt.timeout_type
                )
                return f", after {shortened(why, 120)}" if why else ""
        return ""

    def _heartbeat(self, task: Mapping[str, Any]) -> str:
        at = task.get("heartbeatAt")
        if at is None:
            return ""
        return f", last heartbeat {duration(max(self._folded.until.timestamp() - at, 0.0))} ago"

    def limits(self) -> Iterator[Wait]:
        for limit, waiting in self._context.groups:
            what = f"{count(waiting, 'deferred member')} of a group with max_parallel={limit}, until others have closed"
            yield self._wait(LIMIT, what, to_do="a larger max_parallel of the group lets more run at once")
        if self._context.deferred:
            what = f"{count(self._context.deferred, 'deferred activity task')}, until fewer are open"
            yield self._wait(LIMIT, what, to_do="max_open_activity_count of the workflow, and the settings, limit them")

    def requests(self) -> Iterator[Wait]:
        found = [event for event in self._folded.point_events if event.kind in _REQUESTS and event.state == "initiated"]
        for event in found[:MAX_OF_A_KIND]:
            what = f"{_REQUESTS[event.kind]} {shortened(event.name)} on its way"
            yield self._wait(REQUEST, what, id=event.name, since=event.at)
        yield from self._more(REQUEST, len(found) - MAX_OF_A_KIND, "request")

    def nothing(self) -> Wait:
        return self._wait(
            CODE,
            "nothing that can happen by itself: no task, timer, child or signal is open",
            since=self._decided_at,
            to_do="look at the line where run waits, or terminate the execution",
        )

    def _more(self, kind: str, number: int, noun: str) -> Iterator[Wait]:
        if number > 0:
            yield self._wait(kind, f"and {count(number, f'more {noun}')}", more=number)

    def _wait(self, kind: str, what: str, **members: Any) -> Wait:
        return Wait(workflow_id=self._id, depth=self._depth, kind=kind, what=shortened(what, HOVER_LIMIT), **members)


def _alike(attempt: Attempt) -> tuple[str | None, bool]:
    return attempt.task_list, attempt.started is not None


_DISK: Final = "free some space: it goes on by itself"
_AGAIN: Final = "it is tried again by itself; execution.retry_decision() tries it now"
_DEFINE_AGAIN: Final = "define it again"
_FIX_HERE: Final = f"fix the code and {_DEFINE_AGAIN}: it goes on by itself; "
_FIX: Final = (
    _FIX_HERE + "execution.retry_decision() tries it now; {} decides it with the definitions of another process"
)
_SILENT: Final = "let its process go on (kill -CONT), or end it: the task is given out again"
_SILENT_HOLDER: Final = (
    "let that process go on (kill -CONT), or end it; or {} goes on with the definitions of the process that calls it"
)
_TAKES_LONG: Final = (
    "put what takes long into an activity, and define the workflow again: it goes on by itself; or terminate the "
    "execution"
)
_NO_ANSWER: Final = (
    "if run does not come back, a warning of the execution names its line: fix it, or terminate the execution"
)
_MAY_HAVE_DIED: Final = (
    "if its process has died, nobody can take the task from it: it is given out again when its timeout is over"
)
_DEFINE: Final = "define it, or start the process that does: the task is taken at once"
_RESUME: Final = "start a decider: lab.resume(), or start the process that defines the workflow"
_BUSY: Final = "a poller that is free takes it; a further decider, of another process, would at once"
_NOUNS: Final = {ACTIVITY: "activity task", CHILD: "child", LAMBDA: "lambda", TIMER: "timer", RETRY: "retry"}
_REQUESTS: Final = {EXTERNAL_SIGNAL: "signal", EXTERNAL_CANCEL: "cancel request to"}


def description_in_words(
    description: Mapping[str, Any], error: Mapping[str, Any] | None = None, *, waits_for_room: bool = False
) -> str:
    """The waits of an open execution in a few words, from boto3's `describe_workflow_execution`.

    `error` is one of the `decisionErrors` of `describe_reports`, if there is one; `waits_for_room` says that the disk
    of its store is full.
    """
    counts, context = description["openCounts"], waits_in(description.get("latestExecutionContext"))
    deferred = context.deferred + sum(waiting for _, waiting in context.groups)
    # Of one that is blocked itself, the open decision is the blocked one.
    is_blocked = error is not None and error["execution"] == description["executionInfo"]["execution"]
    parts = [
        "room on the disk" if waits_for_room else "",
        "" if error is None else _blocked_in_short(error, is_own=is_blocked),
        "a decision" if counts.get("openDecisionTasks") and not is_blocked else "",
        ", ".join(f"signal {shortened(name, 40)}" for name in context.signals[:3]),
        _number(counts.get("openActivityTasks"), "activity", "activities"),
        _number(counts.get("openLambdaFunctions"), "lambda", "lambdas"),
        _number(counts.get("openChildWorkflowExecutions"), "child", "children"),
        _number(counts.get("openTimers"), "timer", "timers"),
        f"{deferred:,} deferred" if deferred else "",
    ]
    return ", ".join(part for part in parts if part) or "nothing that can happen by itself"


def _blocked_in_short(error: Mapping[str, Any], *, is_own: bool) -> str:
    of = "" if is_own else f" of {shortened(error['execution']['workflowId'], 40)}"
    return f"a blocked decision{of}: {error['error']}"


def _number(number: Any, one: str, several: str) -> str:
    return count(number, one, several) if number else ""


def blocked_wait(error: Mapping[str, Any], *, workflow_id: str, depth: int) -> Wait:
    """The row of one of the `decisionErrors` of `WatchableService.describe_reports`."""
    where = f" in process {error['pid']}" if "pid" in error else ""
    what = f"a blocked decision{where}: {error.get('error')}: {error.get('message')}"
    to_do = _FIX.format(_resume(workflow_id)) if error.get("endsWait") else _AGAIN
    if _DEFINE_AGAIN in str(error.get("message")):  # the error says so itself
        to_do = to_do.removeprefix(_FIX_HERE)
    return Wait(
        workflow_id=workflow_id,
        depth=depth,
        kind=BLOCKED,
        what=beginning(what, ERROR_LIMIT),
        since=_time_of(error.get("since")),
        to_do=to_do,
    )


def _time_of(seconds: Any) -> datetime.datetime | None:
    """A time of a report; `None` if the engine, of an earlier version, does not tell it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC) if isinstance(seconds, int | float) else None


def _resume(workflow_id: str) -> str:
    return f"lab.resume({workflow_id!r})" if can_be_typed(workflow_id) else "lab.resume(id)"


def disk_wait(paused: str, *, workflow_id: str, depth: int) -> Wait:
    """The row that says that the store can't be written."""
    what = f"the disk: {paused}"
    return Wait(workflow_id=workflow_id, depth=depth, kind=DISK, what=shortened(what, HOVER_LIMIT), to_do=_DISK)


def signal_remedy(workflow_id: str, name: str, *, is_child: bool = False) -> str:
    """Advice to send a signal: the call in Python, and the command of a shell."""
    if is_child and not can_be_typed(workflow_id):
        return ""
    execution = f"lab.execution({workflow_id!r})" if is_child else "execution"
    if not can_be_typed(name):
        return f"{execution}.signal(name) sends it"
    if not can_be_typed(workflow_id) or workflow_id == "-":  # in a command that is the standard input
        return f"{execution}.signal({name!r})"
    return with_command(f"{execution}.signal({name!r})", "workflow.signal", workflow_id, name)


def _silent(task: Mapping[str, Any]) -> str:
    """The words about a silent process that holds a task."""
    return ", and does not answer: is it stopped?" if task.get("isSilent") else ""


def _place(wait: Wait) -> int:
    return KINDS.index(wait.kind)


def _time_limit(attempt: Attempt, attributes: Mapping[str, Any]) -> datetime.datetime | None:
    """The latest time at which an open attempt ends: a timer by firing, a task by the earliest of its timeouts."""
    limits = [(attempt.scheduled, "startToFireTimeout"), (attempt.scheduled, "scheduleToCloseTimeout")]
    if attempt.started is None:
        limits.append((attempt.scheduled, "scheduleToStartTimeout"))
    else:
        limits += [(attempt.started, "startToCloseTimeout"), (attempt.started, "executionStartToCloseTimeout")]
    ends = [since + timeout for since, name in limits if (timeout := _seconds(attributes.get(name))) is not None]
    return min(ends, default=None)


def _seconds(text: Any) -> datetime.timedelta | None:
    return (
        datetime.timedelta(seconds=int(text)) if isinstance(text, str) and text.isdecimal() and len(text) < 10 else None
    )


def _inner(attributes: Mapping[str, Any], outer: str, inner: str) -> Any:
    value = attributes.get(outer)
    return value.get(inner) if isinstance(value, Mapping) else None
