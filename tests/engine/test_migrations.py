"""Older stores are migrated, and a copy is made."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.migrations import migrate
from simpleflow_lab.engine.store_files import SCHEMA_VERSION
from simpleflow_lab.exceptions import DamagedStoreWarning, StoreError
from tests.service.scenario import Scenario

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
        connection.execute("DROP TABLE process")
        connection.execute("PRAGMA user_version = 2")
    with EmbeddedSWF(path) as engine:
        lab = Scenario(engine, ManualClock())
        assert lab.events(handle) == events
        lab.signal("w")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE execution SET workflow_id = 'v'")
    with pytest.warns(DamagedStoreWarning, match="its record is not what was written"):
        EmbeddedSWF(path).close()
