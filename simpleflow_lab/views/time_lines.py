"""The lines of an explanation on where the time went: what was on the critical path, and what was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Final

from simpleflow_lab.swf.conventions import DEADLINE_TIMER, is_worker_lost
from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.critical_path import (
    CHILD_RUNNING,
    CODE,
    DECIDING,
    DEFERRED,
    NO_DECIDER,
    NOT_TAKEN,
    OPEN_LIMIT,
    QUEUED,
    REQUEST,
    RETRY,
    RUNNING,
    SIGNAL_WAIT,
    TIMER_WAIT,
    CriticalPath,
    Segment,
)
from simpleflow_lab.views.explanation_lines import SLACK, TIME, ExplanationLine, first_few
from simpleflow_lab.views.formatting import duration, shortened
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.slack import slack
from simpleflow_lab.views.task_labels import task_label
from simpleflow_lab.views.worker_advice import UNKNOWN, Polling, start_more

MAX_CAUSES: Final = 3
"""The most lines on what the time went into."""
SMALLEST_SHARE: Final = 0.1
"""The least share of the time that is worth a line, but for the largest one."""
LEAST_SLACK: Final = 0.01
"""The least slack of a task that is shown, as a share of the time."""


def time_lines(
    folded: FoldedHistory, path: CriticalPath, polling: Polling = UNKNOWN, *, is_blocked: bool = False
) -> Iterator[ExplanationLine]:
    """Lines about where the time went, the largest share first; then the longest task that was not on the path.

    `polling` says who polls now; `is_blocked` that its open decision can't be made.
    """
    whole = path.seconds()
    if whole <= 0:
        return
    lost = frozenset(a.scheduled_event_id for a in folded.attempts if is_worker_lost(a.details))
    segments = path.segments
    blocked = segments[-1] if is_blocked and segments and segments[-1].kind == DECIDING else None
    groups = _groups(segments if blocked is None else segments[:-1], lost) + ([] if blocked is None else [[blocked]])
    groups.sort(key=_seconds, reverse=True)
    for number, group in enumerate(groups[:MAX_CAUSES]):
        seconds = _seconds(group)
        if number and seconds < SMALLEST_SHARE * whole:
            break
        is_lost = group[0].kind == RUNNING and group[0].scheduled_event_id in lost
        what, to_do = (_lost if is_lost else WORDS[group[0].kind])(group)
        if group[0] is blocked:
            what, to_do = f"{duration(seconds)} in the decision that is blocked", ""
        if group[0].kind == QUEUED:
            to_do = _more_workers(group, polling)
            what += _behind(group, path) + _beside(group, polling)
        if group[0].kind == NOT_TAKEN:
            what += _held_by(group, polling)
            to_do = f"{_more_workers(group, polling)}; lab.pollers() shows who polls"
        if group[0].kind == OPEN_LIMIT:
            what, to_do = _for_want_of_workers(group, path, what, to_do, polling)
        of = "of the time" if number else f"of {duration(whole)}"
        yield ExplanationLine.of(TIME, f"{100 * seconds / whole:.0f} % {of}: {what}", to_do=to_do, seconds=seconds)
    yield from _off_the_path(folded, path)


def _groups(segments: Sequence[Segment], lost: Set[int]) -> list[list[Segment]]:
    """Segments of one kind; those of a queue also by task list, those of a group by its limit, and what ran apart from
    the attempts that were lost, which are those that these events scheduled."""
    groups: dict[object, list[Segment]] = {}
    for segment in segments:
        groups.setdefault((segment.kind, _split_by(segment, lost)), []).append(segment)
    return list(groups.values())


def _split_by(segment: Segment, lost: Set[int]) -> object:
    if segment.kind in (QUEUED, NOT_TAKEN):
        return segment.task_list
    if segment.kind == RUNNING:
        return segment.scheduled_event_id in lost
    return segment.limit if segment.kind == DEFERRED else None


def _seconds(group: Sequence[Segment]) -> float:
    return sum(segment.seconds for segment in group)


def _off_the_path(folded: FoldedHistory, path: CriticalPath) -> Iterator[ExplanationLine]:
    """The task that ran longest of those that could have taken longer, if it is worth a look."""
    found = slack(folded, path)
    off = [a for a in folded.attempts if a.kind in TASKS and a.running and found.get(a.scheduled_event_id, 0.0) > 0]
    if not off:
        return
    longest = max(off, key=lambda attempt: attempt.running or 0.0)
    running = longest.running or 0.0
    if running < SMALLEST_SHARE * path.seconds():
        return
    room = found[longest.scheduled_event_id]
    if room < LEAST_SLACK * path.seconds():
        return
    what = (
        f"not on the critical path: {_label_of(longest)} ran {duration(running)}, and could have run {duration(room)}"
    )
    yield ExplanationLine.of(SLACK, f"{what} longer", to_do="execution.slack()", seconds=room)


def _label_of(attempt: Attempt) -> str:
    return task_label(attempt.id, attempt.name)


# -- what each kind of segment is called -------------------------------------------------------------------------------


def _running(group: Sequence[Segment]) -> tuple[str, str]:
    return f"{duration(_seconds(group))} running {_tasks_with_times(group)}", "execution.critical_path()"


def _lost(group: Sequence[Segment]) -> tuple[str, str]:
    noun = "an attempt that was" if len(group) == 1 else "attempts that were"
    return (
        f"{duration(_seconds(group))} in {noun} lost with the worker: {_tasks_with_times(group)}",
        "execution.tasks()",
    )


def _child(group: Sequence[Segment]) -> tuple[str, str]:
    longest = max(group, key=lambda segment: segment.seconds)
    return f"{duration(_seconds(group))} in {_children(group)}", _explain_child(longest.id)


def _children(group: Sequence[Segment]) -> str:
    noun = "child" if len({segment.id for segment in group}) == 1 else "children"
    return f"{noun} {_tasks_with_times(group)}"


def _explain_child(workflow_id: str | None) -> str:
    if not workflow_id or not workflow_id.isprintable() or len(workflow_id) > 160:
        return ""
    return f"lab.execution({workflow_id!r}).explain()"


def _retry(group: Sequence[Segment]) -> tuple[str, str]:
    pauses = f"{duration(_seconds(group))} between attempts of {_tasks_with_times(group)}"
    return pauses, "retry= of the activity sets how often it is tried, and the pauses"


def _queued(group: Sequence[Segment]) -> tuple[str, str]:
    first = group[0]
    queue = f"{duration(_seconds(group))} queued on task list {shortened(first.task_list, 60)}"
    most = first.at_once or 0
    return f"{queue}, where of this execution at most {most:,} ran at once: {_tasks_with_times(group)}", ""


def _more_workers(group: Sequence[Segment], polling: Polling) -> str:
    return start_more(group[0].task_list, ran_at_once=group[0].at_once or 0, polling=polling)


def _beside(group: Sequence[Segment], polling: Polling) -> str:
    """Words that others may have had the workers that there are beside those that this execution had."""
    number = polling.of(group[0].task_list)
    if number <= (group[0].at_once or 0):
        return ""
    return f"; {number:,} poll it now, which other executions may have kept busy"


def _behind(group: Sequence[Segment], path: CriticalPath) -> str:
    """The task that ran longest while the one was queued that was so the longest."""
    longest = max(group, key=lambda segment: segment.seconds)
    load = path.lists.get(longest.task_list or "")
    found = None if load is None else load.longest_within(longest.start, longest.end)
    return "" if found is None else f", behind {_label_of(found)}"


def _not_taken(group: Sequence[Segment]) -> tuple[str, str]:
    queue = f"{duration(_seconds(group))} queued on task list {shortened(group[0].task_list, 60)}"
    return f"{queue}, while nothing of this execution ran there: {_tasks_with_times(group)}", ""


def _held_by(group: Sequence[Segment], polling: Polling) -> str:
    """Why nobody may have taken these: a history doesn't tell what workers did for others."""
    name = group[0].task_list
    if polling.is_known_to_be_left(name):
        return "; nobody polls it now"
    number = polling.of(name)
    if number:
        return f"; {number:,} poll it now, which other executions may have kept busy"
    return "; nobody polled it, or other executions kept its workers busy"


def _deferred(group: Sequence[Segment]) -> tuple[str, str]:
    what = f"{duration(_seconds(group))} deferred by max_parallel={group[0].limit}: {_tasks_with_times(group)}"
    return what, "raise max_parallel of the group"


def _open_limit(group: Sequence[Segment]) -> tuple[str, str]:
    what = f"{duration(_seconds(group))} deferred, as many activity tasks as allowed were open: "
    return what + _tasks_with_times(group), "max_open_activity_count of the workflow, and the settings, limit them"


def _for_want_of_workers(
    group: Sequence[Segment], path: CriticalPath, what: str, to_do: str, polling: Polling
) -> tuple[str, str]:
    """The same; or if fewer tasks ran than were open, that workers were too few: then no limit helps."""
    short = {
        name: load
        for name in dict.fromkeys(segment.task_list for segment in group)
        if (load := path.lists.get(name or "")) is not None and load.most_at_once < load.most_open
    }
    if not short:
        return what, to_do
    name, load = max(short.items(), key=lambda item: item[1].most_open)
    task_list = shortened(name, 60)
    of_them = f"of {load.most_open:,} that were open on task list {task_list} at most {load.most_at_once:,} ran at once"
    return f"{what}; {of_them}", start_more(name, ran_at_once=load.most_at_once, polling=polling)


def _timer(group: Sequence[Segment]) -> tuple[str, str]:
    if all((segment.id or "").startswith(DEADLINE_TIMER) for segment in group):
        return f"{duration(_seconds(group))} until timeouts of waits for futures were over", ""
    noun = "timer" if len({segment.id for segment in group}) == 1 else "timers"
    return f"{duration(_seconds(group))} for {noun} {_tasks_with_times(group)}", ""


def _signal(group: Sequence[Segment]) -> tuple[str, str]:
    noun = "signal" if len({segment.id for segment in group}) == 1 else "signals"
    return f"{duration(_seconds(group))} waiting for {noun} {_tasks_with_times(group)}", ""


def _request(group: Sequence[Segment]) -> tuple[str, str]:
    return f"{duration(_seconds(group))} until signals or cancel requests were delivered", ""


def _deciding(group: Sequence[Segment]) -> tuple[str, str]:
    longest = max(segment.seconds for segment in group)
    several = f", {len(group):,} times, the longest {duration(longest)}" if len(group) > 1 else ""
    return f"{duration(_seconds(group))} deciding{several}", "execution.decisions()"


def _no_decider(group: Sequence[Segment]) -> tuple[str, str]:
    longest = max(segment.seconds for segment in group)
    several = f", the longest {duration(longest)}" if len(group) > 1 else ""
    what = f"{duration(_seconds(group))} until a decider took its decision tasks{several}"
    return what, "lab.start_deciders(), or the process that defines the workflow; lab.pollers() shows who polls"


def _code(group: Sequence[Segment]) -> tuple[str, str]:
    return f"{duration(_seconds(group))} while nothing that could end by itself was open", "execution.events()"


def _tasks_with_times(group: Sequence[Segment]) -> str:
    """The tasks of these segments with their times, those that took longest first."""
    times: dict[tuple[str, str | None], float] = {}
    for segment in group:
        key = segment.id or "?", segment.name
        times[key] = times.get(key, 0.0) + segment.seconds
    if len(times) == 1:
        return task_label(*next(iter(times)))
    ordered = sorted(times.items(), key=lambda item: item[1], reverse=True)
    return first_few(f"{task_label(*key)} ({duration(seconds)})" for key, seconds in ordered)


WORDS: Final[dict[str, Callable[[Sequence[Segment]], tuple[str, str]]]] = {
    RUNNING: _running,
    CHILD_RUNNING: _child,
    RETRY: _retry,
    QUEUED: _queued,
    NOT_TAKEN: _not_taken,
    DEFERRED: _deferred,
    OPEN_LIMIT: _open_limit,
    TIMER_WAIT: _timer,
    SIGNAL_WAIT: _signal,
    REQUEST: _request,
    DECIDING: _deciding,
    NO_DECIDER: _no_decider,
    CODE: _code,
}
"""The name of a group of segments of each kind, and advice on it."""
