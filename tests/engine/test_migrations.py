"""Older stores are migrated, and a copy is made."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import stat
from pathlib import Path

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.migrations import migrate
from simpleflow_lab.engine.store_files import SCHEMA_VERSION
from simpleflow_lab.exceptions import DamagedStoreWarning, StoreError
from tests.service.scenario import DOMAIN, Scenario

NEXT = SCHEMA_VERSION + 1
STEP = {SCHEMA_VERSION: "ALTER TABLE domain ADD COLUMN colour TEXT"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path) as engine:
        engine.register_domain(name="kept", workflowExecutionRetentionPeriodInDays="1")
    return path


def version(path: str | Path) -> int:
    connection = sqlite3.connect(path)
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return found


def test_a_store_of_this_version_is_left_alone(store):
    before = store.read_bytes()
    assert migrate(str(store)) is None
    assert store.read_bytes() == before
    assert sorted(path.name for path in store.parent.iterdir()) == ["store.sqlite", "store.sqlite.lock"]


def test_an_older_store_is_migrated_and_the_copy_of_it_opens(store):
    copy = migrate(str(store), steps=STEP, target=NEXT)
    assert copy is not None
    assert (version(store), version(copy)) == (NEXT, SCHEMA_VERSION)
    assert stat.S_IMODE(Path(copy).stat().st_mode) == 0o600
    connection = sqlite3.connect(store)
    assert connection.execute("SELECT name, colour FROM domain").fetchall() == [("kept", None)]
    connection.close()
    with EmbeddedSWF(copy) as engine:
        assert engine.list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"] == "kept"


@pytest.mark.parametrize("steps", [{}, {SCHEMA_VERSION: "ALTER TABLE domain ADD COLUMN colour TEXT; SELECT nonsense"}])
def test_a_step_that_fails_changes_nothing_and_its_error_names_the_copy(store, steps):
    with pytest.raises(StoreError, match="a copy of before is") as failed:
        migrate(str(store), steps=steps, target=NEXT)
    assert "\n" not in str(failed.value)
    assert version(store) == SCHEMA_VERSION
    with EmbeddedSWF(store) as engine:
        assert engine.list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"] == "kept"


def test_a_copy_is_never_overwritten(store):
    Path(f"{store}.version-{SCHEMA_VERSION}").write_text("somebody's")
    copy = migrate(str(store), steps=STEP, target=NEXT)
    assert copy == f"{store}.version-{SCHEMA_VERSION}.2"
    assert Path(f"{store}.version-{SCHEMA_VERSION}").read_text() == "somebody's"


FIRST_SCHEMA = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE uptime (id INTEGER PRIMARY KEY, opened_at INTEGER NOT NULL, last_alive INTEGER NOT NULL);
    CREATE TABLE domain (
        name TEXT PRIMARY KEY, status TEXT NOT NULL, description TEXT, retention TEXT NOT NULL, tags TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE type (
        domain TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, status TEXT NOT NULL,
        description TEXT, created_at INTEGER NOT NULL, deprecated_at INTEGER, defaults TEXT NOT NULL,
        PRIMARY KEY (domain, kind, name, version)
    ) WITHOUT ROWID;
    CREATE TABLE execution (
        key INTEGER PRIMARY KEY, domain TEXT NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL,
        type_name TEXT NOT NULL, type_version TEXT NOT NULL, started_at INTEGER NOT NULL, parent TEXT, tags TEXT,
        closed_at INTEGER, close_status TEXT, event_count INTEGER NOT NULL, UNIQUE (domain, workflow_id, run_id)
    );
    CREATE TABLE event (
        execution INTEGER NOT NULL, id INTEGER NOT NULL, type TEXT NOT NULL, timestamp INTEGER NOT NULL,
        attributes TEXT NOT NULL, chain BLOB NOT NULL, PRIMARY KEY (execution, id)
    ) WITHOUT ROWID;
    PRAGMA user_version = 1;
"""
"""The schema of version 1."""


def tables_of(path: str | Path) -> dict[str, tuple[list[tuple[object, ...]], ...]]:
    """The columns and the indexes of each table. The default that a migration gave to older rows is no part of it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("PRAGMA table_list").fetchall()
        return {
            name: (
                [(without_rowid, strict)],
                connection.execute(
                    'SELECT cid, name, type, "notnull", pk FROM pragma_table_xinfo(?)', (name,)
                ).fetchall(),
                connection.execute('SELECT name, "unique", origin FROM pragma_index_list(?)', (name,)).fetchall(),
            )
            for _, name, kind, _, without_rowid, strict in tables
            if not name.startswith("sqlite_")
        }


def test_a_store_that_was_migrated_from_the_first_version_has_the_tables_of_a_new_one(store, tmp_path):
    old = tmp_path / "old.sqlite"
    with contextlib.closing(sqlite3.connect(old)) as connection:
        connection.executescript(FIRST_SCHEMA)
    assert migrate(str(old)) is not None
    assert (version(old), tables_of(old)) == (SCHEMA_VERSION, tables_of(store))


def test_executions_of_a_store_before_seals_go_on_and_what_changes_in_them_from_then_on_is_found(tmp_path):
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        handle = lab.start("w")
        events = lab.events(handle)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for column in ("seal", "origin"):
            connection.execute(f"ALTER TABLE execution DROP COLUMN {column}")
        for table in ("process", "request"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 2")
    with EmbeddedSWF(path) as engine:
        lab = Scenario(engine, ManualClock())
        assert lab.events(handle) == events
        lab.signal("w")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE execution SET workflow_id = 'v'")
    with pytest.warns(DamagedStoreWarning, match="its record is not what was written"):
        EmbeddedSWF(path).close()


def test_a_store_of_version_4_remembers_requests_from_then_on(tmp_path):
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        lab.start("w")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE request; PRAGMA user_version = 4")
    for _ in range(2):
        with EmbeddedSWF(path) as engine:
            signal = functools.partial(engine.signal_workflow_execution, domain=DOMAIN, workflowId="w", signalName="s")
            engine.once("one", signal)
            lab = Scenario(engine, ManualClock())
            (handle,) = lab.everything()
            assert sum(event["eventType"] == "WorkflowExecutionSignaled" for event in lab.events(handle)) == 1
    assert version(path) == SCHEMA_VERSION
