"""How long the code of a workflow runs without waiting: said when it is long, ended when it is too long.

A thread of its own looks at the decisions at hand. Code that runs longer than `SLOW_AFTER` is named with its line.
Code that comes near the decision task's timeout is interrupted: `DecisionInterrupted` is raised in its thread, wherever
it is, and again until it ends, for the code may swallow it. What stands in a call of C code, such as `time.sleep`,
can't be interrupted before that returns; then the decider is told, so that another thread takes its place.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Final

from simpleflow_lab.exceptions import DecisionInterrupted, DecisionTooLongError
from simpleflow_lab.replay.fibers import Line, author_frame
from simpleflow_lab.replay.requests import line_text

SLOW_AFTER: Final = 5.0
"""Seconds after which the code is named as slow."""
_MARGIN: Final = 5.0
"""Seconds before a decision task's timeout in which the code is ended: there must be time left to say so. Of a short
timeout it is a quarter."""
_STEP: Final = 0.25
"""Seconds between two looks."""
_GRACE: Final = 1.0
"""Seconds in which interrupted code should have ended."""


def limit_of(timeout: float) -> float:
    """How long code may run for a decision task of this timeout, in seconds."""
    return timeout - min(_MARGIN, timeout / 4)


@dataclass(kw_only=True, slots=True)
class Watched:
    """A decision at hand."""

    run_id: str
    module: str
    """The module that defines the workflow."""
    thread: int
    began: float
    limit: float
    line: str = ""
    """Where it was when it was last looked at."""
    slow: bool = False
    """It was named as slow."""
    interrupted: bool = False
    given_up: bool = False
    """It did not end when it was interrupted."""

    def error(self) -> DecisionTooLongError:
        """Why this decision failed."""
        return DecisionTooLongError(self.limit, self.line)


class DecisionWatch:
    """Watches the decisions of one decider."""

    def __init__(self, name: str, *, on_slow: Callable[[str, str], None], on_given_up: Callable[[Watched], None]):
        """`on_slow(run_id, message)` and `on_given_up(watched)` are called in the watching thread."""
        self._on_slow, self._on_given_up = on_slow, on_given_up
        self._at_hand: dict[int, Watched] = {}
        self._changed = threading.Condition()
        self._asleep = False
        self._stopped = False
        self._runs = False
        self._name = name

    def start(self) -> None:
        """Begin to watch."""
        self._runs = True
        threading.Thread(target=self._watch, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """Watch what is at hand to its end, which must come within `_GRACE` seconds, and nothing more."""
        with self._changed:
            self._stopped = True
            for watched in self._at_hand.values():
                watched.limit = min(watched.limit, time.monotonic() - watched.began + _GRACE)
            self._changed.notify()

    def is_at_hand(self, run_id: str) -> bool:
        """Some thread is deciding for this run."""
        return any(watched.run_id == run_id for watched in list(self._at_hand.values()))

    def begin(self, run_id: str, module: str, limit: float) -> Watched:
        """This thread's code may run for `limit` seconds from now until `end` is called."""
        thread = threading.get_ident()
        watched = Watched(run_id=run_id, module=module, thread=thread, began=time.monotonic(), limit=limit)
        with self._changed:
            self._at_hand[thread] = watched
            if self._stopped:
                # A poll had come back just before.
                watched.limit = min(limit, _GRACE)
                if not self._runs:
                    self.start()
            if self._asleep:
                self._asleep = False
                self._changed.notify()
        return watched

    def end(self, watched: Watched) -> None:
        """The decision is made, or has failed. To be called in the thread that began it, and again if interrupted."""
        with self._changed:
            self._at_hand.pop(watched.thread, None)
            if watched.interrupted:
                _raise_in(watched.thread, None)  # what was raised and not delivered is taken back

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._at_hand and not self._stopped:
                    self._asleep = True
                    self._changed.wait()
                if self._stopped and all(watched.given_up for watched in self._at_hand.values()):
                    self._runs = False
                    return
                self._changed.wait(_STEP)  # most decisions are made by then
            for watched in list(self._at_hand.values()):
                self._look_at(watched)

    def _look_at(self, watched: Watched) -> None:
        lasted = time.monotonic() - watched.began
        if lasted < min(SLOW_AFTER, watched.limit):
            return
        watched.line = _line_in(watched) or watched.line
        if not watched.slow:
            watched.slow = True
            self._on_slow(
                watched.run_id,
                f"{watched.line}: the code has run for {lasted:.0f} s without waiting, and holds up every execution of "
                "this task list: put what takes long into an activity",
            )
        if lasted < watched.limit:
            return
        with self._changed:
            if self._at_hand.get(watched.thread) is not watched:
                return
            watched.interrupted = True
            _raise_in(watched.thread, DecisionInterrupted)
        if lasted > watched.limit + _GRACE and not watched.given_up:
            watched.given_up = True
            self._on_given_up(watched)


def _line_in(watched: Watched) -> str:
    """The innermost line of the workflow's module, or else of any author's."""
    innermost: FrameType | None = sys._current_frames().get(watched.thread)
    frame = innermost
    while frame is not None and frame.f_globals.get("__name__") != watched.module:
        frame = frame.f_back
    frame = frame or author_frame(innermost)
    if frame is None:
        return ""
    return line_text(Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )
