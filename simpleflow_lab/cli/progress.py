"""One live line on stderr while an execution is waited for, if stderr is a terminal; then one line that stays.

What the workflow and its activities print, and what is logged, goes above it: while the line is there, the standard
streams take it away before they write, and it comes back once they are at the start of a line.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any, Final

from simpleflow_lab.cli.formats import visible
from simpleflow_lab.execution import Execution, Progress
from simpleflow_lab.views.formatting import count, duration, share, shortened

_INTERVAL: Final = 0.15
"""Seconds between two drawings, at least."""
_SHARE: Final = 20
"""A drawing may take one part in so many of the time."""
_NAMES: Final = 3
"""Names of running activities that are shown."""
_ERASE: Final = "\r\x1b[K"


def watch(execution: Execution) -> None:
    """Wait for the execution to close. Raises `DecisionTaskError` if it is stuck."""
    stream = sys.stderr
    if not _is_terminal(stream):
        execution.wait()
        return
    with _LiveLine(stream) as line:
        pause = _INTERVAL
        # A short one should not blink.
        while not execution.wait(pause):
            began = time.monotonic()
            line.draw(live_text(execution.workflow_id, execution.progress()))
            pause = max(_INTERVAL, _SHARE * (time.monotonic() - began))
    print(final_text(execution.workflow_id, execution.progress()), file=stream, flush=True)


def live_text(workflow_id: str, progress: Progress) -> str:
    """The line while it runs: counts by state, what runs, how long."""
    names = [shortened(name.rpartition(".")[2], 30) for name in progress.running_names]
    far = [
        f"{shortened(a.name.rpartition('.')[2], 30)} {share(a.progress)}" for a in progress.activities if a.has_progress
    ]
    more = f", {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    running = f" ({', '.join(names[:_NAMES])}{more})" if names else ""
    parts = [
        f"{progress.running} running{running}" if progress.running else "",
        f"{progress.waiting} waiting" if progress.waiting else "",
        f"{progress.completed} completed" if progress.completed else "",
        f"{progress.failed} failed" if progress.failed else "",
        *far[:_NAMES],
        duration(progress.seconds),
    ]
    return visible(f"{shortened(workflow_id, 40)}: {', '.join(part for part in parts if part)}")


def final_text(workflow_id: str, progress: Progress) -> str:
    """The line that stays."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    return visible(
        f"{workflow_id}: {progress.status} in {duration(progress.seconds)}, {count(progress.total, 'task')}{failed}"
    )


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except ValueError:  # closed
        return False


class _LiveLine:
    """A line at the bottom of the terminal. Within it, `sys.stdout` and `sys.stderr` write above the line."""

    def __init__(self, stream: Any):
        self._stream = stream
        self._lock = threading.RLock()
        self._drawn = False
        self._at_start = True
        """The terminal is at the start of a line: what was printed last ended one."""

    def __enter__(self) -> _LiveLine:
        self._before = sys.stdout, sys.stderr
        self._above = tuple(_Above(self, stream) if _is_terminal(stream) else stream for stream in self._before)
        sys.stdout, sys.stderr = self._above
        return self

    def __exit__(self, *error: object) -> None:
        self.erase()
        # Somebody else may have replaced them meanwhile; then they are theirs to put back.
        if sys.stdout is self._above[0]:
            sys.stdout = self._before[0]
        if sys.stderr is self._above[1]:
            sys.stderr = self._before[1]

    def draw(self, text: str) -> None:
        with self._lock:
            if self._at_start:
                self._stream.write(_ERASE + text[: self._columns() - 1])
                self._stream.flush()
                self._drawn = True

    def erase(self) -> None:
        with self._lock:
            if self._drawn:
                self._stream.write(_ERASE)
                self._stream.flush()
                self._drawn = False

    def write_above(self, stream: Any, text: str) -> int:
        with self._lock:
            self.erase()
            written = int(stream.write(text) or 0)
            stream.flush()
            if text:
                self._at_start = text.endswith("\n")
            return written

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError, AttributeError):
            return 80


class _Above:
    """A standard stream that writes above the live line."""

    def __init__(self, line: _LiveLine, stream: Any):
        self._line = line
        self._stream = stream

    def write(self, text: str) -> int:
        return self._line.write_above(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
