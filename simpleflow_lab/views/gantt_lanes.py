"""A Gantt chart in lanes: as many for each task name as tasks of it ran at the same time."""

from __future__ import annotations

import datetime
import heapq
from collections import Counter
from collections.abc import Callable
from typing import Final

from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.formatting import HOVER_LIMIT, shortened
from simpleflow_lab.views.gantt_drawing import Drawing
from simpleflow_lab.views.gantt_path import PathMarks
from simpleflow_lab.views.gantt_rows import draw_attempt, draw_decisions, draw_point_events
from simpleflow_lab.views.gantt_words import counted, kind_sign
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.markup import escape

Span = Callable[[Attempt, datetime.datetime], tuple[datetime.datetime, datetime.datetime]]


def _whole(attempt: Attempt, until: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """An attempt takes its lane from when it is scheduled."""
    return attempt.scheduled, attempt.closed or max(until, attempt.last_state_at)


def _running(attempt: Attempt, until: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """An attempt takes its lane from when it starts; how long it waited for that is not shown."""
    return attempt.started or attempt.scheduled, attempt.closed or max(until, attempt.last_state_at)


GROUPS: Final = ("name", "worker", "task_list")
"""Attributes of an attempt by which there can be lanes."""
SPANS: Final[tuple[Span, ...]] = (_whole, _running)


class Lanes:
    """Attempts packed into lanes, by name, worker or task list: one that starts takes the first lane that is free."""

    def __init__(self, folded: FoldedHistory, span: Span, by: str = "name") -> None:
        self._folded = folded
        self._span = span
        self._by = by
        self._groups: dict[tuple[str, str], list[Attempt]] = {}
        for attempt in folded.tasks:
            self._groups.setdefault(self._group(attempt), []).append(attempt)
        self._lanes = {key: self._pack(attempts) for key, attempts in self._groups.items()}
        self.number = sum(max(lanes, default=-1) + 1 for lanes in self._lanes.values())

    def _group(self, attempt: Attempt) -> tuple[str, str]:
        """The kind that is shown, and the name."""
        if attempt.kind == TIMER:
            return TIMER, "timers"
        if self._by == "name":
            return attempt.kind, attempt.name
        found = attempt.worker if self._by == "worker" else attempt.task_list
        return "", found or f"no {self._by.replace('_', ' ')}"

    def _pack(self, attempts: list[Attempt]) -> list[int]:
        """The lane of each attempt. Where waiting is not drawn, what never started shares the last lane: its bar is as
        long as it waited, and would cover what ran in the lane meanwhile."""
        apart = {i for i, attempt in enumerate(attempts) if self._span is _running and attempt.started is None}
        spans = [self._span(attempt, self._folded.until) for attempt in attempts]
        free: list[int] = []
        busy: list[tuple[datetime.datetime, int]] = []
        lanes, used = [0] * len(spans), 0
        for i in sorted(set(range(len(spans))) - apart, key=lambda i: (spans[i], i)):
            start, end = spans[i]
            while busy and busy[0][0] <= start:
                heapq.heappush(free, heapq.heappop(busy)[1])
            if free:
                lanes[i] = heapq.heappop(free)
            else:
                lanes[i], used = used, used + 1
            heapq.heappush(busy, (end, lanes[i]))
        for i in apart:
            lanes[i] = used
        return lanes

    def draw(self, marks: PathMarks) -> Drawing:
        """The drawing: the lanes of a name together, and its name beside them."""
        folded, with_waiting = self._folded, self._span is _whole
        note = f"{counted(folded.task_columns)}, in lanes by {self._by.replace('_', ' ')}"
        drawing = Drawing(note if with_waiting else f"{note}, waiting not drawn", row_height=15)
        marks.draw_row(drawing)
        draw_point_events(drawing, folded.point_events)
        draw_decisions(drawing, folded)
        tries = Counter((attempt.kind, attempt.id) for attempt in folded.tasks)
        limit = HOVER_LIMIT if len(folded.tasks) <= 500 else HOVER_LIMIT // 3
        for (kind, name), attempts in self._groups.items():
            lanes = self._lanes[kind, name]
            top = drawing.rows
            for _ in range(max(lanes) + 1):
                drawing.add_row()
            drawing.bands.append((top, drawing.rows - 1))
            label = f"{kind_sign(kind)}{shortened(name, 36)} × {len(attempts):,}"
            drawing.labels[(top + drawing.rows - 1) / 2] = escape(label)
            for attempt, lane in zip(attempts, lanes, strict=True):
                draw_attempt(
                    drawing,
                    attempt,
                    top + lane,
                    folded.until,
                    tries[attempt.kind, attempt.id],
                    limit,
                    marks.notes.get(attempt.scheduled_event_id, ""),
                    labelled=False,
                    with_waiting=with_waiting,
                    is_pale=not marks.is_related(attempt),
                    neighbours=marks.neighbours.get(attempt.scheduled_event_id, ""),
                )
        return drawing
