"""The words of a Gantt chart: hover boxes and labels of rows, as plotly's HTML, every value bounded and escaped."""

from __future__ import annotations

from typing import Final

from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.views.attempts import UNFINISHED, Attempt, AttemptColumns, DecisionTask
from simpleflow_lab.views.formatting import HOVER_LIMIT, LABEL_LIMIT, bounded, count, duration, shortened, utc_time
from simpleflow_lab.views.markup import Html, escape
from simpleflow_lab.views.style import style_of
from simpleflow_lab.views.task_labels import task_label

_WRAP: Final = 90
"""Characters in a line of a hover box."""
_ROW_LABEL: Final = 30
"""Characters of a row's label: on a narrow page, too, there must be room for the bars."""


def hover_of(attempt: Attempt, tries: int, limit: int, note: str = "", neighbours: str = "") -> Html:
    """The hover box of an attempt; its texts take at most `limit` characters each."""
    of = style_of(attempt.state)
    lines: list[str] = [bold(attempt.name)]
    if attempt.id != attempt.name:
        lines.append(bounded(attempt.id, LABEL_LIMIT))
    tried = f", attempt {attempt.attempt} of {tries}" if tries > 1 else ""
    requested = ", cancel requested" if attempt.cancel_requested else ""
    lines.append(f"{attempt.kind}: {of.glyph} {state_word(attempt)}{tried}{requested}")
    running = "" if attempt.running is None else f", running {duration(attempt.running)}"
    lines.append(f"waiting {duration(attempt.waiting)}{running}{', ' if note else ''}{note}")
    if neighbours:
        lines.append(bounded(neighbours, HOVER_LIMIT))
    lines.append(f"scheduled {utc_time(attempt.scheduled)}")
    if attempt.started is not None and attempt.kind != TIMER:
        lines.append(f"started {utc_time(attempt.started)}")
    if attempt.closed is not None:
        lines.append(f"closed {utc_time(attempt.closed)}")
    if attempt.worker:
        lines.append(f"worker {bounded(attempt.worker, LABEL_LIMIT)}")
    for word, value in (
        ("input", attempt.input),
        ("result", attempt.result),
        ("timeout", attempt.timeout_type),
        ("reason", attempt.reason),
        ("details", attempt.details),
    ):
        if value:
            lines.append(Html("{}: {}").format(word, wrapped(value, limit)))
    return in_lines(*lines)


def decision_hover(task: DecisionTask) -> Html:
    """The hover box of a decision task."""
    kinds = ", ".join(f"{kind} × {number}" for kind, number in task.kinds.items())
    return in_lines(
        Html("<b>decision task</b>: {}").format(task.state),
        f"waiting {duration(task.waiting)}, deciding {duration(task.deciding)}",
        f"scheduled {utc_time(task.scheduled)}",
        f"{count(task.new_events, 'new event')}; {kinds or 'no decision'}",
    )


def in_lines(*lines: str) -> Html:
    """The lines of a hover box or a label."""
    return _BREAK.join(lines)


_BREAK: Final = Html("<br>")
_BOLD: Final = Html("<b>{}</b>")


def bold(name: str) -> Html:
    """A name in bold."""
    return _BOLD.format(bounded(name, LABEL_LIMIT))


def wrapped(value: str, limit: int) -> Html:
    """A value in lines of a hover box, bounded."""
    lines = [line[i : i + _WRAP] for line in bounded(value, limit).splitlines() for i in range(0, len(line), _WRAP)]
    return in_lines(*lines)


def state_word(attempt: Attempt) -> str:
    """Its state in words; of what was not finished at the close also whether it had not even started."""
    word = style_of(attempt.state).word
    return f"{word}, not started" if attempt.state == UNFINISHED and attempt.started is None else word


def why(attempt: Attempt) -> str:
    """Why it failed, in a few words."""
    word = style_of(attempt.state).word
    why = attempt.reason or attempt.timeout_type
    return f"{word}: {shortened(why, 24)}" if why else word


def row_label(attempt: Attempt) -> Html:
    """A task in few characters, with its kind if that is no activity."""
    label = task_label(attempt.id, None if attempt.kind == TIMER else attempt.name, _ROW_LABEL)
    return escape(f"{kind_sign(attempt.kind)}{label}")


def kind_sign(kind: str) -> str:
    """The sign before the label of an attempt of this kind."""
    return {"child": "child ", "lambda": "lambda ", "timer": "timer "}.get(kind, "")


def counted(attempts: AttemptColumns) -> str:
    """The numbers of tasks, attempts and timers, in words."""
    kinds, ids = attempts.by_name["kind"], attempts.by_name["id"]
    timers = kinds.count(TIMER)
    work = len(kinds) - timers
    known = set(zip(kinds, ids, strict=True))
    tasks = len(known) if not timers else sum(kind != TIMER for kind, _ in known)
    again = f" in {work:,} attempts" if work > tasks else ""
    return f"{count(tasks, 'task')}{again}" + (f", {count(timers, 'timer')}" if timers else "")
