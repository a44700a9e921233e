"""The debugger in JupyterLab: slider, keys, clicks and fields, what hostile texts become, and the next cell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.jupyterlab import Chromium, JupyterLab, NotebookPage, Workbench, chromium_path
from tests.browser.test_harness import save_notebook
from tests.examples_count import trials

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]
EVIL = "<img src=x onerror=alert(1)>"
LONG = "# a line of a long cell\n" * 40
IN_SIGHT = """row => {
    const [line, box] = [row, row.parentElement].map(element => element.getBoundingClientRect());
    return line.top >= box.top && line.bottom <= box.bottom;
}"""
CELLS = [
    "%load_ext simpleflow_lab\nfrom simpleflow_lab import Lab\nlab = Lab(':memory:')\n%simpleflow connect lab",
    f"""%%simpleflow
{LONG}from simpleflow_lab import Workflow, activity, futures

@activity.with_attributes(name="debug.price", task_list="debug", version="1", raises_on_failure=False)
def price(item):
    if item == 3:
        raise ValueError({EVIL!r})
    return item * 10

class Shop(Workflow):
    name, version, task_list = "debug.shop", "1", "debug"

    def check(self, prices):
        label = {EVIL!r}
        return self.submit(price, sum(prices)).result

    def run(self, count):
        prices = []
        for item in range(count):
            future = self.submit(price, item)
            prices.append(future.result or 0)
            print("paid", prices[-1], {EVIL!r})
        return self.check(prices)
""",
    "execution = lab.start(Shop, 6, workflow_id='shop')\nexecution.wait()\nexecution.status",
    "debugger = execution.debug()\ndebugger",
    "debugger.number, debugger.step.locals.get('item')",
    f"""%%simpleflow
class Sale(Workflow):
    name, version, task_list = "debug.sale", "1", "debug"

    def run(self):
        self.submit(self.wait_signal("go")).wait()
        rate = self.submit(price, 1).result
        return self.divided(rate)

    def divided(self, rate):
        raise ZeroDivisionError({EVIL!r})
""",
    "sale = lab.start(Sale)\nwhile sale.history()[-1].type != 'DecisionTaskCompleted': sale.wait(0.01)\nsale.debug()",
    "sale.signal('go')\nsale.wait()",
]


@pytest.fixture(params=["JupyterLab Light", *trials(["JupyterLab Dark"])])
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotebookPage]:
    save_notebook(tmp_path / "debug.ipynb", CELLS)
    if request.param == "JupyterLab Light":
        workbench: Workbench = request.getfixturevalue("workbench")
        yield workbench.open(tmp_path / "debug.ipynb", width=1300, height=2200)
        return
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    with (
        JupyterLab(tmp_path, theme=request.param, environment=environment) as lab,
        Chromium(width=1300, height=2200, dark=True) as chromium,
    ):
        yield chromium.open(lab, "debug.ipynb")


def has_text(place: Locator, text: str) -> None:
    place.filter(has_text=text).first.wait_for()


def test_a_reader_steps_through_an_execution(page: NotebookPage, tmp_path: Path) -> None:
    page.run_all()
    assert page.errors() == []
    view = page.cell(3).locator(".sfl-debugger")
    view.wait_for()
    still = page.cell(3).locator(".sfl-still")
    still.wait_for(state="hidden")
    heading, keys = view.locator("h3"), page.page.keyboard
    has_text(heading, "step 7 of 8")
    has_text(view.locator(".sfl-opened"), "opened at the last step in which the code waits")
    page.page.wait_for_function(f"() => ({IN_SIGHT})(document.querySelector('.sfl-line.sfl-waits'))")

    # The marks are as wide as the slider below them.
    wide = "() => ['.sfl-marks', '.sfl-track'].map(name => Math.round(document.querySelector(name).clientWidth))"
    page.page.wait_for_function(f"() => {{ const [marks, track] = ({wide})(); return marks === track; }}")

    # By keys, of which the notebook sees none: "d d" would delete the cell, "c" copy it.
    cells = page.page.locator(".jp-Notebook .jp-Cell").count()
    view.focus()
    keys.press("Home")
    has_text(heading, "step 1 of 8")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    has_text(heading, "step 3 of 8")
    has_text(view.locator(".sfl-trigger"), "activity debug.price-2 completed")
    keys.press("d")
    keys.press("d")
    has_text(view.locator(".sfl-notice"), "the code makes all 8 decisions as they were recorded")
    keys.press("x")
    keys.press("f")
    has_text(heading, "step 5 of 8")
    has_text(view.locator(".sfl-trigger"), "failed")
    keys.press("?")
    has_text(view.get_by_role("dialog"), "ten steps back")
    keys.press("Escape")
    view.get_by_role("dialog").wait_for(state="detached")
    assert page.page.locator(".jp-Notebook .jp-Cell").count() == cells

    # The source says where it waits and what ran; the variables are those of that moment, and hostile texts are texts.
    waits = view.locator(".sfl-line.sfl-waits")
    has_text(waits, "prices.append(future.result or 0)")
    assert "▶" in (waits.locator(".sfl-gutter").text_content() or "")
    has_text(view.locator(".sfl-line.sfl-ran"), 'print("paid"')
    variables = view.get_by_label("variables", exact=True)
    has_text(variables.locator("dd"), "[0, 10, 20, 0]")
    has_text(view.get_by_label("output"), f"paid 0 {EVIL}")

    # A click on a future goes to its line, its events and its bar.
    futures = view.get_by_role("grid", name="futures")
    view.get_by_label("which futures").select_option("all")
    has_text(futures.locator(".sfl-future"), "price-2")
    assert futures.locator(".sfl-id", has_text="debug.price").count() == 0  # short names, as in charts
    futures.locator(".sfl-future", has_text="price-5").click()
    has_text(view.locator(".sfl-line.sfl-chosen"), "future = self.submit(price, item)")
    has_text(view.locator(".sfl-event.sfl-chosen"), "activity debug.price-5 scheduled")
    futures.focus()
    keys.press("ArrowUp")
    has_text(view.locator(".sfl-detail"), EVIL)
    has_text(view.locator(".sfl-detail code"), '"args"')
    event = view.locator(".sfl-detail button").last
    event.click()
    has_text(heading, "step 5 of 8")
    view.get_by_label("filter the futures").fill("failed")
    has_text(view, "1 of 5")
    view.get_by_label("filter the futures").fill("")

    # Fields: an event, a line, a condition.
    view.get_by_label("to the step of this event").fill("5")
    keys.press("Enter")
    has_text(heading, "step 1 of 8")
    condition = view.get_by_label("to the next step where this holds")
    condition.fill("sum(prices) > 50")
    keys.press("Enter")
    has_text(heading, "step 6 of 8")
    condition.fill("no such thing")
    keys.press("Enter")
    has_text(view.locator(".sfl-notice"), "is no Python expression")
    view.get_by_label("to the next step in which this line ran").fill(str(LONG.count("\n") + 15))
    keys.press("Enter")
    has_text(heading, "step 7 of 8")
    has_text(view.locator(".sfl-line.sfl-waits"), "return self.submit(price, sum(prices)).result")
    has_text(view.locator(".sfl-line.sfl-caller"), "return self.check(prices)")
    has_text(variables.locator("dd"), EVIL)

    # The slider, and the next cell, which sees where it stands.
    view.get_by_role("slider", name="step").fill("4")
    has_text(heading, "step 4 of 8")
    chart = view.locator(".sfl-chart canvas")
    assert "7 tasks" in (chart.get_attribute("aria-label") or "")
    page.screenshot(tmp_path / "debugger.png")
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex = 4")
    page.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    has_text(page.cell(4).locator(".jp-OutputArea-output"), "(4, 3)")

    # A view of an execution that went on says so, and shows it when it is told to; where `run` raised is its traceback.
    sale = page.cell(6).locator(".sfl-debugger")
    sale.scroll_into_view_if_needed()
    has_text(sale.locator(".sfl-news"), "2 new decisions · r to read them")
    has_text(sale.locator("h3"), "step 1 of 1")
    sale.focus()
    keys.press("r")
    has_text(sale.locator("h3"), "step 1 of 3")
    sale.locator(".sfl-news").wait_for(state="detached")
    keys.press("End")
    has_text(sale.get_by_label("traceback"), EVIL)
    has_text(sale.locator(".sfl-line.sfl-raised"), "raise ZeroDivisionError")
    has_text(sale.locator(".sfl-line.sfl-caller"), "return self.divided(rate)")
    has_text(sale.get_by_label("variables", exact=True).locator("dd"), "10")
    sale.get_by_label("traceback").get_by_role("button").first.click()
    has_text(sale.locator(".sfl-line.sfl-chosen"), "return self.divided(rate)")
    page.screenshot(tmp_path / "raised.png")

    assert page.page.locator("img[src='x']").count() == 0
    assert page.console_errors == []
    assert page.external_requests == []

    # Where there is no kernel any more, a saved notebook shows the step.
    page.page.wait_for_function("still => still.textContent.includes('step 4 of shop')", arg=still.element_handle())
    page.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")
    page.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => null)"
    )
    page.load(page.page.url + "?reset")
    page.cell(3).locator(".sfl-still").get_by_text("step 4 of shop").wait_for()
    assert page.page.locator("img[src='x']").count() == 0
