"""Decisions that simpleflow made, matched as it makes them.

simpleflow enters `run` anew in each decision, and raises the failure of a task at the task's `submit`, also if `run`
waits for other tasks then. A decider of this package raises it where the result is read.
"""

from __future__ import annotations

from simpleflow_lab.replay.history_reader import DecisionBatch
from simpleflow_lab.replay.matching import Matched, Matching
from simpleflow_lab.replay.observer import Observer
from simpleflow_lab.replay.workflow_code import WorkflowCode


def raise_all_at_once(code: WorkflowCode, observer: Observer | None) -> None:
    """Raise every failure that nothing read where `run` waits, as simpleflow does in the decision that sees it."""
    while (failed := code.raise_at_once()) is not None:
        if observer is not None:
            observer.raised_at_once(failed)


def match_raising_at_once(
    batch: DecisionBatch,
    matched: Matched,
    *,
    code: WorkflowCode,
    matching: Matching,
    max_open_activities: int,
    observer: Observer | None,
) -> Matched:
    """Match a decision that was `matched` as this package makes it and differs so far.

    The failures that nothing read are raised, one by one, where `run` waits, until what is recorded follows. If it
    never does, the first difference stands.
    """
    pairs, divergence = list(matched.pairs), matched.divergence
    while (failed := code.raise_at_once()) is not None:
        if observer is not None:
            observer.raised_at_once(failed)
        done = pairs[-1][0].id if pairs else 0
        left = batch._replace(recorded=[event for event in batch.recorded if event.id > done])
        again = matching.match(left, expects_all=False, max_open_activities=max_open_activities)
        pairs += again.pairs
        if again.divergence is None and not matching.lacks(batch.rest):
            return Matched(pairs, None)
    return Matched(pairs, divergence)
