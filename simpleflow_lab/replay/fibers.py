"""Fibers: threads of workflow code that can be suspended.

Each fiber is a greenlet. Reading an unfinished future switches back to `Fibers.run`; nothing is raised, so no `except`
of a workflow can swallow it. When the future closes, the fiber goes to the end of the queue: first in, first out, so
that the order of things follows from the history alone.

Each fiber has a path: () for the first one, and (…, n) for the n-th that a fiber started, unless it is given another.
When a workflow is run again from its start, the same fibers have the same paths, in whatever order they come to run.

Rule: a greenlet lives in the thread that made it, so one `Fibers` belongs to one thread.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import greenlet

from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.lines import Line, author_frame, line_of

_TRACES_WHAT_EXECUTES: Final = sys.version_info >= (3, 12)
"""`sys.settrace` reaches frames that execute when it is called, and not those of a fiber that is suspended."""

Path = tuple[int | str, ...]
"""Which fiber it is, the same in every run of the code."""


class Fiber:
    """One fiber."""

    __slots__ = ("children", "error", "greenlet", "label", "line", "number", "path", "wait_token", "waits_for")

    def __init__(
        self,
        body: Callable[[], None],
        line: Line | None,
        context: contextvars.Context | None,
        path: Path = (),
        *,
        number: int = 1,
        label: str = "",
    ) -> None:
        self.greenlet = greenlet.greenlet(body)
        # A copy, so that what one fiber sets in its context stays its own.
        self.greenlet.gr_context = context.copy() if context is not None else contextvars.copy_context()
        self.line = line
        """The author's line that started it."""
        self.waits_for: Future | None = None
        """The future for which it is suspended, or `None`."""
        self.path = path
        """Which fiber it is, the same in every run of the code."""
        self.number = number
        """1 for the first fiber of a run of the code, then 2, 3, … as they are started."""
        self.label = label
        """The name for people of what runs in it: `run`, or `Chain`."""
        self.children = 0
        """Number of fibers that it has started."""
        self.wait_token: object = None
        """Identifies the current wait: a future that closes resumes only the fiber that still waits for it."""
        self.error: BaseException | None = None
        """An error that is raised where the fiber waits, or waits next."""

    @property
    def frame(self) -> FrameType | None:
        """The author's innermost frame while the fiber is suspended, or `None`."""
        frame: FrameType | None = self.greenlet.gr_frame
        return author_frame(frame)


class Fibers:
    """All fibers of one workflow execution."""

    def __init__(self, context: contextvars.Context | None = None) -> None:
        self._context = context
        self._ready: deque[Callable[[], None]] = deque()
        self._current: Fiber | None = None
        self._alive: dict[Fiber, None] = {}
        self._closed = False
        self._roots = 0
        self._spawned = 0
        self.on_resume: Callable[[Fiber], None] | None = None
        """Called with each fiber that is about to run; set for an observer."""

    def spawn(
        self, body: Callable[[], None], line: Line | None = None, path: Path | None = None, *, label: str = ""
    ) -> None:
        """Run `body` in a new fiber: from a fiber at once, until it first waits; else when `run` is called.

        `path` is given for a fiber that starts with an event, and so in no order that is the same in each run. `label`
        says to people what runs in it.
        """

        def to_the_end() -> None:
            try:
                body()
            finally:
                self._alive.pop(fiber, None)

        parent = self._current
        self._spawned += 1
        fiber = Fiber(
            to_the_end, line, self._context, path or self._next_path(parent), number=self._spawned, label=label
        )
        self._alive[fiber] = None
        if parent is None:
            self._ready.append(lambda: self._switch(fiber))
        else:
            self._ready.appendleft(lambda: self._switch(parent))
            self._ready.appendleft(lambda: self._switch(fiber))
            self._suspend()

    def call_soon(self, call: Callable[[], None]) -> None:
        """Make a call after everything that is ready to run by now."""
        self._ready.append(call)

    def wait(self, future: Future) -> None:
        """Suspend the current fiber until the future is done."""
        fiber = self._current
        if fiber is None:
            raise RuntimeError("a future was read while no fiber of the workflow runs")
        self._raise_in(fiber)
        token = fiber.wait_token = object()
        fiber.waits_for = future
        future.add_done_callback(lambda _: self._resume(fiber, token))
        try:
            self._suspend()
        finally:
            fiber.waits_for = fiber.wait_token = None
        self._raise_in(fiber)

    def interrupt(self, error: BaseException) -> None:
        """Raise this error in every fiber, once: where it waits or, if it is about to go on, where it waits next."""
        for fiber in list(self._alive):
            fiber.error = error
            self._resume(fiber, fiber.wait_token)

    def interrupt_first(self, error: BaseException) -> bool:
        """Raise this error where the first fiber waits; `False` if it waits for nothing."""
        first = next((fiber for fiber in self.suspended if fiber.path == ()), None)
        if first is None:
            return False
        first.error = error
        self._resume(first, first.wait_token)
        return True

    def call_outside(self, call: Callable[[], Any]) -> Any:
        """Make a call outside of all fibers, while the current one is suspended; gives what the call gives.

        A `StoreError` ends `run`: it is an infrastructure error, which no fiber sees. Any other is raised in the fiber.
        """
        fiber = self._current
        if fiber is None:
            return call()
        if self._closed:
            raise greenlet.GreenletExit
        found: list[Any] = []
        errors: list[Exception] = []

        def make() -> None:
            try:
                found.append(call())
            except StoreError:
                raise
            except Exception as error:  # the author's code: they are raised together
                errors.append(error)
            self._switch(fiber)

        self._ready.appendleft(make)
        self._suspend()
        if errors:
            raise errors[0]
        return found[0]

    def run(self) -> None:
        """Run everything that is ready, until all fibers are suspended."""
        while self._ready and not self._closed:
            self._ready.popleft()()

    def close(self) -> None:
        """End all fibers where they are suspended, from the thread that made them. Their `finally` clauses run."""
        self._closed = True
        for fiber in list(self._alive):
            if fiber.greenlet:
                fiber.greenlet.parent = greenlet.getcurrent()
                fiber.greenlet.throw(greenlet.GreenletExit)
        self._alive.clear()

    @property
    def closed(self) -> bool:
        """`close` was called: no command may be made any more."""
        return self._closed

    @property
    def suspended(self) -> list[Fiber]:
        """The fibers that are suspended, oldest first."""
        return [fiber for fiber in self._alive if fiber.waits_for is not None]

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within it no fiber counts as the one that runs: nothing that is called can switch to another."""
        before, self._current = self._current, None
        try:
            yield
        finally:
            self._current = before

    @property
    def current(self) -> Fiber | None:
        """The fiber that runs now, or `None`."""
        return self._current

    @property
    def path(self) -> Path:
        """The path of the fiber that runs now; () outside of all."""
        return self._current.path if self._current is not None else ()

    def line(self) -> Line | None:
        """The author's line that runs now, or that started the current fiber."""
        frame = author_frame(sys._getframe(1))
        if frame is not None:
            return line_of(frame)
        return self._current.line if self._current is not None else None

    def _next_path(self, parent: Fiber | None) -> Path:
        if parent is None:
            self._roots += 1
            return () if self._roots == 1 else (-self._roots,)
        parent.children += 1
        return (*parent.path, parent.children)

    def _resume(self, fiber: Fiber, token: object) -> None:
        """Queue the fiber, if this is the wait in which it still is."""
        if token is not None and fiber.wait_token is token:
            fiber.wait_token = None
            self._ready.append(lambda: self._switch(fiber))

    @staticmethod
    def _raise_in(fiber: Fiber) -> None:
        error, fiber.error = fiber.error, None
        if error is not None:
            raise error

    def _switch(self, fiber: Fiber) -> None:
        if fiber not in self._alive:
            return
        if self.on_resume is not None:
            self.on_resume(fiber)
        before, self._current = self._current, fiber
        fiber.greenlet.parent = greenlet.getcurrent()
        try:
            fiber.greenlet.switch()
        finally:
            self._current = before

    def _suspend(self) -> None:
        current: Any = greenlet.getcurrent()
        current.parent.switch()
        if _TRACES_WHAT_EXECUTES and (trace := sys.gettrace()) is not None:
            sys.settrace(None)
            sys.settrace(trace)
