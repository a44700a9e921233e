"""Executions as small pieces of HTML, for notebooks and pages.

They are read without JavaScript, follow JupyterLab's theme by its CSS variables (and do without), and contain no links.
Every value of a history goes through `escape`; the class `mathjax_ignore` keeps MathJax away from the whole piece.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, Final

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.formatting import (
    HOVER_LIMIT,
    LABEL_LIMIT,
    VALUE_LIMIT,
    count,
    duration,
    escape,
    moment,
    shortened,
    traceback_text,
)
from simpleflow_lab.views.history_fold import FoldedHistory, attempts_of, fold_history
from simpleflow_lab.views.style import STATUSES, Look, look
from simpleflow_lab.views.summary import ExecutionSummary, execution_summary

__all__ = ["STYLE", "escape", "execution_html", "piece", "table", "task_rows"]

MAX_ROWS: Final = 50
"""Rows of a table, unless more are asked for."""
_MAX_LISTED: Final = 10

# The class stands twice where JupyterLab's own rules for tables and lists must not win.
STYLE: Final = """<style>
.sfl { color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  font-size: var(--jp-ui-font-size1, 13px); line-height: 1.45; max-width: 100%; }
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
.sfl .sfl-scroll { overflow-x: auto; }
.sfl table { border-collapse: collapse; margin: .4em 0; font-size: .95em; }
.sfl.sfl th, .sfl.sfl td { text-align: left; vertical-align: top; padding: .25em .7em; max-width: 26em;
  border-bottom: 1px solid var(--jp-border-color2, rgba(128,128,128,.3)); overflow-wrap: anywhere; }
.sfl th { font-weight: 600; white-space: nowrap; }
.sfl.sfl .sfl-number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.sfl.sfl .sfl-state { white-space: nowrap; }
.sfl .sfl-value { min-width: 11em; }
</style>"""


def piece(*parts: str) -> str:
    """A whole piece of HTML, with its style, from parts that are HTML already."""
    return f'{STYLE}<div class="sfl mathjax_ignore tex2jax_ignore">{"".join(parts)}</div>'


def execution_html(
    history: History | FoldedHistory,
    *,
    workflow_id: str = "",
    run_id: str = "",
    domain: str = "",
    until: datetime.datetime | None = None,
    warnings: Sequence[str] = (),
) -> str:
    """The summary of an execution: its type, ids, status and times, its tasks by state, and its last failure.

    `warnings` are lines for the author of its workflow.
    """
    folded = fold_history(history, until=until)
    summary = execution_summary(folded)
    return piece(
        _heading(summary),
        _progress(folded),
        _unhandled(folded.attempts),
        _warnings(warnings),
        _properties(summary, workflow_id, run_id, domain),
        _last_failure(summary, folded.attempts),
    )


def task_rows(
    history: History | FoldedHistory, *, limit: int = MAX_ROWS, until: datetime.datetime | None = None
) -> str:
    """The attempts of an execution as an HTML table: the first `limit`, and how many more there are."""
    attempts = attempts_of(history, until=until)
    return piece(_task_table(attempts[:limit]), _more(len(attempts) - limit, "attempt"))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, limit: int = MAX_ROWS) -> str:
    """Any table, a `Listing` for one, as an HTML table of at most `limit` rows. Cells are plain values."""
    found = list(rows)
    body = (f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in found[:limit])
    return piece(_table([escape(header, LABEL_LIMIT) for header in headers], body), _more(len(found) - limit, "row"))


# -- parts -------------------------------------------------------------------------------------------------------------


def _heading(summary: ExecutionSummary) -> str:
    version = f' <span class="sfl-quiet">{escape(summary.version, LABEL_LIMIT)}</span>' if summary.version else ""
    return f"<h3>{escape(summary.workflow_type, LABEL_LIMIT)}{version} {_badge(STATUSES[summary.status])}</h3>"


def _badge(of: Look) -> str:
    return f'<span class="sfl-badge" style="color: {of.colour}">{of.sign} {of.word}</span>'


def _progress(folded: FoldedHistory) -> str:
    """Tasks by the state of their last attempt: a bar, and the same in words."""
    states = folded.task_counts.by_state(TASKS)
    work = sum(attempt.kind in TASKS for attempt in folded.attempts)
    whole, timers = states.total(), len(folded.attempts) - work
    timed = f", {count(timers, 'timer')}" if timers else ""
    if not whole:
        return f'<div class="sfl-quiet">no tasks{timed}</div>'
    by_look = sorted(states.items(), key=lambda item: _ORDER.index(item[0]))
    parts = "".join(
        f'<div style="width: {100 * number / whole:.2f}%; background: {look(state).colour}"></div>'
        for state, number in by_look
    )
    words = ", ".join(f"{look(state).sign} {number:,} {look(state).word}" for state, number in by_look)
    again = work - whole
    retries = f", {count(again, 'earlier attempt')}" if again else ""
    return (
        f'<div class="sfl-bar" role="img" aria-label="{escape(words)}">{parts}</div>'
        f"<div>{count(whole, 'task')}: {escape(words)}{retries}{timed}</div>"
    )


_ORDER: Final = (
    *("completed", "started", "scheduled", "initiated"),
    *("canceled", "timed_out", "failed", "terminated", "schedule_failed", "start_failed"),
)
"""The states of tasks, in the order in which they are shown."""


def _unhandled(attempts: Sequence[Attempt]) -> str:
    missed = [attempt for attempt in attempts if attempt.unhandled]
    if not missed:
        return ""
    items = "".join(
        f"<li>{escape(shortened(attempt.id))}: {escape(look(attempt.state).word)}{_because(attempt)}</li>"
        for attempt in missed[:_MAX_LISTED]
    )
    return (
        f'<div class="sfl-banner" role="alert" style="border-color: {look("timed_out").colour}">'
        f"<strong>⚠ {count(len(missed), 'failure')} unhandled:</strong> the execution completed, and nothing in the "
        f"workflow looked at what became of {'it' if len(missed) == 1 else 'them'}."
        f"<ul>{items}</ul>{_more(len(missed) - _MAX_LISTED, 'failure')}</div>"
    )


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning, HOVER_LIMIT)}</li>" for warning in warnings[:_MAX_LISTED])
    return (
        f'<div class="sfl-banner" role="note" style="border-color: {look("timed_out").colour}">'
        f"<strong>⚠ {count(len(warnings), 'warning')}</strong><ul>{items}</ul>"
        f"{_more(len(warnings) - _MAX_LISTED, 'warning')}</div>"
    )


def _because(attempt: Attempt) -> str:
    why = attempt.reason or attempt.timeout_type
    return f": {escape(why, HOVER_LIMIT)}" if why else ""


def _properties(summary: ExecutionSummary, workflow_id: str, run_id: str, domain: str) -> str:
    known = (
        ("workflow id", workflow_id),
        ("run id", run_id),
        ("domain", domain),
        ("task list", summary.task_list),
        ("tags", ", ".join(summary.tag_list)),
        ("parent", summary.parent),
        ("started", moment(summary.started) if summary.started else None),
        ("closed", moment(summary.closed) if summary.closed else None),
        ("time", duration(summary.duration)),
        ("input", summary.input),
        ("result", summary.result),
        ("reason", summary.reason),
        ("continued as", summary.continued_as),
        ("cancel", "requested" if summary.cancel_requested and not summary.closed else None),
        ("events", f"{summary.events:,}"),
    )
    return f"<dl>{''.join(f'<dt>{word}</dt><dd>{escape(value)}</dd>' for word, value in known if value)}</dl>"


def _last_failure(summary: ExecutionSummary, attempts: Sequence[Attempt]) -> str:
    """The last failure with its traceback: the execution's own, or that of an attempt."""
    if summary.details:
        return _details(f"details of {summary.status}", summary.details)
    failures = [attempt for attempt in attempts if attempt.failed and attempt.closed is not None]
    if not failures:
        return ""
    last = max(failures, key=lambda attempt: (attempt.last_state_at, attempt.closed_event_id or 0))
    tried = f", attempt {last.attempt}" if last.attempt > 1 else ""
    title = f"last failure: {shortened(last.id)}{tried}, {look(last.state).word}"
    why = last.reason or last.timeout_type
    return _details(f"{title}: {shortened(why, HOVER_LIMIT)}" if why else title, last.details or last.input or "")


def _details(title: str, text: str) -> str:
    return (
        f"<details><summary>{escape(title)}</summary><pre>{escape(traceback_text(text), VALUE_LIMIT)}</pre></details>"
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def _task_table(attempts: Sequence[Attempt]) -> str:
    headers = ("task", "attempt", "state", "scheduled", "waiting", "running", "worker", "input", "result or reason")
    return _table(headers, (_task_row(attempt) for attempt in attempts))


def _task_row(attempt: Attempt) -> str:
    of = look(attempt.state)
    outcome = (
        attempt.result if attempt.result is not None else attempt.reason or attempt.timeout_type or attempt.details
    )
    flag = " ⚠ unhandled" if attempt.unhandled else ""
    return (
        f'<tr><td class="sfl-value">{escape(shortened(attempt.id))}</td>'
        f'<td class="sfl-number">{attempt.attempt}</td>'
        f'<td class="sfl-state" style="color: {of.colour}">{of.sign} {of.word}{flag}</td>'
        f'<td class="sfl-number">{moment(attempt.scheduled)}</td>'
        f'<td class="sfl-number">{duration(attempt.waiting)}</td>'
        f'<td class="sfl-number">{duration(attempt.running)}</td>'
        f'<td class="sfl-state">{escape(shortened(attempt.worker, 40))}</td>'
        f'<td class="sfl-value">{escape(attempt.input, HOVER_LIMIT)}</td>'
        f'<td class="sfl-value">{escape(outcome, HOVER_LIMIT)}</td></tr>'
    )


def _table(headers: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{header}</th>" for header in headers)
    return f'<div class="sfl-scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _cell(value: Any) -> str:
    match value:
        case datetime.datetime():
            return f'<td class="sfl-number">{moment(value)}</td>'
        case bool() | None:
            return f"<td>{escape('' if value is None else value)}</td>"
        case float():
            return f'<td class="sfl-number">{value:,.2f}</td>'
        case int():
            return f'<td class="sfl-number">{value}</td>'
        case _:
            return f"<td>{escape(value, HOVER_LIMIT)}</td>"


def _more(number: int, noun: str) -> str:
    return f'<div class="sfl-quiet">and {count(number, f"more {noun}")}</div>' if number > 0 else ""
