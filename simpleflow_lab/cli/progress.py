"""Progress in a terminal: one live line on stderr while a command waits for an execution, then one line that stays.

Output of the workflow and its activities, and log records, go above the live line: the standard streams erase it before
they write, and it is drawn again once they are at the start of a line. Without a terminal there is neither line; what
an execution waits for, while nothing goes on, is said in one that stays.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from simpleflow_lab.views.formatting import count, duration, share, shortened
from simpleflow_lab.views.text_tables import visible

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution, Progress

_INTERVAL: Final = 0.15
"""The least seconds between two drawings."""
_QUIET_SECONDS: Final = 1.5
"""Without a terminal, how long an execution is waited for before it is said why nothing goes on."""
_SHARE: Final = 20
"""Drawing may take one part in so many of the time: folding a long history is work."""
_NAMES: Final = 3
"""The most names of running activities that are shown."""
_DURATION: Final = re.compile(r"\b\d[\d.,]* (ms|s|min|h|d)\b( \d+ (s|min|h))?")
"""The time for which something waits; a line is not said again only because it waits longer."""
_ERASE: Final = "\r\x1b[K"


def watch(execution: Execution) -> None:
    """Wait for the execution to close. Raises `DecisionTaskError` if no decision can be made for now."""
    stream = sys.stderr
    if not _is_terminal(stream):
        said = ""
        while not execution.wait(_QUIET_SECONDS):
            waits = execution.progress().waits
            reason = _DURATION.sub("", waits)
            if reason and reason != said and stream is not None:
                print(visible(f"{execution.workflow_id} waits for {waits}"), file=stream, flush=True)
                said = reason
        return
    with _LiveLine(stream) as line:
        pause = _INTERVAL
        # The first line comes after a pause, so that a short execution does not blink.
        while not execution.wait(pause):
            began = time.monotonic()
            line.draw(live_text(execution.workflow_id, execution.progress()))
            pause = max(_INTERVAL, _SHARE * (time.monotonic() - began))
    print(final_text(execution.workflow_id, execution.progress()), file=stream, flush=True)


def live_text(workflow_id: str, progress: Progress) -> str:
    """The live line: the number of tasks in each state, names of those that run, and the time since the start."""
    names = [shortened(name.rpartition(".")[2], 30) for name in progress.running_names]
    reported = [
        f"{shortened(a.name.rpartition('.')[2], 30)} {share(a.progress)}" for a in progress.activities if a.has_progress
    ]
    more = f", {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    running = f" ({', '.join(names[:_NAMES])}{more})" if names else ""
    parts = [
        f"{progress.running} running{running}" if progress.running else "",
        f"{progress.waiting} waiting" if progress.waiting else "",
        f"{progress.completed} completed" if progress.completed else "",
        f"{progress.failed} failed" if progress.failed else "",
        *reported[:_NAMES],
        f"waits for {progress.waits}" if progress.waits else "",
        duration(progress.seconds),
    ]
    return visible(f"{shortened(workflow_id, 40)}: {', '.join(part for part in parts if part)}")


def final_text(workflow_id: str, progress: Progress) -> str:
    """The line that stays: the close status, the time and the number of tasks."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    left = f", {progress.unfinished} not finished" if progress.unfinished else ""
    tasks = f"{count(progress.total, 'task')}{failed}{left}"
    return visible(f"{workflow_id}: {progress.status} in {duration(progress.seconds)}, {tasks}")


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except ValueError:  # the stream is closed
        return False


_latest: Final[list[Any]] = []
"""The streams that the latest live line had put into `sys`: before Python 3.13.3, `print` doesn't hold the stream that
it writes to, and a thread of a workflow may be in the midst of one."""


class _LiveLine:
    """A line at the bottom of the terminal. Within it, `sys.stdout` and `sys.stderr` write above the line."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._drawn = False
        self._at_start = True
        """Whether the terminal is at the start of a line, where the live line may be drawn."""

    def __enter__(self) -> _LiveLine:
        self._before = sys.stdout, sys.stderr
        self._above = tuple(_Above(self, stream) if _is_terminal(stream) else stream for stream in self._before)
        sys.stdout, sys.stderr = self._above
        return self

    def __exit__(self, *error: object) -> None:
        self.erase()
        _latest[:] = self._above
        # A stream that another program has replaced meanwhile is that program's to restore.
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
    """A standard stream whose output goes above the live line."""

    def __init__(self, line: _LiveLine, stream: Any) -> None:
        self._line = line
        self._stream = stream

    def write(self, text: str) -> int:
        return self._line.write_above(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
