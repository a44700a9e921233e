"""Quiet failures: what went wrong in an execution, or came to nothing, without anybody saying so.

==================  ==================================================================================================
kind                what it is
==================  ==================================================================================================
`failure`           a task failed for good, and no code read or raised its error; or a chain ended there, before its
                    other members
`unawaited`         the execution closed while the task was open, and no code had ever waited for it
`unused`            a task completed with a result that is not `None`, and no code read it, passed it on or awaited it;
                    of a group or chain of which nothing is used, and of `map`, it is reported once
`not submitted`     a task that the code made, as by `self.start_timer(…)`, and dropped
`timer`             no code ever waited for the timer: it changed nothing
`signal`            a signal came that no code ever waited for
`difference`        the code does not make the decisions that are recorded: what it would wait for later can't be told
==================  ==================================================================================================

Rule: no false alarm. Waiting for a task is a use of it, for the order, however the code waits: by `future.wait()`,
`futures.wait` or `as_completed`, or for the group it is in. What the code cancels, it does not need. Of an execution
that is open, or that the code can't replay to its end, only failures are reported: the rest may still be used. So it is
of one that was canceled or terminated, or whose time was over, while its code waited: the rest might have been used.
Code that asks for the state of futures by itself (`future.done`), or for events by name, may know more than can be
seen: then neither tasks and timers that came to nothing, nor signals, are reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Final

from simpleflow_lab.debugger.not_submitted import not_submitted
from simpleflow_lab.debugger.trigger_text import task_words
from simpleflow_lab.replay.lines import Line, line_text
from simpleflow_lab.replay.trace import FutureUse
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.formatting import HOVER_LIMIT, count, shortened
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.text_tables import visible
from simpleflow_lab.workflow import Workflow

FAILURE: Final = "failure"
UNAWAITED: Final = "unawaited"
UNUSED: Final = "unused"
TIMER: Final = "timer"
SIGNAL: Final = "signal"
NOT_SUBMITTED: Final = "not submitted"
DIFFERENCE: Final = "difference"

_BY_ITS_CODE: Final = frozenset({"COMPLETED", "FAILED", "CONTINUED_AS_NEW"})
"""Close statuses of an execution whose code has come to its end."""
_CONTAINERS: Final = frozenset({"group", "chain"})
_TASKS: Final = frozenset({"activity", "child workflow", "lambda"})
_STATES: Final = frozenset({"done", "finished", "cancelled", "state", "running", "pending", "add_done_callback"})
"""Names by which code asks for the state of futures."""
_CLOSES: Final = frozenset({"done", "finished", "count_finished_activities"})
"""Names by which code asks whether futures are done: it may wait for them so, in a loop or by `ExecutionBlocked`."""
_EVENTS: Final = frozenset({"get_event_details", "signals", "signaled", "history", "events"})
"""Names by which code asks for signals that came."""
_HOOKS_WITH_HISTORY: Final = frozenset({"should_cancel", "before_replay", "after_replay", "before_run", "after_run"})


@dataclass(frozen=True, kw_only=True)
class QuietFailure:
    """One of them."""

    kind: str
    """`failure`, `unawaited`, `unused`, `timer`, `signal`, `not submitted` or `difference`."""
    task: str
    """Id of the task, or name of the signal; empty of what has none, as a group."""
    text: str
    """The failure in one line."""
    line: Line | None
    """The author's line that asked for it; `None` of a signal and of a difference, which nothing asked for."""
    event_id: int | None
    """The event by which it closed, or the latest about it."""

    def __str__(self) -> str:
        where = f" ({line_text(self.line)})" if self.line is not None else ""
        return visible(f"{self.text}{where}")


class QuietFailures(ListingView[QuietFailure]):
    """Quiet failures, those in the order of the code first. They display themselves; `to_pandas()` gives a frame."""

    _nothing = "nothing failed or came to nothing unnoticed"

    def listing(self) -> Listing:
        """One row for each."""
        rows = [
            (each.kind, each.task, each.text, None if each.line is None else line_text(each.line), each.event_id)
            for each in self
        ]
        return Listing(columns=_COLUMNS, rows=rows)

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or self._nothing


_COLUMNS: Final = {"kind": Kind.TEXT, "task": Kind.TEXT, "what": Kind.TEXT, "line": Kind.TEXT, "event": Kind.COUNT}


def quiet_failures(
    workflow: type[Workflow],
    history: History,
    uses: Sequence[FutureUse],
    differs: str | None = None,
    *,
    lines: Callable[[], Iterable[Line]],
) -> QuietFailures:
    """The quiet failures of a history that was replayed with this workflow; `uses` is what `watch` gave at its end, and
    `differs` why that is not the end of the history. `lines` gives the lines that ran, decision by decision."""
    found = [*_of_failures(uses), *_of_chains(uses), *_not_submitted(workflow, lines)]
    if differs is not None:
        text = f"{shortened(differs, HOVER_LIMIT)} - what came to nothing later can't be told"
        found.append(QuietFailure(kind=DIFFERENCE, task="", text=text, line=None, event_id=None))
    elif history.close_status in _BY_ITS_CODE:
        names = _names_in(workflow)
        if not names & _CLOSES:
            found += _of_tasks(uses)
        if not names & _STATES:
            found += _of_timers(uses)
        if not names & _EVENTS and not _reads_history(workflow):
            found += _of_signals(uses, history)
    return QuietFailures(found)


def _of_failures(uses: Iterable[FutureUse]) -> Iterator[QuietFailure]:
    for use in uses:
        if use.is_unhandled and use.record.kind not in _CONTAINERS:
            error = shortened(use.record.value, HOVER_LIMIT)
            yield _quiet(FAILURE, use, f"{_name(use)} failed, and nothing read its error: {error}")


def _of_chains(uses: Sequence[FutureUse]) -> Iterator[QuietFailure]:
    by_number = {use.record.number: use for use in uses}
    for use in uses:
        failed = [by_number[number] for number in use.record.members if by_number[number].is_unhandled]
        if use.record.kind == "chain" and use.record.state == "FINISHED" and use.not_submitted and failed:
            left = f"{count(use.not_submitted, 'member')} of the chain never ran"
            yield _quiet(FAILURE, use, f"{left}: {_name(failed[-1])} failed before, and nothing read its error")


def _not_submitted(workflow: type[Workflow], lines: Callable[[], Iterable[Line]]) -> Iterator[QuietFailure]:
    calls = not_submitted(workflow)
    left = {(call.line.filename, call.line.lineno) for call in calls}
    ran: set[tuple[str, int]] = set()
    for line in lines() if left else ():
        if (line.filename, line.lineno) in left:
            ran.add((line.filename, line.lineno))
            if ran == left:
                break
    for call in calls:
        if (call.line.filename, call.line.lineno) in ran:
            text = f"what {call.method} made was never submitted, and so does nothing: self.submit(…) it"
            yield QuietFailure(kind=NOT_SUBMITTED, task="", text=text, line=call.line, event_id=None)


def _of_tasks(uses: Sequence[FutureUse]) -> Iterator[QuietFailure]:
    unused = [use for use in uses if use.record.kind in _TASKS and _is_unused(use)]
    together = _containers_of(uses, unused)
    reported: set[int] = set()
    for use in uses:
        record = use.record
        if record.kind not in _TASKS or record.failed or use.is_read or use.is_canceled:
            continue
        if record.state in ("PENDING", "RUNNING"):
            if not use.is_awaited:
                how = "was never scheduled" if not record.attempts else "was still open when the execution closed"
                yield _quiet(UNAWAITED, use, f"{_name(use)} {how}, and no code ever waited for it")
        elif _is_unused(use) and record.number in together:
            container, tasks = together[record.number]
            if container.record.number not in reported:
                reported.add(container.record.number)
                results = f"{count(tasks, 'task')} of a {container.record.kind} gave results"
                yield _quiet(UNUSED, container, f"{results}, and no code waited for them or used them")
        elif _is_unused(use):
            value = shortened(record.value, HOVER_LIMIT)
            yield _quiet(UNUSED, use, f"{_name(use)} gave {value}, and no code waited for it or used it")


def _is_unused(use: FutureUse) -> bool:
    is_result = use.record.state == "FINISHED" and use.has_value and not use.record.failed
    return is_result and not _is_used(use) and not use.is_canceled


def _is_used(use: FutureUse) -> bool:
    return use.is_awaited or use.is_read


def _containers_of(uses: Sequence[FutureUse], unused: Sequence[FutureUse]) -> dict[int, tuple[FutureUse, int]]:
    """By the number of a task: the outermost container in which it is, if no task in there is used, and how many tasks
    that gives; a chain uses the results that it sends on."""
    outermost: dict[int, FutureUse] = {}
    for use in uses:  # containers come before their members
        container = outermost.get(use.record.number) or use
        outermost.update(dict.fromkeys(use.record.members, container))
    used = {
        outermost[use.record.number].record.number
        for use in uses
        if use.record.number in outermost
        and use.record.kind not in _CONTAINERS
        and _is_used(use)
        and outermost[use.record.number].record.kind != "chain"
    }
    inside: dict[int, list[int]] = {}
    for use in unused:
        around = outermost.get(use.record.number)
        if around is not None and around.record.number not in used:
            inside.setdefault(around.record.number, []).append(use.record.number)
    return {
        number: (outermost[number], len(numbers))
        for numbers in inside.values()
        if len(numbers) > 1
        for number in numbers
    }


def _of_timers(uses: Iterable[FutureUse]) -> Iterator[QuietFailure]:
    for use in uses:
        if use.record.kind == "timer" and not _is_used(use) and not use.is_canceled and use.record.line is not None:
            what = "fired" if use.record.state == "FINISHED" else "was still running at the end"
            yield _quiet(TIMER, use, f"{_name(use)} {what}, and no code ever waited for it")


def _of_signals(uses: Iterable[FutureUse], history: History) -> Iterator[QuietFailure]:
    waited_for = {use.record.id for use in uses if use.record.kind == "signal wait"}
    came: Counter[str] = Counter()
    last: dict[str, int] = {}
    for event in history:
        name = event.attributes.get("signalName")
        if event.type == "WorkflowExecutionSignaled" and isinstance(name, str) and name not in waited_for:
            came[name] += 1
            last[name] = event.id
    for name, times in came.items():
        text = f"signal {shortened(name)} came {count(times, 'time')}, and no code ever waited for it"
        yield QuietFailure(kind=SIGNAL, task=shortened(name), text=text, line=None, event_id=last[name])


def _quiet(kind: str, use: FutureUse, text: str) -> QuietFailure:
    record = use.record
    event_id = next(
        (each for each in (record.closed_event_id, record.started_event_id, record.scheduled_event_id) if each), None
    )
    return QuietFailure(kind=kind, task=shortened(record.id or ""), text=text, line=record.line, event_id=event_id)


def _name(use: FutureUse) -> str:
    return task_words(use.record.kind, use.record.id or use.record.number)


def _names_in(workflow: type[Workflow]) -> frozenset[str]:
    """The names of attributes that the workflow's code uses, and the functions beside it that it calls."""
    names: set[str] = set()
    seen: set[CodeType] = set()
    left: list[FunctionType] = []
    for each in workflow.__mro__:
        if each.__module__.partition(".")[0] != __name__.partition(".")[0]:
            left.extend(found for found in map(_function_of, vars(each).copy().values()) if found is not None)
    while left:
        function = left.pop()
        for code in _codes_in(function.__code__):
            if code in seen:
                continue
            seen.add(code)
            names.update(code.co_names)
            called = (function.__globals__.get(name) for name in code.co_names)
            left.extend(each for each in called if type(each) is FunctionType)
    return frozenset(names)


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if type(each) is CodeType:
            yield from _codes_in(each)


def _function_of(value: Any) -> FunctionType | None:
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    return value if type(value) is FunctionType else None


def _reads_history(workflow: type[Workflow]) -> bool:
    """A hook that gets the history is the workflow's own: it may look for signals there."""
    return any(getattr(workflow, name) is not getattr(Workflow, name) for name in _HOOKS_WITH_HISTORY)
