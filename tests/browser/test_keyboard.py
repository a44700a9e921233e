"""The views by keyboard alone: each control is reached, seen and used, and Escape leads back to the notebook.

No key that is pressed in a view gets to the notebook.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.jupyterlab import Workbench, chromium_path
from tests.browser.test_harness import save_notebook
from tests.browser.test_live_view import CELLS
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Keyboard, Locator

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

VIEWS = {".sfl-live": "shown = lab.start(Pipeline, 3)\nshown", ".sfl-lab": "lab", ".sfl-debugger": "shown.debug()"}
CONTROLS = """root => [...root.querySelectorAll("button, input, select, canvas, summary, [tabindex]")]
    .filter(each => each.offsetParent !== null && each.tabIndex >= 0 && !each.disabled)"""
FOCUSED = """root => {
    const focused = document.activeElement, { outlineStyle } = getComputedStyle(focused);
    return root.contains(focused) ? focused.matches(":focus-visible") && outlineStyle !== "none" : null;
  }"""
OF_THE_NOTEBOOK = ["d", "d", "a", "b", "x", "m", "0", "0", "j", "k"]


def focused_one_after_the_other(view: Locator, keyboard: Keyboard) -> list[bool]:
    """Of each control whether it is seen that it has the focus; empty if the view changed meanwhile."""
    number = view.evaluate(f"root => ({CONTROLS})(root).length")
    view.evaluate(f"root => ({CONTROLS})(root)[0].focus()")
    is_seen = []
    while (seen := view.evaluate(FOCUSED)) is not None:
        is_seen.append(seen)
        keyboard.press("Tab")
    return is_seen if len(is_seen) == number else []


def test_each_control_is_reached_and_seen_and_escape_gives_the_keys_back(workbench: Workbench, tmp_path: Path) -> None:
    save_notebook(tmp_path / "keyboard.ipynb", [*CELLS[:2], *VIEWS.values()])
    page = workbench.open(tmp_path / "keyboard.ipynb", width=1100, height=4000)
    page.run_all()
    assert page.errors() == []
    keyboard = page.page.keyboard
    keyboard.press("Shift")  # the last test may have clicked: after that, what a script focuses has no outline
    live = page.cell(2).locator(".sfl-live")
    live.locator(".sfl-banner", has_text="signal go").wait_for()
    cells = page.page.locator(".jp-Notebook .jp-Cell")
    for index, name in enumerate(VIEWS, 2):
        view = page.cell(index).locator(name)
        view.wait_for()
        is_seen = until(functools.partial(focused_one_after_the_other, view, keyboard))
        assert len(is_seen) > 10
        assert all(is_seen)
        view.evaluate(f"root => ({CONTROLS})(root).find(each => each.localName === 'button').focus()")
        for key in OF_THE_NOTEBOOK:
            keyboard.press(key)
        assert (cells.count(), page.page.locator(".jp-Dialog").count()) == (5, 0)
        keyboard.press("Escape")
        if name == ".sfl-debugger":  # first to the view itself, which has keys of its own
            assert view.evaluate("root => root === document.activeElement")
            keyboard.press("Escape")
        page.page.wait_for_function("() => document.activeElement.matches('.jp-Cell')")

    live.get_by_role("tab", name="Tasks").focus()
    keyboard.press("Enter")
    live.get_by_role("button", name="task", exact=True).focus()
    keyboard.press("Enter")
    live.locator("th[aria-sort=ascending]").wait_for()
    keyboard.press("Enter")  # the same title has the focus
    live.locator("th[aria-sort=descending]").wait_for()
    live.get_by_label("tasks: arrows move").focus()
    keyboard.press("ArrowDown")
    live.get_by_role("button", name="activity-live.count-1").focus()  # depended on it
    for selected in ("live.count-1", "live.fetch-1", "live.count-1"):  # from one to the next
        keyboard.press("Enter")
        live.locator(".sfl-banner strong", has_text=selected).wait_for()
        page.page.wait_for_function("() => document.activeElement.matches('.sfl-live .sfl-banner button')")

    live.get_by_role("button", name="Terminate…").focus()
    keyboard.press("Enter")
    keyboard.press("Escape")  # not that
    live.get_by_role("button", name="Terminate…").wait_for()
    live.get_by_label("name of the signal").focus()
    keyboard.press("Tab")  # to its input
    keyboard.press("Enter")
    live.locator("header", has_text="COMPLETED").wait_for()
    assert page.console_errors == []
