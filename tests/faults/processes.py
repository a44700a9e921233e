"""Processes to be killed: forked, ready to run, from one that has imported everything.

Rule: what a process told before it died is kept, and read to its end: a pipe outlives its writer.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.faults import programs

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.programs"])

PATIENCE = 110.0
"""Seconds after which a process that should have ended has not."""


class Process:
    """A program of `programs`, running."""

    def __init__(self, name: str, *arguments: Any, crash_at: str | None = None):
        ours, its = _context.Pipe()
        self._connection = ours
        self._process = _context.Process(target=programs.run, args=(its, name, crash_at, arguments), daemon=True)
        self.told: list[tuple[Any, ...]] = []
        """What it told so far."""
        self.started_at = time.monotonic()
        # multiprocessing looks for it; the main modules of pytest-xdist and of an IPython shell in a test have none.
        sys.modules["__main__"].__dict__.setdefault("__spec__", None)
        self._process.start()
        its.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def said(self, word: str) -> list[tuple[Any, ...]]:
        """What it told of this kind, without the word."""
        return [words[1:] for words in self.told if words[0] == word]

    def read(self, seconds: float, until: Callable[[tuple[Any, ...]], bool] = lambda words: False) -> bool:
        """Listen for so long, or until it tells this; `False` when it will tell nothing more."""
        end = time.monotonic() + seconds
        while self._connection.poll(max(0.0, end - time.monotonic())):
            try:
                words = self._connection.recv()
            except (EOFError, OSError):
                return False
            self.told.append(words)
            if until(words):
                return True
        return True

    def wait_for(self, word: str) -> tuple[Any, ...]:
        """What it tells of this kind next, or told already."""
        if not self.said(word):
            self.read(PATIENCE, lambda words: words[0] == word)
        assert self.said(word), f"the process did not tell {word!r} but {self.told[-3:]}"
        return self.said(word)[-1]

    def ask(self, word: str) -> None:
        """Say a word to it."""
        with contextlib.suppress(OSError):  # it is dead: who waits for its answer is told
            self._connection.send(word)

    def kill(self) -> bool:
        """kill -9; `False` if it had ended already."""
        self._process.kill()
        return self.finish() == -signal.SIGKILL

    def finish(self) -> int:
        """Wait for its end; gives its exit code."""
        if not self._connection.closed:
            self.read(PATIENCE)
        self._process.join(PATIENCE)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            raise AssertionError(f"the process did not end; it told {self.told[-3:]}")
        self._connection.close()
        return self._process.exitcode
