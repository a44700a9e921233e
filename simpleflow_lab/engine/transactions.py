"""Where the engine's memory lives: one lock, one clock, one store, and the threads around them.

Rule: whoever looks at the memory or changes it has a turn. A turn begins with what is due and ends with handing the
store what was recorded, in one piece: what follows from a call is on disk with the call, or neither is. Nobody waits
for the disk in a turn.

Threads, all of them daemons: the store's writer, the timekeeper, and those that run the calls of the main thread.
"""

from __future__ import annotations

import atexit
import base64
import functools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar

from simpleflow_lab.engine import crash_points
from simpleflow_lab.engine.clock import Clock
from simpleflow_lab.engine.effects import EFFECTS
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.off_main_thread import OffMainThread
from simpleflow_lab.engine.recovery import recover
from simpleflow_lab.engine.retention import SWEEP_MILLISECONDS, expired
from simpleflow_lab.engine.store import MemoryStore, SQLiteStore, Store
from simpleflow_lab.engine.task_lists import ACTIVITY, DECISION
from simpleflow_lab.engine.waiters import HistoryWaiter, HistoryWaiters
from simpleflow_lab.exceptions import StoreError

T = TypeVar("T")

MEMORY: Final = ":memory:"
"""The path of an engine without a file."""
FLUSH_DELAY_SECONDS: Final = 0.001
"""A decider that was just handed a task mostly answers within it: then the answer and what it answers to are one write
to the disk instead of two."""


class Transaction:
    """Exclusive use of the engine's memory."""

    __slots__ = ("_durable", "_urgent", "flush_delay", "ticket")

    def __init__(self, host: DurableState, urgent: bool):
        self._durable = host
        self._urgent = urgent
        self.ticket = 0
        """When the store has come this far, what happened in this turn is on disk."""
        self.flush_delay = 0.0
        """How long that may be left to others."""

    def __enter__(self) -> EngineState:
        self._durable.lock.acquire()
        try:
            self._durable.begin_transaction()
        except BaseException:
            self._durable.lock.release()
            raise
        return self._durable.state

    def __exit__(self, *error: object) -> None:
        try:
            self.ticket, self.flush_delay = self._durable.end_transaction(urgent=self._urgent)
        finally:
            self._durable.lock.release()


class DurableState:
    """The engine's memory, and who may use it when."""

    def __init__(
        self,
        path: str,
        clock: Clock,
        entropy: Callable[[int], bytes],
        is_worker_alive: Callable[[str | None], bool],
        cached_events: int,
    ):
        """Open the store at `path` and go on from what it holds. Raises `StoreError`s."""
        self.path = path
        self.lock = threading.Lock()
        self.history_waiters = HistoryWaiters()
        self.last_ticket = 0
        """When the store has come this far, all that was recorded is on disk."""
        self._clock = clock
        self._entropy = entropy
        self.forked = False
        """This is the copy of an engine in a process that was forked from the engine's own."""
        self._closed = False
        self._sweep_at = 0
        self._wake = threading.Event()
        self._sleeping_until: int | None = None
        self._slept_busy = False
        self._off_main_thread = OffMainThread("simpleflow-lab call")
        self.store: Store = MemoryStore() if path == MEMORY else SQLiteStore(os.path.abspath(path), clock.now)
        in_memory = isinstance(self.store, MemoryStore)
        self.state = EngineState(
            now=clock.now,
            new_run_id=self._new_run_id,
            effects=EFFECTS,
            cached_events=None if in_memory else cached_events,
        )
        try:
            contents = self.store.load()
            self.secret = contents.secret
            recover(self.state, contents, self.store.history, is_worker_alive)
            self._sweep()
            crash = crash_points.planned()
            if crash is not None:
                crash.at("recover_before_append")
            self.store.wait(self._flush(urgent=True)[0])
            if crash is not None:
                crash.at("recover_after_append")
        except BaseException:
            self.store.close()
            raise
        self._timekeeper = threading.Thread(target=self._keep_time, name="simpleflow-lab timekeeper", daemon=True)
        self._timekeeper.start()
        _OPEN.add(self)

    def _new_run_id(self) -> str:
        # As SWF's own, 46 characters; but without "/", so that it can be part of a file's name.
        return "22" + base64.b64encode(self._entropy(32), altchars=b"+-").decode()

    # -- for operations

    @property
    def paused(self) -> str | None:
        """Why nothing is written for now, though calls wait for it, in words; `None` as long as all is well."""
        return self.store.paused

    def run_off_main_thread(self, function: Callable[[], T], on_interrupt: Callable[[], None] | None = None) -> T:
        """The result of a call, which does not run on the main thread. Raises `StoreError` in a forked process."""
        if self.forked:
            raise StoreError("this engine belongs to the process that this one was forked from: open another one here")
        result: T = self._off_main_thread.run(function, on_interrupt or _nothing)
        return result

    def transaction(self, *, urgent: bool = True) -> Transaction:
        """A turn, to be used as a context. What is not urgent may stay in memory for a moment."""
        return Transaction(self, urgent)

    def write(self, change: Callable[[EngineState], None], *, wait: bool = True) -> dict[str, Any]:
        """A turn that changes something, and an empty answer: when that is on disk, or at once without `wait`."""
        transaction = self.transaction()
        with transaction as state:
            change(state)
        if not wait:
            return {}
        self.store.wait(transaction.ticket, flush_delay=transaction.flush_delay)
        return {}

    def release_polls(self) -> None:
        """Every poll that waits now returns empty."""
        with self.lock:
            for poll in self.state.waiting_polls():
                poll.wake()

    def stop_waiting(self, key: int, waiter: HistoryWaiter) -> None:
        """The waiter slept long enough, or was woken."""
        with self.lock:
            if not waiter.over:
                self.history_waiters.forget(key, waiter)

    def close(self) -> None:
        """Let the store go, and whoever waits. Twice is once; in a forked process it is nothing."""
        if not self.forked:
            self.run_off_main_thread(self._close)
            self._off_main_thread.close()

    def _close(self) -> None:
        with self.lock:
            if self._closed:
                return
            self._closed = True
            self.history_waiters.wake_all()
        self.release_polls()
        self._wake.set()
        self._timekeeper.join()
        self.store.close()
        _OPEN.discard(self)

    def close_at_exit(self) -> None:
        """Like `close`, when no thread can be started any more."""
        if not self.forked:
            self._close()

    # -- turns

    def begin_transaction(self) -> None:
        """Do what is due. Raises `StoreError` if the engine is closed or its store is broken."""
        if self._closed:
            raise StoreError(f"the engine on {self.path} is closed: open it again")
        if self.store.failure is not None:
            raise StoreError(self.store.failure)
        self.state.run_due()
        self._sweep()

    def end_transaction(self, *, urgent: bool) -> tuple[int, float]:
        """Do what follows, and hand all of it to the store; gives the ticket to wait for, and the flush delay."""
        self.state.dispatch()
        return self._flush(urgent=urgent)

    def _flush(self, *, urgent: bool) -> tuple[int, float]:
        """Hand what was recorded to the store, in order, and wake whom it concerns."""
        state = self.state
        ticket = 0
        deciding = any(poll.given is not None and poll.given[0].kind == DECISION for poll in state.served_polls)
        flush_delay = FLUSH_DELAY_SECONDS if urgent and deciding else 0.0
        changes = [*state.registry.changes, *state.outbox]
        if changes:
            state.registry.changes.clear()
            state.outbox.clear()
            try:
                ticket = self.last_ticket = self.store.append(changes, urgent=urgent and not flush_delay)
            except StoreError:
                # Memory is ahead of the disk now; from here on every call is told so.
                for poll in state.served_polls:
                    poll.given = None
                raise
            for key, execution in state.changed.items():
                execution.ticket = ticket
                self.history_waiters.notify(key, closed=execution.closed)
            state.changed.clear()
        for poll in state.served_polls:
            poll.ticket = ticket
            if poll.given is not None and poll.given[0].kind == ACTIVITY:
                # It may not begin before what led to it is on disk: why wake it earlier.
                poll.wake_later(functools.partial(self.store.release_on_flush, ticket))
            else:
                poll.wake()
        state.served_polls.clear()
        first = state.next_deadline()
        earlier = first is not None and (self._sleeping_until is None or first < self._sleeping_until)
        if earlier or (self._slept_busy and state.open_tasks == 0):
            self._wake.set()
        return ticket, flush_delay

    # -- time

    def _keep_time(self) -> None:
        """Runs in the timekeeper: see to it that what is due happens though nobody calls."""
        try:
            while True:
                self._wake.clear()
                with self.transaction() as state:
                    until, idle = state.next_deadline(), state.open_tasks == 0
                    self._sleeping_until, self._slept_busy = until, not idle
                self._clock.wait(self._wake, until, idle=idle)
        except StoreError:
            # Closed or broken; whoever calls next is told.
            return

    def _sweep(self) -> None:
        """Forget closed executions whose retention is over."""
        now = self._clock.now()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_MILLISECONDS
            for run in expired(self.state.runs.values(), self.state.registry.domains, now):
                self.state.delete(run)


def _nothing() -> None:
    """What to do when nothing is to be done."""


# -- the end of the process --------------------------------------------------------------------------------------------

_OPEN: Final[weakref.WeakSet[DurableState]] = weakref.WeakSet()


def _mark_as_forked() -> None:
    """In a forked process: the stores are the parent's, and so are the threads that wrote to them."""
    for host in list(_OPEN):
        host.forked = True


# Asking for the process's id in each call would be a system call in each call.
os.register_at_fork(after_in_child=_mark_as_forked)


@atexit.register
def _close_all() -> None:
    """Note the time and let stores go when the interpreter ends."""
    for host in list(_OPEN):
        host.close_at_exit()
