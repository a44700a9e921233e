"""A chart on a page of whatever width: its title, its legend and its bars don't cover each other."""

from __future__ import annotations

import json

import pytest
from plotly.offline import get_plotlyjs

from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.replay.task_records import HistoryWithRecords
from tests.browser.jupyterlab import Chromium, chromium_path
from tests.views.troubles import waits_between_retries

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

WIDTHS = [320, 400, 600, 900, 2000]
TOPS_AND_BOTTOMS = """async ([figure, width]) => {
    const at = document.createElement("div");
    document.body.replaceChildren(at);
    await Plotly.newPlot(at, figure.data, { ...figure.layout, width });
    return [".gtitle-subtitle", ".nsewdrag", ".legend"].map(part => {
      const { top, bottom } = at.querySelector(part).getBoundingClientRect();
      return [top, bottom];
    });
  }"""


def test_subtitle_plot_and_legend_stand_below_each_other() -> None:
    execution = RecordedExecution(HistoryWithRecords(waits_between_retries()), "narrow")
    with Chromium() as chromium:
        page = chromium.blank()
        page.add_script_tag(content=get_plotlyjs())
        for chart in (execution.gantt(), execution.concurrency(), execution.graph()):
            for width in WIDTHS:
                edges = page.evaluate(TOPS_AND_BOTTOMS, [json.loads(chart.to_json()), width])
                (_, subtitle), (top, bottom), (legend, _) = edges
                assert subtitle <= top < bottom - 20 < bottom <= legend, (width, edges)
