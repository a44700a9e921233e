"""Amazon SWF in this process: the 39 operations, thin, over `state`, `store` and a few threads.

Rule: an operation checks its request, takes its turn under the one lock, and waits for the disk outside of it. What a
call acknowledged is on disk; what a call shows is on disk. One exception, output commit: a poll's own `…TaskStarted`
event need not be there before the poll returns, for the pollers are threads of this process and die with it, and
recovery treats a started task like one that was lost. What came before must be there if the task may touch the world,
so an activity task waits for it; a decision task does not, for deciding has no effects and its answer waits for the
disk itself. (An endpoint for pollers in other processes waits for both.)

Threads, all of them daemons: the store's writer, the timekeeper, and one that runs the calls of the main thread.
"""

from __future__ import annotations

import atexit
import base64
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar

from simpleflow_lab.engine import requests, task_lists, tokens, visibility
from simpleflow_lab.engine.clock import Clock, SystemClock
from simpleflow_lab.engine.decision_rules import NewEvent, decided
from simpleflow_lab.engine.executions import Execution, Heartbeat, Run, cancel_request, started_event, to_datetime
from simpleflow_lab.engine.interrupts import Errands
from simpleflow_lab.engine.open_questions import (
    PAGE_TOKEN_SECONDS,
    REPEATED_CANCEL_REQUESTS_ARE_RECORDED,
    STARTED_ALREADY_MESSAGE,
)
from simpleflow_lab.engine.recovery import recover
from simpleflow_lab.engine.registration import ACTIVITY, ARN_PREFIX, DEPRECATED, WORKFLOW, Domain, Kind, Type, type_text
from simpleflow_lab.engine.requests import EXECUTION_DEFAULTS, Request, chosen, resolve
from simpleflow_lab.engine.retention import expired, sweep_every
from simpleflow_lab.engine.state import EngineState
from simpleflow_lab.engine.store import MemoryStore, SQLiteStore, Store
from simpleflow_lab.engine.task_lists import Poll, Task
from simpleflow_lab.engine.tokens import Tokens
from simpleflow_lab.exceptions import (
    DefaultUndefinedFault,
    LimitExceededFault,
    StoreError,
    TypeDeprecatedFault,
    UnknownResourceFault,
    ValidationException,
    WorkflowExecutionAlreadyStartedFault,
)
from simpleflow_lab.service.protocol import Answer, Structure
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.entities import Entity
from simpleflow_lab.swf.event_types import ACTIVITY as ACTIVITY_TASK
from simpleflow_lab.swf.event_types import CHILD, LAMBDA, TIMER, attributes_key
from simpleflow_lab.swf.history import HistoryEvent

T = TypeVar("T")

MEMORY: Final = ":memory:"


def _operation(method: Callable[[EmbeddedSWF, Request], T]) -> Callable[..., T]:
    """An operation of SWF: its request is checked against the model, and it does not run on the main thread."""
    name = "".join(word.capitalize() for word in method.__name__.split("_"))

    @functools.wraps(method)
    def call(self: EmbeddedSWF, **request: Any) -> T:
        requests.check(name, request)
        answer: T = self._away(lambda: method(self, request))
        return answer

    return call


class _Turn:
    """Exclusive use of the engine's memory. What is due happens first, what was recorded is queued for the store last."""

    __slots__ = ("_engine", "_urgent", "ticket")

    def __init__(self, engine: EmbeddedSWF, urgent: bool):
        self._engine = engine
        self._urgent = urgent
        self.ticket = 0
        """When the store has come this far, what happened in this turn is on disk."""

    def __enter__(self) -> EngineState:
        self._engine._lock.acquire()
        try:
            self._engine._check_open()
            self._engine._state.run_due()
        except BaseException:
            self._engine._lock.release()
            raise
        return self._engine._state

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        try:
            self._engine._state.settle()
            self.ticket = self._engine._flush(urgent=self._urgent)
        finally:
            self._engine._lock.release()


class EmbeddedSWF:
    """Amazon SWF, embedded. See `service.protocol.SWFService` for the operations, `WatchableService` for the rest."""

    def __init__(
        self,
        path: str | os.PathLike[str] = MEMORY,
        *,
        clock: Clock | None = None,
        poll_seconds: float = 50.0,
        entropy: Callable[[int], bytes] = os.urandom,
    ):
        """Open the store at `path`, or make it; `:memory:` is the same engine without a file.

        `poll_seconds` is how long a poll waits for a task. Run ids are made from `entropy`. Raises `StoreInUseError`,
        `NotAStoreError`, `StoreVersionError`, `StoreError`.
        """
        self.path = os.fspath(path)
        self._clock: Clock = clock or SystemClock()
        self._poll_seconds = poll_seconds
        self._entropy = entropy
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._sleeping_until: int | None = None
        self._closed = False
        self._errands = Errands("simpleflow-lab call")
        self._watchers: dict[int, list[Poll]] = {}
        self._store: Store = (
            MemoryStore() if self.path == MEMORY else SQLiteStore(os.path.abspath(self.path), self._clock.now)
        )
        self._state = EngineState(
            now=self._clock.now, new_run_id=self._new_run_id, keep_closed=isinstance(self._store, MemoryStore)
        )
        try:
            contents = self._store.load()
            self._tokens = Tokens(contents.secret)
            recover(self._state, contents, self._store.history)
            self._sweep()
            self._store.wait(self._flush(urgent=True))
        except BaseException:
            self._store.close()
            raise
        self._timekeeper = threading.Thread(target=self._keep_time, name="simpleflow-lab timekeeper", daemon=True)
        self._timekeeper.start()
        _OPEN.add(self)

    # -- the engine itself

    def __enter__(self) -> EmbeddedSWF:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the store go. Polls that wait return empty; open executions go on when the store is opened again."""
        if self._pid == os.getpid():
            self._away(self._close)
            self._errands.close()

    def _close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._release_polls()
        self._wake.set()
        self._timekeeper.join()
        self._store.close()
        _OPEN.discard(self)

    def release_polls(self) -> None:
        """Every poll that waits now returns empty at once, so that pollers can stop."""

        def release() -> None:
            with self._lock:
                self._release_polls()

        self._away(release)

    def _release_polls(self) -> None:
        for poll in self._state.waiting_polls():
            poll.wake()
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.wake()

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """The id of the execution's last event on disk, as soon as it is greater than `after_event_id`, or after `timeout` s.

        With `until_closed` it waits for the execution to close. Raises `UnknownResourceFault`.
        """
        end = time.monotonic() + timeout

        def wait() -> int:
            while True:
                watcher = Poll(None)
                with self._turn(urgent=False) as state:
                    run = _run(state, domain, execution)
                    found = state.open.get(run.key)
                    last = run.event_count if found is None else len(found.events)
                    ticket = 0 if found is None else found.ticket
                    if found is None or (last > after_event_id and not until_closed) or self._closed:
                        break
                    self._watchers.setdefault(run.key, []).append(watcher)
                watcher.sleep(end - time.monotonic())
                with self._lock:
                    self._forget_watcher(run.key, watcher)
                if time.monotonic() >= end:
                    break
            self._store.wait(ticket, urgent=False)
            return last

        result: int = self._away(wait)
        return result

    def _forget_watcher(self, key: int, watcher: Poll) -> None:
        watchers = self._watchers.get(key)
        if watchers is not None and watcher in watchers:
            watchers.remove(watcher)
            if not watchers:
                del self._watchers[key]

    def _new_run_id(self) -> str:
        # As SWF's own, 46 characters; but without "/", so that it can be part of a file's name.
        return "22" + base64.b64encode(self._entropy(32), altchars=b"+-").decode()

    # -- turns

    def _away(self, function: Callable[[], T], on_interrupt: Callable[[], None] | None = None) -> T:
        if os.getpid() != self._pid:
            raise StoreError("this engine belongs to the process that this one was forked from: open another one here")
        result: T = self._errands.run(function, on_interrupt or _nothing)
        return result

    def _turn(self, *, urgent: bool = True) -> _Turn:
        return _Turn(self, urgent)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"the engine on {self.path} is closed: open it again")

    def _flush(self, *, urgent: bool) -> int:
        """Hand what was recorded to the store, in order, and wake whom it concerns. Under the lock."""
        state = self._state
        ticket = 0
        changes = [*state.registry.changes, *state.outbox]
        if changes:
            state.registry.changes.clear()
            state.outbox.clear()
            ticket = self._store.append(changes, urgent=urgent)
            for key, execution in state.changed.items():
                execution.ticket = ticket
                for watcher in self._watchers.get(key, ()):
                    watcher.wake()
            state.changed.clear()
        for poll in state.answered:
            poll.ticket = ticket
            poll.wake()
        state.answered.clear()
        first = state.next_deadline()
        if first is not None and (self._sleeping_until is None or first < self._sleeping_until):
            self._wake.set()
        return ticket

    def _write(self, change: Callable[[EngineState], None]) -> Answer:
        """A turn that changes something, acknowledged when it is on disk."""
        turn = self._turn()
        with turn as state:
            change(state)
        self._store.wait(turn.ticket)
        return {}

    def _keep_time(self) -> None:
        """Runs in the timekeeper: see to it that what is due happens."""
        try:
            while True:
                self._wake.clear()
                with self._turn() as state:
                    self._sweep()
                    until = state.next_deadline()
                    idle = state.open_tasks == 0
                    self._sleeping_until = until
                self._clock.wait(self._wake, until, idle=idle)
        except StoreError:
            # Closed or broken; whoever calls next is told.
            return

    def _sweep(self) -> None:
        """Forget closed executions whose retention is over."""
        now = self._clock.now()
        if now >= getattr(self, "_sweep_at", 0):
            self._sweep_at = now + sweep_every()
            for run in expired(self._state.runs.values(), self._state.registry.domains, now):
                self._state.delete(run)
