"""The critical path in a Gantt chart: a row of its own above the tasks, and a line along the bars that are on it."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.critical_path import Segment, critical_path
from simpleflow_lab.views.formatting import count, duration, shortened, utc_time
from simpleflow_lab.views.gantt_drawing import THICK, Bar, Drawing
from simpleflow_lab.views.gantt_words import bold, in_lines
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.lineage import dependencies_of
from simpleflow_lab.views.markup import Html, escape
from simpleflow_lab.views.slack import slack
from simpleflow_lab.views.style import SEGMENT_STYLES
from simpleflow_lab.views.task_labels import task_label

MAX_SEGMENTS: Final = 300
"""Of a longer path the longest segments are drawn."""


class PathMarks:
    """The critical path of an execution, and what is said of each attempt."""

    def __init__(self, folded: FoldedHistory) -> None:
        """Raises `HistoryError` if an event refers to nothing known."""
        self._folded = folded
        self.path = critical_path(folded)
        """The path."""
        self.related: Collection[int] | None = None
        """The attempts of the lineage that is asked for; `None` if none is."""

    def is_related(self, attempt: Attempt) -> bool:
        """Whether an attempt is of the lineage that is asked for."""
        return self.related is None or attempt.scheduled_event_id in self.related

    @functools.cached_property
    def notes(self) -> Mapping[int, str]:
        """Of each attempt, by its `scheduled_event_id`: that it is on the path, or its slack."""
        on_path = self.path.attempts()
        return {
            event_id: "on the critical path" if event_id in on_path else f"slack {duration(seconds)}"
            for event_id, seconds in slack(self._folded, self.path).items()
        }

    @functools.cached_property
    def neighbours(self) -> Mapping[int, str]:
        """Of each attempt, by its `scheduled_event_id`: what it came from, and what came of it, in a few words."""
        known = dependencies_of(self._folded)
        labels = {
            each.scheduled_event_id: task_label(each.id, None if each.kind == TIMER else each.name)
            for each in self._folded.attempts
        }
        after: dict[int, list[str]] = {}
        for each, needed in known.before.items():
            for one in needed:
                after.setdefault(one, []).append(labels[each])
        words: dict[int, str] = {}
        for each, needed in known.before.items():
            parts = []
            if needed:
                likely = "likely " if each in known.likely else ""
                parts.append(f"{likely}after {_listed([labels[one] for one in needed])}")
            if each in after:
                parts.append(f"before {_listed(after[each])}")
            if parts:
                words[each] = "; ".join(parts)
        return words

    def draw_row(self, drawing: Drawing) -> None:
        """The next row: each segment of the path as a bar."""
        segments = [segment for segment in self.path.segments if segment.seconds > 0]
        if not segments:
            return
        rows = [drawing.add_row() for _ in range(-(-_HEIGHT // drawing.row_height))]
        y = (rows[0] + rows[-1]) / 2
        drawing.labels[y] = Html("<b>critical path</b>")
        thickness = _HEIGHT / drawing.row_height * 0.9
        drawn = sorted(segments, key=_seconds, reverse=True)[:MAX_SEGMENTS]
        for segment in sorted(drawn, key=_start):
            of = SEGMENT_STYLES[segment.kind]
            drawing.bar("path", of, Bar(y, segment.start, segment.end, _hover(segment), thickness, escape(of.word)))

    def link(self, drawing: Drawing) -> None:
        """The line along the bars of the attempts on the path, as far as they have rows."""
        if len(self.path.segments) <= MAX_SEGMENTS:
            drawing.path = list(self._points(drawing))

    def _points(self, drawing: Drawing) -> Iterator[tuple[datetime.datetime, float]]:
        for segment in self.path.segments:
            y = drawing.places.get(segment.scheduled_event_id or 0)
            if y is not None:
                yield segment.start, y + _BELOW
                yield segment.end, y + _BELOW


_HEIGHT: Final = 26
"""Pixels of the row of the path, whose bars have words in them."""
_BELOW: Final = THICK / 2 + 0.07
"""The distance of the line below the middle of a bar."""


def _listed(labels: list[str]) -> str:
    """Some labels, and how many more there are."""
    different = list(dict.fromkeys(labels))
    rest = len(different) - _NEIGHBOURS
    return ", ".join(different[:_NEIGHBOURS]) + (f" and {rest:,} more" if rest > 0 else "")


_NEIGHBOURS: Final = 3
"""Tasks before and after a task that its hover box names."""


def _seconds(segment: Segment) -> float:
    return segment.seconds


def _start(segment: Segment) -> datetime.datetime:
    return segment.start


def _hover(segment: Segment) -> Html:
    of = SEGMENT_STYLES[segment.kind]
    parts: list[str] = [bold(f"critical path: {of.word}")]
    if segment.id is not None:
        tried = f", attempt {segment.attempt}" if (segment.attempt or 0) > 1 else ""
        parts.append(f"{task_label(segment.id, segment.name)}{tried}")
    if segment.task_list is not None:
        most = "" if segment.at_once is None else f", at most {count(segment.at_once, 'task')} at once"
        parts.append(f"task list {shortened(segment.task_list)}{most}")
    if segment.limit is not None:
        parts.append(f"max_parallel={segment.limit}")
    parts.append(duration(segment.seconds))
    parts.append(f"from {utc_time(segment.start)}")
    return in_lines(*parts)
