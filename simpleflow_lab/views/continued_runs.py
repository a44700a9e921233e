"""The runs from which an execution goes on, by continue-as-new: how many, since when, and what failed in them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.explanation_lines import CONTINUED, ExplanationLine
from simpleflow_lab.views.formatting import count, duration, shortened, utc_time
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.outcome_lines import call_of_explain, failures_in_words


@dataclass(frozen=True, kw_only=True)
class RunsBefore:
    """The runs of a chain before one of its runs, as far as they are kept."""

    started: Sequence[datetime.datetime]
    """When each started, the latest first."""
    is_all: bool = True
    """Whether none started before them."""
    failed: Sequence[tuple[str, Attempt]] = ()
    """The tasks that came to no result in those that were read, each with the id of its run, the latest run first."""
    read: int = 0
    """So many of them were read, the latest: `failed` tells of these."""


def failed_tasks(folded: FoldedHistory) -> list[Attempt]:
    """The tasks of a run that came to no result: without the attempts that were tried again, and what was canceled."""
    return [
        each
        for each in folded.attempts
        if each.kind in TASKS and each.failed and not (each.open or each.retried or each.cancel_requested)
    ]


def run_before(folded: FoldedHistory) -> str | None:
    """The id of the run that continued as this one; `None` if it is the first of its chain."""
    run_id = folded.history[0].attributes.get("continuedExecutionRunId") if folded.history else None
    return run_id if isinstance(run_id, str) and run_id else None


def continued_line(folded: FoldedHistory, workflow_id: str, before: RunsBefore | None) -> ExplanationLine | None:
    """A line about the earlier runs of an execution; `None` if there are none."""
    latest = run_before(folded)
    if latest is None:
        return None
    to_do = call_of_explain(workflow_id, latest)
    if before is None or not before.started:
        text = f"goes on from run {shortened(latest, 60)}, which has a history of its own"
        return ExplanationLine.of(CONTINUED, text, to_do=to_do)
    since = before.started[-1]
    took = (folded.until - since).total_seconds()
    runs = count(len(before.started), "earlier run")
    text = (
        f"goes on from {'' if before.is_all else 'at least '}{runs}: {duration(took)} in all, since {utc_time(since)}"
    )
    if before.failed:
        where = "" if before.read >= len(before.started) else f", of which the last {before.read:,} were read"
        failed = failures_in_words([attempt for _, attempt in before.failed])
        text += f"; {count(len(before.failed), 'task')} failed in them{where}: {failed}"
        to_do = call_of_explain(workflow_id, before.failed[0][0])
    return ExplanationLine.of(CONTINUED, text, to_do=to_do, seconds=took)
