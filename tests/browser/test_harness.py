"""The harness itself: charts and widgets draw in JupyterLab with no network, and a call for the network is noticed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.browser.jupyterlab import Workbench, chromium_path

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

FIGURE_AND_SLIDER = [
    "import ipywidgets, plotly.graph_objects as go\ngo.Figure(go.Bar(x=['a', 'b'], y=[1, 2]))",
    "ipywidgets.IntSlider(description='Attempts', value=3)",
    "print('done')",
]
CALLS_OUT = ["from IPython.display import HTML\nHTML('<img src=\"https://example.org/pixel.png\">')"]


def save_notebook(path: Path, cells: list[str]) -> None:
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernelspec})
    nbformat.write(notebook, path)


def test_a_figure_and_a_slider_are_drawn_without_a_network(workbench: Workbench, tmp_path: Path) -> None:
    save_notebook(tmp_path / "figure and slider.ipynb", FIGURE_AND_SLIDER)
    page = workbench.open(tmp_path / "figure and slider.ipynb", width=1280, height=1000)
    page.run_all()

    page.cell(0).locator("svg.main-svg .barlayer .point").first.wait_for()
    page.cell(1).locator(".widget-slider .widget-readout", has_text="3").wait_for()
    figure, slider, done = page.outputs()
    assert "application/vnd.plotly.v1+json" in figure[0].mime_types
    assert "application/vnd.jupyter.widget-view+json" in slider[0].mime_types
    assert [output.text for output in done] == ["done\n"]
    assert page.errors() == []
    assert page.console_errors == []
    assert page.external_requests == []

    page.screenshot(tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 10_000


@pytest.mark.trial
def test_a_request_to_the_network_is_stopped_and_recorded(workbench: Workbench, tmp_path: Path) -> None:
    save_notebook(tmp_path / "calls-out.ipynb", CALLS_OUT)
    page = workbench.open(tmp_path / "calls-out.ipynb", width=1280, height=1000)
    with page.page.expect_event("requestfailed"):
        page.run_all()

    assert set(page.external_requests) == {"https://example.org/pixel.png"}  # once, or each time it is drawn


@pytest.mark.trial
def test_a_cell_that_raises_is_reported(workbench: Workbench, tmp_path: Path) -> None:
    save_notebook(tmp_path / "raises.ipynb", ["1 / 0", "print('never')"])
    page = workbench.open(tmp_path / "raises.ipynb", width=1280, height=1000)
    page.run_all()

    assert page.errors() == ["ZeroDivisionError: division by zero"]
