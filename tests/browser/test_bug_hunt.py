"""The bug hunt of notebook 10, walked by a reader: run, and its debugger stepped through."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.jupyterlab import Chromium, JupyterLab, NotebookPage, chromium_path

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]
NOTEBOOK = "10-a-bug-hunt.ipynb"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[NotebookPage]:
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, tmp_path / NOTEBOOK)
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    with JupyterLab(tmp_path, environment=environment) as lab, Chromium(width=1300, height=9000) as chromium:
        yield chromium.open(lab, NOTEBOOK)


def test_the_bug_is_found_by_a_reader_too(page: NotebookPage) -> None:
    page.run_all()
    assert page.errors() == []
    view, keys = page.page.locator(".sfl-debugger"), page.page.keyboard
    view.locator("h3", has_text="step 1 of 7").wait_for()  # where the last cell has moved it
    view.get_by_label("to the next step where this holds").fill("discount > 0")
    keys.press("Enter")
    view.locator("h3", has_text="step 4 of 7").wait_for()
    variables = view.get_by_label("variables", exact=True)
    variables.locator("dd", has_text="'Nice'").wait_for()
    view.focus()
    keys.press("ArrowRight")
    variables.locator("dd", has_text="'Pau'").wait_for()
    discount = variables.locator("dt", has_text="discount").locator("xpath=following-sibling::dd[1]")
    assert (discount.text_content() or "").strip() == "50"
    assert page.console_errors == []
    assert page.external_requests == []
