"""Strands of workflow code that can stand still.

Each strand is a greenlet. Reading an unfinished future switches back to `Fibers.run`; nothing is raised, so no
`except` of a workflow can swallow it. When the future closes, the strand goes to the end of the queue: first in, first
out, so that the order of things follows from the history alone.

Each strand has a path: () for the first one, and (…, n) for the n-th that a strand started, unless it is told another.
When a workflow is run again from its start, the same strands have the same paths, in whatever order they come to run.

A greenlet lives in the thread that made it: one `Fibers` belongs to one thread.
"""

from __future__ import annotations

import contextvars
import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

import greenlet

from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.futures import Future

Path = tuple[int | str, ...]
"""Which strand it is."""

_PACKAGE = __name__.partition(".")[0]


class Line(NamedTuple):
    """A line of an author's code."""

    filename: str
    lineno: int
    function: str


class Fiber:
    """One strand."""

    __slots__ = ("children", "error", "greenlet", "line", "path", "turn", "waits_for")

    def __init__(
        self,
        body: Callable[[], None],
        line: Line | None,
        context: contextvars.Context | None,
        path: Path = (),
    ):
        self.greenlet = greenlet.greenlet(body)
        # A copy, so that what one strand sets in its context stays its own.
        self.greenlet.gr_context = context.copy() if context is not None else contextvars.copy_context()
        self.line = line
        """The author's line that started it."""
        self.waits_for: Future | None = None
        """What it stands still for."""
        self.path = path
        """Which strand it is, the same in every replay."""
        self.children = 0
        """How many strands it has started."""
        self.turn: object = None
        """Stands for the wait at hand: a future that closes wakes only who still waits for it."""
        self.error: BaseException | None = None
        """What is raised where it waits, or waits next."""

    @property
    def frame(self) -> FrameType | None:
        """The author's innermost frame while it stands still."""
        frame: FrameType | None = self.greenlet.gr_frame
        return author_frame(frame)


class Fibers:
    """All strands of one workflow execution."""

    def __init__(self, context: contextvars.Context | None = None):
        self._context = context
        self._ready: deque[Callable[[], None]] = deque()
        self._current: Fiber | None = None
        self._alive: dict[Fiber, None] = {}
        self._closed = False
        self._roots = 0

    def spawn(self, body: Callable[[], None], line: Line | None = None, path: Path | None = None) -> None:
        """Run `body` in a new strand: from a strand at once, until it first waits; else when `run` is called.

        `path` is for one that begins whenever something happens, and so by no order that is the same each time.
        """

        def to_the_end() -> None:
            try:
                body()
            finally:
                self._alive.pop(fiber, None)

        parent = self._current
        fiber = Fiber(to_the_end, line, self._context, path or self._next_path(parent))
        self._alive[fiber] = None
        if parent is None:
            self._ready.append(lambda: self._switch(fiber))
        else:
            self._ready.appendleft(lambda: self._switch(parent))
            self._ready.appendleft(lambda: self._switch(fiber))
            self._stand_still()

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call when its turn comes."""
        self._ready.append(call)

    def wait(self, future: Future) -> None:
        """Let the current strand stand still until the future is done."""
        fiber = self._current
        if fiber is None:
            raise RuntimeError("a future was read while no strand of the workflow runs")
        self._raise_in(fiber)
        turn = fiber.turn = object()
        fiber.waits_for = future
        future.add_done_callback(lambda _: self._wake(fiber, turn))
        try:
            self._stand_still()
        finally:
            fiber.waits_for = fiber.turn = None
        self._raise_in(fiber)

    def interrupt(self, error: BaseException) -> None:
        """Raise this in every strand, once: where it waits, or, if it is about to go on, where it waits next."""
        for fiber in list(self._alive):
            fiber.error = error
            self._wake(fiber, fiber.turn)

    def outside(self, call: Callable[[], Any]) -> Any:
        """Make a call outside of all strands, while the current one stands still.

        A `StoreError` ends `run`: it is the world's, and no strand meets it. Any other error is the strand's.
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
            except Exception as error:
                errors.append(error)
            self._switch(fiber)

        self._ready.appendleft(make)
        self._stand_still()
        if errors:
            raise errors[0]
        return found[0]

    def run(self) -> None:
        """Let everything that can go on go on, until all strands wait."""
        while self._ready and not self._closed:
            self._ready.popleft()()

    def close(self) -> None:
        """End all strands where they stand, from the thread that made them. Their `finally` clauses run."""
        self._closed = True
        for fiber in list(self._alive):
            if fiber.greenlet:
                fiber.greenlet.parent = greenlet.getcurrent()
                fiber.greenlet.throw(greenlet.GreenletExit)
        self._alive.clear()

    @property
    def closed(self) -> bool:
        """`close` was called: nothing may be asked any more."""
        return self._closed

    @property
    def waiting(self) -> list[Fiber]:
        """The strands that stand still, oldest first."""
        return [fiber for fiber in self._alive if fiber.waits_for is not None]

    @property
    def path(self) -> Path:
        """Which strand runs now."""
        return self._current.path if self._current is not None else ()

    def line(self) -> Line | None:
        """The author's line that runs now, or that started the current strand."""
        # 2: the caller of what asks.
        frame = author_frame(sys._getframe(2))
        if frame is not None:
            return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
        return self._current.line if self._current is not None else None

    def _next_path(self, parent: Fiber | None) -> Path:
        if parent is None:
            self._roots += 1
            return () if self._roots == 1 else (-self._roots,)
        parent.children += 1
        return (*parent.path, parent.children)

    def _wake(self, fiber: Fiber, turn: object) -> None:
        """The strand goes on when its turn comes, if this is what it still waits for."""
        if turn is not None and fiber.turn is turn:
            fiber.turn = None
            self._ready.append(lambda: self._switch(fiber))

    @staticmethod
    def _raise_in(fiber: Fiber) -> None:
        error, fiber.error = fiber.error, None
        if error is not None:
            raise error

    def _switch(self, fiber: Fiber) -> None:
        if fiber not in self._alive:
            return
        before, self._current = self._current, fiber
        fiber.greenlet.parent = greenlet.getcurrent()
        try:
            fiber.greenlet.switch()
        finally:
            self._current = before

    def _stand_still(self) -> None:
        current: Any = greenlet.getcurrent()
        current.parent.switch()


def author_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame from here outwards that is not of this package, or `None`."""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not (name.startswith(_PACKAGE) and (len(name) == len(_PACKAGE) or name[len(_PACKAGE)] == ".")):
            return frame
        frame = frame.f_back
    return None
