"""The activity task that runs here: its context, what it says of its progress, and whether it should stop.

An activity worker makes a `RunningTask` for each task it takes. The activity's code finds it through a context
variable, so each thread, each coroutine and each process that runs an activity has its own.

A request to cancel is told once to each thread of the activity: who cleans up afterwards may send heartbeats again.
"""

from __future__ import annotations

import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

from simpleflow_lab.constants import MAX_HEARTBEAT_DETAILS_LENGTH
from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.exceptions import ActivityCanceled

_NOT_AWAITABLE: Final = frozenset({NoneType, bool, int, float, str, list, tuple, dict})
"""What most activities give: that it is no coroutine is plain."""
_MAX_PROGRESS: Final = 100
"""Most characters of a progress that is a text: even escaped, it leaves room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivityProgress:
    """How far an activity that runs says that it is."""

    name: str
    """Name of the activity type."""
    activity_id: str
    progress: Any
    """A fraction from 0 to 1, a number of items or a text; `None` if it said nothing."""
    details: Any
    """What else it said."""

    @property
    def said(self) -> bool:
        """It said how far it is."""
        return self.progress is not None


class RunningTask:
    """One activity task, from being taken to being answered."""

    def __init__(
        self,
        context: dict[str, Any],
        *,
        report: Callable[[str | None], None],
        finish: Callable[[Awaitable[Any], RunningTask], Any],
    ):
        """`report` is called with the details of each heartbeat that the activity sends, as SWF takes them; `finish`
        gives the result of an awaitable, with an event loop of its own."""
        self.context = context
        """What `current_context` gives."""
        self.said: str | None = None
        """The details of the activity's latest heartbeat."""
        self.canceled: str | None = None
        """Why it should stop, in words; `None` if it may go on."""
        self.gone = False
        """Nobody waits for its answer: it timed out, or its execution has closed."""
        self._report = report
        self._finish = finish
        self._interrupt: Callable[[], None] | None = None
        self._told: set[int] = set()
        self._lock = threading.RLock()  # a signal's handler may cancel what its thread is just looking at

    def __repr__(self) -> str:
        return f"<RunningTask {self.context.get('activity_id')}>"

    def heartbeat(self, progress: Any, details: Any) -> None:
        """Say how far it is. Raises `ActivityCanceled` if it should stop."""
        self.say(heartbeat_details(progress, details))
        error = self.tell()
        if error is not None:
            raise error

    def say(self, text: str | None) -> None:
        """Pass on the details of a heartbeat; `None` is a sign of life without any."""
        if text is not None:
            self.said = text
        self._report(text)

    def finished(self, value: Any) -> Any:
        """What the activity gave, or what that is after it was awaited."""
        if type(value) in _NOT_AWAITABLE:
            return value
        return self._finish(value, self) if inspect.isawaitable(value) else value

    @property
    def progress(self) -> ActivityProgress:
        """What its latest heartbeat said."""
        record = decode(self.said) if self.said is not None else {}
        return ActivityProgress(
            name=str(self.context.get("name")),
            activity_id=str(self.context.get("activity_id")),
            progress=record.get("progress"),
            details=record.get("details"),
        )

    def cancel(self, message: str, *, gone: bool = False) -> None:
        """Let the activity know that it should stop."""
        with self._lock:
            if self.canceled is None or (gone and not self.gone):
                self.canceled, self.gone = message, gone
            interrupt = self._interrupt
        if interrupt is not None:
            interrupt()

    def tell(self) -> ActivityCanceled | None:
        """What this thread should raise to stop, once; else `None`."""
        thread = threading.get_ident()
        if self.canceled is None or thread in self._told:
            return None
        self._told.add(thread)
        return ActivityCanceled(self.canceled)

    @contextmanager
    def interrupted_by(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Within it, `interrupt()` is called when the activity should stop, from any thread and maybe more than once.

        It is called at once if the activity should have stopped already.
        """
        with self._lock:
            before, self._interrupt = self._interrupt, interrupt
        try:
            if self.canceled is not None:
                interrupt()
            yield
        finally:
            with self._lock:
                self._interrupt = before


_current: contextvars.ContextVar[RunningTask | None] = contextvars.ContextVar("activity_task", default=None)


def current() -> RunningTask | None:
    """The activity task that runs here, if one does."""
    return _current.get()


@contextmanager
def running(task: RunningTask) -> Iterator[None]:
    """Within it, `current()` is this task."""
    token = _current.set(task)
    try:
        yield
    finally:
        _current.reset(token)


def heartbeat_details(progress: Any, details: Any) -> str | None:
    """Progress and details as SWF takes them: JSON of at most `MAX_HEARTBEAT_DETAILS_LENGTH` characters.

    `None` if there are neither.

    It can't fail: what JSON can't hold is written as Python shows it, and what is too long is cut.
    """
    given = {"progress": progress, "details": details}
    record = {name: value for name, value in given.items() if value is not None}
    if not record:
        return None
    try:
        text = encode(record)
    except Exception:  # whatever it is, saying how far one is must not end the work
        record = {name: _plain(value) for name, value in record.items()}
        text = encode(record)
    if len(text) <= MAX_HEARTBEAT_DETAILS_LENGTH:
        return text
    if "progress" in record:
        record["progress"] = _text(record["progress"])[:_MAX_PROGRESS]
    if "details" in record:
        record["details"] = _text(record["details"])[:MAX_HEARTBEAT_DETAILS_LENGTH]
        # A character may take twelve when it is escaped.
        while len(text := encode(record)) > MAX_HEARTBEAT_DETAILS_LENGTH:
            record["details"] = record["details"][: len(record["details"]) * 3 // 4]
    return encode(record)


def _plain(value: Any) -> Any:
    try:
        return decode(encode(value))
    except Exception:
        return shown(value)


def shown(value: Any) -> str:
    """A value as Python shows it, in characters that can be written; it raises nothing."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:
        return f"<{type(value).__name__}>"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value)
