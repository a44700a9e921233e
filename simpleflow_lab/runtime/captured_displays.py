"""Captures what the code of a task shows with IPython's `display`: the text goes to the log, and so to the cell.

Only text passes from one process to another: a picture that an activity shows is a picture in the kernel that also
started the execution, and `<Figure …>` elsewhere.

Rule: IPython knows hooks of a thread; each thread that runs tasks gets one. What no task shows passes untouched.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from simpleflow_lab.replay.output_commit import before_output
from simpleflow_lab.runtime.captured_output import current_task


class _Hooked(threading.local):
    of: Any = None
    """The publisher of displays at which this thread has a hook."""


_hooked = _Hooked()


def ensure_displays() -> None:
    """Let what tasks show in this thread be in their logs, if this process is a kernel."""
    shell = sys.modules.get("IPython.core.interactiveshell")
    if shell is None or not shell.InteractiveShell.initialized():
        return
    publisher = shell.InteractiveShell.instance().display_pub
    if _hooked.of is not publisher and hasattr(publisher, "register_hook"):
        publisher.register_hook(_shown)
        _hooked.of = publisher


def _shown(message: dict[str, Any]) -> dict[str, Any] | None:
    """The message if it has a cell here, else `None`, with which it is not sent."""
    task = current_task()
    if task is None:
        return message
    text = message["content"].get("data", {}).get("text/plain")
    is_new = message["header"]["msg_type"] == "display_data"
    if not task.is_here:  # in the process of a forked activity, whose output its parent reads
        if is_new and text:
            sys.stdout.write(f"{text}\n")
        return None
    if is_new and text:
        before_output()
        task.capture("stdout", f"{text}\n")
    return message if task.place is not None else None
