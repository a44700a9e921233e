"""The live view in JupyterLab: it moves, filters and zooms, takes clicks while a cell blocks, and leaves a summary."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simpleflow_lab.notebook.widget_messages import module_of
from tests.browser.jupyterlab import NotebookPage, Workbench, chromium_path
from tests.browser.test_harness import save_notebook
from tests.browser.test_lab_view import CUT
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

EVIL = "<img src=x onerror=alert(1)>"
BACKWARDS = "\u202e"
CELLS = [
    "%load_ext simpleflow_lab\nfrom simpleflow_lab import Lab\nlab = Lab(':memory:')\n%simpleflow connect lab",
    f"""%%simpleflow
from simpleflow_lab import Workflow, activity, futures

@activity.with_attributes(name="live.fetch", task_list="live", version="1")
def fetch(page):
    print("page", page)
    if page == 5:
        raise ValueError({EVIL!r} + "\\u202e backwards")
    return page

@activity.with_attributes(name="live.count", task_list="live", version="1")
def count(*pages):
    return len(pages)

class Pipeline(Workflow):
    name, version, task_list = "live.pipeline", "1", "live"

    def run(self, pages):
        fetched = [self.submit(fetch, page) for page in range(pages)]
        self.submit(count, fetched[0], fetched[-1])
        futures.wait(fetched)
        self.submit(self.wait_signal("go")).wait()
        return pages
""",
    "print('a line\\n' * 60)\nlab.start(Pipeline, 40, workflow_id='shown')",
    "%simpleflow workflow.start Pipeline --workflow-id blocks --input '[3]'",
]


@pytest.fixture
def page(workbench: Workbench, tmp_path: Path) -> NotebookPage:
    save_notebook(tmp_path / "live.ipynb", CELLS)
    return workbench.open(tmp_path / "live.ipynb", width=1100, height=3000)


def has_text(place: Locator, text: str) -> None:
    place.filter(has_text=text).first.wait_for()


def test_an_execution_is_followed_looked_into_and_acted_on(page: NotebookPage, tmp_path: Path) -> None:
    page.start_all()
    view = page.cell(2).locator(".sfl-live")
    has_text(view.locator("header"), "OPEN")
    has_text(view, "40 completed, ✗ 1 failed")

    # Many prints do not push the view out of sight, and can be read.
    prints = page.cell(2).locator("[data-mime-type='application/vnd.jupyter.stdout']").first
    has_text(prints, "a line")
    assert prints.evaluate("one => one.clientHeight < 300 && one.scrollHeight > one.clientHeight")

    # The last cell blocks the kernel; what it waits for is sent from its own view.
    blocking = page.cell(3).locator(".sfl-live")
    has_text(blocking, "signal go")
    has_text(page.cell(3).locator(".jp-InputPrompt"), "[*]")
    blocking.get_by_role("button", name="Send signal").click()
    page.wait_until_run()
    has_text(page.cell(3), "COMPLETED")
    assert page.cell(3).locator(".sfl-live").count() == 1  # in the place of the cell's value

    # What a screen reader is told, and by which names it finds its way.
    cell = page.cell(2)
    cell.get_by_role("region", name="live view of shown").wait_for()
    has_text(view.get_by_role("status"), "OPEN, 1 failed attempt, waits for signal go")
    view.get_by_role("list", name="waits for").wait_for()
    view.get_by_role("tablist", name="parts of the view").get_by_role("tab", name="Gantt chart").press("ArrowRight")
    view.get_by_role("grid", name="tasks").wait_for()
    has_text(view.locator("tbody tr").first, "failed")  # failures first
    view.get_by_role("group", name="tasks: arrows move").press("ArrowDown")
    has_text(view.get_by_role("status"), "ValueError")
    view.get_by_label("filter the tasks").fill("fetch-12")
    has_text(view, "1 of 41 attempts")
    task = view.locator("tbody tr").first.locator("td").nth(1)
    assert (task.inner_text(), task.get_attribute("title")) == ("fetch-12", "activity-live.fetch-12")
    # A table that changes while a row is pressed does not take the click from it.
    task.hover()
    page.page.mouse.down()
    view.get_by_label("filter the tasks").evaluate(
        "field => { field.value = 'live.fetch'; field.dispatchEvent(new Event('input')); }"
    )
    page.page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    page.page.mouse.up()
    has_text(view.locator(".sfl-banner"), "activity-live.fetch-12 ✓ completed on live, worker")
    has_text(view, "40 of 41 attempts")
    view.get_by_label("filter the tasks").fill("live.count")
    has_text(view.locator("tbody tr").first, "count")
    view.locator("tbody tr").first.click()
    has_text(view.locator(".sfl-banner"), "depended on:")
    view.get_by_role("button", name="activity-live.fetch-1", exact=True).wait_for()
    view.get_by_label("filter the tasks").fill("")
    has_text(view.locator("tbody tr"), "↑ fetch-1")  # told by a sign, not by colour alone
    view.get_by_role("button", name="activity-live.fetch-40").press("Enter")
    view.get_by_role("button", name="activity-live.count-1", exact=True).wait_for()  # depended on it
    view.get_by_role("tab", name="Failures: 1 attempt").press("Enter")
    view.locator("summary", has_text="ValueError").click()
    has_text(view.locator("pre"), EVIL)
    has_text(view, f"{EVIL}� backwards")
    assert BACKWARDS not in view.inner_text()
    view.get_by_role("tab", name="Output").click()
    has_text(view.locator("pre"), "page 39")

    view.get_by_role("tab", name="Gantt chart").click()
    chart = view.locator("canvas")
    view.locator("canvas[aria-label*='41 tasks in 2 lanes, from 0 ms']").wait_for()
    chart.focus()
    page.page.keyboard.press("+")
    page.page.wait_for_function(
        "([one, text]) => !one.ariaLabel.includes(text)", arg=[chart.element_handle(), "from 0 ms"]
    )
    page.page.screenshot(path=tmp_path / "live.png")
    assert page.page.locator("img[src='x']").count() == 0

    view.get_by_role("button", name="Cancel…").click()
    view.get_by_role("button", name="Request cancellation?").click()
    has_text(view.locator("header"), "CANCELED")
    has_text(view.locator(".sfl-explained"), "CANCELED")
    still = page.cell(2).locator(".sfl-still")
    # The view stays, to look into, and is drawn again at the cell's end; behind it is what a saved notebook shows.
    still.wait_for(state="hidden")
    page.page.screenshot(path=tmp_path / "closed.png")
    view.get_by_role("button", name="Restart…").click()
    view.get_by_role("button", name="Start it again?").click()
    has_text(view.locator("header"), "OPEN")
    has_text(view, "40 completed, ✗ 1 failed")
    view.get_by_role("button", name="Send signal").click()
    has_text(view.locator("header"), "COMPLETED")
    still.locator(".sfl-badge", has_text="COMPLETED").first.wait_for(state="attached")
    still.wait_for(state="hidden")
    assert still.locator("img").count() == 1
    widget = "application/vnd.jupyter.widget-view+json"
    forms = [[set(one.mime_types) for one in cell if one.kind != "stream"] for cell in page.outputs()[2:]]
    assert forms == [
        [{"text/plain", "text/html"}, {widget, "text/plain"}],
        [{widget, "text/plain"}, {"text/plain", "text/html"}],
    ]
    page.cell(3).locator(".sfl-still").wait_for(state="hidden")
    assert page.errors() == []
    assert page.console_errors == []
    assert page.external_requests == []


def test_a_view_outlives_that_its_page_is_loaded_again_and_says_that_its_kernel_has_gone(page: NotebookPage) -> None:
    page.start_all()
    page.cell(3).get_by_role("button", name="Send signal").click()
    page.wait_until_run()
    view = page.cell(2).locator(".sfl-live")
    view.get_by_role("button", name="Terminate…").click()
    view.get_by_role("button", name="End it now?").click()
    has_text(view.locator("header"), "TERMINATED")
    page.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")
    page.page.reload()
    has_text(view.locator("header"), "TERMINATED")
    for index in (2, 3):
        page.cell(index).locator(".sfl-still").wait_for(state="hidden")
    view.get_by_role("tab", name="Tasks").click()
    view.locator("tbody tr").nth(12).wait_for()  # as many as fit, at the first look
    page.page.set_viewport_size({"width": 320, "height": 3000})
    has_text(view.locator("td"), "completed")
    until(lambda: view.evaluate(CUT, "th, td:first-child, td.sfl-number") == [])  # the table scrolls
    page.page.set_viewport_size({"width": 1100, "height": 3000})
    view.get_by_role("button", name="Restart…").click()
    view.get_by_role("button", name="Start it again?").click()
    has_text(view.locator("header"), "▶ OPEN")
    assert view.get_by_role("button", name="Terminate…").is_enabled()

    page.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => null)"
    )

    has_text(view, "its kernel has gone")
    has_text(view.locator("header"), "was OPEN")
    assert view.get_by_role("button", name="Terminate…").is_disabled()


GIVES_UP = """
const inTime = window.setTimeout.bind(window);
window.setTimeout = (act, delay, ...values) => inTime(act, delay === 100 ? 5000 : delay, ...values);
"""
"""ipywidgets' manager looks for a model every 100 ms, for two seconds: here once, as in a page that is slow, and again
when the time is over and the models have come."""
AGAIN = """() => {
    for (const cell of window.jupyterapp.shell.currentWidget.content.model.cells)
        for (let at = 0; at < (cell.outputs?.length ?? 0); at++) {
            const { data, metadata } = cell.outputs.get(at);
            cell.outputs.get(at).setData({ data, metadata });
        }
}"""


def test_views_that_a_slow_page_gave_up_are_drawn_when_their_models_have_come(
    workbench: Workbench, tmp_path: Path
) -> None:
    show_all = ["lab.start(Pipeline, 3, workflow_id='open')", "lab", "lab.execution('open').debug()"]
    save_notebook(tmp_path / "slow.ipynb", [*CELLS[:2], *show_all])
    first = workbench.open(tmp_path / "slow.ipynb", width=1100, height=3000)
    first.run_all()
    first.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")

    page = workbench.load(tmp_path / "slow.ipynb", width=1100, height=3000, first=GIVES_UP)
    for index, view in ((2, ".sfl-live"), (3, ".sfl-lab"), (4, ".sfl-debugger")):
        page.cell(index).locator(view).wait_for()
        page.cell(index).locator(".sfl-still").wait_for(state="hidden")

    # What the reader chose outlives that an output is drawn again.
    tasks = page.cell(2).get_by_role("tab", name="Tasks")
    tasks.click()
    shown = page.cell(2).locator(".sfl-live").element_handle()
    page.page.evaluate(AGAIN)
    page.page.wait_for_function("shown => !shown.isConnected", arg=shown)
    tasks.and_(page.page.locator("[aria-selected=true]")).wait_for()
    page.page.context.close()


def test_of_a_view_whose_cell_runs_again_nothing_stays_in_the_page(page: NotebookPage) -> None:
    page.start_all()
    page.cell(3).get_by_role("button", name="Send signal").click()
    page.wait_until_run()
    for _ in range(6):
        shown = page.cell(2).locator(".sfl-live").element_handle()
        page.page.evaluate(
            """() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2;
                window.jupyterapp.commands.execute("notebook:run-cell"); }"""
        )
        page.page.wait_for_function("shown => !shown.isConnected", arg=shown)
        page.cell(2).locator(".sfl-live").wait_for()
        shown.dispose()  # else it would keep what it names
    session = page.page.context.new_cdp_session(page.page)

    def canvases() -> int:
        session.send("HeapProfiler.collectGarbage")
        prototype = session.send("Runtime.evaluate", {"expression": "HTMLCanvasElement.prototype"})["result"]
        found = session.send("Runtime.queryObjects", {"prototypeObjectId": prototype["objectId"]})["objects"]
        number = session.send(
            "Runtime.callFunctionOn",
            {"objectId": found["objectId"], "functionDeclaration": "function() { return this.length; }"},
        )
        session.send("Runtime.releaseObject", {"objectId": found["objectId"]})
        return int(number["result"]["value"])

    # The page may hold the one that has gone last; of six, one after the other, no more.
    until(lambda: canvases() <= page.page.locator("canvas").count() + 1)
    assert page.console_errors == []


def test_a_task_that_the_close_cut_off_is_told_from_others_without_colours(page: NotebookPage) -> None:
    alphas = page.page.evaluate(
        """source => {
            const canvas = document.createElement("canvas"), g = canvas.getContext("2d");
            new Function("g", `${source}
                g.fillStyle = "#a3705c"; drawBar(g, 10, 10, 40, 12, false); drawBar(g, 70, 10, 40, 12, true);`)(g);
            return [[30, 16], [70, 16], [90, 16]].map(([x, y]) => g.getImageData(x, y, 1, 1).data[3]);
        }""",
        module_of(),
    )
    inside, edge, hollow = alphas
    assert inside == 255
    assert edge > 200
    assert 80 < hollow < 130


def test_bars_of_a_row_never_meet_and_a_bar_keeps_its_row_while_others_change(page: NotebookPage) -> None:
    found = page.page.evaluate(
        """source => {
            const newLanes = new Function(`${source} return newLanes;`)(), lanes = newLanes(), rowOf = new Map();
            let seed = 7, moved = 0;
            const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
            const bars = Array.from({ length: 500 }, (_, key) =>
                ({ key, name: `task ${key % 3}`, began: key * random(), took: 40 * random() }));
            // as a view is told of them: each waits, runs and ends; some are told of late
            const told = bars.flatMap(bar => [[bar.began - 5, bar, true, null], [bar.began, bar, false, null],
                [bar.began + bar.took + 9 * random(), bar, false, bar.began + bar.took]]).sort((a, b) => a[0] - b[0]);
            for (const [, { key, name, began }, isQueued, end] of told) {
                lanes.put(key, name, began, end, isQueued);
                lanes.arranged().lanes.forEach(lane => lane.rows.forEach(row => row.keys.forEach(one => {
                    if (rowOf.has(one) && rowOf.get(one) !== row) moved++;
                    rowOf.set(one, row);
                })));
            }
            const { lanes: shown, total } = lanes.arranged();
            const meet = shown.flatMap(lane => lane.rows).filter(({ keys }) => keys.some((key, at) =>
                at && bars[keys[at - 1]].began + bars[keys[at - 1]].took > bars[key].began + 1e-9)).length;
            const high = shown.reduce((sum, lane) => sum + lane.height, 0);
            return [rowOf.size, moved, meet, shown.every(lane => lane.queued.size === 0), total === high];
        }""",
        module_of("lanes.js"),
    )
    assert found == [500, 0, 0, True, True]


def test_of_bars_that_lie_on_each_other_those_that_would_not_be_seen_are_left_out(page: NotebookPage) -> None:
    bars = [(0, 10, "a"), (2, 10.2, "a"), (4, 20, "a"), (5, 19, "b"), (19, 30, "b"), (40, 41, "b")]
    drawn = page.page.evaluate(
        """([source, bars]) => {
            const covered = new Function(`${source} return newCover;`)()();
            return bars.map(([left, right, look]) => covered(left, right, look));
        }""",
        [module_of("lanes.js", "live_chart.js"), bars],
    )
    assert drawn == [0, None, 10, 5, 19, 40]


def test_the_times_of_an_axis_do_not_cover_each_other_however_narrow_it_is(page: NotebookPage) -> None:
    spans = [(0, 0.004), (0, 10.9), (3.1, 9.7), (-2, 11), (0, 59), (0, 4000), (600, 90_000), (0, 3e6)]
    charts = page.page.evaluate(
        """([source, spans, widths]) => {
            const axisMarks = new Function(`${source} return axisMarks;`)(), wide = text => 6 * text.length;
            return spans.flatMap(([from, to]) => widths.map(width => axisMarks(from, to, width, wide)
                .filter(({ text }) => text).map(({ text, left }) => [left, left + wide(text), width])));
        }""",
        [module_of("lanes.js", "live_chart.js"), spans, [240, 310, 420, 600, 1200]],
    )
    for texts in charts:
        assert texts
        assert all(left >= 130 and right <= width for left, right, width in texts)
        assert all(right + 4 <= left for (_, right, _), (left, _, _) in itertools.pairwise(texts))
    assert max(map(len, charts)) > 4
