"""Processes to be killed: forked, ready to run, from one that has imported everything.

Rule: the reports that a process made before it died are read to their end: a pipe outlives its writer.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.faults import programs

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.programs"])

TIMEOUT_SECONDS = 110.0
"""Seconds after which a process that should have ended has not."""


class Process:
    """A program of `programs`, running."""

    def __init__(self, name: str, *arguments: Any, crash_at: str | None = None):
        ours, its = _context.Pipe()
        self._connection = ours
        self._process = _context.Process(target=programs.run, args=(its, name, crash_at, arguments), daemon=True)
        self.reports: list[tuple[Any, ...]] = []
        """What it has reported so far."""
        self.started_at = time.monotonic()
        # multiprocessing looks for it; the main modules of pytest-xdist and of an IPython shell in a test have none.
        sys.modules["__main__"].__dict__.setdefault("__spec__", None)
        self._process.start()
        its.close()
        self._came = threading.Condition()
        self._looked_at = 0
        self._has_ended = False
        threading.Thread(target=self._collect, name="reports of a process", daemon=True).start()

    def _collect(self) -> None:
        """Take its reports as they come: a process whose reports nobody takes stops at one, and its tasks time out."""
        while True:
            try:
                words = self._connection.recv()
            except (EOFError, OSError):
                with self._came:
                    self._has_ended = True
                    self._came.notify_all()
                return
            with self._came:
                self.reports.append(words)
                self._came.notify_all()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def reports_of(self, word: str) -> list[tuple[Any, ...]]:
        """The reports that begin with this word, without the word."""
        return [words[1:] for words in self.reports if words[0] == word]

    def read(self, seconds: float, until: Callable[[tuple[Any, ...]], bool] = lambda words: False) -> bool:
        """Look at reports for so long, or until one is the wanted one; `False` if no more can come."""
        end = time.monotonic() + seconds
        with self._came:
            while True:
                while self._looked_at < len(self.reports):
                    words = self.reports[self._looked_at]
                    self._looked_at += 1
                    if until(words):
                        return True
                if self._has_ended:
                    return False
                if not self._came.wait(max(0.0, end - time.monotonic())):
                    return True

    def wait_for(self, word: str) -> tuple[Any, ...]:
        """The latest report that begins with this word; waits for the first one."""
        if not self.reports_of(word):
            self.read(TIMEOUT_SECONDS, lambda words: words[0] == word)
        assert self.reports_of(word), f"the process did not report {word!r} but {self.reports[-3:]}"
        return self.reports_of(word)[-1]

    def order(self, word: str) -> None:
        """Send an order to the process."""
        with contextlib.suppress(OSError):  # it is dead, which `wait_for` finds out
            self._connection.send(word)

    def kill(self) -> bool:
        """kill -9; `False` if it had ended already."""
        self._process.kill()
        return self.finish() == -signal.SIGKILL

    def finish(self) -> int:
        """Wait for its end; gives its exit code."""
        if not self._connection.closed:
            self.read(TIMEOUT_SECONDS)
        self._process.join(TIMEOUT_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            raise AssertionError(f"the process did not end; it reported {self.reports[-3:]}")
        self._connection.close()
        return self._process.exitcode
