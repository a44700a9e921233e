"""Transactions on the engine's state: one lock, one clock, one store, and the threads around them.

Rule: the state is read and changed in transactions only. A transaction begins with recording what is due, and ends with
the effects of what was recorded and with handing all changes to the store, in one piece: the effects of a call are on
disk with the call, or neither is. No transaction waits for the disk.

There are these threads, all of them daemons: the store's writer, the timekeeper, and those that run calls off the main
thread.
"""

from __future__ import annotations

import atexit
import base64
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar

from simpleflow_lab.engine import crash_points
from simpleflow_lab.engine.clock import Clock, EngineTime
from simpleflow_lab.engine.due import record_due
from simpleflow_lab.engine.effects import EFFECTS
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.execution_state import ExecutionState, Run
from simpleflow_lab.engine.off_main_thread import OffMainThread
from simpleflow_lab.engine.presence import Presence
from simpleflow_lab.engine.process_records import ProcessRecord
from simpleflow_lab.engine.recovery import latest_recorded, recover
from simpleflow_lab.engine.requests_carried_out import CarriedOut
from simpleflow_lab.engine.retention import SWEEP_MILLISECONDS, expired
from simpleflow_lab.engine.run_index import RunIndex
from simpleflow_lab.engine.session_changes import end_session
from simpleflow_lab.engine.sqlite_store import SQLiteStore
from simpleflow_lab.engine.store import MemoryStore, Store
from simpleflow_lab.engine.waiters import HistoryWaiter, HistoryWaiters
from simpleflow_lab.exceptions import StoreError, StorePausedError
from simpleflow_lab.swf.conventions import GIVEN_BACK
from simpleflow_lab.swf.event_types import ACTIVITY, DECISION_TASK

T = TypeVar("T")

ROOM_SECONDS: Final = 1.5
"""For how long what a person asks for waits while the disk is full. Less than after what another process says that the
owner does not answer (`http.silent_owner`)."""
MEMORY: Final = ":memory:"
"""The path of an engine without a file."""
FLUSH_DELAY_SECONDS: Final = 0.001
"""Seconds that the changes of a transaction which assigned a decision task may wait for more, in a group commit.
Most deciders complete their task within it, so that the disk is written once instead of twice."""


class _CarriedOutAlready(Exception):
    """A request has come again: it is carried out no second time."""

    def __init__(self, request: CarriedOut) -> None:
        super().__init__()
        self.request = request


class _CurrentRequest(threading.local):
    """The request that a thread carries out once, for all its transactions."""

    request_id: str | None = None


class Transaction:
    """Exclusive use of the engine's state, as a context."""

    __slots__ = ("_durable", "_request_id", "_urgent", "answer", "flush_delay", "ticket")

    def __init__(self, durable: DurableState, urgent: bool, request_id: str | None) -> None:
        self._durable = durable
        self._urgent = urgent
        self._request_id = request_id
        self.answer: dict[str, Any] = {}
        """The answer to the request that it carries out, if that is to be remembered."""
        self.ticket = 0
        """The store's ticket after which the changes are on disk; known once the transaction has ended."""
        self.flush_delay = 0.0
        """Seconds for which the changes may wait for more changes before they are written."""

    def __enter__(self) -> EngineState:
        self._durable.lock.acquire()
        try:
            self._durable.begin_transaction()
            known = None if self._request_id is None else self._durable.state.carried_out.get(self._request_id)
            if known is not None:
                self._durable.end_transaction(urgent=self._urgent)
                raise _CarriedOutAlready(known)
        except BaseException:  # an interrupt too: the lock is not left held
            self._durable.lock.release()
            raise
        return self._durable.state

    def __exit__(self, *error: object) -> None:
        try:
            if self._request_id is not None and error[0] is None:
                self._durable.state.remember_request(self._request_id, self.answer)
            self.ticket, self.flush_delay = self._durable.end_transaction(urgent=self._urgent)
        finally:
            self._durable.lock.release()


class DurableState:
    """The engine's state with the store that it is written to, and the transactions on it."""

    def __init__(
        self,
        path: str,
        clock: Clock,
        entropy: Callable[[int], bytes],
        is_worker_alive: Callable[[str | None], bool],
        cached_events: int,
    ) -> None:
        """Open the store at `path` and recover its state. For the parameters see `EmbeddedSWF`. Raises `StoreError`."""
        self.path = path
        self.lock = threading.Lock()
        self.history_waiters = HistoryWaiters()
        self.last_ticket = 0
        """The store's ticket after which everything recorded so far is on disk."""
        self._delayed_ticket = 0
        self._clock = clock
        self._time = EngineTime(clock)
        self._moment = self._time.moment()
        self._entropy = entropy
        self.forked = False
        """Whether this is the copy of an engine in a process that was forked from the engine's own."""
        self._closed = False
        self._sweep_at = 0
        self._wake = threading.Event()
        self._sleeping_until: int | None = None
        self._sleeping_busy = False
        self._off_main_thread = OffMainThread("simpleflow-lab call")
        self._current = _CurrentRequest()
        self.store: Store = MemoryStore() if path == MEMORY else SQLiteStore(os.path.abspath(path), self._time.moment)
        in_memory = isinstance(self.store, MemoryStore)
        self.state = EngineState(
            now=lambda: self._moment.at,
            running=lambda: self._moment.running / 1000,
            new_run_id=self._new_run_id,
            effects=EFFECTS,
            cached_events=None if in_memory else cached_events,
        )
        try:
            contents = self.store.load()
            self.secret = contents.secret
            self._time.begin_after(latest_recorded(contents))
            self._read_clock()
            recover(self.state, contents, self.store.history, is_worker_alive, self._is_present)
            self._sweep()
            crash = crash_points.planned()
            if crash is not None:
                crash.at("recover_before_append")
            try:
                self.store.wait(self._flush(urgent=True)[0], room_seconds=ROOM_SECONDS)
            except StorePausedError:
                raise StorePausedError(
                    f"the store {path} can't be opened without room: make room on its disk"
                ) from None
            if crash is not None:
                crash.at("recover_after_append")
        except BaseException:  # an interrupt too: the thread of the store must end
            self.store.close()
            raise
        self._timekeeper = threading.Thread(target=self._keep_time, name="simpleflow-lab timekeeper", daemon=True)
        self._timekeeper.start()
        _OPEN.add(self)

    def _is_present(self, record: ProcessRecord) -> bool:
        """Whether a process has this store open."""
        return Presence(os.path.abspath(self.path), record.instance).is_held(record.pid)

    def _new_run_id(self) -> str:
        # As SWF's own, 46 characters; but without "/", so that it can be part of a file's name.
        return "22" + base64.b64encode(self._entropy(32), altchars=b"+-").decode()

    # -- for operations

    @property
    def paused(self) -> str | None:
        """A sentence that says why nothing is written for now, while calls wait; `None` if the store is written."""
        return self.store.paused

    def run_off_main_thread(self, function: Callable[[], T], on_interrupt: Callable[[], None] | None = None) -> T:
        """The result of `function()`, which does not run on the main thread.

        `on_interrupt` runs if the main thread is interrupted while it waits. Raises `StoreError` in a forked process,
        and what `function` raises.
        """
        if self.forked:
            raise StoreError("this engine belongs to the process that this one was forked from: open another one here")
        result: T = self._off_main_thread.run(function, on_interrupt or _nothing)
        return result

    def transaction(self, *, urgent: bool = True) -> Transaction:
        """A transaction, to be used as a context. Changes that are not `urgent` are written with the next that are."""
        return Transaction(self, urgent, self._current.request_id)

    def once(self, request_id: str, carry_out: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer of `carry_out()`, which runs one transaction; if a request with this id has taken effect, the
        answer of then, once that is on disk."""

        def carry_out_once() -> dict[str, Any]:
            self._current.request_id = request_id
            try:
                return carry_out()
            except _CarriedOutAlready as already:
                self.store.wait(self.last_ticket, room_seconds=ROOM_SECONDS)
                return dict(already.request.answer)
            finally:
                self._current.request_id = None

        return self.run_off_main_thread(carry_out_once)

    def write(self, change: Callable[[EngineState], None], *, room_seconds: float | None = None) -> dict[str, Any]:
        """Run a transaction and give an empty response, once the changes are on disk.

        For `room_seconds` see `Store.wait`; with it nothing is changed while the disk is full.
        """
        if room_seconds is not None:
            self.expect_room()
        transaction = self.transaction()
        with transaction as state:
            change(state)
        self.store.wait(transaction.ticket, flush_delay=transaction.flush_delay, room_seconds=room_seconds)
        return {}

    def write_later(self, change: Callable[[EngineState], None]) -> int:
        """Run a transaction and give the ticket after which its changes are on disk, which is not waited for.

        Changes that may wait for more changes do so until the next call of `write_delayed`.
        """
        transaction = self.transaction()
        with transaction as state:
            change(state)
        if transaction.flush_delay:
            self._delayed_ticket = transaction.ticket
        return transaction.ticket

    def expect_room(self) -> None:
        """Wait a moment for room, if the disk is full. Raises `StorePausedError` if there is none: nothing is changed
        then."""
        if self.paused is None or self.store.wait_to_read(self.last_ticket, until=time.monotonic() + ROOM_SECONDS):
            return
        if self.paused is not None:
            raise StorePausedError(f"{self.paused}; what was asked was not done: ask again")

    def is_write_delayed(self) -> bool:
        """Whether changes wait for more changes that nobody waits for."""
        return not self.store.is_flushed(self._delayed_ticket)

    def write_delayed(self) -> None:
        """Let the changes be written that wait for more changes and that nobody waits for."""
        if self.is_write_delayed():
            self.store.flush_soon(self._delayed_ticket)

    def release_polls(self) -> None:
        """End every waiting poll without a task."""
        with self.lock:
            for poll in self.state.waiting_polls():
                poll.wake()

    def end_session(self, instance: str) -> None:
        """End the session of this process, before the store is closed; not if it can't be written any more."""

        def end() -> None:
            try:
                with self.transaction() as state:
                    found = state.sessions.living.get(instance)
                    if found is not None:
                        end_session(state, found, GIVEN_BACK)
            except StoreError:
                return  # the next engine finds the tasks of a process that is gone, or has no session

        if not self.forked:
            self.run_off_main_thread(end)

    def stop_waiting(self, key: int, waiter: HistoryWaiter) -> None:
        """Unregister a waiter whose sleep has ended."""
        with self.lock:
            if not waiter.finished:
                self.history_waiters.remove(key, waiter)

    def close(self) -> None:
        """Close the store and wake every waiting thread. A second call, or a call in a forked process, does nothing."""
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
        """Close as `close` does, when no thread can be started any more."""
        if not self.forked:
            self._close()

    def runs_on_disk(self, ticket: int) -> RunIndex | None:
        """`None` when what a call has read is on disk; while that can't be written, what is there instead."""
        if self.store.wait_to_read(ticket):
            return None
        index = RunIndex()
        for run in self.store.written_runs():
            index.add(run)
            if run.closed_at is None:
                index.add_open(run)
        return index

    def execution_on_disk(self, run: Run, ticket: int) -> ExecutionState | None:
        """`None` when what a call has read of an execution is on disk; while that can't be written, what is there
        instead. Raises `StorePausedError` if nothing is."""
        if self.store.wait_to_read(ticket):
            return None
        found = self.store.written_history(run.key)
        if found is None:
            raise StorePausedError(self.store.paused or f"the store {self.path} could not be written: ask again")
        return ExecutionState.fold(*found)

    def now(self) -> int:
        """The time of this engine, in milliseconds since 1970. It may be read by any thread at any time."""
        return self._time.now()

    # -- the two ends of a transaction

    def begin_transaction(self) -> None:
        """Record what is due. Raises `StoreError` if the engine is closed or its store has failed."""
        if self._closed:
            raise StoreError(f"the engine on {self.path} is closed: open it again")
        if self.store.failure is not None:
            raise StoreError(self.store.failure)
        if not self.state.open:
            self._time.meet_wall()
        self._read_clock()
        record_due(self.state)
        if self._moment.at >= self._sweep_at:
            self._sweep()

    def end_transaction(self, *, urgent: bool) -> tuple[int, float]:
        """Run effects, assign tasks and hand all changes to the store; gives the ticket and the flush delay."""
        self.state.dispatch()
        return self._flush(urgent=urgent)

    def _flush(self, *, urgent: bool) -> tuple[int, float]:
        """Hand all changes to the store, in order, and wake the threads that wait for them."""
        state = self.state
        ticket = 0
        deciding = awaited = False
        for poll in state.served_polls:
            if poll.assigned is None:
                continue
            if poll.assigned[0].kind == DECISION_TASK:
                deciding = deciding or poll.may_decide_at_once
            else:
                # An activity waits for the disk, and nobody else may: the caller's own poll, or a deadline, may have
                # led to it.
                awaited = True
        flush_delay = FLUSH_DELAY_SECONDS if urgent and deciding else 0.0
        changes = [*state.registry.changes, *state.outbox]
        if changes:
            state.registry.changes.clear()
            state.outbox.clear()
            try:
                ticket = self.last_ticket = self.store.append(changes, urgent=awaited or (urgent and not flush_delay))
            except StoreError:
                # The state is ahead of the disk now; from here on every call raises.
                for poll in state.served_polls:
                    poll.assigned = None
                raise
            for key, execution in state.changed.items():
                execution.ticket = ticket
                self.history_waiters.notify(key, closed=execution.closed)
            state.changed.clear()
            for execution in state.scheduling:
                execution.scheduling_ticket = ticket
            state.scheduling.clear()
        for poll in state.served_polls:
            poll.ticket = poll.start_ticket = ticket
            if poll.assigned is not None and poll.assigned[0].kind == ACTIVITY:
                # The activity may not begin before the events that led to it are on disk.
                poll.wake_later(functools.partial(self.store.release_on_flush, ticket))
            else:
                poll.wake()
        state.served_polls.clear()
        sleeping_until = self._sleeping_until
        first = state.next_deadline(before=sleeping_until)
        earlier = first is not None and (sleeping_until is None or first < sleeping_until)
        if earlier or (self._sleeping_busy and state.open_tasks == 0):
            self._wake.set()
        return ticket, flush_delay

    # -- time

    def _keep_time(self) -> None:
        """Run transactions when deadlines pass, so that they take effect without a call. Runs in the timekeeper."""
        try:
            while True:
                self._wake.clear()
                with self.transaction() as state:
                    until, idle = state.next_deadline(), state.open_tasks == 0
                    self._sleeping_until, self._sleeping_busy = until, not idle
                self._time.wait(self._wake, until, idle=idle)
        except StoreError:
            # The engine is closed or its store has failed: the next call raises.
            return

    def _read_clock(self) -> None:
        """Read the clock for this transaction: all that it records has one time."""
        self._moment = moment = self._time.moment()
        if moment.suspended > self.state.suspended:
            self.state.was_suspended(moment.suspended - self.state.suspended)

    def _sweep(self) -> None:
        """Delete closed executions whose retention period is over."""
        now = self._moment.at
        self._sweep_at = now + SWEEP_MILLISECONDS
        for run in expired(self.state.runs, self.state.registry.domains, now):
            if run.key not in self.state.damaged:
                self.state.delete(run)
        self.state.forget_requests()


def _nothing() -> None:
    """Do nothing."""


# -- the end of the process --------------------------------------------------------------------------------------------

_OPEN: Final[weakref.WeakSet[DurableState]] = weakref.WeakSet()


def _mark_as_forked() -> None:
    """Mark the engines in a forked process as copies: their stores and threads are the parent's."""
    for durable in list(_OPEN):
        durable.forked = True


# To compare process ids instead would cost each call a system call.
os.register_at_fork(after_in_child=_mark_as_forked)


@atexit.register
def _close_all() -> None:
    """Close all stores when the interpreter ends."""
    for durable in list(_OPEN):
        durable.close_at_exit()
