"""The bug hunt of notebook 10, walked by a reader: run, and its debugger stepped through."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.browser.jupyterlab import NotebookPage, Workbench, chromium_path

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]
NOTEBOOK = "10-a-bug-hunt.ipynb"


@pytest.fixture
def page(workbench: Workbench, tmp_path: Path) -> NotebookPage:
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, tmp_path / NOTEBOOK)
    return workbench.open(tmp_path / NOTEBOOK, width=1300, height=9000)


def test_the_bug_is_found_by_a_reader_too(page: NotebookPage) -> None:
    page.run_all()
    assert page.errors() == []
    view, keys = page.page.locator(".sfl-debugger"), page.page.keyboard
    view.locator("h3", has_text="step 1 of 7").wait_for()  # where the last cell has moved it
    view.get_by_label("to the next step where this holds").fill("discount > 0")
    keys.press("Enter")
    view.locator("h3", has_text="step 3 of 7").wait_for()
    variables = view.get_by_label("variables", exact=True)

    def is_there(name: str, value: str) -> None:
        variables.locator(f"xpath=.//dt[.='{name}']/following-sibling::dd[1]").filter(has_text=value).wait_for()

    is_there("shop", "'Nice'")
    is_there("discount", "50")
    view.focus()
    keys.press("ArrowRight")
    is_there("shop", "'Pau'")
    is_there("discount", "50")
    assert page.console_errors == []
    assert page.external_requests == []
