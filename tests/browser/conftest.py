"""One JupyterLab, and one page of it, for the tests that look at a notebook in the light theme.

It ends with the last test of this folder: while Playwright runs, the tests of other folders could run no event loop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser.jupyterlab import Chromium, JupyterLab, Workbench

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

_cleanup = ExitStack()
_opened: list[Workbench] = []


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    if nextitem is None or HERE not in nextitem.path.parents:
        _opened.clear()
        _cleanup.close()


@pytest.fixture
def workbench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Opens notebooks below the folder of all temporary files."""
    if not _opened:
        folder = tmp_path_factory.getbasetemp().resolve()
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
        lab = _cleanup.enter_context(JupyterLab(folder, environment=environment))
        _opened.append(Workbench(lab, _cleanup.enter_context(Chromium()), folder))
    (opened,) = _opened
    failed = request.session.testsfailed
    yield opened
    if request.session.testsfailed > failed:
        opened.forget_page()
