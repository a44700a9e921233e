"""The base of the live views: a widget with a thread that follows something, as long as a page shows it.

The thread alone reads the service and writes to the widget. What a reader clicks is put into a queue for it, for
callbacks may run in any thread. It ends when there is nothing more to follow, when nobody has shown the view for a
while, and when the view is closed; what a page says begins it again.
"""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

import anywidget
import traitlets

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.notebook.widget_messages import answer_while_a_cell_runs, error_line, new_identity

_UNSEEN: Final = 10.0
"""Seconds after which a view that nobody shows is not updated any more."""
_LONGEST_BACKOFF: Final = 5
"""Each failed update doubles the pause before the next one, so many times at most."""


class FollowingView(anywidget.AnyWidget):
    """A widget that follows something, and does what a reader clicks."""

    identity = traitlets.Unicode().tag(sync=True)
    """The id of its model, by which outputs name it."""
    place = traitlets.Int().tag(sync=True)
    """The number of its place among those of its cell: the still picture of the same place is hidden; see
    `notebook.stills`."""
    notice = traitlets.Unicode().tag(sync=True)
    """A line about what became of the reader's last action."""

    _thread_name: ClassVar[str]
    _messages: ClassVar[Collection[str]] = ("act",)
    """The kinds of messages of the page that `_answer` gets."""
    _share: ClassVar[int]
    """Updates may take one part in so many of the time."""
    _max_errors: ClassVar[int | None] = None
    """After so many failed updates in a row it gives up; `None` is never."""

    def __init__(self, *, refresh: float, **traits: Any) -> None:
        """Show these traits, and follow with an update at most every `refresh` seconds."""
        self._refresh = refresh
        self._requests: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._following = threading.Lock()
        self._thread: threading.Thread | None = None
        self._shown, self._unseen_since = 0, time.monotonic()
        self.was_shown = False
        """Whether a page has ever shown it."""
        super().__init__(**new_identity(), **traits)
        self.on_msg(self._received)
        answer_while_a_cell_runs(self)
        self._follow()

    def close(self) -> None:
        """Stop to follow, and take the widget away."""
        self._stopping.set()
        self._wake.set()
        layout = self.layout  # a widget of its own, which would stay
        super().close()
        if layout is not None:
            layout.close()

    # -- what each view says --

    def _why_ended(self) -> str | None:
        """Why nothing more is learned, as a notice; `None` while it is."""
        raise NotImplementedError

    def _update(self) -> bool:
        """Send what has changed; whether it goes on. Raises `SimpleflowLabError`."""
        raise NotImplementedError

    def _do(self, request: Mapping[str, Any]) -> str:
        """Do what was clicked; a line that says so. Raises `SimpleflowLabError`."""
        raise NotImplementedError

    def _answer(self, request: Mapping[str, Any]) -> None:
        """Do what the page asks for."""
        try:
            done = self._do(request)
        except SimpleflowLabError as error:
            done = error_line(error)
        self._set("notice", done)

    # -- following --

    def _follow(self) -> None:
        """Begin to follow it, if nobody does."""
        with self._following:
            if self._stopping.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            context = contextvars.copy_context()
            self._thread = threading.Thread(target=context.run, args=(self._run,), name=self._thread_name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        errors = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            if (why := self._why_ended()) is not None:
                self._set("notice", why)
                break
            try:
                self._answer_all()
                goes_on = self._update()
                errors = 0
            except SimpleflowLabError as error:
                self._set("notice", f"can't be read for now: {error_line(error)}")
                errors += 1
                goes_on = self._max_errors is None or errors < self._max_errors
            if not goes_on or (not self._shown and began - self._unseen_since > _UNSEEN):
                with self._following:
                    if self._requests.empty():
                        self._thread = None  # a request that comes from now on begins another one
                        break
                continue
            pause = max(self._refresh, self._share * (time.monotonic() - began))
            self._wake.wait(pause * 2 ** min(errors, _LONGEST_BACKOFF))
            self._wake.clear()

    def _answer_all(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._answer(self._requests.get_nowait())

    def _set(self, name: str, value: Any) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)

    # -- the reader's part; any thread --

    def _received(self, _: Any, message: Any, buffers: Any) -> None:
        """Put what the page says into the queue; nothing is done in the thread of a callback."""
        match message:
            case {"kind": "shown"}:
                self._shown += 1
                self.was_shown = True
            case {"kind": "hidden"}:
                self._shown = max(self._shown - 1, 0)
                self._unseen_since = time.monotonic()
            case {"kind": str(kind)} if kind in self._messages:
                self._requests.put(message)
        self._wake.set()
        self._follow()
