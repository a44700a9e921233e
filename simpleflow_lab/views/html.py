"""Executions as small pieces of HTML, for notebooks and pages.

They are read without JavaScript, follow JupyterLab's theme by its CSS variables (and do without), and contain no links.
They are `Html`, which escapes every value put into it; the class `mathjax_ignore` keeps MathJax away from the whole
piece.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from markupsafe import Markup

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, UNFINISHED, Attempt, failures_first
from simpleflow_lab.views.explanation_lines import RESULT, UNHANDLED, ExplanationLine
from simpleflow_lab.views.formatting import (
    HOVER_LIMIT,
    LABEL_LIMIT,
    bounded,
    count,
    duration,
    shortened,
    traceback_text,
    utc_time,
)
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history, tasks_of
from simpleflow_lab.views.markup import Html, Unbroken, escape
from simpleflow_lab.views.style import STATUSES, Style, style_of
from simpleflow_lab.views.summary import ExecutionSummary, execution_summary

__all__ = ["STYLE", "Html", "escape", "execution_html", "explanation_html", "piece", "table", "task_rows"]

MAX_ROWS: Final = 50
"""Rows of a table by default."""
_MAX_LISTED: Final = 10

# The class stands twice where JupyterLab's own rules for tables and lists must not win.
STYLE: Final = Html("""<style>
.sfl { color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  font-size: var(--jp-ui-font-size1, 13px); line-height: 1.45; max-width: 100%;
  overflow-wrap: break-word; }
.sfl h3 { margin: 0 0 .3em; font-size: 1.2em; font-weight: 600; }
.sfl .sfl-quiet { color: var(--jp-ui-font-color2, #777); }
.sfl .sfl-badge { border: 1px solid; border-radius: 3px; padding: 0 .45em; font-size: .82em; font-weight: 600; }
.sfl .sfl-bar { display: flex; height: 10px; margin: .5em 0; border-radius: 3px; overflow: hidden; max-width: 520px;
  background: var(--jp-layout-color2, rgba(128,128,128,.18)); }
.sfl .sfl-banner { border-left: 4px solid; padding: .4em .7em; margin: .6em 0; max-width: 720px;
  background: var(--jp-layout-color2, rgba(128,128,128,.1)); }
.sfl .sfl-banner ul { margin: .2em 0; padding-left: 1.3em; }
.sfl.sfl dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; margin: .4em 0; }
.sfl.sfl dt { float: none; width: auto; white-space: nowrap; font-weight: normal;
  color: var(--jp-ui-font-color2, #777); }
.sfl.sfl dd { float: none; width: auto; margin: 0; overflow-wrap: anywhere; }
.sfl pre { margin: .4em 0; padding: .6em; overflow: auto; max-height: 24em; white-space: pre-wrap;
  overflow-wrap: anywhere; font-family: var(--jp-code-font-family, monospace); font-size: .92em;
  color: inherit; background: var(--jp-layout-color2, rgba(128,128,128,.12)); }
.sfl.sfl .sfl-explanation { list-style: none; margin: .3em 0 .5em; padding: 0; max-width: 60em; }
.sfl.sfl .sfl-explanation li { margin: .1em 0; overflow-wrap: anywhere; }
.sfl.sfl .sfl-explanation code { font-family: var(--jp-code-font-family, monospace); font-size: .92em;
  color: inherit; background: var(--jp-layout-color2, rgba(128,128,128,.12)); padding: .05em .3em; border-radius: 3px; }
.sfl .sfl-about-status { font-weight: 600; }
.sfl .sfl-scroll { overflow-x: auto; }
.sfl table { border-collapse: collapse; margin: .4em 0; font-size: .95em; }
.sfl.sfl th, .sfl.sfl td { text-align: left; vertical-align: top; padding: .25em .7em; max-width: 26em;
  border-bottom: 1px solid var(--jp-border-color2, rgba(128,128,128,.3)); overflow-wrap: break-word; }
.sfl th { font-weight: 600; white-space: nowrap; }
.sfl.sfl .sfl-number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.sfl.sfl :is(.sfl-state, .sfl-word) { white-space: nowrap; }
@media print { .sfl table { font-size: .78em; } .sfl.sfl th { white-space: normal; }
  .sfl.sfl :is(th, td) { max-width: none; padding: .25em .4em; }
  .sfl.sfl td:is(.sfl-number, .sfl-state, .sfl-word) { white-space: normal; }
  .sfl.sfl td:is(.sfl-text, .sfl-word, .sfl-long, .sfl-value) { min-width: 6em; overflow-wrap: anywhere; } }
.sfl .sfl-value { min-width: 11em; }
@media screen { .sfl .sfl-long { min-width: 20em; } }
</style>""")


def piece(*parts: Markup) -> Html:
    """A whole piece of HTML, with its style, from parts that are markup. A part that is not is escaped."""
    return Html('{}<div class="sfl mathjax_ignore tex2jax_ignore">{}</div>').format(STYLE, _EMPTY.join(parts))


def execution_html(
    history: History | FoldedHistory,
    *,
    workflow_id: str = "",
    run_id: str = "",
    domain: str = "",
    until: datetime.datetime | None = None,
    warnings: Sequence[str] = (),
    explanation: Iterable[ExplanationLine] = (),
    below: Sequence[tuple[str, Attempt]] = (),
) -> Html:
    """The summary of an execution: its type, ids, status and times, its tasks by state, and its last failure.

    `warnings` are lines for the author of its workflow, `explanation` says what became of it and what it waits for,
    `below` what failed in its children and nobody handled, each with the id of the child.
    """
    folded = fold_history(history, until=until)
    summary = execution_summary(folded)
    return piece(
        _heading(summary),
        # The result and the failures that went unhandled are shown below in full.
        explanation_html(line for line in explanation if line.kind not in (RESULT, UNHANDLED)),
        _progress(folded),
        _unhandled(folded.unhandled, completed=folded.history.close_status == "COMPLETED"),
        _unhandled_below(below),
        _warnings(warnings),
        _properties(summary, workflow_id, run_id, domain),
        _last_failure(summary, folded.attempts),
    )


def task_rows(
    history: History | FoldedHistory, *, limit: int = MAX_ROWS, until: datetime.datetime | None = None
) -> Html:
    """The attempts of an execution as an HTML table: the first `limit`, and how many more there are. Where that leaves
    attempts out, those that failed come first."""
    attempts = tasks_of(history, until=until)
    if len(attempts) > limit:
        attempts = tuple(failures_first(attempts))
    return piece(_task_table(attempts[:limit]), _more(len(attempts) - limit, "attempt"))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, limit: int = MAX_ROWS, ends: bool = False) -> Html:
    """Any table, a `Listing` for one, as an HTML table of at most `limit` rows: the first, or with `ends` as many of
    the first as of the last. Cells are plain values."""
    found = list(rows)
    first = found[: limit // 2] if ends and len(found) > limit else found[:limit]
    last = found[len(first) - limit :] if len(first) < min(limit, len(found)) else []
    body = [_row(row) for row in first]
    if last:
        body += [_LEFT_OUT.format(len(headers), count(len(found) - limit, "more row")), *(_row(row) for row in last)]
    more = _EMPTY if last else _more(len(found) - limit, "row")
    return piece(_table((escape(header, LABEL_LIMIT) for header in headers), body), more)


def explanation_html(lines: Iterable[ExplanationLine]) -> Html:
    """The lines of an explanation as a list."""
    made = [
        Html('<li class="sfl-about-{}">{}{}</li>').format(line.kind, line.text, _remedy(line.to_do)) for line in lines
    ]
    return Html('<ul class="sfl-explanation">{}</ul>').format(_EMPTY.join(made)) if made else _EMPTY


_TYPED: Final = re.compile(r"[\w.]+\.\w+\(|%?simpleflow ")
"""The start of advice that is a call or a command."""


def _remedy(to_do: str) -> Html:
    """The advice in HTML: a call or a command, or else words."""
    if not to_do:
        return _EMPTY
    is_typed = _TYPED.match(to_do) is not None
    form = Html("<code>{}</code>") if is_typed else Html('<span class="sfl-quiet">{}</span>')
    return Html(' <span class="sfl-quiet">→</span> {}').format(form.format(to_do))


def quiet(text: str) -> Html:
    """A line of text that is no table, for one that would be empty."""
    return piece(Html('<div class="sfl-quiet">{}</div>').format(text))


# -- parts -------------------------------------------------------------------------------------------------------------

_EMPTY: Final = Html("")
_ROW: Final = Html("<tr>{}</tr>")
_LEFT_OUT: Final = Html('<tr><td colspan="{}" class="sfl-quiet">… {}</td></tr>')
_ITEM: Final = Html("<li>{}</li>")
_STATE: Final = Html('<td class="sfl-state">{}</td>')


def _heading(summary: ExecutionSummary) -> Html:
    version = Html(' <span class="sfl-quiet">{}</span>').format(escape(summary.version, LABEL_LIMIT))
    return Html("<h3>{}{} {}</h3>").format(
        escape(summary.workflow_type, LABEL_LIMIT),
        version if summary.version else "",
        _badge(STATUSES[summary.status]),
    )


def _badge(of: Style) -> Html:
    return Html('<span class="sfl-badge" style="color: {}">{} {}</span>').format(of.colour, of.glyph, of.word)


def _progress(folded: FoldedHistory) -> Html:
    """Tasks by the state of their last attempt: a bar, and the same in words."""
    states = folded.task_counts.by_state(TASKS)
    reused = len(folded.reused)
    attempts = folded.tasks[reused:]
    work = sum(attempt.kind in TASKS for attempt in attempts)
    whole, timers = states.total(), len(attempts) - work
    others = (f", {reused:,} reused" if reused else "") + (f", {count(timers, 'timer')}" if timers else "")
    if not whole:
        return Html('<div class="sfl-quiet">no tasks{}</div>').format(others)
    in_order = [(style_of(state), states[state]) for state in _ORDER if state in states]
    part = Html('<div style="width: {:.2f}%; background: {}"></div>')
    bar = _EMPTY.join(part.format(100 * number / whole, of.colour) for of, number in in_order)
    words = ", ".join(f"{of.glyph} {number:,} {of.word}" for of, number in in_order)
    again = work - whole
    retries = f", {count(again, 'earlier attempt')}" if again else ""
    return Html('<div class="sfl-bar" role="img" aria-label="{}">{}</div><div>{}: {}{}{}</div>').format(
        words, bar, count(whole, "task"), words, retries, others
    )


_ORDER: Final = (
    *("completed", "started", "scheduled", "initiated"),
    *("canceled", "timed_out", "failed", "terminated", "schedule_failed", "start_failed", UNFINISHED),
)
"""The states of tasks, in the order in which they are shown."""


def _unhandled(missed: Sequence[Attempt], *, completed: bool) -> Html:
    if not missed:
        return _EMPTY
    lines = map(_failure, missed[:_MAX_LISTED])
    return Html(
        '<div class="sfl-banner" role="alert" style="border-color: {}"><strong>⚠ {} unhandled:</strong> {}'
        "the workflow did not handle the failure of {}.<ul>{}</ul>{}</div>"
    ).format(
        style_of("timed_out").colour,
        count(len(missed), "failure"),
        "the execution completed, and " if completed else "",
        "it" if len(missed) == 1 else "them",
        _EMPTY.join(_ITEM.format(line) for line in lines),
        _more(len(missed) - _MAX_LISTED, "failure"),
    )


def _unhandled_below(below: Sequence[tuple[str, Attempt]]) -> Html:
    if not below:
        return _EMPTY
    lines = (Html("{}, {}").format(shortened(child), _failure(attempt)) for child, attempt in below[:_MAX_LISTED])
    return Html(
        '<div class="sfl-banner" role="alert" style="border-color: {}"><strong>⚠ {} unhandled in its children:</strong>'
        "<ul>{}</ul>{}</div>"
    ).format(
        style_of("timed_out").colour,
        count(len(below), "failure"),
        _EMPTY.join(_ITEM.format(line) for line in lines),
        _more(len(below) - _MAX_LISTED, "failure"),
    )


def _failure(attempt: Attempt) -> Html:
    return Html("{}: {}{}").format(shortened(attempt.id), style_of(attempt.state).word, _because(attempt))


def _warnings(warnings: Sequence[str]) -> Html:
    if not warnings:
        return _EMPTY
    return Html(
        '<div class="sfl-banner" role="note" style="border-color: {}"><strong>⚠ {}</strong><ul>{}</ul>{}</div>'
    ).format(
        style_of("timed_out").colour,
        count(len(warnings), "warning"),
        _EMPTY.join(_ITEM.format(escape(warning, HOVER_LIMIT)) for warning in warnings[:_MAX_LISTED]),
        _more(len(warnings) - _MAX_LISTED, "warning"),
    )


def _because(attempt: Attempt) -> str:
    why = attempt.reason or attempt.timeout_type
    return f": {bounded(why, HOVER_LIMIT)}" if why else ""


def _properties(summary: ExecutionSummary, workflow_id: str, run_id: str, domain: str) -> Html:
    known = (
        ("workflow id", workflow_id),
        ("run id", run_id),
        ("domain", domain),
        ("task list", summary.task_list),
        ("tags", ", ".join(summary.tag_list)),
        ("parent", summary.parent),
        ("started", utc_time(summary.started) if summary.started else None),
        ("closed", utc_time(summary.closed) if summary.closed else None),
        ("time", duration(summary.duration)),
        ("input", summary.input),
        ("result", summary.result),
        ("reason", summary.reason),
        ("continues", summary.continues),
        ("continued as", summary.continued_as),
        ("cancel", "requested" if summary.cancel_requested and not summary.closed else None),
        ("events", f"{summary.events:,}"),
    )
    pair = Html("<dt>{}</dt><dd>{}</dd>")
    return Html("<dl>{}</dl>").format(_EMPTY.join(pair.format(word, value) for word, value in known if value))


def _last_failure(summary: ExecutionSummary, attempts: Sequence[Attempt]) -> Html:
    """The last failure with its traceback: the execution's own, or that of an attempt."""
    if summary.details:
        return _details(f"details of {summary.status}", summary.details)
    failures = [attempt for attempt in attempts if attempt.failed and attempt.closed is not None]
    if not failures:
        return _EMPTY
    last = max(failures, key=lambda attempt: (attempt.last_state_at, attempt.closed_event_id or 0))
    tried = f", attempt {last.attempt}" if last.attempt > 1 else ""
    title = f"last failure: {shortened(last.id)}{tried}, {style_of(last.state).word}"
    why = last.reason or last.timeout_type
    return _details(f"{title}: {shortened(why, HOVER_LIMIT)}" if why else title, last.details or last.input or "")


def _details(title: str, text: str) -> Html:
    return Html("<details><summary>{}</summary><pre>{}</pre></details>").format(title, traceback_text(text))


# -- tables ------------------------------------------------------------------------------------------------------------


def _task_table(attempts: Sequence[Attempt]) -> Html:
    headers = ("task", "attempt", "state", "scheduled", "waiting", "running", "worker", "input", "result or reason")
    return _table(headers, (_task_row(attempt) for attempt in attempts))


_TASK_ROW: Final = Html(
    '<tr>{id}<td class="sfl-number">{attempt}</td>'
    '<td class="sfl-state" style="color: {colour}">{glyph} {word}{flag}</td><td class="sfl-number">{scheduled}</td>'
    '<td class="sfl-number">{waiting}</td><td class="sfl-number">{running}</td><td class="sfl-state">{worker}</td>'
    '<td class="sfl-value">{input}</td><td class="sfl-value">{outcome}</td></tr>'
)


def _task_row(attempt: Attempt) -> Html:
    of = style_of(attempt.state)
    outcome = (
        attempt.result if attempt.result is not None else attempt.reason or attempt.timeout_type or attempt.details
    )
    return _TASK_ROW.format(
        id=_text_cell(shortened(attempt.id)),
        attempt=attempt.attempt,
        colour=of.colour,
        glyph=of.glyph,
        word=of.word,
        flag=" ⚠ unhandled" if attempt.unhandled else "",
        scheduled=utc_time(attempt.scheduled),
        waiting=duration(attempt.waiting),
        running=duration(attempt.running),
        worker=shortened(attempt.worker, 40),
        input=bounded(attempt.input, HOVER_LIMIT),
        outcome=bounded(outcome, HOVER_LIMIT),
    )


def _table(headers: Iterable[str], rows: Iterable[Html]) -> Html:
    head = _EMPTY.join(Html("<th>{}</th>").format(header) for header in headers)
    return Html('<div class="sfl-scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        head, _EMPTY.join(rows)
    )


_NUMBER: Final = Html('<td class="sfl-number">{}</td>')
_CELL: Final = Html('<td class="sfl-text">{}</td>')
_WORD: Final = Html('<td class="sfl-word">{}</td>')
_LONG_WORD: Final = Html('<td class="sfl-long">{}</td>')
_WORD_LENGTH: Final = 48
"""Characters of an id, say, that stands on one line: a browser would break it at each hyphen."""


def _row(values: Sequence[Any]) -> Html:
    return _ROW.format(_EMPTY.join(_cell(value) for value in values))


def _text_cell(text: str) -> Html:
    if _SPACE.search(text):
        return _CELL.format(text)
    return (_WORD if len(text) <= _WORD_LENGTH else _LONG_WORD).format(text)


_SPACE: Final = re.compile(r"\s")


def _cell(value: Any) -> Html:
    match value:
        case Unbroken():
            return _STATE.format(value)
        case datetime.datetime():
            return _NUMBER.format(utc_time(value))
        case bool() | None:
            return _CELL.format("" if value is None else value)
        case float():
            return _NUMBER.format(f"{value:,.2f}")
        case int():
            return _NUMBER.format(value)
        case _:
            return _text_cell(bounded(value, HOVER_LIMIT))


def _more(number: int, noun: str) -> Html:
    if number <= 0:
        return _EMPTY
    return Html('<div class="sfl-quiet">and {}</div>').format(count(number, f"more {noun}"))
