"""An execution as one HTML file that needs nothing else: no server, no network, no notebook.

plotly.js is in the file, and a Content-Security-Policy forbids the page every request. The page is `Html`, which
escapes what it shows of the history.
"""

from __future__ import annotations

import datetime
from typing import Final

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.explanation import explain
from simpleflow_lab.views.formatting import LABEL_LIMIT
from simpleflow_lab.views.gantt import gantt
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.history_waits import waits_of
from simpleflow_lab.views.html import execution_html, task_rows
from simpleflow_lab.views.markup import Html, escape
from simpleflow_lab.views.waiting import Waits

MAX_ROWS: Final = 1_000
"""Rows of the task table."""

_POLICY: Final = Html(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
_CONFIG: Final = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["sendChartToCloud", "lasso2d", "select2d"],
}
_STYLE: Final = Html("""<style>
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1.2rem 1.5rem 3rem; max-width: 1500px; font-family: system-ui, sans-serif;
  background: #fff; color: #24292f; }
@media (prefers-color-scheme: dark) { body { background: #14171c; color: #d8dde4; } }
section { margin: 1.2rem 0; }
</style>""")


def gantt_html(
    history: History | FoldedHistory,
    *,
    workflow_id: str = "",
    run_id: str = "",
    domain: str = "",
    until: datetime.datetime | None = None,
    title: str | None = None,
    max_bars: int = 2000,
    max_rows: int = MAX_ROWS,
    waits: Waits | None = None,
) -> str:
    """A whole HTML page (about 5 MB): summary, Gantt chart, and at most `max_rows` attempts as a table, those that
    failed first if there are more.

    The ids and the domain are shown if given, and `waits`, what an open execution waits for, instead of what its
    history shows of that; the other arguments are those of `gantt`. The same history gives the same page, byte by byte.
    """
    folded = fold_history(history, until=until)
    if waits is None:
        waits = Waits(waits_of(folded, workflow_id=workflow_id), now=folded.until)
    figure = gantt(folded, title=title, max_bars=max_bars, waits=waits.in_words())
    chart = figure.to_html(config=_CONFIG, include_plotlyjs=True, full_html=False, div_id="gantt")
    explanation = explain(folded, workflow_id=workflow_id, waits=waits)
    summary = execution_html(folded, workflow_id=workflow_id, run_id=run_id, domain=domain, explanation=explanation)
    name = escape(title or workflow_id or folded.history.workflow_type, LABEL_LIMIT)
    page = _PAGE.format(
        policy=_POLICY,
        name=name,
        style=_STYLE,
        summary=summary,
        chart=Html(chart),  # plotly has escaped it
        tasks=task_rows(folded, limit=max_rows),
    )
    return str(page)


_PAGE: Final = Html(
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta http-equiv="Content-Security-Policy" content="{policy}">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>{name}</title>{style}</head><body>"
    "<section>{summary}</section><section>{chart}</section><section>{tasks}</section></body></html>\n"
)
