"""Poll, handle, poll again: the threads that deciders and activity workers share, as many as a task list needs.

One thread polls while there is nothing to do. A thread that takes a task lets another begin when none of its task list
polls any more, up to a limit. A thread ends when its poll found nothing, it had nothing to do for `surplus_seconds`,
and another one polls. All are daemon threads. What they do is counted as they do it.

Rule: polling never ends by an error. An error of the poll is logged, and the poll is repeated after a pause that
doubles up to `MAX_PAUSE`; up to `LOOK_FOR_ROOM_SECONDS` while there is no room on the disk of a store. An error of a
handler is only logged: handlers deal with their own errors.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import SimpleflowLabError, StorePausedError
from simpleflow_lab.runtime.pauses import LOOK_FOR_ROOM_SECONDS

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.5
"""Pause, in seconds, after the first poll that fails."""
MAX_PAUSE: Final = 30.0
"""Longest pause, in seconds, after polls that fail."""
RELEASE_SECONDS: Final = 0.2
"""Seconds that a poll may need to return after its service released it; together, for all pollers that stop at once."""
RELEASE_PAUSE: Final = 0.01
"""Seconds until the polls that wait after `stop` are released a second time; twice as many for each further time."""
POLL_SECONDS: Final = 10.0
"""Seconds that a poll waits at an engine of ours: after that a thread may end, or learn that it should."""
SURPLUS_SECONDS: Final = 10.0
"""Seconds for which a thread has nothing to do before it is one too many."""


NOT_ANSWERED: Final = ""
"""The outcome of a task that was given back: it counts neither as done nor as failed."""


class _Thread(threading.Thread):
    """One thread that polls."""

    task: Mapping[str, Any] | None = None
    """The task that it handles; `None` while it polls."""
    next_task: Mapping[str, Any] | None = None
    """The task that came with the answer to the one before."""
    took_at: float = 0.0
    """When it took that task, by `time.time`."""
    idle_since: float = 0.0
    """When it had a task last, or began, by `time.monotonic`."""
    is_dismissed = False
    """It was replaced: it ends when it comes back."""


class TaskInProgress(NamedTuple):
    """A task that is being handled."""

    task: Mapping[str, Any]
    """The task as it was polled."""
    since: float
    """When it was taken, by `time.time`."""


class Poller:
    """The threads that poll one task list for one kind of task."""

    def __init__(
        self,
        name: str,
        poll: Callable[[], Mapping[str, Any]],
        handle: Callable[[Mapping[str, Any]], str | None],
        *,
        limit: int = 1,
        at_end: Callable[[], None] | None = None,
        surplus_seconds: float = SURPLUS_SECONDS,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """`poll` gives SWF's answer, which has a task if it has a token. `handle` takes the task, and gives the error
        with which it failed, `None`, or `NOT_ANSWERED`. `limit` tasks are handled at once. `at_end` is called in
        each thread when it ends. `first_pause` is the pause, in seconds, after the first poll that fails."""
        self._name = name
        self._poll, self._handle, self._at_end = poll, handle, at_end
        self._lock = threading.Lock()
        self._limit = limit
        self._first_pause = first_pause
        self.surplus_seconds = surplus_seconds
        """Seconds for which a thread has nothing to do before it is one too many."""
        self._threads: dict[_Thread, None] = {}
        self._number = 0
        self._busy = 0
        self._stopping = threading.Event()
        self._released_by = math.inf
        self.done = 0
        """Number of tasks that were handled without an error."""
        self.failed = 0
        """Number of tasks that were handled with an error."""
        self.last_error: str | None = None
        """The latest error of a task or of a poll."""
        self.changed_at = time.time()
        """When it began to poll, to be busy, or to stop, whichever came last, by `time.time`."""
        self.stops_after_one = False
        """Whether it stops when it has taken one task."""

    def start(self) -> None:
        """Begin to poll, again after `stop`."""
        with self._lock:
            self._stopping.clear()
            self.changed_at = time.time()
            if self._busy == len(self._threads) < self._limit:
                self._begin_thread()

    @property
    def limit(self) -> int:
        """The number of tasks that are handled at once."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        # Threads that are too many end when their poll or their task has ended.
        with self._lock:
            self._limit = limit
            if self._threads and self._busy == len(self._threads) < limit and not self._stopping.is_set():
                self._begin_thread()

    @property
    def thread_count(self) -> int:
        """The number of its threads."""
        return len(self._threads)

    @property
    def busy_count(self) -> int:
        """The number of tasks that it handles."""
        return self._busy

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called, and not `start` since then."""
        return self._stopping.is_set()

    @property
    def tasks(self) -> list[TaskInProgress]:
        """The tasks that it handles, in the order in which they were taken."""
        with self._lock:
            found = [(thread.task, thread.took_at) for thread in self._threads]
        tasks = [TaskInProgress(task, since) for task, since in found if task is not None]
        return sorted(tasks, key=lambda one: one.since)

    def count(self, error: str | None) -> None:
        """Count a task that was handled elsewhere."""
        with self._lock:
            self._count(error)

    @property
    def polls_next(self) -> bool:
        """Whether the calling thread is one of its own and polls again after its task, as it looks now."""
        thread = threading.current_thread()
        return isinstance(thread, _Thread) and thread in self._threads and self._goes_on(thread)

    def take_next(self, answer: Mapping[str, Any]) -> None:
        """Take what the poll gave that was carried out with an answer: its task is the next one of the calling thread,
        which is one of its own."""
        thread = threading.current_thread()
        if answer.get("taskToken"):
            assert isinstance(thread, _Thread)
            thread.next_task = answer

    def stop(self) -> None:
        """Take no more tasks after those in progress. The service must release the polls that wait."""
        with self._lock:
            self._released_by = time.monotonic() + RELEASE_SECONDS
            if not self._stopping.is_set():
                self._stopping.set()
                self.changed_at = time.time()

    def replace_thread(self, thread_id: int) -> None:
        """Let another thread poll in place of this one, which is held up; it ends when it comes back."""
        with self._lock:
            for thread in [thread for thread in self._threads if thread.ident == thread_id]:
                thread.is_dismissed = True
                self._forget(thread)
                if not self._stopping.is_set():
                    self._begin_thread()

    def join(self, seconds: float) -> bool:
        """Wait up to `seconds` for the end of its threads; `False` if one still handles a task then.

        A poll that waits in another process ends when its time is over; this method does not wait for it.
        """
        return join_all([self], seconds)

    def _join(self, deadline: float, release: Callable[[], None]) -> bool:
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            pause = RELEASE_PAUSE
            while thread is not threading.current_thread():
                is_busy = thread.task is not None
                until = deadline if is_busy else min(deadline, self._released_by, time.monotonic() + pause)
                thread.join(min(max(until - time.monotonic(), 0.01), threading.TIMEOUT_MAX))
                # A poll that was released may have brought a last task.
                if not thread.is_alive() or is_busy or time.monotonic() >= deadline:
                    break
                if thread.task is None:
                    release()  # a poll that was about to begin did not wait yet
                    pause *= 2
                    if time.monotonic() >= self._released_by:
                        break
        return not any(thread.task is not None and thread.is_alive() for thread in threads)

    # -- inside; `_begin_thread` and `_forget` are called under the lock --

    def _begin_thread(self) -> None:
        self._number += 1
        name = self._name if self._limit == 1 else f"{self._name}, thread {self._number}"
        thread = _Thread(target=self._loop, name=name, daemon=True)
        self._threads[thread] = None
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads, or Python ends: the others go on
            del self._threads[thread]
            if not self._threads:
                raise
            logger.warning("%s: no further thread could be started", self._name, exc_info=True)

    def _forget(self, thread: _Thread) -> None:
        if thread in self._threads:
            del self._threads[thread]
            if thread.task is not None:
                self._busy -= 1

    def _took(self, thread: _Thread, task: Mapping[str, Any]) -> None:
        """The thread handles a task from now on."""
        with self._lock:
            thread.task, thread.took_at = task, time.time()
            if self.stops_after_one:
                self._stopping.set()
            if thread.is_dismissed:
                return
            self._busy += 1
            if self._busy == 1 and not self._stopping.is_set():
                self.changed_at = thread.took_at
            if self._busy == len(self._threads) < self._limit and not self._stopping.is_set():
                self._begin_thread()

    def _handled(self, thread: _Thread, error: str | None) -> None:
        """The thread has no task any more."""
        with self._lock:
            thread.task = None
            self._count(error)
            if not thread.is_dismissed:
                self._busy -= 1
                if not self._busy and not self._stopping.is_set():
                    self.changed_at = time.time()
        thread.idle_since = time.monotonic()

    def _count(self, error: str | None) -> None:
        if error is None:
            self.done += 1
        elif error != NOT_ANSWERED:
            self.failed += 1
            self.last_error = error

    def _goes_on(self, thread: _Thread) -> bool:
        """Whether the thread polls again."""
        return not (self._stopping.is_set() or thread.is_dismissed or len(self._threads) > self._limit)

    def _is_surplus(self, thread: _Thread) -> bool:
        """Whether the thread, whose poll found nothing, is one too many; then it is no longer one of the threads."""
        if time.monotonic() - thread.idle_since < self.surplus_seconds:
            return False
        with self._lock:
            if len(self._threads) - self._busy <= 1:
                return False
            self._forget(thread)
            return True

    def _leave(self, thread: _Thread) -> bool:
        """Whether the thread ends, as one of those that are too many or because of `stop`; it is forgotten then."""
        with self._lock:
            if self._goes_on(thread):
                return False
            self._forget(thread)
            if not self._threads and self._stopping.is_set():
                self.changed_at = time.time()
            return True

    def _loop(self) -> None:
        thread = threading.current_thread()
        assert isinstance(thread, _Thread)
        thread.idle_since = time.monotonic()
        pause = self._first_pause
        while thread.next_task is not None or self._goes_on(thread) or not self._leave(thread):
            try:
                task, thread.next_task = thread.next_task or self._poll(), None
                pause = self._first_pause
            except Exception as error:  # a poller must poll: of boto3, of a proxy, … nobody can list them
                if self._stopping.is_set():
                    continue
                earlier, self.last_error = self.last_error, _text_of(error)
                is_paused = isinstance(error, StorePausedError)
                logger.log(
                    logging.DEBUG if is_paused and earlier == self.last_error else logging.WARNING,
                    "%s: polling failed, next try in %.1f s: %s",
                    thread.name,
                    pause,
                    error,
                    exc_info=not isinstance(error, SimpleflowLabError),
                )
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # not all of them at once
                pause = min(pause * 2, LOOK_FOR_ROOM_SECONDS if is_paused else MAX_PAUSE)
                continue
            if task.get("taskToken"):
                self._took(thread, task)
                failure: str | None = None
                try:
                    failure = self._handle(task)
                except Exception as error:  # a task that can't be handled ends no worker
                    failure = _text_of(error)
                    # After `stop` the service may be closed: the task is given out again when it is open.
                    level = logging.DEBUG if self._stopping.is_set() else logging.ERROR
                    logger.log(level, "%s: handling a task failed", thread.name, exc_info=True)
                finally:
                    self._handled(thread, failure)
            elif self._is_surplus(thread):
                break
        if self._at_end is not None:
            self._at_end()


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def join_all(pollers: Iterable[Poller], seconds: float, release: Callable[[], None] = lambda: None) -> bool:
    """Wait up to `seconds` for the threads of all of them; `False` if one still handles a task then.

    `release` lets the service end the polls that wait; it is called for those that began only after `stop`, too.
    """
    deadline = time.monotonic() + seconds
    ended = [poller._join(deadline, release) for poller in pollers]
    return all(ended)
