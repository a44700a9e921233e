"""Stores of older versions, brought up to date.

Rule: a copy is kept before anything is changed, and a step is done whole or not at all. There is one step from each
version to the next, in SQL. Newer versions are refused before it comes to this; see `ownership`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from typing import Final

from simpleflow_lab.engine.ownership import SCHEMA_VERSION
from simpleflow_lab.exceptions import StoreError

STEPS: Final[Mapping[int, str]] = {}
"""From a version to the SQL that makes the next one of it. Version 1 is the first."""


def migrate(path: str, *, steps: Mapping[int, str] = STEPS, target: int = SCHEMA_VERSION) -> str | None:
    """Bring the store at `path` to the target version; gives the path of the copy that was kept, if there was a need.

    The caller owns the store. Raises `StoreError`, with the store as it was.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if found >= target:
            return None
        copy = _keep_copy(connection, path, found)
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
    """A copy beside the store, for the user alone, of all that is committed. An earlier one is not overwritten."""
    copy = f"{path}.version-{version}"
    number = 1
    while os.path.exists(copy):
        number += 1
        copy = f"{path}.version-{version}.{number}"
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    return copy
