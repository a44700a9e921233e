"""The lines of an explanation on how an execution ended: its status and who gave it, its result, what failed, what was
lost, and what was not finished."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.swf.conventions import is_given_back, is_not_here, is_worker_lost
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, LAMBDA, TIMER
from simpleflow_lab.views.advice_text import can_be_typed, with_command
from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.explanation_lines import (
    HANDLED,
    LOST,
    REFUSED,
    RESULT,
    RETRIED,
    STATUS,
    UNFINISHED,
    UNHANDLED,
    ExplanationLine,
    first_few,
)
from simpleflow_lab.views.formatting import bounded, count, duration, shortened
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.style import STATUSES
from simpleflow_lab.views.summary import OPEN, ExecutionSummary, execution_summary
from simpleflow_lab.views.task_labels import task_label

_RESULT_LIMIT: Final = 160
"""Characters of a result that a line shows."""
_NAMED: Final = (", not handled)", "and not handled by the workflow, failed:")
"""Words in the reason, or in the details, of a failure that name what was not handled before it: see
`replay.workflow_code`."""
_REASON_LIMIT: Final = 90
"""Characters of the reason of one failed task."""


def outcome_lines(
    folded: FoldedHistory, workflow_id: str, below: Sequence[tuple[str, Attempt]] = ()
) -> list[ExplanationLine]:
    """The lines of a history that has events; the first one is about the status. `below` is that of `explain`."""
    summary = execution_summary(folded)
    lines = [_status(folded, summary, workflow_id)]
    if summary.result is not None:
        lines.append(
            ExplanationLine.of(RESULT, f"result: {bounded(summary.result, _RESULT_LIMIT)}", to_do="execution.result()")
        )
    lines += _unhandled(folded.unhandled)
    lines += _unhandled_below(below)
    lines += _handled(folded, summary)
    lines += _refused_cancels(folded)
    lines += _unfinished(folded, workflow_id)
    lines += _lost(folded.attempts, workflow_id)
    lines += _retried(folded.attempts, workflow_id)
    return lines


# -- the status --------------------------------------------------------------------------------------------------------


def _status(folded: FoldedHistory, summary: ExecutionSummary, workflow_id: str) -> ExplanationLine:
    of = STATUSES[summary.status]
    takes = f"{of.glyph} {of.word} {'for' if summary.closed is None else 'after'} {duration(summary.duration)}"
    why, to_do = _why(folded, summary, workflow_id)
    return ExplanationLine.of(STATUS, f"{takes}: {why}" if why else takes, to_do=to_do, seconds=summary.duration)


def _why(folded: FoldedHistory, summary: ExecutionSummary, workflow_id: str) -> tuple[str, str]:
    """Why it has its status, who gave it, and what shows more."""
    history = folded.history
    first, last = history[0].attributes, history[-1].attributes
    reason = shortened(summary.reason, 200) if summary.reason else ""
    match summary.status:
        case "FAILED":
            failed = _task_behind(folded.attempts, summary.reason)
            where = "" if failed is None or _is_named(failed, reason) else f" (task {_label(failed)})"
            return f"its code failed with {reason or 'no reason'}{where}", _show_failure(failed)
        case "TIMED_OUT":
            limit = _seconds(first.get("executionStartToCloseTimeout"))
            timeout = "its timeout was over" if limit is None else f"its timeout, {duration(limit)}, was over"
            return timeout, "execution_start_to_close_timeout of its workflow, or of start, is longer"
        case "TERMINATED":
            return _terminated(first, last, reason), ""
        case "CANCELED":
            return f"its code agreed to {_cancel_request(folded)}", ""
        case "CONTINUED_AS_NEW":
            run_id = summary.continued_as or ""
            return "its code went on in a new run", call_of_explain(workflow_id, run_id)
        case "OPEN" if summary.cancel_requested:
            return f"its code has not answered {_cancel_request(folded)}", ""
    return "", ""


def _terminated(first: Mapping[str, Any], last: Mapping[str, Any], reason: str) -> str:
    said = f", with reason: {reason}" if reason and reason != last.get("cause") else ""
    match last.get("cause"):
        case "CHILD_POLICY_APPLIED":
            parent = _object(first.get("parentWorkflowExecution")).get("workflowId")
            of = f" {shortened(parent, 60)}" if parent else ""
            return f"its parent{of} closed, and its child policy is TERMINATE{said}"
        case "EVENT_LIMIT_EXCEEDED":
            return f"SWF ended it, for its history had become too long{said}"
    return f"somebody terminated it{said or ', without a reason'}"


def _cancel_request(folded: FoldedHistory) -> str:
    found = [event for event in folded.history if event.type == "WorkflowExecutionCancelRequested"]
    if not found:
        return "a cancel request"
    request = found[-1]
    by = _object(request.attributes.get("externalWorkflowExecution")).get("workflowId")
    if request.attributes.get("cause") == "CHILD_POLICY_APPLIED":
        who = f" of its parent{f' {shortened(by, 60)}' if by else ''}, which closed"
    else:
        who = f" of {shortened(by, 60)}" if by else ""
    end = folded.history[-1].timestamp if folded.history.close_status else folded.until
    return f"a cancel request{who}, {_ago(request.timestamp, end)}"


def _ago(then: datetime.datetime, now: datetime.datetime) -> str:
    return f"{duration(max((now - then).total_seconds(), 0.0))} before"


def _task_behind(attempts: Sequence[Attempt], reason: str | None) -> Attempt | None:
    """The failed task of which the reason of a failed execution speaks, or else the one that failed last."""
    failed = [attempt for attempt in attempts if attempt.failed and not attempt.retried and attempt.closed is not None]
    for attempt in reversed(failed):
        if reason and (attempt.id in reason or (attempt.reason and attempt.reason in reason)):
            return attempt
    return None


def _is_named(attempt: Attempt, reason: str) -> bool:
    return attempt.id in reason


def _show_failure(failed: Attempt | None) -> str:
    if failed is not None and failed.kind == CHILD and failed.run_id:
        return call_of_explain(failed.id, failed.run_id)
    return "execution.result() raises it with its traceback"


def call_of_explain(workflow_id: str, run_id: str) -> str:
    """The call that explains another execution."""
    if not can_be_typed(workflow_id) or not can_be_typed(run_id):
        return ""
    return f"lab.execution({workflow_id!r}, {run_id!r}).explain()"


# -- failures ----------------------------------------------------------------------------------------------------------


def _unhandled(found: Sequence[Attempt]) -> Iterator[ExplanationLine]:
    if found:
        were = "was" if len(found) == 1 else "were"
        what = f"{count(len(found), 'failure')} {were} not handled: {first_few(_failure(each) for each in found)}"
        yield ExplanationLine.of(UNHANDLED, what, to_do="execution.unhandled_failures()")


def _unhandled_below(below: Sequence[tuple[str, Attempt]]) -> Iterator[ExplanationLine]:
    """The failures in children that nobody handled: these completed all the same, and nothing of it came to their
    parent."""
    if below:
        first = below[0][0]
        to_do = f"lab.execution({first!r}).explain()" if can_be_typed(first) else ""
        yield ExplanationLine.of(UNHANDLED, unhandled_in_children(below), to_do=to_do)


def unhandled_before(own: Sequence[Attempt], said: str, below: Sequence[tuple[str, Attempt]]) -> str:
    """The failures that nobody handled, in words: its own, unless they were `said` before, and those in children."""
    is_said = any(each in said for each in _NAMED)
    found = [] if is_said else own
    were = "was" if len(found) == 1 else "were"
    text = f"{count(len(found), 'failure')} {were} not handled: {first_few(_failure(each) for each in found)}"
    return "; ".join([*([text] if found else []), *([unhandled_in_children(below)] if below else [])])


def unhandled_in_children(below: Sequence[tuple[str, Attempt]]) -> str:
    """The failures in children that nobody handled, in words: each attempt with the id of its execution."""
    were = "was" if len(below) == 1 else "were"
    each = first_few(f"{_failure(attempt)} in {shortened(child, 60)}" for child, attempt in below)
    return f"{count(len(below), 'failure')} {were} not handled in its children: {each}"


def _handled(folded: FoldedHistory, summary: ExecutionSummary) -> Iterator[ExplanationLine]:
    """Tasks that came to no result, but for the one of which the execution failed: those of which the code took notice,
    and those of which it never learned, as the execution was ended before a decider made a decision about them."""
    behind = _task_behind(folded.attempts, summary.reason) if summary.status == "FAILED" else None
    found = [each for each in folded.attempts if each.failed and not each.open and not (each.retried or each.unhandled)]
    found = [each for each in found if each.kind in TASKS and not each.cancel_requested and each is not behind]
    seen = _last_event_decided_on(folded)
    late = [] if summary.status == OPEN else [each for each in found if (each.closed_event_id or 0) > seen]
    if late:
        found = [each for each in found if (each.closed_event_id or 0) <= seen]
        what = f"{count(len(late), 'task')} failed, and no decision was made after that: "
        yield ExplanationLine.of(UNHANDLED, what + first_few(map(_failure, late)), to_do="execution.tasks()")
    if found:
        how = "failed so far" if summary.status == OPEN else "failed, and its code handled that"
        what = f"{count(len(found), 'task')} {how}: {first_few(_failure(each) for each in found)}"
        yield ExplanationLine.of(HANDLED, what, to_do="execution.tasks()")


def _last_event_decided_on(folded: FoldedHistory) -> int:
    """The last event that was in the history when the latest decision was made: the start of its decision task."""
    made = (event.attributes for event in reversed(folded.history) if event.type == "DecisionTaskCompleted")
    started = next(made, {}).get("startedEventId")
    return started if isinstance(started, int) else 0


def failures_in_words(found: Sequence[Attempt]) -> str:
    """The first of these failed attempts with their reasons, and how many more there are."""
    return first_few(map(_failure, found))


def _failure(attempt: Attempt) -> str:
    return f"{_label(attempt)} ({_reason(attempt)})"


def _retried(attempts: Sequence[Attempt], workflow_id: str) -> Iterator[ExplanationLine]:
    """Failed attempts after which another one followed, but for those that say nothing of the task."""
    again = [attempt for attempt in attempts if attempt.retried and not _is_not_its_own(attempt)]
    if not again:
        return
    latest = {attempt.id: attempt for attempt in again}
    tries = Counter(attempt.id for attempt in again)
    tasks = [
        _failure(latest[id]) if number == 1 else f"{_label(latest[id])} {number:,} times, last {_reason(latest[id])}"
        for id, number in tries.most_common()
    ]
    were = "attempt was" if len(again) == 1 else "attempts were"
    yield ExplanationLine.of(
        RETRIED, f"{len(again):,} failed {were} tried again: {first_few(tasks)}", to_do=_tasks(workflow_id)
    )


def _reason(attempt: Attempt) -> str:
    timed_out = f"timed out: {attempt.timeout_type}" if attempt.timeout_type else ""
    return shortened(attempt.reason or timed_out or attempt.state, _REASON_LIMIT)


def _is_not_its_own(attempt: Attempt) -> bool:
    """The attempt ended by what became of its worker, not by its code."""
    return is_worker_lost(attempt.details) or is_given_back(attempt.details) or is_not_here(attempt.details)


def _lost(attempts: Sequence[Attempt], workflow_id: str) -> Iterator[ExplanationLine]:
    lost = [attempt for attempt in attempts if is_worker_lost(attempt.details)]
    if lost:
        where = first_few(dict.fromkeys(attempt.worker for attempt in lost if attempt.worker))
        workers = f", in {where}" if where else ""
        were = "attempt was lost with its worker" if len(lost) == 1 else "attempts were lost with their workers"
        what = f"{len(lost):,} {were}: {first_few(dict.fromkeys(map(_label, lost)))}{workers}"
        yield ExplanationLine.of(LOST, what, to_do=_tasks(workflow_id))
    elsewhere = [attempt for attempt in attempts if is_not_here(attempt.details)]
    if elsewhere:
        were = "attempt came to a worker" if len(elsewhere) == 1 else "attempts came to workers"
        what = f"{len(elsewhere):,} {were} without the activity: {first_few(dict.fromkeys(map(_label, elsewhere)))}"
        yield ExplanationLine.of(LOST, what, to_do="one task list for each code base; lab.pollers() shows who polls")


def _refused_cancels(folded: FoldedHistory) -> Iterator[ExplanationLine]:
    """Cancels that SWF refused for want of permission: what they were to cancel went on."""
    refused: dict[str, list[str]] = {}
    for event in folded.history:
        if event.type in _REFUSED_CANCELS and event.attributes.get("cause") == "OPERATION_NOT_PERMITTED":
            kind, id_attribute = _REFUSED_CANCELS[event.type]
            id = shortened(str(event.attributes.get(id_attribute)), 60)
            refused.setdefault(str(event.row.decision), []).append(f"{kind} {id}")
    for decision, names in refused.items():
        what = f"SWF refused to cancel {first_few(dict.fromkeys(names))} (OPERATION_NOT_PERMITTED): it went on"
        yield ExplanationLine.of(REFUSED, what, to_do=f"allow swf:{decision} to the credentials of its decider")


_REFUSED_CANCELS: Final = {
    "CancelTimerFailed": ("timer", "timerId"),
    "RequestCancelActivityTaskFailed": ("activity task", "activityId"),
    "RequestCancelExternalWorkflowExecutionFailed": ("execution", "workflowId"),
}
"""The thing that was to be canceled, and the attribute that names it, by the events that record a refusal."""


def _unfinished(folded: FoldedHistory, workflow_id: str) -> Iterator[ExplanationLine]:
    if folded.history.close_status is None:
        return
    left = [attempt for attempt in folded.attempts if attempt.open]
    if not left:
        return
    kinds = Counter(attempt.kind for attempt in left)
    numbers = " and ".join(count(kinds[kind], *_NOUNS[kind]) for kind in (*_NOUNS,) if kinds[kind])
    were = "was" if len(left) == 1 else "were"
    left.sort(key=lambda attempt: (attempt.kind == TIMER, attempt.started is None))
    queued = sum(attempt.started is None for attempt in left)
    began = "" if not queued else ", and had not started" if queued == len(left) else f"; {queued:,} had not started"
    what = f"{numbers} {were} not finished when it closed{began}: {first_few(map(_label, left))}"
    yield ExplanationLine.of(UNFINISHED, what, to_do=_tasks(workflow_id))


_NOUNS: Final = {
    ACTIVITY: ("activity task", "activity tasks"),
    CHILD: ("child", "children"),
    LAMBDA: ("lambda", "lambdas"),
    TIMER: ("timer", "timers"),
}


# -- words -------------------------------------------------------------------------------------------------------------


def _label(attempt: Attempt) -> str:
    return task_label(attempt.id, attempt.name if attempt.kind in TASKS else None)


def _tasks(workflow_id: str) -> str:
    """Advice to look at the attempts, in Python and in a shell."""
    if not can_be_typed(workflow_id):
        return "execution.tasks()"
    return with_command("execution.tasks()", "workflow.tasks", workflow_id)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(text: Any) -> float | None:
    return float(text) if isinstance(text, str) and text.isdecimal() and len(text) < 10 else None
