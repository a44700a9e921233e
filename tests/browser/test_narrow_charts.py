"""A chart on a page of whatever width: its title, its legend and its bars don't cover each other."""

from __future__ import annotations

import json

import pytest
from plotly.offline import get_plotlyjs

from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.replay.task_records import HistoryWithRecords
from tests.browser.jupyterlab import Chromium, chromium_path
from tests.views.story import Story, eventful
from tests.views.troubles import forgotten_signal, waits_between_retries

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


def test_a_picture_is_as_wide_as_a_narrow_page_and_keeps_its_shape() -> None:
    picture = RecordedExecution(eventful()).gantt().to_svg()
    with Chromium() as chromium:
        page = chromium.blank()
        for width in (400, 2000):
            page.set_viewport_size({"width": width, "height": 900})
            page.set_content(f"<body style='margin: 0'>{picture}</body>")
            shown = page.evaluate(
                "(({ width, height }) => [width, height])(document.querySelector('svg').getBoundingClientRect())"
            )
            natural = page.evaluate(
                "(({ width, height }) => [width, height])(document.querySelector('svg').viewBox.baseVal)"
            )
            assert shown[0] == min(width, natural[0])
            assert abs(shown[1] / shown[0] - natural[1] / natural[0]) < 0.01


CUT = """async ([figure, width]) => {
    const at = document.createElement("div");
    document.body.replaceChildren(at);
    await Plotly.newPlot(at, figure.data, { ...figure.layout, width });
    const { left, top } = at.getBoundingClientRect();
    return [...at.querySelectorAll(".gtitle, .gtitle-subtitle, .xtitle, .annotation-text")]
      .map(text => [text.textContent, text.getBoundingClientRect()])
      .filter(([, of]) => of.left < left || of.right > left + width || of.top < top).map(([text]) => text);
  }"""


def test_no_title_is_cut_at_the_edge_of_a_narrow_page() -> None:
    one, other = (Story(f"nightly.load-the-warehouse-of-the-northern-shops-{name}") for name in "ab")
    for story in (one, other):
        story.start(task := story.schedule("activity-shop.prices_of_the_day-1", "shop.prices_of_the_day"))
        story.complete(task)
        story.add("WorkflowExecutionCompleted", decisionTaskCompletedEventId=story.decided)
    executions = [RecordedExecution(HistoryWithRecords(story.history()), "narrow") for story in (one, other)]
    charts = [executions[0].gantt(), executions[0].concurrency(), executions[0].graph()]
    charts.append(executions[0].compare(executions[1]).gantt())
    with Chromium() as chromium:
        page = chromium.blank()
        page.add_script_tag(content=get_plotlyjs())
        for chart in charts:
            for width in WIDTHS:
                assert page.evaluate(CUT, [json.loads(chart.to_json()), width]) == []
                (_, subtitle), (top, _), _ = page.evaluate(TOPS_AND_BOTTOMS, [json.loads(chart.to_json()), width])
                assert subtitle <= top
        assert "nightly.load-the-warehouse-of-the-northern-shops-a" in charts[0].to_svg()


COVERING_OR_CUT = """async ([figure, width]) => {
    const at = document.createElement("div");
    document.body.replaceChildren(at);
    await Plotly.newPlot(at, figure.data, { ...figure.layout, width });
    const { left } = at.getBoundingClientRect();
    const found = [...at.querySelectorAll(".gtitle, .gtitle-subtitle, .xtitle")].filter(text => {
      const of = text.getBoundingClientRect();
      return of.left < left || of.right > left + width;
    }).map(text => text.textContent);
    for (const axis of [".xtick text", ".ytick text"]) {
      const boxes = [...at.querySelectorAll(axis)].map(text => [text.textContent, text.getBoundingClientRect()]);
      boxes.forEach(([one, a], place) => boxes.slice(place + 1).forEach(([other, b]) => {
        // Lines of texts have room above and below their letters.
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 6 && b.top < a.bottom - 6) {
          found.push(`${one} covers ${other}`);
        }
      }));
    }
    return found;
  }"""


def short_run() -> Story:
    """Three tasks of some milliseconds each."""
    story = Story("shop.quick")
    story.decide(0.004)
    for number in range(3):
        story.at(0.01 * number + 0.01).start(task := story.schedule(f"activity-shop.price-{number}", "shop.price"))
        story.at(0.01 * number + 0.015).complete(task)
    story.decide(0.003)
    story.end()
    return story


def test_times_and_tasks_are_readable_and_no_subtitle_is_cut_on_a_narrow_page() -> None:
    histories = [short_run().history(), waits_between_retries(), eventful(), forgotten_signal()]
    executions = [RecordedExecution(HistoryWithRecords(history), "narrow") for history in histories]
    charts = [chart for each in executions for chart in (each.gantt(), each.concurrency())]
    charts += [executions[0].gantt(elapsed=True), executions[0].compare(executions[1]).gantt()]
    with Chromium() as chromium:
        page = chromium.blank()
        page.add_script_tag(content=get_plotlyjs())
        for chart in charts:
            for width in (WIDTHS[0], WIDTHS[3]):
                assert page.evaluate(COVERING_OR_CUT, [json.loads(chart.to_json()), width]) == []
