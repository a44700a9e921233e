"""An execution beside earlier runs of its workflow: how much slower it was, and by what."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.views.critical_path import (
    CHILD_RUNNING,
    DEFERRED,
    NOT_TAKEN,
    QUEUED,
    RETRY,
    RUNNING,
    SIGNAL_WAIT,
    TIMER_WAIT,
    CriticalPath,
    Segment,
)
from simpleflow_lab.views.explanation_lines import COMPARED, ExplanationLine
from simpleflow_lab.views.formatting import duration
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.summary import execution_summary
from simpleflow_lab.views.task_labels import task_label

MAX_RUNS: Final = 5
"""Number of earlier runs with which an execution is compared."""
_DIFFERS: Final = 0.1
"""The least difference that is shown, as a share of the usual time."""
_SHORTEST: Final = 0.1
"""The least difference that is shown, in seconds."""


@dataclass(frozen=True, kw_only=True)
class EarlierRuns:
    """Runs of the same workflow that completed before."""

    seconds: Sequence[float]
    """Seconds that each took."""
    typical: CriticalPath | None = None
    """The critical path of one that took the median of these times."""

    @property
    def usual(self) -> float:
        """The median of their times: one of them took that."""
        return statistics.median_low(self.seconds)


def is_slower(seconds: float, usual: float) -> bool:
    """Whether a time is longer than usual, by so much that it should be explained."""
    return seconds - usual >= max(_DIFFERS * usual, _SHORTEST)


def compared(folded: FoldedHistory, path: CriticalPath, earlier: EarlierRuns) -> Iterator[ExplanationLine]:
    """A line if the execution took longer than usual, or so much less."""
    summary = execution_summary(folded)
    if not earlier.seconds or summary.status not in ("OPEN", "COMPLETED"):
        return
    usual, seconds = earlier.usual, summary.duration
    runs = f"the last {len(earlier.seconds):,} runs" if len(earlier.seconds) > 1 else "the run before"
    median = f"{'median ' if len(earlier.seconds) > 1 else ''}{duration(usual)}"
    if is_slower(seconds, usual):
        why = _grown(path.segments, earlier.typical) if earlier.typical is not None else ""
        text = f"{duration(seconds - usual)} slower than {runs} ({median}){f': {why}' if why else ''}"
        yield ExplanationLine.of(COMPARED, text, seconds=seconds - usual)
    elif summary.status == "COMPLETED" and is_slower(usual, seconds):
        yield ExplanationLine.of(
            COMPARED, f"{duration(usual - seconds)} faster than {runs} ({median})", seconds=seconds - usual
        )


def _grown(segments: Sequence[Segment], typical: CriticalPath) -> str:
    """The part of the path that grew most against a typical one, in words; empty if none did."""
    now, then = parts_of(segments), parts_of(typical.segments)
    grown = {part: seconds - then.get(part, 0.0) for part, seconds in now.items() if seconds > then.get(part, 0.0)}
    if not grown:
        return ""
    kind, label = max(grown, key=lambda part: grown[part])
    return f"{words_of(kind, label)} (+{duration(grown[kind, label])})"


def parts_of(segments: Sequence[Segment]) -> dict[tuple[str, str], float]:
    """The seconds of a path by the kind of its segments and by what they are about, in words that do not differ from
    run to run."""
    parts: dict[tuple[str, str], float] = {}
    for segment in segments:
        part = segment.kind, _about(segment)
        parts[part] = parts.get(part, 0.0) + segment.seconds
    return parts


def words_of(kind: str, about: str) -> str:
    """The name of such a part."""
    return _WORDS.get(kind, kind).format(about)


def _about(segment: Segment) -> str:
    match segment.kind:
        case "queued" | "not taken":
            return segment.task_list or ""
        case "max_parallel":
            return str(segment.limit)
        case "child":
            return segment.name or ""  # the ids of children differ from run to run
    return task_label(segment.id, segment.name) if segment.id else ""


_WORDS: Final = {
    RUNNING: "running {}",
    CHILD_RUNNING: "child workflow {}",
    RETRY: "waits between attempts of {}",
    QUEUED: "queueing on task list {}",
    NOT_TAKEN: "queueing on task list {} while nothing of it ran there",
    DEFERRED: "deferred by max_parallel={}",
    TIMER_WAIT: "timer {}",
    SIGNAL_WAIT: "the wait for signal {}",
}
