"""Tutorials that end in pictures, in JupyterLab: they run from top to bottom, and their charts are drawn."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.jupyterlab import Chromium, JupyterLab, chromium_path

pytestmark = [
    pytest.mark.trial,  # nbval runs these notebooks in every run
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).resolve().parents[2]
CHARTS = {"07-live-work": 1, "09-somebody-elses-history": 2}
"""By notebook: how many charts it draws."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """JupyterLab on a copy of the tutorials."""
    folder = tmp_path_factory.mktemp("tutorials")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("__pycache__", "src"))
    environment = {
        "SIMPLEFLOW_LAB_STORE": str(folder / "own.sqlite"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    with JupyterLab(folder, environment=environment) as lab:
        yield lab


@pytest.mark.parametrize("name", CHARTS)
def test_a_tutorial_runs_and_draws_its_charts(lab: JupyterLab, name: str, tmp_path: Path) -> None:
    with Chromium(width=1100, height=9000) as chromium:
        page = chromium.open(lab, f"notebooks/{name}.ipynb")
        saved = page.outputs()
        page.start_all()
        page.wait_until_run()
        assert page.errors() == []
        outputs = page.outputs()
        assert [bool(cell) for cell in outputs] == [bool(cell) for cell in saved]
        charts = [
            i for i, cell in enumerate(outputs) for one in cell if "application/vnd.plotly.v1+json" in one.mime_types
        ]
        assert len(charts) == CHARTS[name]
        for index in charts:
            page.cell(index).locator("svg.main-svg").first.wait_for()
        assert page.external_requests == []
        page.screenshot(tmp_path / f"{name}.png")
