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
from simpleflow_lab.engine.call_threads import Errands
from simpleflow_lab.engine.clock import Clock
from simpleflow_lab.engine.recovery import recover
from simpleflow_lab.engine.retention import SWEEP_MILLISECONDS, expired
from simpleflow_lab.engine.state import EngineState
from simpleflow_lab.engine.store import MemoryStore, SQLiteStore, Store
from simpleflow_lab.engine.task_lists import ACTIVITY, DECISION
from simpleflow_lab.engine.waiters import Watcher, Watchers
from simpleflow_lab.exceptions import StoreError

T = TypeVar("T")

MEMORY: Final = ":memory:"
"""The path of an engine without a file."""
PATIENCE_SECONDS: Final = 0.001
"""A decider that was just handed a task mostly answers within it: then the answer and what it answers to are one write
to the disk instead of two."""


class Turn:
    """Exclusive use of the engine's memory."""

    __slots__ = ("_host", "_urgent", "patience", "ticket")

    def __init__(self, host: Host, urgent: bool):
        self._host = host
        self._urgent = urgent
        self.ticket = 0
        """When the store has come this far, what happened in this turn is on disk."""
        self.patience = 0.0
        """How long that may be left to others."""

    def __enter__(self) -> EngineState:
        self._host.lock.acquire()
        try:
            self._host.begin_turn()
        except BaseException:
            self._host.lock.release()
            raise
        return self._host.state

    def __exit__(self, *error: object) -> None:
        try:
            self.ticket, self.patience = self._host.end_turn(urgent=self._urgent)
        finally:
            self._host.lock.release()


class Host:
    """The engine's memory, and who may use it when."""

    def __init__(
        self, path: str, clock: Clock, entropy: Callable[[int], bytes], outlives: Callable[[str | None], bool]
    ):
        """Open the store at `path` and go on from what it holds. Raises `StoreError`s."""
        self.path = path
        self.lock = threading.Lock()
        self.watchers = Watchers()
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
        self._errands = Errands("simpleflow-lab call")
        self.store: Store = MemoryStore() if path == MEMORY else SQLiteStore(os.path.abspath(path), clock.now)
        in_memory = isinstance(self.store, MemoryStore)
        self.state = EngineState(now=clock.now, new_run_id=self._new_run_id, keep_closed=in_memory)
        try:
            contents = self.store.load()
            self.secret = contents.secret
            recover(self.state, contents, self.store.history, outlives)
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

    def away(self, function: Callable[[], T], on_interrupt: Callable[[], None] | None = None) -> T:
        """The result of a call, which does not run on the main thread. Raises `StoreError` in a forked process."""
        if self.forked:
            raise StoreError("this engine belongs to the process that this one was forked from: open another one here")
        result: T = self._errands.run(function, on_interrupt or _nothing)
        return result

    def turn(self, *, urgent: bool = True) -> Turn:
        """A turn, to be used as a context. What is not urgent may stay in memory for a moment."""
        return Turn(self, urgent)

    def write(self, change: Callable[[EngineState], None], *, wait: bool = True) -> dict[str, Any]:
        """A turn that changes something, and an empty answer: when that is on disk, or at once without `wait`."""
        turn = self.turn()
        with turn as state:
            change(state)
        if not wait:
            return {}
        self.store.wait(turn.ticket, patience=turn.patience)
        return {}

    def release_polls(self) -> None:
        """Every poll that waits now returns empty."""
        with self.lock:
            for poll in self.state.waiting_polls():
                poll.wake()

    def stop_watching(self, key: int, watcher: Watcher) -> None:
        """The watcher slept long enough, or was woken."""
        with self.lock:
            if not watcher.over:
                self.watchers.forget(key, watcher)

    def close(self) -> None:
        """Let the store go, and whoever waits. Twice is once; in a forked process it is nothing."""
        if not self.forked:
            self.away(self._close)
            self._errands.close()

    def _close(self) -> None:
        with self.lock:
            if self._closed:
                return
            self._closed = True
            self.watchers.wake_all()
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

    def begin_turn(self) -> None:
        """Do what is due. Raises `StoreError` if the engine is closed or its store is broken."""
        if self._closed:
            raise StoreError(f"the engine on {self.path} is closed: open it again")
        if self.store.failure is not None:
            raise StoreError(self.store.failure)
        self.state.run_due()
        self._sweep()

    def end_turn(self, *, urgent: bool) -> tuple[int, float]:
        """Do what follows, and hand all of it to the store; gives the ticket to wait for, and the patience for it."""
        self.state.settle()
        return self._flush(urgent=urgent)

    def _flush(self, *, urgent: bool) -> tuple[int, float]:
        """Hand what was recorded to the store, in order, and wake whom it concerns."""
        state = self.state
        ticket = 0
        deciding = any(poll.given is not None and poll.given[0].kind == DECISION for poll in state.answered)
        patience = PATIENCE_SECONDS if urgent and deciding else 0.0
        changes = [*state.registry.changes, *state.outbox]
        if changes:
            state.registry.changes.clear()
            state.outbox.clear()
            try:
                ticket = self.last_ticket = self.store.append(changes, urgent=urgent and not patience)
            except StoreError:
                # Memory is ahead of the disk now; from here on every call is told so.
                for poll in state.answered:
                    poll.given = None
                raise
            for key, execution in state.changed.items():
                execution.ticket = ticket
                self.watchers.tell(key, closed=execution.closed)
            state.changed.clear()
        for poll in state.answered:
            poll.ticket = ticket
            if poll.given is not None and poll.given[0].kind == ACTIVITY:
                # It may not begin before what led to it is on disk: why wake it earlier.
                poll.leave_to(functools.partial(self.store.open_when_flushed, ticket))
            else:
                poll.wake()
        state.answered.clear()
        first = state.next_deadline()
        earlier = first is not None and (self._sleeping_until is None or first < self._sleeping_until)
        if earlier or (self._slept_busy and state.open_tasks == 0):
            self._wake.set()
        return ticket, patience

    # -- time

    def _keep_time(self) -> None:
        """Runs in the timekeeper: see to it that what is due happens though nobody calls."""
        try:
            while True:
                self._wake.clear()
                with self.turn() as state:
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

_OPEN: Final[weakref.WeakSet[Host]] = weakref.WeakSet()


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
