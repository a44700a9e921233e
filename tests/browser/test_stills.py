"""What is left of a live view where there is no kernel: in a saved notebook, and on a page made of it."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.browser.jupyterlab import Chromium, JupyterLab, NotebookPage, chromium_path
from tests.browser.test_harness import save_notebook
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]
EVIL = "<img src=x onerror=alert(1)>"
CELLS = [
    """%load_ext simpleflow_lab
from simpleflow_lab import Lab
lab = Lab(':memory:')
%simpleflow connect lab

def prints(message):
    if any("widget-view" in kind for kind in message["content"].get("data", {})):
        print("what a worker prints", flush=True)
    return message

get_ipython().display_pub.register_hook(prints)  # between the still picture and the view""",
    f"""%%simpleflow
from simpleflow_lab import Workflow, activity

@activity.with_attributes(name="still.{EVIL}", task_list="still", version="1")
def fetch(page):
    return {EVIL!r}

class Pipeline(Workflow):
    name, version, task_list = "still.pipeline", "1", "still"

    def run(self):
        self.submit(fetch, 1).wait()
        self.submit(self.wait_signal("go")).wait()
""",
    "open_one = lab.start(Pipeline, workflow_id='open')\n"
    "for _ in open_one.watch(timeout=200):\n"
    "    if open_one.progress().completed:\n"
    "        break\n"
    "open_one",
    "import asyncio\nawaited = lab.start(Pipeline, workflow_id='awaited')\n"
    "asyncio.get_running_loop().call_later(1, awaited.signal, 'go')\nawait awaited",
    "import threading\nthreading.Timer(1, lambda: lab.execution('blocking').signal('go')).start()\n"
    "%simpleflow workflow.start Pipeline --workflow-id blocking",
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[JupyterLab]:
    save_notebook(tmp_path / "still.ipynb", CELLS)
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    with JupyterLab(tmp_path, environment=environment, theme="JupyterLab Dark") as lab:
        yield lab


def has_a_picture(place: Locator) -> bool:
    """Whether its picture is there, and not a sign that it can't be shown."""
    return bool(place.locator("img").evaluate("one => one.complete && one.naturalWidth > 300"))


def saved(page: NotebookPage) -> None:
    page.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")


def test_a_saved_notebook_and_a_page_made_of_it_show_the_last_state(lab: JupyterLab, tmp_path: Path) -> None:
    with Chromium(width=1100, height=1400) as chromium:
        page = chromium.open(lab, "still.ipynb")
        page.run_all()
        cell = page.cell(2)
        cell.locator(".sfl-live header").wait_for()
        cell.locator(".sfl-still").wait_for(state="hidden")
        for index in (3, 4):  # what a cell waited for stays
            page.cell(index).locator(".sfl-live header").get_by_text("COMPLETED").wait_for()
            page.cell(index).locator(".sfl-still").wait_for(state="hidden")
        kinds = [[each.kind for each in page.outputs()[index]] for index in (2, 3)]
        assert kinds == [
            ["display_data", "stream", "display_data"],
            ["stream", "display_data", "stream", "display_data"],
        ]
        saved(page)
        page.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => null)"
        )

        again = chromium.open(lab, "still.ipynb")
        still = again.cell(2).locator(".sfl-still")
        still.get_by_text("while it was open").wait_for()
        assert still.is_visible()
        assert "signal go" in still.inner_text()
        assert again.cell(2).locator(".sfl-live").count() == 0
        for text in ("model not found", "Loading widget"):
            assert not again.cell(2).get_by_text(text).is_visible()
        for index in (3, 4):
            closed = again.cell(index).locator(".sfl-still")
            closed.locator(".sfl-badge", has_text="COMPLETED").first.wait_for()
            assert closed.count() == 1
            until(functools.partial(has_a_picture, closed))
            assert not again.cell(index).get_by_text("model not found").is_visible()
        until(lambda: has_a_picture(still))
        again.page.screenshot(path=tmp_path / "again.png")
        for each in (page, again):
            assert each.page.locator("img[src='x']").count() == 0
            assert each.external_requests == []

        from nbconvert import HTMLExporter  # large, and collected by every process

        exporter: Any = HTMLExporter()  # type: ignore[no-untyped-call]
        html, _ = exporter.from_notebook_node(nbformat.read(tmp_path / "still.ipynb", as_version=4))
        exported = page.page.context.new_page()
        exported.route("**/*", lambda route: route.abort())  # what nbconvert wants from the network
        exported.set_content(html)
        for number in range(3):
            exported.locator(".sfl-still").nth(number).wait_for()
        exported_still = exported.locator(".sfl-still").first
        assert "signal go" in exported_still.inner_text()
        until(lambda: has_a_picture(exported_still))
        exported.screenshot(path=tmp_path / "page.png")
        assert exported.locator("img[src='x']").count() == 0
