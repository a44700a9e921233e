"""Migration of stores of older versions to this one.

Rule: a copy of the store is made before anything is changed, and a step is one transaction. There is one step from each
version to the next, in SQL. Stores of newer versions are refused beforehand; see `ownership`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from typing import Final

from simpleflow_lab.engine.integrity import UPDATE_SEAL, seals
from simpleflow_lab.engine.store_files import SCHEMA_VERSION
from simpleflow_lab.exceptions import StoreError

STEPS: Final[Mapping[int, str]] = {
    1: """
        CREATE TABLE log (
            execution INTEGER NOT NULL, number INTEGER NOT NULL, bytes INTEGER NOT NULL, timestamp INTEGER NOT NULL,
            task TEXT, started INTEGER, source TEXT NOT NULL, text TEXT NOT NULL,
            PRIMARY KEY (execution, number)
        ) WITHOUT ROWID
    """,
    2: f"""
        ALTER TABLE execution ADD COLUMN origin TEXT;
        ALTER TABLE execution ADD COLUMN seal BLOB NOT NULL DEFAULT x'';
        {UPDATE_SEAL.partition("WHERE")[0]}
    """,
    3: "CREATE TABLE process (number INTEGER PRIMARY KEY, instance TEXT NOT NULL UNIQUE, record TEXT NOT NULL)",
    4: "CREATE TABLE request (number INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, answer TEXT NOT NULL)",
}
"""By version, the SQL that migrates a store to the next one. Version 1 is the first."""


def migrate(path: str, *, steps: Mapping[int, str] = STEPS, target: int = SCHEMA_VERSION) -> str | None:
    """Migrate the store at `path` to the target version; gives the path of the copy, or `None` if nothing was to do.

    The caller owns the store. Raises `StoreError` if a step fails; the store then has the version before that step.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if found >= target:
            return None
        copy = _keep_copy(connection, path, found)
        seals(connection)
        for version in range(found, target):
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {steps[version]}; PRAGMA user_version = {version + 1}; COMMIT"
                )
            except (sqlite3.Error, KeyError) as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise StoreError(
                    f"the store {path} can't be brought from version {version} to {version + 1} ({error}): "
                    f"it was left at version {version}, and a copy of before is {copy}"
                ) from error
        return copy


def _keep_copy(connection: sqlite3.Connection, path: str, version: int) -> str:
    """Copy the committed contents to a new file beside the store that only the user can read; gives its path."""
    copy = f"{path}.version-{version}"
    number = 1
    while os.path.exists(copy):
        number += 1
        copy = f"{path}.version-{version}.{number}"
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    return copy
