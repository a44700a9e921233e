"""Events on disk: SQLite behind one thread.

Rule: one connection, in one thread, does everything: it writes, reads and checkpoints. That keeps a kernel's interrupt
away from transactions, makes waiting for the disk interruptible, and makes WAL safe on SQLite before 3.51.3, whose
WAL-reset bug needs two connections (https://sqlite.org/wal.html#walresetbug); the connection is exclusive, so nobody
else can bring the second one. `journal_mode=WAL` and `synchronous=FULL`: what `wait` returned for survives the
process, the system and, on a disk that honours fsync, the power.

Changes are given a ticket and queued; the thread takes all that is queued and commits once. An error at COMMIT leaves
open whether the transaction is on disk, so after an error the store takes nothing more, says so to everybody who
waits, and must be opened again: reading it tells what is there.

One error is another matter: SQLITE_FULL, which is ENOSPC at COMMIT too, says that nothing of the transaction counts,
for its last frame could not be written; and room comes back. So it is rolled back and written again, the same and in
the same order, until there is room, and meanwhile whoever waits goes on waiting. (What another error wrote or did not
write, as EIO, EDQUOT or EFBIG, nobody knows.)
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.resources
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from simpleflow_lab.engine import crash_points
from simpleflow_lab.engine.domains_and_types import Domain, Type, TypeDeleted
from simpleflow_lab.engine.engine_state import Change, NewEvents, RunDeleted
from simpleflow_lab.engine.execution_state import Run, to_datetime, to_milliseconds
from simpleflow_lab.engine.migrations import migrate
from simpleflow_lab.engine.ownership import APPLICATION_ID, SCHEMA_VERSION, Ownership, is_new
from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.swf.history import HistoryEvent

T = TypeVar("T")

logger = logging.getLogger(__name__)

UPTIME_SECONDS: Final = 2.0
"""How often the store notes that its engine is up."""
RETRY_SECONDS: Final = 0.5
"""How often a store whose disk is full looks whether there is room."""
SECRET_BYTES: Final = 32


class Contents(NamedTuple):
    """What a store holds, except the histories of closed executions."""

    secret: bytes
    """Seals tokens."""
    sessions: list[tuple[int, int]]
    """When the store was opened and last known to be open, for each time but this."""
    domains: list[Domain]
    """All domains."""
    types: list[Type]
    """All types."""
    runs: list[Run]
    """All executions, in the order of their numbers."""
    histories: dict[int, list[HistoryEvent]]
    """Histories of the open executions, by number."""
    damaged: dict[int, str]
    """Open executions whose histories are not what was written, by number, and what is wrong with them."""


class Store(Protocol):
    """Where the engine's changes go."""

    @property
    def failure(self) -> str | None:
        """Why nothing can be written any more, in words; `None` as long as all is well."""
        ...

    @property
    def paused(self) -> str | None:
        """Why what is queued is not written for now, in words; `None` as long as it is."""
        ...

    def load(self) -> Contents:
        """What is there. Raises `StoreError` if it can't be read."""
        ...

    def append(self, changes: Sequence[Change], *, urgent: bool) -> int:
        """Queue changes to be written in one transaction; gives the ticket to wait for. Raises `StoreError`."""
        ...

    def wait(self, ticket: int, *, flush_delay: float = 0.0) -> None:
        """Return when everything up to this ticket is on disk. Raises `StoreError`.

        For `flush_delay` seconds it waits for somebody else to make it urgent.
        """
        ...

    def release_on_flush(self, ticket: int, lock: threading.Lock) -> None:
        """Release the lock when everything up to this ticket is on disk, or never will be."""
        ...

    def history(self, run: Run) -> list[HistoryEvent]:
        """The history of a closed execution. Raises `StoreError` if it is damaged."""
        ...

    def close(self) -> None:
        """Write what is queued and let the store go."""
        ...


class MemoryStore:
    """A store that writes nothing: `:memory:`."""

    failure: str | None = None
    """Never."""
    paused: str | None = None
    """Never."""

    def load(self) -> Contents:
        """Nothing."""
        return Contents(os.urandom(SECRET_BYTES), [], [], [], [], {}, {})

    def append(self, changes: Sequence[Change], *, urgent: bool) -> int:
        """Changes are forgotten."""
        return 0

    def wait(self, ticket: int, *, flush_delay: float = 0.0) -> None:
        """There is nothing to wait for."""

    def release_on_flush(self, ticket: int, lock: threading.Lock) -> None:
        """At once."""
        lock.release()

    def history(self, run: Run) -> list[HistoryEvent]:
        """Never asked for: the engine keeps everything."""
        raise StoreError(f"execution {run.workflow_id} is not in memory")

    def close(self) -> None:
        """Nothing to do."""


class _QueuedCall(NamedTuple):
    """Something to be read with the connection, after what was queued before; while the store is paused, at once."""

    function: Callable[[sqlite3.Connection], Any]
    done: threading.Event
    outcome: list[Any]


class SQLiteStore:
    """A store in a file."""

    def __init__(self, path: str, now: Callable[[], int]):
        """Open the store, or make it. `now` is the engine's clock, in milliseconds.

        Raises `NotAStoreError`, `StoreVersionError`, `StoreInUseError`, `StoreError`.
        """
        self.path = os.path.realpath(path)
        self.paused: str | None = None
        self._crash = crash_points.planned()
        self._now = now
        is_new(self.path)
        self._ownership = Ownership(self.path)
        self._condition = threading.Condition(threading.Lock())
        self._queue: list[Sequence[Change] | _QueuedCall] = []
        self._urgent = False
        self._closing = False
        self._error: str | None = None
        self._appended = 0
        self._flushed = 0
        self._waiters: list[tuple[int, threading.Lock]] = []
        self._chains: dict[int, bytes] = {}
        self._session = 0
        self._uptime_recorded_at = 0.0
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simpleflow-lab store", daemon=True)
        self._thread.start()
        self._opened.wait()
        if self.failure is not None:
            self._ownership.release()
            raise StoreError(self.failure)

    # -- any thread

    def load(self) -> Contents:
        """Everything but the histories of closed executions. Raises `StoreError` if it can't be read."""
        raw = self._ask(lambda connection: _read_contents(connection, self._session))
        runs = [_run_of(row) for row in raw.executions]
        histories: dict[int, list[HistoryEvent]] = {}
        rows_of: dict[int, list[tuple[Any, ...]]] = {}
        for row in raw.events:
            rows_of.setdefault(row[0], []).append(row[1:])
        damaged: dict[int, str] = {}
        for run in runs:
            if run.closed_at is None:
                try:
                    histories[run.key], self._chains[run.key] = _verified(run, rows_of.get(run.key, []), self.path)
                except StoreError as error:
                    damaged[run.key] = str(error)
        return Contents(raw.secret, raw.sessions, raw.domains, raw.types, runs, histories, damaged)

    def append(self, changes: Sequence[Change], *, urgent: bool) -> int:
        """Queue changes; those that are not urgent are written with the next that are, or the next sign of life."""
        with self._condition:
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

    def wait(self, ticket: int, *, flush_delay: float = 0.0) -> None:
        """Return when everything up to this ticket is on disk. Raises `StoreError`."""
        if self._flushed >= ticket:
            return
        flushed = threading.Lock()
        flushed.acquire()
        with self._condition:
            if self._flushed >= ticket:
                return
            self._check()
            self._waiters.append((ticket, flushed))
            if not flush_delay:
                self._make_urgent()
        if not (flush_delay and flushed.acquire(timeout=flush_delay)):
            if flush_delay:
                with self._condition:
                    self._make_urgent()
            flushed.acquire()
        if self._flushed < ticket:
            raise StoreError(self._error or f"the store {self.path} is closed")

    def release_on_flush(self, ticket: int, lock: threading.Lock) -> None:
        """Release the lock when everything up to this ticket is on disk, or never will be."""
        with self._condition:
            if self._flushed < ticket and self._error is None and not self._closing:
                self._waiters.append((ticket, lock))
                return
        lock.release()

    def history(self, run: Run) -> list[HistoryEvent]:
        """The history of a closed execution, checked. Raises `StoreError`."""
        rows = self._ask(lambda connection: connection.execute(_SELECT_EVENTS, (run.key,)).fetchall())
        if len(rows) != run.event_count:
            if self.paused is not None:
                raise StoreError(f"execution {run.workflow_id} is not on disk yet: {self.paused}")
            raise StoreError(_damaged(run, self.path, f"{len(rows)} events instead of {run.event_count}"))
        return _verified(run, rows, self.path)[0]

    def close(self) -> None:
        """Write what is queued, note the time, checkpoint, and let the store go. Twice is once."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()
        self._ownership.release()

    @property
    def failure(self) -> str | None:
        """Why nothing can be written any more, in words; `None` as long as all is well."""
        return self._error

    def _check(self) -> None:
        if self._error is not None:
            raise StoreError(self._error)
        if self._closing:
            raise StoreError(f"the store {self.path} is closed: open it again")

    def _ask(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a function of the connection, after everything queued before is on disk."""
        call = _QueuedCall(function, threading.Event(), [])
        with self._condition:
            self._check()
            self._queue.append(call)
            self._urgent = True
            self._condition.notify()
        call.done.wait()
        if not call.outcome:
            raise StoreError(self._error or f"the store {self.path} is closed")
        result, error = call.outcome[0]
        if error is not None:
            raise StoreError(f"the store {self.path} can't be read: {error}; restore the file from a copy") from error
        found: T = result
        return found

    # -- the store's thread

    def _run(self) -> None:
        taken: list[Sequence[Change] | _QueuedCall] = []
        connection = None
        try:
            connection = _open(self.path, self._now())
            self._session = _begin_session(connection, self._now())
            self._uptime_recorded_at = time.monotonic()
            self._opened.set()
            while True:
                taken, flushed = self._take()
                while not self._written(connection, taken):
                    self._wait_for_room(connection)
                self._read(connection, taken)
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
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if self._crash is not None:
                self._crash.at("checkpoint")
        except (sqlite3.Error, OSError, StoreError) as error:
            self._fail(error)
        finally:
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()
            self._release(taken)
            self._opened.set()

    def _take(self) -> tuple[list[Sequence[Change] | _QueuedCall], int]:
        """What there is to write, once something is urgent or it is time for a sign of life."""
        with self._condition:
            while not (self._urgent or self._closing):
                left = self._uptime_recorded_at + UPTIME_SECONDS - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)
            taken, self._queue = self._queue, []
            self._urgent = False
            return taken, self._appended

    def _written(self, connection: sqlite3.Connection, taken: list[Sequence[Change] | _QueuedCall]) -> bool:
        """Write what was taken in one transaction; `False` if there is no room, and then nothing of it counts."""
        try:
            self._write(connection, taken)
        except sqlite3.Error as error:
            # Who closes does not wait for room.
            if not _is_full(error) or self._closing:
                raise
            self._pause(connection, taken, error)
            return False
        if self.paused is not None:
            logger.info("the store %s is written again", self.path)
            self.paused = None
        return True

    def _write(self, connection: sqlite3.Connection, taken: list[Sequence[Change] | _QueuedCall]) -> None:
        alive = self._closing or time.monotonic() >= self._uptime_recorded_at + UPTIME_SECONDS
        if not alive and all(isinstance(each, _QueuedCall) for each in taken):
            return
        crash = self._crash
        if crash is not None:
            crash.at("before_begin")
        connection.execute("BEGIN IMMEDIATE")
        for each in taken:
            if not isinstance(each, _QueuedCall):
                for change in each:
                    _WRITERS[type(change)](connection, self._chains, change)
                if crash is not None:
                    crash.at("after_insert")
        if alive:
            connection.execute("UPDATE uptime SET last_alive = ? WHERE id = ?", (self._now(), self._session))
        if crash is not None:
            crash.at("before_commit")
        connection.execute("COMMIT")
        if alive:
            self._uptime_recorded_at = time.monotonic()

    def _read(self, connection: sqlite3.Connection, taken: Iterable[Sequence[Change] | _QueuedCall]) -> None:
        """Answer those who ask for what is on disk."""
        for each in taken:
            if isinstance(each, _QueuedCall) and not each.done.is_set():
                each.outcome.append(_outcome(each.function, connection))
                each.done.set()

    def _pause(
        self, connection: sqlite3.Connection, taken: list[Sequence[Change] | _QueuedCall], error: sqlite3.Error
    ) -> None:
        """Leave the disk as it was before the transaction that found no room, and the chains too."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for key in {
            change.key
            for each in taken
            if not isinstance(each, _QueuedCall)
            for change in each
            if isinstance(change, NewEvents | Run)
        }:
            self._chains.pop(key, None)
            run = connection.execute("SELECT run_id, closed_at FROM execution WHERE key = ?", (key,)).fetchone()
            if run is not None and run[1] is None:
                last = connection.execute(_SELECT_LAST_CHAIN, (key,)).fetchone()
                self._chains[key] = first_chain(run[0]) if last is None else last[0]
        if self.paused is None:
            self.paused = (
                f"the store {self.path} can't be written for now ({error}): make room on its disk, and it goes on "
                "by itself; nothing is lost"
            )
            logger.warning(self.paused)
        self._read(connection, taken)

    def _wait_for_room(self, connection: sqlite3.Connection) -> None:
        """Until it is time to try again; meanwhile, what is on disk can be read."""
        again_at = time.monotonic() + RETRY_SECONDS
        while True:
            with self._condition:
                calls = [each for each in self._queue if isinstance(each, _QueuedCall)]
                left = again_at - time.monotonic()
                if not calls:
                    if self._closing or left <= 0:
                        return
                    self._condition.wait(left)
                    continue
                self._queue = [each for each in self._queue if not isinstance(each, _QueuedCall)]
            self._read(connection, calls)

    def _wake(self, flushed: int) -> None:
        with self._condition:
            ready = [woken for ticket, woken in self._waiters if ticket <= flushed]
            if ready:
                self._waiters = [waiter for waiter in self._waiters if waiter[0] > flushed]
        # The latest first: whoever was handed a task goes on, before those who are told that theirs is done.
        for woken in reversed(ready):
            woken.release()

    def _fail(self, error: Exception) -> None:
        with self._condition:
            if isinstance(error, sqlite3.Error) and _is_full(error) and not self._opened.is_set():
                told = f"can't be opened ({error}): make room on its disk and open it again"
            elif self._opened.is_set():
                told = f"failed ({error}): what was acknowledged is safe; close it and open it again"
            else:
                told = f"can't be opened ({error}): restore the file from a copy, or open another store"
            self._error = f"the store {self.path} {told}"

    def _release(self, taken: list[Sequence[Change] | _QueuedCall]) -> None:
        """Nothing more is written: everybody who waits is told."""
        with self._condition:
            self._closing = True
            waiters, self._waiters = self._waiters, []
            left, self._queue = self._queue, []
        for each in (*taken, *left):
            if isinstance(each, _QueuedCall):
                each.done.set()
        for _, woken in waiters:
            woken.release()


def _is_full(error: sqlite3.Error) -> bool:
    """There was no room for what was to be written, and it may come."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _outcome(function: Callable[[sqlite3.Connection], Any], connection: sqlite3.Connection) -> tuple[Any, Any]:
    """What a function of the connection gives, or its error: one that can't read does not stop those who write."""
    try:
        return function(connection), None
    except sqlite3.Error as error:
        return None, error


# -- the file ----------------------------------------------------------------------------------------------------------


def _open(path: str, now: int) -> sqlite3.Connection:
    if is_new(path):
        _create(path)
    else:
        migrate(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=True)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _create(path: str) -> None:
    """Make a store beside, whole, and put it in place: whoever looks sees all of it or nothing."""
    beside = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(beside, isolation_level=None)
    try:
        schema = importlib.resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
        connection.executescript(f"BEGIN; {schema} COMMIT;")
        connection.execute("INSERT INTO meta VALUES ('secret', ?)", (os.urandom(SECRET_BYTES),))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    finally:
        connection.close()
    os.replace(beside, path)


def _begin_session(connection: sqlite3.Connection, now: int) -> int:
    cursor = connection.execute("INSERT INTO uptime (opened_at, last_alive) VALUES (?, ?)", (now, now))
    return int(cursor.lastrowid or 0)


class _Raw(NamedTuple):
    secret: bytes
    sessions: list[tuple[int, int]]
    domains: list[Domain]
    types: list[Type]
    executions: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]


def _read_contents(connection: sqlite3.Connection, session: int) -> _Raw:
    def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return connection.execute(sql, parameters).fetchall()

    return _Raw(
        secret=rows("SELECT value FROM meta WHERE name = 'secret'")[0][0],
        sessions=[
            (a, b) for a, b in rows("SELECT opened_at, last_alive FROM uptime WHERE id != ? ORDER BY id", session)
        ],
        domains=[_domain(row) for row in rows("SELECT name, status, description, retention, tags FROM domain")],
        types=[_type(row) for row in rows(f"SELECT {', '.join(_TYPE_COLUMNS)} FROM type")],
        executions=rows(f"SELECT {', '.join(_RUN_COLUMNS)} FROM execution ORDER BY key"),
        events=rows(
            "SELECT execution, id, type, timestamp, attributes, chain FROM event WHERE execution IN "
            "(SELECT key FROM execution WHERE closed_at IS NULL) ORDER BY execution, id"
        ),
    )


# -- rows --------------------------------------------------------------------------------------------------------------

_TYPE_COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Type))
_RUN_COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Run))
_SELECT_EVENTS: Final = "SELECT id, type, timestamp, attributes, chain FROM event WHERE execution = ? ORDER BY id"
_SELECT_LAST_CHAIN: Final = "SELECT chain FROM event WHERE execution = ? ORDER BY id DESC LIMIT 1"
_INSERT_EVENT: Final = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)"
_dumps: Final = json.JSONEncoder(separators=(",", ":")).encode


def _placeholders(columns: Iterable[str]) -> str:
    return ", ".join("?" for _ in columns)


def _json(value: Any) -> str | None:
    return None if value is None else _dumps(value)


def _domain(row: tuple[Any, ...]) -> Domain:
    name, status, description, retention, tags = row
    return Domain(name=name, status=status, description=description, retention=retention, tags=json.loads(tags))


def _type(row: tuple[Any, ...]) -> Type:
    values = dict(zip(_TYPE_COLUMNS, row, strict=True))
    return Type(**{**values, "defaults": json.loads(values["defaults"])})


def _run_of(row: tuple[Any, ...]) -> Run:
    values = dict(zip(_RUN_COLUMNS, row, strict=True))
    for name in ("parent", "tags"):
        values[name] = None if values[name] is None else tuple(json.loads(values[name]))
    return Run(**values)


def first_chain(run_id: str) -> bytes:
    """What the first event of a history is chained to."""
    return hashlib.sha256(run_id.encode()).digest()


def next_chain(chain: bytes, event_id: int, event_type: str, timestamp: int, attributes: str) -> bytes:
    """The chain after an event."""
    return hashlib.sha256(
        b"%b%d %b %d %b" % (chain, event_id, event_type.encode(), timestamp, attributes.encode())
    ).digest()


def _verified(run: Run, rows: Sequence[tuple[Any, ...]], path: str) -> tuple[list[HistoryEvent], bytes]:
    """The events of these rows and the last chain. Raises `StoreError` if they are not what was written."""
    events: list[HistoryEvent] = []
    chain = first_chain(run.run_id)
    for position, (event_id, event_type, timestamp, attributes, recorded) in enumerate(rows, start=1):
        try:
            chain = next_chain(chain, event_id, event_type, timestamp, attributes)
            intact = event_id == position and chain == recorded
        except (TypeError, AttributeError, UnicodeError):
            intact = False
        if not intact:
            raise StoreError(_damaged(run, path, f"event {position} is not what was written"))
        events.append(HistoryEvent(event_id, event_type, to_datetime(timestamp), json.loads(attributes)))
    if not events:
        raise StoreError(_damaged(run, path, "it has no events"))
    return events, chain


def _damaged(run: Run, path: str, what: str) -> str:
    return (
        f"the store {path} is damaged: execution {run.workflow_id} (run {run.run_id}), {what}; "
        "restore the file from a copy"
    )


def _write_events(connection: sqlite3.Connection, chains: dict[int, bytes], change: NewEvents) -> None:
    key = change.key
    chain = chains[key]
    rows = []
    for event_id, event_type, timestamp, attributes in change.events:
        text = _dumps(attributes)
        moment = to_milliseconds(timestamp)
        chain = next_chain(chain, event_id, event_type, moment, text)
        rows.append((key, event_id, event_type, moment, text, chain))
    connection.executemany(_INSERT_EVENT, rows)
    chains[key] = chain


def _write_run(connection: sqlite3.Connection, chains: dict[int, bytes], run: Run) -> None:
    values = [getattr(run, name) for name in _RUN_COLUMNS]
    for position, name in enumerate(_RUN_COLUMNS):
        if name in ("parent", "tags"):
            values[position] = _json(values[position])
    connection.execute(f"INSERT OR REPLACE INTO execution VALUES ({_placeholders(_RUN_COLUMNS)})", values)
    if run.closed_at is None:
        chains[run.key] = first_chain(run.run_id)
    else:
        chains.pop(run.key, None)


def _delete_run(connection: sqlite3.Connection, chains: dict[int, bytes], change: RunDeleted) -> None:
    connection.execute("DELETE FROM event WHERE execution = ?", (change.key,))
    connection.execute("DELETE FROM execution WHERE key = ?", (change.key,))


def _write_domain(connection: sqlite3.Connection, chains: dict[int, bytes], domain: Domain) -> None:
    row = (domain.name, domain.status, domain.description, domain.retention, _dumps(dict(domain.tags)))
    connection.execute("INSERT OR REPLACE INTO domain VALUES (?, ?, ?, ?, ?)", row)


def _write_type(connection: sqlite3.Connection, chains: dict[int, bytes], added: Type) -> None:
    values = [getattr(added, name) for name in _TYPE_COLUMNS]
    values[_TYPE_COLUMNS.index("defaults")] = _dumps(dict(added.defaults))
    connection.execute(f"INSERT OR REPLACE INTO type VALUES ({_placeholders(_TYPE_COLUMNS)})", values)


def _delete_type(connection: sqlite3.Connection, chains: dict[int, bytes], change: TypeDeleted) -> None:
    gone = change.type
    connection.execute(
        "DELETE FROM type WHERE domain = ? AND kind = ? AND name = ? AND version = ?",
        (gone.domain, gone.kind, gone.name, gone.version),
    )


_WRITERS: Final[dict[type, Callable[[sqlite3.Connection, dict[int, bytes], Any], None]]] = {
    NewEvents: _write_events,
    Run: _write_run,
    RunDeleted: _delete_run,
    Domain: _write_domain,
    Type: _write_type,
    TypeDeleted: _delete_type,
}
