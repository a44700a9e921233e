"""The tutorial on where the time goes, in JupyterLab: it runs, and every chart of it is drawn, saved and run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import nbformat
import pytest

from tests.browser.jupyterlab import Chromium, JupyterLab, chromium_path
from tests.examples_count import trials

pytestmark = [
    pytest.mark.trial,  # nbval runs these notebooks in every run
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "notebooks/08-where-the-time-goes.ipynb"
WHOLE = 16_000
"""Pixels: as high as the notebook, for JupyterLab draws only what is in sight."""
PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(params=["Light", *trials(["Dark"])])
def theme(request: pytest.FixtureRequest) -> Literal["Light", "Dark"]:
    chosen: Literal["Light", "Dark"] = request.param
    return chosen


@pytest.fixture
def lab(tmp_path: Path, theme: Literal["Light", "Dark"]) -> Iterator[JupyterLab]:
    clone = tmp_path / "clone"
    (clone / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / NOTEBOOK, clone / NOTEBOOK)
    environment = {
        "SIMPLEFLOW_LAB_STORE": str(tmp_path / "own.sqlite"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    name: Literal["JupyterLab Light", "JupyterLab Dark"] = "JupyterLab Light" if theme == "Light" else "JupyterLab Dark"
    with JupyterLab(clone, theme=name, environment=environment) as lab:
        yield lab


def test_the_tutorial_runs_and_every_chart_is_drawn(
    lab: JupyterLab, theme: Literal["Light", "Dark"], tmp_path: Path
) -> None:
    charts = [
        cell
        for cell in nbformat.read(ROOT / NOTEBOOK, as_version=4).cells
        if any(PLOTLY in output.get("data", {}) for output in cell.get("outputs", ()))
    ]

    with Chromium(dark=theme == "Dark", width=1100, height=WHOLE) as chromium:
        page = chromium.open(lab, NOTEBOOK)
        page.page.locator("svg.main-svg").first.wait_for()
        page.page.screenshot(path=tmp_path / "saved.png")
        page.start_all()
        page.wait_until_run()

        assert page.errors() == []
        drawn = [i for i, cell in enumerate(page.outputs()) for one in cell if PLOTLY in one.mime_types]
        assert len(drawn) == len(charts) == 5
        for index in drawn:
            page.cell(index).locator("svg.main-svg .trace").first.wait_for()
        assert page.external_requests == []
        assert page.console_errors == []
        page.screenshot(tmp_path / "run.png")
