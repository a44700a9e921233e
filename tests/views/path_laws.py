"""Laws of the critical path, checked along any history."""

from __future__ import annotations

import itertools
import math

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.critical_path import KINDS, CriticalPath, critical_path
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.slack import slack

_MAX_PREFIXES = 12


def check_path(history: History) -> None:
    """The segments of the history, and of prefixes of it, tile the time; slack is 0 on the path and nowhere less."""
    events = list(history)
    step = max(len(events) // _MAX_PREFIXES, 1)
    for length in sorted({*range(1, len(events), step), len(events)}):
        folded = fold_history(History(events[:length]))
        _check(folded, critical_path(folded))


def _check(folded: FoldedHistory, path: CriticalPath) -> None:
    first, segments = folded.history[0].timestamp, path.segments
    assert all(segment.kind in KINDS for segment in segments)
    if segments:
        assert segments[0].start == first
        assert segments[-1].end == max(folded.until, first)
    else:
        assert folded.until <= first
    assert all(before.end == after.start for before, after in itertools.pairwise(segments))
    assert all(segment.seconds == (segment.end - segment.start).total_seconds() >= 0 for segment in segments)
    found, on_path = slack(folded, path), path.attempts()
    assert all(seconds >= 0 and math.isfinite(seconds) for seconds in found.values())
    assert {found[event_id] for event_id in on_path} <= {0.0}
    assert set(found) <= {attempt.scheduled_event_id for attempt in folded.attempts}
