"""The first tutorial as a newcomer sees it: cells run, charts are drawn, the status is live, no network is asked."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.browser.jupyterlab import Chromium, JupyterLab, chromium_path
from tests.examples_count import trials
from tests.waiting import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "notebooks/01-quickstart.ipynb"
WHOLE = 8000
"""Pixels: as high as the notebook, for JupyterLab draws only what is in sight."""
STATUS = ".jp-OutputArea .sfl-live"
COLLECT_STATUSES = """selector => {
    window.statuses = [];
    const collect = () => document.querySelectorAll(selector).forEach(one => window.statuses.push(one.textContent));
    new MutationObserver(collect).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
"""In the page: what the status said at any time, for a slow machine may draw it after it has changed again."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone, to run in and leave behind."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / NOTEBOOK, folder / NOTEBOOK)
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


@pytest.fixture(params=["Light", *trials(["Dark"])])
def theme(request: pytest.FixtureRequest) -> Literal["Light", "Dark"]:
    chosen: Literal["Light", "Dark"] = request.param
    return chosen


@pytest.fixture
def lab(clone: Path, tmp_path: Path, theme: Literal["Light", "Dark"]) -> Iterator[JupyterLab]:
    environment = {
        "SIMPLEFLOW_LAB_STORE": str(tmp_path / "own.sqlite"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    name: Literal["JupyterLab Light", "JupyterLab Dark"] = "JupyterLab Light" if theme == "Light" else "JupyterLab Dark"
    with JupyterLab(clone, theme=name, environment=environment) as lab:
        yield lab


def test_the_quickstart_runs_and_is_drawn(lab: JupyterLab, theme: Literal["Light", "Dark"], tmp_path: Path) -> None:
    with Chromium(dark=theme == "Dark", width=1100, height=WHOLE) as chromium:
        page = chromium.open(lab, NOTEBOOK)
        saved = page.outputs()
        page.page.locator("svg.main-svg .barlayer .point").first.wait_for()  # a reader sees charts before running them
        page.page.screenshot(path=tmp_path / "saved.png")
        page.page.evaluate(COLLECT_STATUSES, STATUS)
        page.start_all()
        page.page.locator(STATUS).first.wait_for()
        page.page.screenshot(path=tmp_path / "live.png")
        page.wait_until_run()

        statuses = page.page.evaluate("() => window.statuses.join('\\n')")
        # It moved. A slow machine may tell only some of what there was.
        assert re.search(r"\d completed, ▶ \d running", statuses)
        assert page.errors() == []
        outputs = page.outputs()
        assert [bool(cell) for cell in outputs] == [bool(cell) for cell in saved]
        drawn = [
            i for i, cell in enumerate(outputs) for one in cell if "application/vnd.plotly.v1+json" in one.mime_types
        ]
        assert len(drawn) == 2
        for index in drawn:
            page.cell(index).locator("svg.main-svg .barlayer .point").first.wait_for()
        # What was waited for stays, before its value.
        until(lambda: page.page.locator(f"{STATUS} header").get_by_text("COMPLETED").count() == 2)
        assert page.page.locator(STATUS).count() == 2
        for number in range(2):
            page.page.locator(".sfl-still").nth(number).wait_for(state="hidden")
        assert page.external_requests == []
        assert page.console_errors == []
        page.screenshot(tmp_path / "quickstart.png")
