"""A Gantt chart with a row per task, and what the other drawings share: attempts, point events, decisions."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from simpleflow_lab.swf.conventions import RETRY_TIMER
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, TIMER
from simpleflow_lab.views.attempts import UNFINISHED, Attempt, PointEvent, is_own_pause
from simpleflow_lab.views.formatting import HOVER_LIMIT, duration, utc_time
from simpleflow_lab.views.gantt_drawing import OPEN_END, THICK, THIN, Bar, Drawing, Point
from simpleflow_lab.views.gantt_path import PathMarks
from simpleflow_lab.views.gantt_words import (
    bold,
    counted,
    decision_hover,
    hover_of,
    in_lines,
    row_label,
    state_word,
    why,
    wrapped,
)
from simpleflow_lab.views.history_fold import FoldedHistory
from simpleflow_lab.views.markup import Html, escape
from simpleflow_lab.views.opened_child import OpenedChild
from simpleflow_lab.views.style import DECIDING, NOT_STARTED, POINT_EVENT_STYLES, UNRELATED, WAITING, style_of

MAX_CHILD_ROWS: Final = 200
"""Rows of children that are opened, at most."""


def draw_rows(folded: FoldedHistory, marks: PathMarks, children: Mapping[int, OpenedChild] | None = None) -> Drawing:
    """The drawing: signals, decisions, then the tasks in the order of scheduling, those of `children` below them."""
    attempts = folded.attempts
    drawing = Drawing(note=counted(folded.task_columns), row_height=26)
    marks.draw_row(drawing)
    draw_point_events(drawing, folded.point_events)
    draw_decisions(drawing, folded)
    rows: dict[tuple[str, str], int] = {}
    tries = Counter((attempt.kind, attempt.id) for attempt in attempts)
    for attempt in folded.reused:
        draw_attempt(
            drawing, attempt, drawing.add_row(row_label(attempt)), folded.until, 1, HOVER_LIMIT, "", labelled=True
        )
    for attempt in attempts:
        key = attempt.kind, attempt.id
        if key not in rows:
            row = _row_of_the_retried(attempt, rows)
            if row is None and is_own_pause(attempt):
                continue
            rows[key] = drawing.add_row(row_label(attempt)) if row is None else row
        note = marks.notes.get(attempt.scheduled_event_id, "")
        draw_attempt(
            drawing,
            attempt,
            rows[key],
            folded.until,
            tries[key],
            HOVER_LIMIT,
            note,
            labelled=True,
            is_pale=not marks.is_related(attempt),
            neighbours=marks.neighbours.get(attempt.scheduled_event_id, ""),
        )
        opened = (children or {}).get(attempt.scheduled_event_id)
        if opened is not None:
            _draw_child(drawing, opened, 1, drawing.rows + MAX_CHILD_ROWS)
    return drawing


def _draw_child(drawing: Drawing, child: OpenedChild, depth: int, limit: int) -> None:
    """Add the rows of a child's tasks; the line of the critical path, which is the parent's, does not come there."""
    places = dict(drawing.places)
    rows: dict[tuple[str, str], int] = {}
    attempts = child.folded.attempts
    tries = Counter((attempt.kind, attempt.id) for attempt in attempts)
    for attempt in attempts:
        key = attempt.kind, attempt.id
        if key not in rows:
            row = _row_of_the_retried(attempt, rows)
            if row is None and is_own_pause(attempt):
                continue
            if row is None and drawing.rows >= limit:
                break
            label = Html("{}↳ {}").format("\u2003" * (depth - 1), row_label(attempt))
            rows[key] = drawing.add_row(label) if row is None else row
        draw_attempt(drawing, attempt, rows[key], child.folded.until, tries[key], HOVER_LIMIT, "", labelled=True)
        below = child.children.get(attempt.scheduled_event_id)
        if below is not None:
            _draw_child(drawing, below, depth + 1, limit)
    drawing.places = places


def _row_of_the_retried(attempt: Attempt, rows: Mapping[tuple[str, str], int]) -> int | None:
    """The row of the task that waits for its next attempt, if this is the timer by which it does."""
    if attempt.kind != TIMER or not attempt.id.startswith(RETRY_TIMER):
        return None
    task_id = attempt.id.removeprefix(RETRY_TIMER)
    return next((rows[kind, task_id] for kind in (ACTIVITY, CHILD) if (kind, task_id) in rows), None)


def draw_attempt(
    drawing: Drawing,
    attempt: Attempt,
    y: float,
    until: datetime.datetime,
    tries: int,
    limit: int,
    note: str,
    *,
    labelled: bool,
    with_waiting: bool = True,
    is_pale: bool = False,
    neighbours: str = "",
) -> None:
    """Add the bars of an attempt to row `y`, and a symbol at their end; `note` is shown with them.

    One `is_pale` if it does not belong to the lineage that is asked for; `neighbours` are what it came from, and what
    came of it.
    """
    drawing.places[attempt.scheduled_event_id] = y
    hover = hover_of(attempt, tries, limit, note, neighbours)
    of, word = style_of(attempt.state), state_word(attempt)
    end = attempt.closed or max(until, attempt.started or attempt.scheduled)
    if is_pale:
        drawing.bar("pale", UNRELATED, Bar(y, attempt.started or attempt.scheduled, end, hover, THICK / 2))
        return
    if attempt.started is None:
        waits = NOT_STARTED if attempt.state == UNFINISHED else of if attempt.open else WAITING
        drawing.bar("waiting", waits, Bar(y, attempt.scheduled, end, hover, THICK if attempt.open else THIN))
    else:
        if with_waiting and attempt.started > attempt.scheduled:
            short = in_lines(bold(attempt.name), f"waiting {duration(attempt.waiting)}")
            drawing.bar("waiting", WAITING, Bar(y, attempt.scheduled, attempt.started, short, THIN))
        thickness = THICK / 2 if attempt.kind == TIMER else THICK
        drawing.bar("running", of, Bar(y, attempt.started, end, hover, thickness))
    if attempt.open:
        drawing.point(
            of if attempt.state == UNFINISHED else OPEN_END,
            Point(y, end, hover, escape(word) if labelled else Html("")),
        )
    elif of.symbol is not None:
        final = labelled and attempt.failed and not attempt.retried
        drawing.point(of, Point(y, end, hover, Html(" {}").format(why(attempt)) if final else Html("")))


def draw_point_events(drawing: Drawing, point_events: Sequence[PointEvent]) -> None:
    """Add a row of point events, if there are any."""
    if not point_events:
        return
    y = drawing.add_row(Html("<i>markers, signals</i>"))
    for event in point_events:
        style = POINT_EVENT_STYLES[event.kind]
        lines = [bold(event.name), f"{style.word}: {event.state}", f"{utc_time(event.at)}, event {event.event_id}"]
        if event.text:
            lines.append(wrapped(event.text, HOVER_LIMIT))
        drawing.point(style, Point(y, event.at, in_lines(*lines)))


def draw_decisions(drawing: Drawing, folded: FoldedHistory) -> None:
    """Add a row of decision tasks, if there are any."""
    if not folded.decision_tasks:
        return
    y = drawing.add_row(Html("<i>decisions</i>"))
    for task in folded.decision_tasks:
        of = DECIDING if task.state in ("completed", "started") else style_of(task.state)
        start = task.started or task.scheduled
        end = task.closed or max(folded.until, start)
        drawing.bar("deciding", of, Bar(y, start, end, decision_hover(task), THICK / 2))
