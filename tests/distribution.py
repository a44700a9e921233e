"""How pytest-xdist deals tests out to its processes: a file goes to one of them, the browser tests together."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

_TOGETHER = "tests/browser/"


class FilesAndBrowserTests(LoadFileScheduling):
    """As `--dist=loadfile`, and all browser tests go to one process, in which they share a JupyterLab and a browser."""

    def _split_scope(self, nodeid: str) -> str:
        return _TOGETHER if nodeid.startswith(_TOGETHER) else super()._split_scope(nodeid)
