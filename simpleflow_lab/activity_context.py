"""The activity task that runs here: its context, the progress that it notes, and whether it should stop.

An activity worker makes a `RunningTask` for each task it takes. The activity's code finds it through a context
variable, so each thread, each coroutine and each process that runs an activity has its own.

Rule: a cancellation is raised once in each thread of the activity, so that its clean-up may send heartbeats again.
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
"""The types of most activities' return values, none of which can be awaited."""
_MAX_PROGRESS: Final = 100
"""Most characters of a progress that is a text. Even escaped, it leaves room for the details."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivityProgress:
    """The progress of an activity that runs, by its latest heartbeat."""

    name: str
    """Name of the activity type."""
    activity_id: str
    """Id of the activity task."""
    progress: Any
    """A fraction from 0 to 1, a number of items or a text; `None` if it noted none."""
    details: Any
    """Further details that it noted, or `None`."""

    @property
    def has_progress(self) -> bool:
        """Whether it noted how far it is."""
        return self.progress is not None


class RunningTask:
    """One activity task, from when a worker takes it until it is answered."""

    def __init__(
        self,
        context: dict[str, Any],
        *,
        report: Callable[[str | None], None],
        finish: Callable[[Awaitable[Any], RunningTask], Any],
    ) -> None:
        """`report` is called with the details of each heartbeat of the activity, as text within SWF's length. `finish`
        gives the result of an awaitable, which it runs on an event loop."""
        self.context = context
        """The record that `current_context` gives."""
        self.heartbeat_details: str | None = None
        """The details of the activity's latest heartbeat."""
        self.canceled: str | None = None
        """Why it should stop, in words; `None` while it may go on."""
        self.is_gone = False
        """SWF takes no answer any more: the task timed out, or its execution has closed."""
        self._report = report
        self._finish = finish
        self._interrupt: Callable[[], None] | None = None
        self._notified_threads: set[int] = set()
        self._lock = threading.RLock()  # a signal's handler may cancel while its own thread holds the lock

    def __repr__(self) -> str:
        return f"<RunningTask {self.context.get('activity_id')}>"

    def heartbeat(self, progress: Any, details: Any) -> None:
        """Send a heartbeat with its progress. Raises `ActivityCanceled` if it should stop."""
        self.send_heartbeat(heartbeat_details(progress, details))
        error = self.take_cancellation()
        if error is not None:
            raise error

    def send_heartbeat(self, text: str | None) -> None:
        """Report a heartbeat with these details; `None` is a heartbeat without any."""
        if text is not None:
            self.heartbeat_details = text
        self._report(text)

    def awaited(self, value: Any) -> Any:
        """The activity's return value, or, if that can be awaited, its result."""
        if type(value) in _NOT_AWAITABLE:
            return value
        return self._finish(value, self) if inspect.isawaitable(value) else value

    @property
    def progress(self) -> ActivityProgress:
        """The progress in its latest heartbeat."""
        record = decode(self.heartbeat_details) if self.heartbeat_details is not None else {}
        return ActivityProgress(
            name=str(self.context.get("name")),
            activity_id=str(self.context.get("activity_id")),
            progress=record.get("progress"),
            details=record.get("details"),
        )

    def cancel(self, message: str, *, is_gone: bool = False) -> None:
        """Make the activity stop; `message` says why. `is_gone` if SWF takes no answer any more."""
        with self._lock:
            if self.canceled is None or (is_gone and not self.is_gone):
                self.canceled, self.is_gone = message, is_gone
            interrupt = self._interrupt
        if interrupt is not None:
            interrupt()

    def take_cancellation(self) -> ActivityCanceled | None:
        """The exception that this thread should raise to stop: once for each thread, and only if it should stop."""
        thread = threading.get_ident()
        if self.canceled is None or thread in self._notified_threads:
            return None
        self._notified_threads.add(thread)
        return ActivityCanceled(self.canceled)

    @contextmanager
    def interrupted_by(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Within this context `interrupt()` is called when the activity should stop: at once if it should already.

        It is called in any thread, and maybe more than once.
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


def current_task() -> RunningTask | None:
    """The activity task that this code belongs to, or `None` outside of an activity."""
    return _current.get()


class set_current_task:
    """Within this context `current_task()` is this task."""

    __slots__ = ("_task", "_token")

    def __init__(self, task: RunningTask) -> None:
        self._task = task

    def __enter__(self) -> None:
        self._token = _current.set(self._task)

    def __exit__(self, *error: object) -> None:
        _current.reset(self._token)


def heartbeat_details(progress: Any, details: Any) -> str | None:
    """The details of a heartbeat: JSON of at most `MAX_HEARTBEAT_DETAILS_LENGTH` characters; `None` if both are `None`.

    It raises nothing: values that JSON can't hold are written as Python shows them, and a text that is too long is cut.
    """
    given = {"progress": progress, "details": details}
    record = {name: value for name, value in given.items() if value is not None}
    if not record:
        return None
    try:
        text = encode(record)
    except Exception:  # whatever it is: reporting progress must not end the work
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
    except Exception:  # an encoder is the author's code: what fails is shown as text
        return as_plain_text(value)


def as_plain_text(value: Any) -> str:
    """A value as Python shows it, without characters that can't be encoded. It raises nothing."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:  # __str__ is the author's code
        return f"<{type(value).__name__}>"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value)
