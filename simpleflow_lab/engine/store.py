"""The interface of stores, which take the engine's changes and are read, and a store that writes nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from simpleflow_lab.engine.domains_and_types import Domain, Type
from simpleflow_lab.engine.engine_state import Change, NewLogRecords, RunDeleted
from simpleflow_lab.engine.execution_state import Run
from simpleflow_lab.engine.process_records import ProcessRecord
from simpleflow_lab.engine.requests_carried_out import CarriedOut
from simpleflow_lab.engine.store_format import SECRET_BYTES
from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.service.execution_logs import MemoryLog, NumberedRecord
from simpleflow_lab.swf.history import HistoryEvent


class Contents(NamedTuple):
    """The contents of a store, except the histories of closed executions."""

    secret: bytes
    """The secret with which tokens are signed."""
    sessions: list[tuple[int, int]]
    """The times between which, as far as is known, earlier engines ran, in milliseconds since 1970."""
    domains: list[Domain]
    """All domains."""
    types: list[Type]
    """All types."""
    runs: list[Run]
    """The records of all executions, in the order of their numbers."""
    histories: dict[int, list[HistoryEvent]]
    """The histories of the open executions, by number."""
    processes: list[ProcessRecord]
    """The processes that had sessions, in the order in which they came."""
    requests: list[CarriedOut]
    """The requests of clients that are remembered, in the order in which they were carried out."""
    damaged: dict[int, str]
    """Explanations, by number, of the damage to executions whose record, or history if they are open, is not what was
    written."""
    damaged_rows: list[str]
    """Explanations of what else is not what was written, and is left out."""


class Store(Protocol):
    """A store, which takes the engine's changes."""

    @property
    def failure(self) -> str | None:
        """A sentence that says why nothing can be written any more; `None` as long as the store works."""
        ...

    @property
    def was_made(self) -> bool:
        """Whether a file was made for it when it was opened."""
        ...

    @property
    def paused(self) -> str | None:
        """A sentence that says why changes are not written for now; `None` as long as they are."""
        ...

    def load(self) -> Contents:
        """Read the contents of the store. Raises `StoreError` if it can't be read."""
        ...

    def append(self, changes: Sequence[Change], *, urgent: bool) -> int:
        """Queue changes to be written in one transaction, and return their ticket. Raises `StoreError`.

        Changes that are not `urgent` are written together with the next that are, or after a few seconds.
        """
        ...

    def wait(self, ticket: int, *, flush_delay: float = 0.0, room_seconds: float | None = None) -> None:
        """Return when all changes up to this ticket are on disk. Raises `StoreError`.

        If they are not written within `flush_delay` seconds because other changes are urgent, they become urgent.
        If they can't be written for now, that is waited for: for ever, or for about `room_seconds`. Then it raises
        `StorePausedError`, and the changes are written when they can be.
        """
        ...

    def is_flushed(self, ticket: int) -> bool:
        """Whether all changes up to this ticket are on disk."""
        ...

    def flush_soon(self, ticket: int) -> None:
        """Let the changes up to this ticket be written now, without waiting for it."""
        ...

    def wait_to_read(self, ticket: int, *, until: float = 0.0) -> bool:
        """Whether all changes up to this ticket are on disk, as soon as they are. Raises `StoreError`.

        `False` if they can't be written for now: not before `until`, by `time.monotonic`.
        """
        ...

    def release_on_flush(self, ticket: int, lock: threading.Lock) -> None:
        """Release the lock when all changes up to this ticket are on disk, or can't be written any more."""
        ...

    def history(self, run: Run) -> list[HistoryEvent]:
        """Read the history of a closed execution. Raises `StoreError` if it is damaged."""
        ...

    def written_runs(self) -> list[Run]:
        """The records of all executions as they are on disk, while changes are not written. Raises `StoreError`."""
        ...

    def written_history(self, key: int) -> tuple[Run, list[HistoryEvent]] | None:
        """The record and the history of an execution as they are on disk; `None` if it is not. Raises `StoreError`."""
        ...

    def log(self, key: int, after: int) -> list[NumberedRecord]:
        """The first records of an execution's log whose number is greater, as many as may be read at once.

        Raises `StoreError` if they can't be read.
        """
        ...

    def close(self) -> None:
        """Write the changes that are queued, and close the store."""
        ...


class MemoryStore:
    """The store of an engine without a file (`:memory:`), which writes nothing, and keeps logs in memory."""

    failure: str | None = None
    was_made: bool = False
    paused: str | None = None

    def __init__(self) -> None:
        self._logs: dict[int, MemoryLog] = {}

    def load(self) -> Contents:
        """The contents of an empty store."""
        return Contents(os.urandom(SECRET_BYTES), [], [], [], [], {}, [], [], {}, [])

    def append(self, changes: Sequence[Change], *, urgent: bool) -> int:
        """Keep records of logs, and ignore the other changes, which the engine has in its state."""
        for change in changes:
            if type(change) is NewLogRecords:
                self._logs.setdefault(change.key, MemoryLog()).append(change.records, change.dropped)
            elif type(change) is RunDeleted:
                self._logs.pop(change.key, None)
        return 0

    def wait(self, ticket: int, *, flush_delay: float = 0.0, room_seconds: float | None = None) -> None:
        """Return at once."""

    def is_flushed(self, ticket: int) -> bool:
        """Nothing waits to be written."""
        return True

    def flush_soon(self, ticket: int) -> None:
        """Do nothing."""

    def wait_to_read(self, ticket: int, *, until: float = 0.0) -> bool:
        """Everything is in memory."""
        return True

    def release_on_flush(self, ticket: int, lock: threading.Lock) -> None:
        """Release the lock at once."""
        lock.release()

    def history(self, run: Run) -> list[HistoryEvent]:
        """Raise `StoreError`: an engine without a file keeps all histories in its state."""
        raise StoreError(f"execution {run.workflow_id} is not in memory")

    def written_runs(self) -> list[Run]:
        """None: nothing is on disk, and nothing waits for it."""
        return []

    def written_history(self, key: int) -> tuple[Run, list[HistoryEvent]] | None:
        """None, as `written_runs`."""
        return None

    def log(self, key: int, after: int) -> list[NumberedRecord]:
        """The first records of an execution's log whose number is greater."""
        found = self._logs.get(key)
        return [] if found is None else found.page(after)

    def close(self) -> None:
        """Do nothing."""
