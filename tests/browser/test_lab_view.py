"""A Lab in JupyterLab: its executions are filtered, its workers scaled and stopped, and a saved notebook shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simpleflow_lab import notebook
from tests.browser.jupyterlab import Chromium, Workbench, chromium_path
from tests.browser.test_harness import save_notebook
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

EVIL = "<img src=x onerror=alert(1)>"
CELLS = [
    "%load_ext simpleflow_lab\nfrom simpleflow_lab import Lab, Workflow, activity\nlab = Lab('lab.sqlite')",
    """@activity.with_attributes(name="seen.fetch", task_list="fetching", version="1")
def fetch(page):
    return page

class Pipeline(Workflow):
    name, version, task_list = "seen.pipeline", "1", "deciding"

    def run(self, waits):
        self.submit(fetch, 1).wait()
        if waits:
            self.submit(self.wait_signal("go")).wait()
""",
    f"lab.start(Pipeline, False, workflow_id='quick').result()\n"
    f"waiting = lab.start(Pipeline, True, workflow_id={EVIL!r})\n"
    "for _ in waiting.watch(timeout=200):\n"
    "    if 'signal go' in waiting.waits_in_short():\n"
    "        break\n"
    "lab",
]


CUT = """(view, cells) => [...view.querySelectorAll(cells)].filter(cell => cell.scrollWidth > cell.clientWidth)
    .map(cell => cell.textContent)"""
"""The texts of cells that their columns are too narrow for."""


def has_text(place: Locator, text: str) -> None:
    place.filter(has_text=text).first.wait_for()


def test_a_long_error_of_a_worker_and_a_long_workflow_id_stay_in_the_view() -> None:
    css = Path(notebook.__file__).with_name("live_view.css").read_text()
    long = "x" * 300
    with Chromium() as chromium:
        page = chromium.blank()
        for width in (400, 1100):
            page.set_viewport_size({"width": width, "height": 600})
            page.set_content(
                f"<style>{css}</style><div class='sfl-live sfl-lab'><header><h3>type</h3><span>{long}</span></header>"
                f"<div class='sfl-row'><span>polling, last error: {long}</span><button>Stop</button></div></div>"
            )
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_lab_is_looked_at_and_its_workers_are_driven(workbench: Workbench, tmp_path: Path) -> None:
    save_notebook(tmp_path / "lab.ipynb", CELLS)
    page = workbench.open(tmp_path / "lab.ipynb", width=1100, height=1800)
    page.run_all()
    view = page.cell(2).locator(".sfl-lab")
    has_text(view, "this process, which owns the store")
    has_text(view, "1 open, 1 closed")
    has_text(view.locator("tr"), "signal go")
    page.cell(2).locator(".sfl-still").wait_for(state="hidden")
    page.page.screenshot(path=tmp_path / "lab.png")

    page.cell(2).get_by_role("region", name="live view of a Lab").wait_for()
    view.get_by_role("table", name="executions").wait_for()
    view.get_by_role("table", name="task lists").wait_for()
    view.get_by_label("filter the executions").fill("quick")
    has_text(view, "1 of the latest 2")
    view.get_by_label("which executions").select_option("open")
    has_text(view, "0 of the latest 2")

    view.get_by_label("which executions").select_option("all")
    page.page.set_viewport_size({"width": 320, "height": 1800})
    has_text(view.locator("td"), "COMPLETED")
    until(lambda: view.evaluate(CUT, "td:nth-child(3), td:nth-child(5)") == [])
    page.page.set_viewport_size({"width": 1100, "height": 1800})

    worker = view.locator("[data-worker='activity worker fetching']")
    worker.get_by_label("activities at once on fetching").fill("2")
    worker.get_by_role("button", name="Scale").press("Enter")
    has_text(view, "an activity worker of fetching runs 2 at once")
    worker.get_by_role("button", name="Stop").click()
    has_text(worker, "stopped")
    worker.get_by_role("button", name="Start").click()
    has_text(worker, "polling")

    page.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")
    page.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => null)"
    )
    again = workbench.load(tmp_path / "lab.ipynb", width=1100, height=1800)
    still = again.cell(2).locator(".sfl-still")
    has_text(still, "1 open, 1 closed")
    assert still.is_visible()
    for one in (page, again):
        assert one.page.locator("img[src='x']").count() == 0
        assert one.errors() == []
        assert one.external_requests == []
    again.page.screenshot(path=tmp_path / "saved.png")
