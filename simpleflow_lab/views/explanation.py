"""Explains an execution in a few lines: what became of it and why, the most important first, with numbers and advice.

    >>> execution.explain()
    ✗ FAILED after 4.2 s: ValueError: no such shop
    1 failed attempt was tried again: load-1 (ConnectionError: no answer) → execution.tasks()
    critical path, 71 %: 3.0 s between attempts of load-1 → retry=… of its activity sets the pauses
    …

Rule: every text is one line, bounded, and not escaped: each face escapes for itself.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, Final

from simpleflow_lab.swf.event_types import ACTIVITY, CHILD
from simpleflow_lab.swf.fork_start import forked_from, words_of_fork
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.continued_runs import RunsBefore, continued_line
from simpleflow_lab.views.critical_path import critical_path
from simpleflow_lab.views.earlier_runs import EarlierRuns, compared
from simpleflow_lab.views.explanation_lines import FORKED, WAITS, ExplanationLine
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.history_waits import waits_of
from simpleflow_lab.views.line_views import LineView
from simpleflow_lab.views.outcome_lines import outcome_lines
from simpleflow_lab.views.time_lines import time_lines
from simpleflow_lab.views.waiting import BLOCKED, KINDS, Wait
from simpleflow_lab.views.worker_advice import UNKNOWN, Polling

MAX_LINES: Final = 10
"""The most lines of an explanation."""
MAX_WAITS: Final = 3
"""The most of them that say what it waits for."""


class Explanation(LineView):
    """The lines of an explanation. It displays itself, in a notebook as HTML; `to_pandas()` gives a frame."""


def explain(
    history: History | FoldedHistory,
    *,
    workflow_id: str = "",
    waits: Sequence[Wait] | None = None,
    earlier: EarlierRuns | None = None,
    below: Sequence[tuple[str, Attempt]] = (),
    polling: Polling = UNKNOWN,
    before: RunsBefore | None = None,
    until: datetime.datetime | None = None,
) -> Explanation:
    """The explanation of an execution, in at most `MAX_LINES` lines.

    `workflow_id` is named in the commands that help; `waits` say what an open execution waits for, by default what its
    history shows; `earlier` are runs of the same workflow to compare it with; `below` are attempts in its children, and
    in theirs, whose failure nobody handled, each with the id of its execution; `polling` says who polls now;
    `before` are the runs from which it goes on. Raises `HistoryError` if an event refers to nothing known.
    """
    folded = fold_history(history, until=until)
    if not folded.history:
        return Explanation(())
    found = waits_of(folded, workflow_id=workflow_id) if waits is None else waits
    path = critical_path(folded)
    status, *more = outcome_lines(folded, workflow_id, below)
    slower = () if earlier is None else compared(folded, path, earlier)
    origin = forked_from(folded.history[0].attributes)
    forked = () if origin is None else (ExplanationLine.of(FORKED, words_of_fork(origin, folded.history)),)
    continued = continued_line(folded, workflow_id, before)
    is_blocked = any(wait.kind == BLOCKED and wait.depth == 0 for wait in found)
    lines = [
        status,
        *forked,
        *(() if continued is None else (continued,)),
        *_wait_lines(found),
        *more,
        *slower,
        *time_lines(folded, path, polling, is_blocked=is_blocked),
    ]
    return Explanation(lines[:MAX_LINES])


def _wait_lines(waits: Sequence[Wait]) -> Iterable[ExplanationLine]:
    """The lines about what an open execution waits for: first what people may have to act on."""
    shown = [wait for number, wait in enumerate(waits) if not _is_shown_below(waits, number) and not wait.more]
    shown.sort(key=lambda wait: (wait.goes_on, KINDS.index(wait.kind)))
    groups: dict[Any, list[Wait]] = {}
    for number, wait in enumerate(shown):
        alike = (wait.workflow_id, wait.depth, wait.to_do, wait.has_reason) if _has_others(wait) else number
        groups.setdefault(alike, []).append(wait)
    listed = list(groups.values())[:MAX_WAITS]
    left = len(shown) + sum(wait.more for wait in waits)
    for number, group in enumerate(listed, 1):
        wait = group[0]
        who = f"{wait.workflow_id} " if wait.depth and wait.workflow_id else ""
        alike = len(group) + (sum(each.unlisted for each in group) if _has_others(wait) else 0)
        left -= alike
        more = f", and {alike - 1:,} more alike" if alike > 1 else ""
        if left and number == len(listed):
            more += f", and for {left:,} more"
        to_do = wait.to_do or ("execution.waiting_for()" if more else "")
        if wait.kind == BLOCKED:  # bounded already: what the code asks for now stands behind what was recorded
            yield ExplanationLine(kind=WAITS, text=f"can't go on: {who}waits for {wait.what}{more}", to_do=to_do)
        else:
            yield ExplanationLine.of(WAITS, f"{who}waits for {wait.what}{more}", to_do=to_do)


def _has_others(wait: Wait) -> bool:
    """One line tells of all that wait as it does."""
    return wait.kind == ACTIVITY and bool(wait.to_do)


def _is_shown_below(waits: Sequence[Wait], number: int) -> bool:
    """It is a child, and what that waits for is shown in the next row."""
    wait = waits[number]
    return wait.kind == CHILD and number + 1 < len(waits) and waits[number + 1].depth == wait.depth + 1
