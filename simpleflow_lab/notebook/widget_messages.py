"""The common part of the widgets: the start of their modules, messages while a cell runs, errors as one line."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from simpleflow_lab.views.formatting import HOVER_LIMIT, bounded


def module_of(*names: str) -> str:
    """The text of a view's ES module: `elements.js`, which all of them share, and the files of these names."""
    return "".join(_text(each) for each in ("elements.js", *names))


def style_sheet(name: str) -> str:
    """The text of a view's style sheet. anywidget would watch a path for changes, and keep every view for that."""
    return _text(name)


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def new_identity() -> dict[str, str]:
    """The id of a new widget, for the widget itself and for its page, which tells no module the id of its model."""
    identity = uuid.uuid4().hex
    return {"model_id": identity, "identity": identity}


def answer_while_a_cell_runs(view: Any) -> None:
    """Let clicks arrive while a cell keeps the kernel.

    ipykernel 7.4 passes what a page says to the thread from whose cell the widget was last written to, which is the one
    that the cell keeps. Here it goes where JupyterLab wants it: to a thread of its own. Other versions have no such
    method, and need nothing.
    """
    if hasattr(view.comm, "_reply_subshell_for"):
        view.comm._reply_subshell_for = lambda data, default: default


def error_line(error: Exception) -> str:
    """The text of an error, in one bounded line."""
    return bounded(" ".join(str(error).split()), HOVER_LIMIT)
