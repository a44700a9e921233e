"""What is measured of the live view as a browser draws it: its own modules on a page, beside plotly's `px.timeline`.

A step is timed from what the reader does to the end of the frame after it, so that no step takes less than a frame.
"""

from __future__ import annotations

import atexit
import functools
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.reading import history
from benchmarks.stopwatch import Seconds
from simpleflow_lab.notebook import widget_messages
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.views import live_rows
from simpleflow_lab.views.history_fold import fold_history

STEPS: Final = 9
"""So many times a step is made; the median counts."""
BAR: Final = 0.05
"""Seconds that a step may take."""

_FRAME: Final = "window.frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));"
_PAINT: Final = """async ([source, state]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const view = (await import(url)).default, listeners = {};
    const model = window.model = { state, get: name => state[name], set: (name, value) => { state[name] = value; },
      send() {}, off() {}, on: (event, act) => { (listeners[event] ||= []).push(act); },
      fire: event => (listeners[event] || []).forEach(act => act()) };
    const el = document.getElementById("shown");
    el.replaceChildren();
    await frame();
    const began = performance.now();
    view.initialize({ model }); view.render({ model, el });
    await frame();
    return (performance.now() - began) / 1000;
  }"""
_TIMELINE: Final = """async figure => {
    const el = document.getElementById("shown");
    el.replaceChildren();
    await frame();
    const began = performance.now();
    await Plotly.newPlot(el, figure.data, figure.layout);
    await frame();
    return (performance.now() - began) / 1000;
  }"""
_STEP: Final = """async ([code, steps]) => {
    const step = new Function("i", `return (async () => { ${code} })()`), taken = [];
    for (let i = 0; i < steps; i++) {
      await frame();
      const began = performance.now();
      await step(i);
      await frame();
      taken.push((performance.now() - began) / 1000);
    }
    return taken.sort((a, b) => a - b)[steps >> 1];
  }"""
_UPDATE: Final = """
    const { state } = model, { rows } = state.rows, mark = (state.changes.mark ?? state.rows.mark) + 1;
    state.changes = { since: mark - 1, mark, rows: rows.slice(i * 50 % rows.length).slice(0, 50).map(row => [...row]) };
    model.fire("change:changes");
    state.summary = { ...state.summary, seconds: state.summary.seconds + 1 };
    model.fire("change:summary");"""
_ZOOM: Final = "document.querySelector('[aria-label=\"zoom in\"]').click();"
_FILTER: Final = """
    const field = document.querySelector('[aria-label="filter the tasks"]');
    field.value = ["1", "12", "increment", "i", "x", "benchmark", "77", "", "3"][i % 9];
    field.dispatchEvent(new Event("input"));"""
_SCROLL: Final = "document.querySelector('.sfl-table').scrollTop = (i + 1) * 700;"
_TIMELINE_ZOOM: Final = """
    const [from, to] = el.layout.xaxis.range.map(each => +new Date(each)), part = (to - from) / 6;
    await Plotly.relayout(el, { "xaxis.range": [new Date(from + part), new Date(to - part)] });"""
_TIMELINE_UPDATE: Final = (
    "el.data[0].x[i] += 1; el.layout.datarevision = i; await Plotly.react(el, el.data, el.layout);"
)


@functools.cache
def _page() -> Any:
    """A page of Chromium with plotly.js and the live view's style sheet."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  for those who measure this
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium: apt-get install chromium")
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    css = (Path(widget_messages.__file__).parent / "live_view.css").read_text(encoding="utf-8")
    page.set_content(f"<!doctype html><html><head><style>{css}</style></head><body><div id=shown></div></body></html>")
    page.add_script_tag(content=_FRAME)
    page.add_script_tag(content=get_plotlyjs())
    return page


@functools.cache
def _state(n: int) -> dict[str, Any]:
    """What a live view of n tasks is sent."""
    folded = fold_history(history(n))
    start = folded.history[0].timestamp
    rows = [live_rows.task_row(each, start) for each in folded.attempts if live_rows.is_shown(each)]
    assert len(rows) == n
    title = live_rows.title_record(workflow_type="benchmark.fan-out", version="1", workflow_id="benchmark", run_id="1")
    summary = {
        "title": title,
        "run": 1,
        "explained": [],
        "explained_at": 0,
        "open": True,
        "status": live_rows.status_record("OPEN"),
        "counts": live_rows.count_records((("completed", n),)),
        "running": [],
        "seconds": 60.0,
        "events": len(folded.history),
        "waits": live_rows.waits_record([], []),
        "reports": [],
        "warnings": [],
        "failures": [],
        "failed": 0,
    }
    return {
        "styles": live_rows.state_styles(),
        "fields": list(live_rows.ROW),
        "rows": {"mark": len(folded.history), "rows": rows},
        "changes": {},
        "summary": summary,
        "notice": "",
    }


@functools.cache
def _figure(n: int) -> Any:
    """`px.timeline` of the same tasks, as plotly.js takes it."""
    import plotly.express  # noqa: PLC0415

    table = RecordedExecution(HistoryWithRecords(history(n)), "benchmark").tasks().reset_index()
    figure = plotly.express.timeline(table, x_start="started", x_end="closed", y="id", color="state")
    for trace in figure.data:  # as lists, for plotly.js has no arrays of numpy's
        trace.x, trace.base = list(trace.x), list(trace.base)
    return json.load(io.StringIO(figure.to_json()))


def _seconds(wall: float) -> Seconds:
    return {"wall": wall, "cpu": wall}


def paint(n: int) -> Seconds:
    """Seconds until a live view of n tasks is drawn, its state at hand."""
    source = widget_messages.module_of("lanes.js", "live_chart.js", "live_tasks.js", "live_view.js")
    return _seconds(_page().evaluate(_PAINT, [source, _state(n)]))


def _step(code: str, tab: str | None = None) -> Callable[[int], Seconds]:
    def measured(n: int) -> Seconds:
        paint(n)
        if tab is not None:
            _page().get_by_role("tab", name=tab).click()
        return _seconds(_page().evaluate(_STEP, [code, STEPS]))

    return measured


def timeline_paint(n: int) -> Seconds:
    """Seconds until plotly.js has drawn `px.timeline` of the same tasks."""
    return _seconds(_page().evaluate(_TIMELINE, _figure(n)))


def _timeline_step(code: str) -> Callable[[int], Seconds]:
    def measured(n: int) -> Seconds:
        timeline_paint(n)
        code_of_element = f'const el = document.getElementById("shown");{code}'
        return _seconds(_page().evaluate(_STEP, [code_of_element, STEPS]))

    return measured


def bar(n: int) -> Seconds:
    """What a step may take."""
    return _seconds(BAR)


MEASURED: Final[Mapping[str, Callable[[int], Seconds]]] = {
    "paint": paint,
    "paint-update": _step(_UPDATE),
    "paint-zoom": _step(_ZOOM),
    "paint-filter": _step(_FILTER, "Tasks"),
    "paint-scroll": _step(_SCROLL, "Tasks"),
    "timeline-paint": timeline_paint,
    "timeline-update": _timeline_step(_TIMELINE_UPDATE),
    "timeline-zoom": _timeline_step(_TIMELINE_ZOOM),
    "paint-bar": bar,
}
