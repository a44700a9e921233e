"""The messages to the debugger's view: plain values that JSON can hold.

`overview` is sent once, `shown` with each step and at once, `details` with each step as soon as the replay has them.
Futures come in pages. Times are seconds since the start of the execution.

Rule: every text is bounded, every list too, and says how many there are. Nothing is escaped: the view puts texts into
text nodes.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.debugger.step_text import at_once_text, heading_of
from simpleflow_lab.debugger.steps import ReplayStep, ReplaySteps
from simpleflow_lab.debugger.trigger_text import event_words
from simpleflow_lab.replay.lines import Line, line_text, place_text
from simpleflow_lab.replay.trace import FutureRecord, StackFrame
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.views.formatting import HOVER_LIMIT, VALUE_LIMIT, bounded, shortened
from simpleflow_lab.views.history_fold import tasks_of
from simpleflow_lab.views.style import STATES
from simpleflow_lab.views.task_labels import task_label
from simpleflow_lab.views.uncollected import seldom_collected

MAX_LISTED: Final = 200
"""Most commands, events and lines of one step that are sent."""
MAX_FIBERS: Final = 30
"""Most suspended fibers of one step that are sent."""
MAX_BARS: Final = 10_000
"""Most bars of the chart: those that were scheduled first."""
MAX_SOURCE_LINES: Final = 3_000
"""Most lines of one source file that are sent."""
_MAX_LINE: Final = 400
_MAX_TEXTS: Final = 60

FUTURE_STATES: Final = {
    "PENDING": ("…", "pending", "#8b95a5"),
    "RUNNING": ("▶", "running", "#2a9d8f"),
    "FINISHED": ("✓", "finished", "#4c8fcc"),
    "FAILED": ("✗", "failed", "#d1495b"),
    "CANCELLED": ("⊘", "canceled", "#9d78c2"),
}
"""The style of each state of a future: glyph, word, colour."""


@seldom_collected()
def overview(steps: ReplaySteps) -> dict[str, Any]:
    """The part that does not change from step to step: names, a mark for each step, the bars of the chart."""
    history = steps.history
    start = history[0].timestamp
    attempts = tasks_of(history)
    bars = [
        [
            attempt.scheduled_event_id,
            shortened(attempt.id),
            shortened(attempt.name),
            attempt.state,
            (attempt.scheduled - start).total_seconds(),
            None if attempt.started is None else (attempt.started - start).total_seconds(),
            None if attempt.closed is None else (attempt.closed - start).total_seconds(),
        ]
        for attempt in attempts[:MAX_BARS]
    ]
    return {
        "title": shortened(steps.title),
        "type": shortened(history.workflow_type or "?"),
        "workflow": shortened(steps.workflow.__name__),
        "total": len(steps),
        "open": history.close_status is None,
        "marks": "".join(_mark(step) for step in steps),
        "seconds": (history[-1].timestamp - start).total_seconds(),
        "bars": bars,
        "more_bars": max(len(attempts) - MAX_BARS, 0),
        "styles": {state: [of.glyph, of.word, of.colour] for state, of in STATES.items()},
        "future_styles": {state: list(of) for state, of in FUTURE_STATES.items()},
    }


def _mark(step: ReplayStep) -> str:
    record = step.record
    if record.error is not None:
        return "d"
    if step.has_failure:
        return "f"
    if record.signals:
        return "s"
    return "p" if record.output else "."


def shown(step: ReplayStep) -> dict[str, Any]:
    """A step, without what takes a further replay."""
    record, history = step.record, step.steps.history
    start = history[0].timestamp
    event_of = {match.command.number: match.event_id for match in record.matches}
    commands = [
        {
            "kind": command.kind,
            "id": shortened(command.id),
            "line": _line(command.line),
            "event": event_of.get(command.number),
            "input": bounded(command.input, HOVER_LIMIT) if command.input else "",
        }
        for command in record.commands[:MAX_LISTED]
    ]
    budgets = step.budgets
    return {
        "number": step.number,
        "heading": heading_of(record, step.steps.title),
        "trigger": step.trigger,
        "open": not record.is_replayed,
        "time": (history[record.started_event_id - 1].timestamp - start).total_seconds(),
        "commands": commands,
        "all_commands": len(record.commands),
        "pending": record.pending,
        "events": [_event(history, event) for event in record.events[:MAX_LISTED]],
        "all_events": len(record.events),
        "recorded": [_event(history, event) for event in record.recorded[:MAX_LISTED]],
        "all_recorded": len(record.recorded),
        "waits": [
            {
                "label": shortened(fiber.name.label),
                "lines": [_line(frame.line) for frame in reversed(fiber.stack[-MAX_FIBERS:])],
                "for": [shortened(each) for each in fiber.waits_for_ids] or [bounded(fiber.waits_for, HOVER_LIMIT)],
            }
            for fiber in record.suspended[:MAX_FIBERS]
        ],
        "all_waits": len(record.suspended),
        "output": bounded(record.output, 5 * VALUE_LIMIT) if record.output else "",
        "close": "" if record.close is None else record.close.decision_type,
        "refused": "" if record.close is None else shortened(record.close.refused),
        "edited": [bounded(edit, VALUE_LIMIT) for edit in step.edits[:MAX_FIBERS]],
        "at_once": [at_once_text(id) for id in record.raised_at_once],
        "raised": None
        if record.raised is None
        else {
            "text": shortened(record.raised.text, VALUE_LIMIT),
            "lines": [_line(frame.line) for frame in record.raised.stack[-MAX_FIBERS:]],
        },
        "error": bounded(record.error, VALUE_LIMIT) if record.error else "",
        "budgets": [
            ["decisions", budgets.decisions, budgets.max_decisions],
            ["bytes", budgets.bytes, budgets.max_bytes],
            ["events", budgets.events, budgets.max_events],
        ],
    }


def details(step: ReplayStep) -> dict[str, Any]:
    """The part of a step that takes a further replay: the lines that ran, and the local variables where the code waits.

    Raises `UsageError` if the code does not come to the step a second time.
    """
    record = step.detailed
    fibers = [
        {"label": shortened(fiber.name.label), "frames": _frames(fiber.stack)}
        for fiber in record.suspended[:MAX_FIBERS]
    ]
    if record.raised is not None:
        fibers.insert(0, {"label": "run, where it raised", "frames": _frames(record.raised.stack)})
    lines = step.new_lines
    return {
        "number": step.number,
        "fibers": fibers,
        "lines": [_line(line) for line in lines[:MAX_LISTED]],
        "all_lines": len(lines),
    }


def _frames(stack: Sequence[StackFrame]) -> list[dict[str, Any]]:
    """The frames of a stack, the innermost first, each with its local variables."""
    return [
        {
            "line": _line(frame.line),
            "locals": [[shortened(name), bounded(text, VALUE_LIMIT)] for name, text in (frame.locals or {}).items()],
        }
        for frame in reversed(stack[-_MAX_TEXTS:])
    ]


def _line(line: Line | None) -> list[Any] | None:
    """A line as its file, number, and text."""
    return None if line is None else [line.filename, line.lineno, bounded(line_text(line), HOVER_LIMIT)]


def _event(history: Any, event: HistoryEvent) -> list[Any]:
    return [event.id, shortened(event.type), bounded(event_words(history, event), HOVER_LIMIT)]


# -- futures --


def futures_page(step: ReplayStep, *, which: str = "changed", words: str = "", first: int = 0) -> dict[str, Any]:
    """Some futures of a step: all of them or those that changed in it, of which each of these words is part.

    `first` is the place of the first one that is sent, at most `MAX_LISTED` are.
    """
    every, history = step.futures, step.steps.history
    changed = {future.number for future in step.changed_futures}
    wanted = words.lower().split()
    counts: dict[str, int] = {}
    found: list[FutureRecord] = []
    for future in every:
        state = _state(future)
        counts[state] = counts.get(state, 0) + 1
        if which == "changed" and future.number not in changed:
            continue
        if wanted and not all(word in _text(future, state, history) for word in wanted):
            continue
        found.append(future)
    first = max(min(first, len(found) - 1), 0)
    return {
        "number": step.number,
        "which": which,
        "words": words,
        "first": first,
        "found": len(found),
        "all": len(every),
        "counts": counts,
        "rows": [_future(future, future.number in changed, history) for future in found[first : first + MAX_LISTED]],
    }


def _state(future: FutureRecord) -> str:
    return "FAILED" if future.failed else future.state


def _text(future: FutureRecord, state: str, history: Sequence[HistoryEvent]) -> str:
    names = f"{future.kind} {future.id} {_label(future, history)}"
    return f"{names} {state} {FUTURE_STATES[state][1]} {future.value or ''}".lower()


def _label(future: FutureRecord, history: Sequence[HistoryEvent]) -> str:
    """The name of its task for people, as `fetch-2`, also of a child; empty if it has none."""
    if not future.id:
        return ""
    attributes = {} if future.scheduled_event_id is None else history[future.scheduled_event_id - 1].attributes
    kind: Any = attributes.get("activityType") or attributes.get("workflowType")
    return task_label(future.id, str(kind.get("name") or "") if isinstance(kind, Mapping) else None)


def _input(future: FutureRecord, history: Sequence[HistoryEvent]) -> str:
    """The input of its task, as SWF got it; empty if it has none."""
    scheduled = future.scheduled_event_id
    given = None if scheduled is None else history[scheduled - 1].attributes.get("input")
    return bounded(given, HOVER_LIMIT) if isinstance(given, str) else ""


def _future(future: FutureRecord, is_changed: bool, history: Sequence[HistoryEvent]) -> dict[str, Any]:
    events = (future.scheduled_event_id, future.started_event_id, future.closed_event_id)
    return {
        "number": future.number,
        "kind": future.kind,
        "id": shortened(future.id) if future.id else "",
        "label": _label(future, history),
        "state": _state(future),
        "value": bounded(future.value, HOVER_LIMIT) if future.value is not None else "",
        "input": _input(future, history),
        "attempts": future.attempts,
        "line": _line(future.line),
        "fiber": shortened(future.fiber.label) if future.fiber is not None else "",
        "depends_on": list(future.depends_on[:_MAX_TEXTS]),
        "members": len(future.members),
        "events": [event for event in events if event is not None],
        "changed": is_changed,
    }


# -- source --


def files_of(shown: Mapping[str, Any], more: Iterable[Sequence[Any] | None] = ()) -> list[str]:
    """The source files that a shown step, and these further lines, are about; the one in which it waits first."""
    found: dict[str, None] = {}
    for line in (*_lines_of(shown), *more):
        if line is not None:
            found[line[0]] = None
    return list(found)


def _lines_of(shown: Mapping[str, Any]) -> Iterator[Sequence[Any] | None]:
    for fiber in shown.get("waits", ()):
        yield from fiber["lines"]
    yield from reversed((shown.get("raised") or {"lines": ()})["lines"])
    for command in shown.get("commands", ()):
        yield command["line"]


def source_of(filename: str) -> dict[str, Any]:
    """The text of a source file, as Python has it: its name, and its lines; those beyond a bound are left out."""
    lines = linecache.getlines(filename)
    return {
        "name": shortened(place_text(Line(filename, 1, "")).removesuffix("1").removesuffix(":").removesuffix(" line ")),
        "lines": [bounded(line.rstrip("\r\n"), _MAX_LINE) for line in lines[:MAX_SOURCE_LINES]],
        "all": len(lines),
    }
