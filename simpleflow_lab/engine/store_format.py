"""The format of a store: its file and its rows.

Rule: these functions run in the store's thread and take its connection; none of them commits, except at the creation of
a store. Each kind of change has one function that writes it. How damage of what was written is found: `integrity`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from simpleflow_lab.data.json_encoder import compact_encoder
from simpleflow_lab.engine import open_mark, store_files
from simpleflow_lab.engine.domains_and_types import Domain, Type, TypeDeleted
from simpleflow_lab.engine.engine_state import Change, NewEvents, NewLogRecords, OriginChanged, RunDeleted
from simpleflow_lab.engine.execution_state import Run, to_milliseconds
from simpleflow_lab.engine.integrity import UPDATE_SEAL, first_chain, next_chain, seal, seals
from simpleflow_lab.engine.migrations import migrate
from simpleflow_lab.engine.process_records import ProcessForgotten, ProcessRecord
from simpleflow_lab.engine.requests_carried_out import CarriedOut, RequestsForgotten
from simpleflow_lab.engine.store_files import APPLICATION_ID, SCHEMA_VERSION
from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.service.execution_logs import (
    MAX_BYTES,
    MAX_RECORDS,
    PAGE_RECORDS,
    RETAINED_SHARE,
    LogRecord,
    NumberedRecord,
    page_of,
)

SECRET_BYTES: Final = 32
"""Length of the secret with which tokens are signed."""

# -- the file ----------------------------------------------------------------------------------------------------------


def open_file(path: str) -> tuple[sqlite3.Connection, bool]:
    """Open the store at `path`, or create it, or migrate it to this version. Gives also whether it was created.

    Raises `StoreError`, `sqlite3.Error`.
    """
    open_mark.check_complete(path)
    open_mark.remove(path)  # a -wal that is there may be moved into the store and removed from now on
    is_new = store_files.is_new(path)
    if is_new:
        _create(path)
    else:
        migrate(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=True)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    seals(connection)
    return connection, is_new


def _create(path: str) -> None:
    """Create a store: there is never a part of one at `path`. Raises `StoreError` if something is there by now."""
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(f"BEGIN; {schema} COMMIT;")
        connection.execute("INSERT INTO meta VALUES ('secret', ?)", (os.urandom(SECRET_BYTES),))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        content = connection.serialize()
    try:
        store_files.put_new(path, content)
    except FileExistsError:
        raise StoreError(f"the store {path} can't be made: another program made a file there just now") from None


def complete(connection: sqlite3.Connection) -> bool:
    """Move all that was written into the store itself; whether that succeeded. Raises `sqlite3.Error`."""
    _, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return bool(frames == moved)


def begin_session(connection: sqlite3.Connection, now: int) -> tuple[int, int]:
    """Record that an engine runs from `now` on, but not before the latest session; gives the session's uptime: its
    number, and the time."""
    cursor = connection.execute(
        "INSERT INTO uptime (opened_at, last_alive) "
        "SELECT began, began FROM (SELECT max(?, coalesce(max(last_alive), 0)) AS began FROM uptime "
        "WHERE typeof(last_alive) = 'integer')",
        (now,),
    )
    session = int(cursor.lastrowid or 0)
    return session, _last_alive(connection, session)


class RawContents(NamedTuple):
    """The rows of a store, except the events of closed executions."""

    secret: bytes
    """The secret with which tokens are signed."""
    uptimes: list[tuple[Any, ...]]
    """Rows for `intact_rows`, as the next four."""
    domains: list[tuple[Any, ...]]
    types: list[tuple[Any, ...]]
    processes: list[tuple[Any, ...]]
    requests: list[tuple[Any, ...]]
    runs: list[tuple[Any, ...]]
    """A row for `run_from_row`, and its seal, for each execution, in the order of their numbers."""
    events: list[tuple[Any, ...]]
    """The number of the execution and a row for `verified_events`, for each event of the open executions, in order."""
    last_key: int
    """The number of the last execution that has events; 0 if none has."""


def read_contents(connection: sqlite3.Connection, session: int) -> RawContents:
    """Read the store. Raises `sqlite3.Error`."""

    def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return connection.execute(sql, parameters).fetchall()

    return RawContents(
        secret=rows("SELECT value FROM meta WHERE name = 'secret'")[0][0],
        uptimes=rows("SELECT id, opened_at, last_alive FROM uptime WHERE id != ? ORDER BY id", session),
        domains=rows("SELECT name, status, description, retention, tags FROM domain"),
        types=rows(f"SELECT {', '.join(_TYPE_COLUMNS)} FROM type"),
        processes=rows("SELECT instance, record FROM process ORDER BY number"),
        requests=rows("SELECT number, id, at, answer FROM request ORDER BY number"),
        runs=rows(f"SELECT {', '.join(RUN_COLUMNS)}, seal FROM execution ORDER BY key"),
        events=rows(
            "SELECT execution, id, type, timestamp, attributes, chain FROM event WHERE execution IN "
            "(SELECT key FROM execution WHERE closed_at IS NULL) ORDER BY execution, id"
        ),
        last_key=rows("SELECT coalesce(max(execution), 0) FROM event")[0][0],
    )


# -- rows --------------------------------------------------------------------------------------------------------------

_TYPE_COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Type))
RUN_COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Run))
"""The columns of the table of executions before the seal."""
_SELECT_EVENTS: Final = "SELECT id, type, timestamp, attributes, chain FROM event WHERE execution = ? ORDER BY id"
_SELECT_CLOSED_AT: Final = "SELECT run_id, closed_at FROM execution WHERE key = ?"
_SELECT_LAST_CHAIN: Final = "SELECT chain FROM event WHERE execution = ? ORDER BY id DESC LIMIT 1"
_MAX_ROWS: Final = 100
"""Most events that one statement inserts."""
_SELECT_LOG: Final = (
    "SELECT number, timestamp, task, started, source, text FROM log WHERE execution = ? AND number > ? "
    "ORDER BY number LIMIT ?"
)
_SELECT_LOG_END: Final = "SELECT number, bytes FROM log WHERE execution = ? ORDER BY number DESC LIMIT 1"
_SELECT_LOG_BEGIN: Final = "SELECT number, bytes FROM log WHERE execution = ? ORDER BY number LIMIT 1"
_INSERT_LOG: Final = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SHORTEN_LOG: Final = "DELETE FROM log WHERE execution = ? AND (number <= ? OR bytes <= ?)"
_dumps: Final = compact_encoder()


@functools.lru_cache(maxsize=_MAX_ROWS)
def _insert_of_events(count: int) -> str:
    """The statement that inserts so many events: each statement costs two changes of threads."""
    return f"INSERT INTO event VALUES {', '.join(['(?, ?, ?, ?, ?, ?)'] * count)}"


def _placeholders(columns: Iterable[str]) -> str:
    return ", ".join("?" for _ in columns)


_INSERT_RUN: Final = f"INSERT OR REPLACE INTO execution VALUES ({_placeholders((*RUN_COLUMNS, 'seal'))})"


def _json(value: Any) -> str | None:
    return None if value is None else _dumps(value)


def run_from_row(row: tuple[Any, ...]) -> Run:
    """The record of an execution, from its row without the seal."""
    values = dict(zip(RUN_COLUMNS, row, strict=True))
    for name in ("parent", "tags"):
        values[name] = None if values[name] is None else tuple(json.loads(values[name]))
    return Run(**values)


def read_events(connection: sqlite3.Connection, key: int) -> list[tuple[Any, ...]]:
    """The rows of an execution's events, in order, for `verified_events`."""
    return connection.execute(_SELECT_EVENTS, (key,)).fetchall()


def read_runs(connection: sqlite3.Connection, key: int | None = None) -> list[Run]:
    """The records of all executions, or of that with this number, in the order of their numbers."""
    where, parameters = ("", ()) if key is None else ("WHERE key = ?", (key,))
    rows = connection.execute(f"SELECT {', '.join(RUN_COLUMNS)} FROM execution {where} ORDER BY key", parameters)
    return [run_from_row(row) for row in rows]


def read_log(connection: sqlite3.Connection, key: int, after: int) -> list[NumberedRecord]:
    """The first records of an execution's log whose number is greater, as many as may be read at once."""
    rows = connection.execute(_SELECT_LOG, (key, after, PAGE_RECORDS))
    return page_of(NumberedRecord(number, LogRecord(*record)) for number, *record in rows)


def write_uptime(connection: sqlite3.Connection, session: int, now: int) -> int:
    """Record that the engine of the session runs at `now`; gives the latest time for which that is recorded."""
    connection.execute("UPDATE uptime SET last_alive = max(last_alive, ?) WHERE id = ?", (now, session))
    return _last_alive(connection, session)


def _last_alive(connection: sqlite3.Connection, session: int) -> int:
    (last_alive,) = connection.execute("SELECT last_alive FROM uptime WHERE id = ?", (session,)).fetchone()
    return int(last_alive)


def write_event_counts(connection: sqlite3.Connection, counts: Mapping[int, int]) -> None:
    """Record how many events open executions have at least, by their numbers."""
    connection.executemany(
        "UPDATE execution SET event_count = ? WHERE key = ? AND closed_at IS NULL",
        [(count, key) for key, count in counts.items()],
    )
    connection.executemany(UPDATE_SEAL, [(key,) for key in counts])


def write_changes(
    connection: sqlite3.Connection, chains: dict[int, bytes], counts: dict[int, int], changes: Iterable[Change]
) -> None:
    """Write changes, in order.

    `chains` holds the last chain of each open execution by number, and is updated; so are `counts`, the lengths of the
    histories that have grown.
    """
    rows: list[tuple[Any, ...]] = []
    for change in changes:
        if type(change) is NewEvents:
            rows += _event_rows(chains, change)
            counts[change.key] = change.events[-1].id
        else:
            _insert_events(connection, rows)
            rows = []
            _WRITERS[type(change)](connection, chains, change)
    _insert_events(connection, rows)


def restore_chain(connection: sqlite3.Connection, chains: dict[int, bytes], key: int) -> None:
    """Set an execution's last chain to that on disk, after a transaction was rolled back."""
    chains.pop(key, None)
    run = connection.execute(_SELECT_CLOSED_AT, (key,)).fetchone()
    if run is not None and run[1] is None:
        last = connection.execute(_SELECT_LAST_CHAIN, (key,)).fetchone()
        chains[key] = first_chain(run[0]) if last is None else last[0]


def check_contents(raw: RawContents, runs: Sequence[Run]) -> None:
    """Check that what the engine needs is there. Raises `ValueError` if the store is not what was written."""
    if not _are(bytes, raw.secret) or len(raw.secret) != SECRET_BYTES:
        raise ValueError("its secret is not what was written")
    for run in runs:
        if not _are(str, run.domain, run.workflow_id, run.run_id):
            raise ValueError(f"the ids of execution {run.key} are not what was written")
        if not _are(int, run.started_at, run.closed_at or 0):
            raise ValueError(f"the times of execution {run.workflow_id!r:.100} are not what was written")
    if raw.last_key > max((run.key for run in runs), default=0):
        raise ValueError(f"the record of execution {raw.last_key} is missing, and its events are there")


def _are(kind: type, *values: Any) -> bool:
    return all(isinstance(value, kind) for value in values)


# -- one function per kind of change -----------------------------------------------------------------------------------


def _event_rows(chains: dict[int, bytes], change: NewEvents) -> list[tuple[Any, ...]]:
    key = change.key
    chain = chains[key]
    rows = []
    milliseconds = to_milliseconds(change.events[0].timestamp)  # of all of them, for they were recorded at once
    for event_id, event_type, _, attributes in change.events:
        text = _dumps(attributes)
        chain = next_chain(chain, event_id, event_type, milliseconds, text)
        rows.append((key, event_id, event_type, milliseconds, text, chain))
    chains[key] = chain
    return rows


def _insert_events(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    for first in range(0, len(rows), _MAX_ROWS):
        some = rows[first : first + _MAX_ROWS]
        connection.execute(_insert_of_events(len(some)), list(itertools.chain.from_iterable(some)))


def _write_run(connection: sqlite3.Connection, chains: dict[int, bytes], run: Run) -> None:
    values = [getattr(run, name) for name in RUN_COLUMNS]
    for position, name in enumerate(RUN_COLUMNS):
        if name in ("parent", "tags"):
            values[position] = _json(values[position])
    connection.execute(_INSERT_RUN, (*values, seal(*values)))
    if run.closed_at is None:
        chains[run.key] = first_chain(run.run_id)
    else:
        chains.pop(run.key, None)


def _write_origin(connection: sqlite3.Connection, chains: dict[int, bytes], change: OriginChanged) -> None:
    connection.execute("UPDATE execution SET origin = ? WHERE key = ?", (change.origin, change.key))
    connection.execute(UPDATE_SEAL, (change.key,))


def _write_log_records(connection: sqlite3.Connection, chains: dict[int, bytes], change: NewLogRecords) -> None:
    key = change.key
    number, size = connection.execute(_SELECT_LOG_END, (key,)).fetchone() or (0, 0)
    number += change.dropped
    rows = []
    for record in change.records:
        number += 1
        size += record.size
        rows.append((key, number, size, *record))
    connection.executemany(_INSERT_LOG, rows)
    first, first_size = connection.execute(_SELECT_LOG_BEGIN, (key,)).fetchone() or (number, size)
    if number - first >= MAX_RECORDS or size - first_size >= MAX_BYTES:
        retained = int(MAX_RECORDS * RETAINED_SHARE), int(MAX_BYTES * RETAINED_SHARE)
        connection.execute(_SHORTEN_LOG, (key, number - retained[0], size - retained[1]))


def _write_process(connection: sqlite3.Connection, chains: dict[int, bytes], process: ProcessRecord) -> None:
    connection.execute(
        "INSERT INTO process (instance, record) VALUES (?, ?) "
        "ON CONFLICT (instance) DO UPDATE SET record = excluded.record",
        (process.instance, process.to_json()),
    )


def _forget_process(connection: sqlite3.Connection, chains: dict[int, bytes], change: ProcessForgotten) -> None:
    connection.execute("DELETE FROM process WHERE instance = ?", (change.instance,))


def _write_request(connection: sqlite3.Connection, chains: dict[int, bytes], request: CarriedOut) -> None:
    connection.execute("INSERT INTO request VALUES (?, ?, ?, ?)", request.to_row())


def _forget_requests(connection: sqlite3.Connection, chains: dict[int, bytes], change: RequestsForgotten) -> None:
    connection.execute("DELETE FROM request WHERE number <= ?", (change.last,))


def _delete_run(connection: sqlite3.Connection, chains: dict[int, bytes], change: RunDeleted) -> None:
    connection.execute("DELETE FROM log WHERE execution = ?", (change.key,))
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
    NewLogRecords: _write_log_records,
    Run: _write_run,
    OriginChanged: _write_origin,
    ProcessRecord: _write_process,
    ProcessForgotten: _forget_process,
    CarriedOut: _write_request,
    RequestsForgotten: _forget_requests,
    RunDeleted: _delete_run,
    Domain: _write_domain,
    Type: _write_type,
    TypeDeleted: _delete_type,
}
