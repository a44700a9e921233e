"""The status of an execution while a cell waits for it.

The loop that waits also draws: one widget, made after `DELAY` seconds of waiting, written by this thread only and
removed at the end, so that a saved notebook has the execution and no status. An interrupt of the kernel ends the
waiting, and the execution goes on.
"""

from __future__ import annotations

import time
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import DisplayHandle

from simpleflow_lab.execution import Execution, Progress
from simpleflow_lab.views.formatting import HOVER_LIMIT, LABEL_LIMIT, duration, share
from simpleflow_lab.views.html import Html, escape, piece
from simpleflow_lab.views.style import STATUSES, style_of

DELAY: Final = 0.4
"""Seconds of waiting before the status is shown: what takes less would only flicker."""
FASTEST: Final = 0.25
"""The least seconds between two updates."""
_SHARE: Final = 5
"""Updates may take one part in so many of the time: folding a long history is work."""


def wait(execution: Execution, *, shell: InteractiveShell | None, refresh: float = FASTEST) -> None:
    """Wait until the execution has closed, showing how far it is, at most every `refresh` seconds.

    Raises `DecisionTaskError` if no decision can be made for now, `KeyboardInterrupt` if the kernel is interrupted; the
    execution stays open then.
    """
    if execution.wait(DELAY):
        return
    status = _Status(execution) if hasattr(shell, "kernel") else None
    try:
        pause = 0.0
        while not execution.wait(pause):
            began = time.monotonic()
            if status is not None:
                status.show(execution.progress())
            pause = max(refresh, FASTEST, _SHARE * (time.monotonic() - began))
    finally:
        if status is not None:
            status.close()


class _Status:
    """The widget, and its place in the output of the cell."""

    def __init__(self, execution: Execution):
        from ipywidgets import HTML  # noqa: PLC0415  a tenth of a second, and only what runs longer shows it

        self._execution = execution
        self._widget = HTML()
        handle: Any = DisplayHandle  # IPython is typed in part
        self._handle = handle()
        # The widget has no other form: where no widgets are drawn, as in a saved notebook, there is nothing to see.
        bundle: Any = self._widget._repr_mimebundle_()
        self._handle.display({_WIDGET_VIEW: bundle[_WIDGET_VIEW]}, raw=True)

    def show(self, progress: Progress) -> None:
        text = status_html(self._execution, progress)
        if self._widget.value != text:
            self._widget.value = text

    def close(self) -> None:
        self._handle.update({}, raw=True)
        self._widget.close()


_WIDGET_VIEW: Final = "application/vnd.jupyter.widget-view+json"


def status_html(execution: Execution, progress: Progress) -> str:
    """The status of an execution as a small piece of HTML: its tasks by state, and the progress of its activities."""
    status = STATUSES[progress.status]
    states = [
        (number, style_of(state))
        for number, state in (
            (progress.completed, "completed"),
            (progress.failed, "failed"),
            (progress.running, "started"),
            (progress.waiting, "scheduled"),
        )
        if number
    ]
    segment = Html('<div style="width: {:.2f}%; background: {}"></div>')
    bar = Html("").join(segment.format(100 * number / progress.total, of.colour) for number, of in states)
    words = ", ".join(f"{of.glyph} {number:,} {of.word}" for number, of in states) or "no tasks yet"
    names = Html(", ").join(escape(name, LABEL_LIMIT) for name in progress.running_names[:_MAX_NAMES])
    more = ", …" if len(progress.running_names) > _MAX_NAMES else ""
    reports = [
        Html("<div>{} {}</div>").format(
            escape(activity.activity_id, LABEL_LIMIT), escape(share(activity.progress), LABEL_LIMIT)
        )
        for activity in progress.activities
        if activity.has_progress
    ]
    return piece(
        Html(
            '<div><span class="sfl-badge" style="color: {}">{} {}</span> <strong>{}</strong> '
            '<span class="sfl-quiet">{}</span></div>'
        ).format(
            status.colour,
            status.glyph,
            status.word,
            escape(execution.workflow_id, LABEL_LIMIT),
            duration(progress.seconds),
        ),
        Html('<div class="sfl-bar" role="img" aria-label="{}">{}</div>').format(words, bar),
        Html('<div>{}<span class="sfl-quiet">{}{}{}</span></div>').format(words, ": " if names else "", names, more),
        Html("<div>waits for {}</div>").format(escape(progress.waits, HOVER_LIMIT)) if progress.waits else Html(""),
        *reports[:_MAX_NAMES],
    )


_MAX_NAMES: Final = 4
"""The most names of running activities, and of reports of progress, that are shown."""
