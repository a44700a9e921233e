"""The time limit of workflow code: code that runs long without waiting is reported, and interrupted in the end.

A thread checks the decisions that are being made. Code that runs longer than `SLOW_AFTER` is reported with its line,
and the decider is notified, so that another thread takes its place: it holds up nobody else, however long it may run.
Code that comes near the timeout of its decision task is interrupted: `DecisionInterrupted` is raised in its thread,
wherever it is, and again until the code ends, for the code may swallow it. A call of C code, such as `time.sleep`,
can't be interrupted before it returns; then the decider is notified once more.

Rule: an interrupt reaches no other code than that of the decision: `end` takes back what was not delivered.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, Protocol

from simpleflow_lab.exceptions import DecisionTooLongError
from simpleflow_lab.replay.async_interrupts import interrupt, take_back
from simpleflow_lab.replay.lines import Line, author_frame, line_text

SLOW_AFTER: Final = 5.0
"""Seconds after which code is reported as slow."""
_SLOW_AGAIN_AFTER: Final = 0.5
"""Seconds after which others no longer wait for code while another decision for an execution of its type is slow."""
_MARGIN: Final = 5.0
"""Seconds before the timeout of its decision task at which code is interrupted, to leave time to report it. Of a short
timeout it is a quarter."""
_STEP: Final = 0.25
"""Seconds between two checks."""
_SUSPENDED_AFTER: Final = 2.0
"""Seconds between two checks after which one asks whether the code ran: the process may have been suspended, or
another thread may have kept the interpreter for itself."""
_USED_BY_CODE_THAT_RAN: Final = 0.5
"""Seconds of processor time that its thread has used meanwhile if the code ran: more than between two checks that come
in time. No share of the time that passed would do: on a busy machine that may be a small one."""
_MOST_SLOW: Final = 8
"""The most slow decisions of one decider that may run on: of more the oldest is interrupted."""
_GRACE: Final = 1.0
"""Seconds in which interrupted code should end."""


def time_limit(timeout: float) -> float:
    """The seconds that code may run for a decision task of this timeout, in seconds."""
    return timeout - min(_MARGIN, timeout / 4)


class WatchedDecider(Protocol):
    """A decider as the watch needs it."""

    @property
    def is_giving_up(self) -> bool:
        """Whether its decisions should end soon."""
        ...

    def stand_in(self, watched: WatchedDecision) -> None:
        """The decision takes long: let another thread decide for others; called in the thread that watches."""
        ...

    def replace_thread(self, watched: WatchedDecision) -> None:
        """The decision did not end when it was interrupted; called in the thread that watches."""
        ...


@dataclass(kw_only=True, slots=True, eq=False)
class WatchedDecision:
    """A decision that is being made."""

    decider: WatchedDecider
    """The decider that makes it."""
    task: Mapping[str, Any]
    """The decision task, as it was polled."""
    module: str
    """The module that defines the workflow."""
    thread: int
    """The identifier of the thread that makes it."""
    began: float
    """When the code began to run, by `time.monotonic`; later by the time for which the process was suspended since."""
    checked_at: float
    """When it was last checked, by `time.monotonic`."""
    used: float
    """Seconds of processor time that its thread had used by then."""
    clock: int
    """The clock of the processor time of its thread."""
    limit: float
    """The most seconds that the code may run."""
    line: str = ""
    """The author's line that ran when it was last checked."""
    stood_in_for: bool = False
    """Another thread decides for others meanwhile."""
    slow: bool = False
    """It was reported as slow."""
    interrupted: bool = False
    """`DecisionInterrupted` was raised in its thread."""
    uninterruptible: bool = False
    """It did not end when it was interrupted."""

    def interrupt_now(self) -> None:
        """Let its code run no longer."""
        self.limit = min(self.limit, time.monotonic() - self.began)

    @property
    def run_id(self) -> str:
        """The run that waits for it."""
        return str(self.task["workflowExecution"]["runId"])

    def error(self) -> DecisionTooLongError:
        """The error of this decision."""
        return DecisionTooLongError(self.limit, self.line)


class DecisionWatch:
    """Watches the decisions of all deciders of a Lab, in one thread, which begins with the first decision."""

    def __init__(self, *, on_slow: Callable[[Mapping[str, Any], str], None]) -> None:
        """`on_slow(task, message)` is called in the thread that watches."""
        self._on_slow = on_slow
        self._running: dict[int, WatchedDecision] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._idle = False
        self._stopped = False
        self._has_thread = False

    def stop(self) -> None:
        """End the thread when no decision is being made any more."""
        with self._lock:
            self._stopped = True
            self._changed.notify()

    def hurry(self, decider: WatchedDecider) -> None:
        """Let the decisions of a decider that gives up go on for at most `_GRACE` seconds."""
        with self._lock:
            for watched in self._running.values():
                if watched.decider is decider:
                    watched.limit = min(watched.limit, time.monotonic() - watched.began + _GRACE)

    def interrupt_slow(self, decider: WatchedDecider, name: str, version: str) -> None:
        """Interrupt the slow decisions of a decider for executions of this type: it has another definition now."""
        kind = {"name": name, "version": version}
        with self._lock:
            for watched in self._running.values():
                if watched.decider is decider and watched.slow and watched.task["workflowType"] == kind:
                    watched.interrupt_now()

    def is_running(self, run_id: str) -> bool:
        """Whether a thread is deciding for this run."""
        return any(watched.run_id == run_id for watched in list(self._running.values()))

    def slow_line(self, run_id: str) -> str:
        """The author's line that runs in the decision that is being made for this run, if it takes long and the line
        is known; else empty."""
        running = list(self._running.values())
        return next((watched.line for watched in running if watched.slow and watched.run_id == run_id), "")

    def begin(self, task: Mapping[str, Any], module: str, limit: float, decider: WatchedDecider) -> WatchedDecision:
        """This thread's code may run for `limit` seconds from now until `end` is called."""
        thread = threading.get_ident()
        clock = time.pthread_getcpuclockid(thread)
        now = time.monotonic()
        watched = WatchedDecision(
            decider=decider,
            task=task,
            module=module,
            thread=thread,
            began=now,
            checked_at=now,
            used=time.clock_gettime(clock),
            clock=clock,
            limit=limit,
        )
        with self._lock:
            self._running[thread] = watched
            if decider.is_giving_up:  # a poll returned just before
                watched.limit = min(limit, _GRACE)
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._watch, name="watch of decisions", daemon=True).start()
            if self._idle:
                self._idle = False
                self._changed.notify()
        return watched

    def end(self, watched: WatchedDecision) -> None:
        """Stop watching this decision. Call it in the thread that began it, and again if that call was interrupted."""
        with self._lock:
            self._running.pop(watched.thread, None)
            if watched.interrupted:
                take_back()
        self._tell_if_it_stood_still(watched)

    def _tell_if_it_stood_still(self, watched: WatchedDecision) -> None:
        """Report code that ran long while this watch could not look: it held the interpreter, and nothing else ran."""
        now = time.monotonic()
        lasted, pause = now - watched.began, now - watched.checked_at
        if watched.slow or pause < min(SLOW_AFTER, watched.limit):
            return
        if time.clock_gettime(watched.clock) - watched.used >= _USED_BY_CODE_THAT_RAN:
            watched.slow = True
            self._on_slow(
                watched.task,
                f"the code of the workflow ran for {lasted:.0f} s in a call that lets no other thread run, as some "
                "regular expressions do: this whole process stood still, and nothing could interrupt it; put what "
                'takes long into an activity, with executor="processes"',
            )

    def _watch(self) -> None:
        while True:
            with self._lock:
                if not self._running and not self._stopped:
                    self._idle = True
                    self._changed.wait()
                if self._stopped and all(watched.uninterruptible for watched in self._running.values()):
                    self._has_thread = False
                    return
                self._changed.wait(_STEP)  # most decisions take less
            for watched in list(self._running.values()):
                self._check(watched)

    def _check(self, watched: WatchedDecision) -> None:
        now, used = time.monotonic(), time.clock_gettime(watched.clock)
        pause = now - watched.checked_at
        if pause > _SUSPENDED_AFTER and used - watched.used < _USED_BY_CODE_THAT_RAN:
            watched.began += pause
        watched.checked_at, watched.used = now, used
        lasted = now - watched.began
        if not watched.stood_in_for and self._stand_in_after(watched) <= lasted < watched.limit:
            watched.stood_in_for = True
            watched.decider.stand_in(watched)
            self._limit_slow(watched.decider)
        if lasted < min(SLOW_AFTER, watched.limit):
            return
        watched.line = _line_in(watched) or watched.line
        if not watched.slow:
            watched.slow = True
            self._on_slow(
                watched.task,
                f"{watched.line}: the code has run for {lasted:.0f} s without waiting, and is interrupted after "
                f"{watched.limit:g} s: put what takes long into an activity, and let run wait for its result",
            )
        if lasted < watched.limit:
            return
        with self._lock:
            if self._running.get(watched.thread) is not watched:
                return
            watched.interrupted = True
            interrupt(watched.thread)
        if lasted > watched.limit + _GRACE and not watched.uninterruptible:
            watched.uninterruptible = True
            watched.decider.replace_thread(watched)

    def _stand_in_after(self, watched: WatchedDecision) -> float:
        """The seconds after which another thread decides in its place: soon if the code of its workflow is known to be
        slow, so that many executions of it do not hold up the others one after the other."""
        with self._lock:
            others = [each for each in self._running.values() if each.decider is watched.decider and each.stood_in_for]
        is_known = any(each.slow and each.task["workflowType"] == watched.task["workflowType"] for each in others)
        return _SLOW_AGAIN_AFTER if is_known and len(others) < _MOST_SLOW // 2 else SLOW_AFTER

    def _limit_slow(self, decider: WatchedDecider) -> None:
        with self._lock:
            running = [each for each in self._running.values() if each.decider is decider]
            slow = [each for each in running if each.stood_in_for and not each.interrupted]
            if len(slow) > _MOST_SLOW:
                min(slow, key=lambda each: each.began).interrupt_now()


def _line_in(watched: WatchedDecision) -> str:
    """The innermost line of the workflow's module that runs, or else of any author's module; empty if there is none."""
    innermost: FrameType | None = sys._current_frames().get(watched.thread)
    frame = innermost
    while frame is not None and frame.f_globals.get("__name__") != watched.module:
        frame = frame.f_back
    frame = frame or author_frame(innermost)
    if frame is None:
        return ""
    return line_text(Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))
