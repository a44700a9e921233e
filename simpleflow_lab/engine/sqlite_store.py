"""A store in an SQLite file, written by one thread.

Rule: one connection, in one thread, does everything: it writes, reads and checkpoints. That keeps a kernel's interrupt
away from transactions, makes waiting for the disk interruptible, and makes WAL safe on SQLite before 3.51.3, whose
WAL-reset bug needs two connections (https://sqlite.org/wal.html#walresetbug); the connection is exclusive, so no second
one can be opened. With `journal_mode=WAL` and `synchronous=FULL`, changes for which `wait` has returned survive the
death of the process, of the system and, on a disk that honours fsync, a power failure.

Changes are given a ticket and queued; the thread takes all that is queued and commits once (group commit). An error at
COMMIT leaves open whether the transaction is on disk, so after an error the store takes no more changes, every waiting
call raises, and the store must be opened again: reading it tells which changes are there.

One error is different: SQLITE_FULL, which is ENOSPC at COMMIT too, says that no part of the transaction counts, because
its last frame could not be written; and room comes back. So the transaction is rolled back and written again, the same
and in the same order, until there is room; meanwhile callers go on waiting. (Other errors, as EIO, EDQUOT or EFBIG,
leave open which parts were written.)
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from simpleflow_lab.engine import crash_points, store_files
from simpleflow_lab.engine.clock import Moment
from simpleflow_lab.engine.engine_state import Change, NewEvents, RunDeleted
from simpleflow_lab.engine.execution_state import Run
from simpleflow_lab.engine.file_in_place import FileInPlace, StoreGoneError, leave_open
from simpleflow_lab.engine.intact_rows import intact_rows
from simpleflow_lab.engine.integrity import DECODE_ERRORS, damage, damaged_store, is_sealed, verified_events
from simpleflow_lab.engine.open_mark import OpenMark
from simpleflow_lab.engine.ownership import Ownership
from simpleflow_lab.engine.store import Contents
from simpleflow_lab.engine.store_format import (
    begin_session,
    check_contents,
    complete,
    open_file,
    read_contents,
    read_events,
    read_log,
    read_runs,
    restore_chain,
    run_from_row,
    write_changes,
    write_event_counts,
    write_uptime,
)
from simpleflow_lab.exceptions import StoreError, StorePausedError
from simpleflow_lab.service.execution_logs import NumberedRecord
from simpleflow_lab.swf.history import HistoryEvent

T = TypeVar("T")

logger = logging.getLogger(__name__)

_INDEX_BYTES: Final = 1 << 16
"""Bytes that SQLite needs on the disk to read a `-wal`, at least: a part of its index."""
RETRY_SECONDS: Final = 0.5
"""Seconds after which a store whose disk is full tries again to write."""


class _Query(NamedTuple):
    """A function of the connection that reads. It runs after the changes queued before it are written; at once while
    the store is paused."""

    function: Callable[[sqlite3.Connection], Any]
    done: threading.Event
    outcome: list[Any]


class SQLiteStore:
    """A store in a file."""

    def __init__(self, path: str, moment: Callable[[], Moment]) -> None:
        """Open the store at `path`, or create it. `moment` reads the time of the engine.

        Raises `NotAStoreError`, `StoreNotPrivateError`, `StoreVersionError`, `StoreInUseError`, `StoreError`; that is a
        `StorePausedError` if there is no room on its disk.
        """
        self.path = store_files.locate(path)
        self.paused: str | None = None
        self.was_made = False
        """Whether it was made when it was opened: nothing was there before."""
        self._crash = crash_points.planned()
        self._moment = moment
        store_files.check(self.path)
        self._ownership = Ownership(self.path)
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._queue: list[Sequence[Change] | _Query] = []
        self._urgent = False
        self._closing = False
        self._error: str | None = None
        self._needs_room = False
        """Whether it could not be opened because there was no room."""
        self._appended = 0
        self._flushed = 0
        self._waiters: list[tuple[int, threading.Lock]] = []
        self._readers: set[threading.Lock] = set()
        """Those of the waiters that are also woken when there is no room."""
        self._chains: dict[int, bytes] = {}
        self._counts: dict[int, int] = {}
        """The lengths of the histories that have grown since they were recorded last, by the execution's number."""
        self._last_event: tuple[int, int] | None = None
        """The execution's number and the id of the event that was written last; `None` if its history may be gone."""
        self._uptime = (0, 0)
        self._suspended = 0
        self._uptime_recorded_at = 0.0
        self.uptime_seconds = 2.0
        """Seconds after which it records again that its engine is up."""
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simpleflow-lab store", daemon=True)
        self._thread.start()
        self._opened.wait()
        if self.failure is not None:
            self._ownership.release()
            raise (StorePausedError if self._needs_room else StoreError)(self.failure)

    # -- called by any thread

    def load(self) -> Contents:
        """Read the contents of the store. Raises `StoreError` if it can't be read."""
        raw = self._query(lambda connection: read_contents(connection, self._uptime[0]))
        try:
            runs = [run_from_row(row[:-1]) for row in raw.runs]
            check_contents(raw, runs)
        except DECODE_ERRORS as error:
            raise StoreError(damaged_store(self.path, error)) from error
        histories: dict[int, list[HistoryEvent]] = {}
        rows_of: dict[int, list[tuple[Any, ...]]] = {}
        for row in raw.events:
            rows_of.setdefault(row[0], []).append(row[1:])
        damaged = {
            run.key: damage(run, self.path, "its record is not what was written")
            for run, row in zip(runs, raw.runs, strict=True)
            if not is_sealed(row)
        }
        for run in runs:
            if run.closed_at is None and run.key not in damaged:
                try:
                    histories[run.key], self._chains[run.key] = verified_events(
                        run, rows_of.get(run.key, []), self.path
                    )
                except StoreError as error:
                    damaged[run.key] = str(error)
        rows = intact_rows(
            uptimes=raw.uptimes,
            domains=raw.domains,
            types=raw.types,
            processes=raw.processes,
            requests=raw.requests,
            runs=runs,
        )
        return Contents(
            secret=raw.secret,
            sessions=rows.sessions,
            domains=rows.domains,
            types=rows.types,
            runs=runs,
            histories=histories,
            processes=rows.processes,
            requests=rows.requests,
            damaged=damaged,
            damaged_rows=[damaged_store(self.path, ValueError(finding)) for finding in rows.findings],
        )

    def append(self, changes: Sequence[Change], *, urgent: bool) -> int:
        """Queue changes; those that are not urgent are written with the next that are, or the next uptime record."""
        with self._lock:
            self._check()
            self._queue.append(changes)
            self._appended += 1
            if urgent:
                self._make_urgent()
            return self._appended

    def _make_urgent(self) -> None:
        if not self._urgent:
            self._urgent = True
            self._condition.notify()

    def wait(self, ticket: int, *, flush_delay: float = 0.0, room_seconds: float | None = None) -> None:
        """Return when all changes up to this ticket are on disk. Raises `StoreError`, and `StorePausedError` if there
        was no room for about `room_seconds`."""
        if self._flushed >= ticket:
            return
        flushed = threading.Lock()
        flushed.acquire()
        with self._lock:
            if self._flushed >= ticket:
                return
            if self.failure is not None:
                raise StoreError(self.failure)
            closing = self._closing
            if not closing:
                self._waiters.append((ticket, flushed))
                if not flush_delay:
                    self._make_urgent()
        if closing:
            # What was queued before is still written: to say that it was not would let a caller do it again.
            self._thread.join()
        elif not (flush_delay and flushed.acquire(timeout=flush_delay)):
            if flush_delay:
                with self._lock:
                    self._make_urgent()
            while not flushed.acquire(timeout=-1 if room_seconds is None else room_seconds):
                self._check_room(ticket, flushed)
        if self._flushed < ticket:
            raise StoreError(self._error or f"the store {self.path} is closed")

    def _check_room(self, ticket: int, flushed: threading.Lock) -> None:
        """Raise `StorePausedError`, and wait no more for this ticket, if there is no room for it."""
        with self._lock:
            if self.paused is not None and self._flushed < ticket:
                self._waiters = [waiter for waiter in self._waiters if waiter[1] is not flushed]
                raise StorePausedError(
                    f"{self.paused}; what was asked counts as soon as there is room, if the store stays open until then"
                )

    def is_flushed(self, ticket: int) -> bool:
        """Whether all changes up to this ticket are on disk."""
        return self._flushed >= ticket

    def flush_soon(self, ticket: int) -> None:
        """Let the changes up to this ticket be written now, without waiting for it."""
        with self._lock:
            if self._flushed < ticket:
                self._make_urgent()

    def wait_to_read(self, ticket: int, *, until: float = 0.0) -> bool:
        """Whether all changes up to this ticket are on disk, as soon as they are; `False` while there is no room."""
        while self._flushed < ticket:
            woken = threading.Lock()
            woken.acquire()
            with self._lock:
                if self._closing or self._error is not None:
                    break
                is_paused, left = self.paused is not None, until - time.monotonic()
                if is_paused and left <= 0:
                    return False
                self._waiters.append((ticket, woken))
                if not is_paused:
                    self._readers.add(woken)
                    self._make_urgent()
            if not woken.acquire(timeout=left if is_paused else -1):
                with self._lock:
                    self._waiters = [waiter for waiter in self._waiters if waiter[1] is not woken]
        else:
            return True
        self.wait(ticket)
        return True

    def release_on_flush(self, ticket: int, lock: threading.Lock) -> None:
        """Release the lock when all changes up to this ticket are on disk, or can't be written any more."""
        with self._lock:
            if self._flushed < ticket and self._error is None and not self._closing:
                self._waiters.append((ticket, lock))
                return
        lock.release()

    def history(self, run: Run) -> list[HistoryEvent]:
        """Read and verify the history of a closed execution. Raises `StoreError`."""
        rows = self._query(lambda connection: read_events(connection, run.key))
        if len(rows) != run.event_count:
            if self.paused is not None:
                raise StorePausedError(f"execution {run.workflow_id} is not on disk yet: {self.paused}")
            raise StoreError(damage(run, self.path, f"{len(rows)} events instead of {run.event_count}"))
        return verified_events(run, rows, self.path)[0]

    def written_runs(self) -> list[Run]:
        """The records of all executions as they are on disk. Raises `StoreError`."""
        return self._query(read_runs)

    def written_history(self, key: int) -> tuple[Run, list[HistoryEvent]] | None:
        """The record and the history of an execution as they are on disk; `None` if it is not. Raises `StoreError`."""
        runs, rows = self._query(lambda connection: (read_runs(connection, key), read_events(connection, key)))
        return (runs[0], verified_events(runs[0], rows, self.path)[0]) if runs else None

    def log(self, key: int, after: int) -> list[NumberedRecord]:
        """Read the first records of an execution's log whose number is greater. Raises `StoreError`."""
        return self._query(lambda connection: read_log(connection, key, after))

    def close(self) -> None:
        """Write the changes that are queued and the uptime, checkpoint, and close. A second call does nothing."""
        with self._lock:
            self._closing = True
            self._condition.notify()
        self._thread.join()
        self._ownership.release()

    @property
    def failure(self) -> str | None:
        """A sentence that says why nothing can be written any more; `None` as long as the store works."""
        return self._error

    def _check(self) -> None:
        if self._error is not None:
            raise StoreError(self._error)
        if self._closing:
            raise StoreError(f"the store {self.path} is closed: open it again")

    def _query(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a function of the connection, which runs when the changes queued before are on disk."""
        query = _Query(function, threading.Event(), [])
        with self._lock:
            self._check()
            self._queue.append(query)
            self._urgent = True
            self._condition.notify()
        query.done.wait()
        if not query.outcome:
            raise StoreError(self._error or f"the store {self.path} is closed")
        result, error = query.outcome[0]
        if isinstance(error, DECODE_ERRORS) or _is_damage(error):
            raise StoreError(damaged_store(self.path, error)) from error
        if error is not None:
            raise StoreError(f"the store {self.path} can't be read: {error}; restore the file from a copy") from error
        found: T = result
        return found

    # -- called by the store's thread

    def _run(self) -> None:
        taken: list[Sequence[Change] | _Query] = []
        connection = mark = None
        try:
            connection, self.was_made = open_file(self.path)
            in_place = FileInPlace(self.path)
            self._begin_session(connection, self._moment())
            mark = OpenMark(self.path, *self._uptime)
            self._uptime_recorded_at = time.monotonic()
            self._opened.set()
            while True:
                taken, flushed = self._take()
                if self._is_uptime_due:
                    in_place.check()
                    self._ownership.restore()
                if self._last_event is not None and _deletes(taken):
                    self._last_event = None
                    mark.record(*self._uptime)  # before its history may be gone
                while not self._try_to_write(connection, taken):
                    self._wait_for_room(connection)
                mark.record(*self._uptime, *(self._last_event or (0, 0)))
                self._run_queries(connection, taken)
                if self._crash is not None:
                    self._crash.at("after_commit_before_reply")
                self._flushed = flushed
                self._wake(flushed)
                if self._crash is not None:
                    self._crash.at(crash_points.AFTER_REPLY)
                if self._closing and not self._queue:
                    break
            if self._crash is not None:
                self._crash.at("checkpoint")
            if complete(connection):
                mark.close(complete=True)
                mark = None
            if self._crash is not None:
                self._crash.at("checkpoint")
        except StoreGoneError as error:
            self._error = str(error)
            logger.warning(self._error)
            if connection is not None:
                leave_open(connection)
                connection = None
        except (sqlite3.Error, OSError, StoreError, *DECODE_ERRORS) as error:
            self._fail(error)
        finally:
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()
            if mark is not None:
                mark.close(complete=False)
            self._release(taken)
            self._opened.set()

    def _take(self) -> tuple[list[Sequence[Change] | _Query], int]:
        """The queue, once something in it is urgent or the uptime must be recorded, and the last ticket in it."""
        with self._lock:
            while not (self._urgent or self._closing):
                left = self._uptime_recorded_at + self.uptime_seconds - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)
            taken, self._queue = self._queue, []
            self._urgent = False
            return taken, self._appended

    def _try_to_write(self, connection: sqlite3.Connection, taken: list[Sequence[Change] | _Query]) -> bool:
        """Write the changes in one transaction; `False` if there is no room on the disk, and no part is written."""
        uptime = self._uptime, self._suspended
        try:
            self._write(connection, taken)
        except sqlite3.Error as error:
            self._uptime, self._suspended = uptime
            # A store that is being closed does not wait for room.
            if _is_full(error) and self._closing and not all(isinstance(each, _Query) for each in taken):
                logger.warning(
                    "the store %s was closed without room on its disk: what was asked, and waited for room, is not "
                    "recorded; ask again",
                    self.path,
                )
            if not _is_full(error) or self._closing:
                raise
            self._pause(connection, taken, error)
            return False
        if self.paused is not None:
            logger.info("the store %s is written again", self.path)
            self.paused = None
        return True

    def _write(self, connection: sqlite3.Connection, taken: list[Sequence[Change] | _Query]) -> None:
        uptime_due = self._is_uptime_due
        if not uptime_due and all(isinstance(each, _Query) for each in taken):
            return
        crash = self._crash
        if crash is not None:
            crash.at("before_begin")
        connection.execute("BEGIN IMMEDIATE")
        changes = (change for each in taken if not isinstance(each, _Query) for change in each)
        write_changes(connection, self._chains, self._counts, changes)
        if crash is not None:
            crash.at("after_insert")
        if uptime_due:
            self._write_uptime(connection)
        if crash is not None:
            crash.at("before_commit")
        connection.execute("COMMIT")
        if uptime_due:
            self._uptime_recorded_at = time.monotonic()
            self._counts.clear()
        self._last_event = self._last_event_of(taken)

    @property
    def _is_uptime_due(self) -> bool:
        return self._closing or time.monotonic() >= self._uptime_recorded_at + self.uptime_seconds

    def _last_event_of(self, taken: list[Sequence[Change] | _Query]) -> tuple[int, int] | None:
        """`_last_event` after these changes."""
        for each in reversed(taken):
            if not isinstance(each, _Query):
                for change in reversed(each):
                    if type(change) is NewEvents:
                        return change.key, change.events[-1].id
        return self._last_event

    def _begin_session(self, connection: sqlite3.Connection, moment: Moment) -> None:
        self._uptime, self._suspended = begin_session(connection, moment.at), moment.suspended

    def _write_uptime(self, connection: sqlite3.Connection) -> None:
        """Record that the engine runs; as a new session if it did not run for a while since this was last recorded."""
        moment = self._moment()
        if moment.suspended > self._suspended:
            self._begin_session(connection, moment)
        else:
            self._uptime = self._uptime[0], write_uptime(connection, self._uptime[0], moment.at)
        write_event_counts(connection, self._counts)

    def _run_queries(self, connection: sqlite3.Connection, taken: Iterable[Sequence[Change] | _Query]) -> None:
        for each in taken:
            if isinstance(each, _Query) and not each.done.is_set():
                each.outcome.append(_outcome(each.function, connection))
                each.done.set()

    def _pause(
        self, connection: sqlite3.Connection, taken: list[Sequence[Change] | _Query], error: sqlite3.Error
    ) -> None:
        """Roll back the transaction that found no room, and restore the chains to what is on disk."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for key in {
            change.key
            for each in taken
            if not isinstance(each, _Query)
            for change in each
            if isinstance(change, NewEvents | Run)
        }:
            restore_chain(connection, self._chains, key)
        if self.paused is None:
            self.paused = (
                f"the store {self.path} can't be written for now ({error}): make room on its disk, and it goes on "
                "by itself; nothing is lost"
            )
            logger.warning(self.paused)
            self._wake_readers()
        self._run_queries(connection, taken)

    def _wake_readers(self) -> None:
        with self._lock:
            readers, self._readers = self._readers, set()
            self._waiters = [waiter for waiter in self._waiters if waiter[1] not in readers]
        for woken in readers:
            woken.release()

    def _wait_for_room(self, connection: sqlite3.Connection) -> None:
        """Wait until it is time to try again; meanwhile, run the queries that come."""
        again_at = time.monotonic() + RETRY_SECONDS
        while True:
            with self._lock:
                queries = [each for each in self._queue if isinstance(each, _Query)]
                left = again_at - time.monotonic()
                if not queries:
                    if self._closing or left <= 0:
                        return
                    self._condition.wait(left)
                    continue
                self._queue = [each for each in self._queue if not isinstance(each, _Query)]
            self._run_queries(connection, queries)

    def _wake(self, flushed: int) -> None:
        with self._lock:
            ready = [woken for ticket, woken in self._waiters if ticket <= flushed]
            if ready:
                self._waiters = [waiter for waiter in self._waiters if waiter[0] > flushed]
                self._readers.difference_update(ready)
        # The latest first: a poll that was assigned a task goes on before the callers whose changes led to it.
        for woken in reversed(ready):
            woken.release()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            if self._opened.is_set():
                problem = f"failed ({error}): what was acknowledged is safe; close it and open it again"
            elif isinstance(error, StoreError):
                self._error = str(error)
                return
            elif isinstance(error, DECODE_ERRORS) or _is_damage(error):
                self._error = damaged_store(self.path, error)
                return
            else:
                self._needs_room = _needs_room(error, self.path)
                problem = f"can't be opened ({error}): {_remedy(error, self.path)}"
            self._error = f"the store {self.path} {problem}"

    def _release(self, taken: list[Sequence[Change] | _Query]) -> None:
        """Take no more changes, and wake every waiting thread."""
        with self._lock:
            self._closing = True
            waiters, self._waiters = self._waiters, []
            left, self._queue = self._queue, []
        for each in (*taken, *left):
            if isinstance(each, _Query):
                each.done.set()
        for _, woken in waiters:
            woken.release()


def _deletes(taken: Iterable[Sequence[Change] | _Query]) -> bool:
    """Whether one of these changes deletes an execution."""
    for each in taken:
        if type(each) is not _Query:
            for change in each:
                if type(change) is RunDeleted:
                    return True
    return False


def _is_full(error: sqlite3.Error) -> bool:
    """Whether there was no room on the disk, which may come back."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _is_damage(error: Exception | None) -> bool:
    """Whether SQLite found that the file is not what was written."""
    # An extended code has the plain one in its last byte.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _plain_code(error: Exception) -> int:
    """SQLite's code of an error, 0 if it has none. An extended code has the plain one in its last byte."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _needs_room(error: Exception, path: str) -> bool:
    """Whether a store can't be opened because there is no room on its disk."""
    code = _plain_code(error)
    is_index_full = code == sqlite3.SQLITE_IOERR and not _has_room(path)  # its index of the -wal can't grow
    return is_index_full or code == sqlite3.SQLITE_FULL or store_files.is_no_room(error)


def _remedy(error: Exception, path: str) -> str:
    """Advice on a store that can't be opened."""
    code = _plain_code(error)
    if _needs_room(error, path):
        return "make room on its disk and open it again"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return (
            "another program, such as sqlite3, has it open, or a process of this package whose .lock file was removed "
            "just now; end that program, or wait two seconds, and open it again"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM) or isinstance(error, OSError):
        return "let its file and folder be written by you, or open another store"
    return "restore the file from a copy, or open another store"


def _has_room(path: str) -> bool:
    """Whether there is room for SQLite's index of a `-wal` on the disk of this file."""
    try:
        disk = os.statvfs(os.path.dirname(path) or ".")
    except OSError:
        return True
    return disk.f_bavail * disk.f_frsize >= _INDEX_BYTES


def _outcome(function: Callable[[sqlite3.Connection], Any], connection: sqlite3.Connection) -> tuple[Any, Any]:
    """The result of a query, or its error: a query that fails does not stop the store."""
    try:
        return function(connection), None
    except (sqlite3.Error, *DECODE_ERRORS) as error:
        return None, error
