"""Finds damage of a store, by the chain over the events of an execution and the seal of its record.

The chain of an event is a SHA-256 over the chain of the event before and the event itself. The seal of an execution's
record is one over the record; the record of an open execution says how many events it has at least, so that events
which are missing at the end of a history are found as well. That number is up to two seconds old: what was written
after it is found by the mark, see `open_mark`.

Rule: damage is named, never passed over. It stops the execution that is damaged, and no other one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from simpleflow_lab.engine.execution_state import Run, to_datetime
from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.swf.history import HistoryEvent

UPDATE_SEAL: Final = """
    UPDATE execution SET seal = seal(
        key, domain, workflow_id, run_id, type_name, type_version, started_at, parent, tags,
        closed_at, close_status, event_count, origin
    ) WHERE key = ?
"""
"""Seals the record with this number anew. The connection must have `seals`."""

# -- the seal ----------------------------------------------------------------------------------------------------------


def seal(*values: Any) -> bytes:
    """The seal of a record with these columns."""
    return hashlib.sha256(ascii(values).encode()).digest()[:16]


def seals(connection: sqlite3.Connection) -> None:
    """Let SQL on this connection use `seal`."""
    connection.create_function("seal", -1, seal, deterministic=True)


def is_sealed(row: Sequence[Any]) -> bool:
    """Whether the last column of a record is the seal of those before."""
    return bool(row[-1] == seal(*row[:-1]))


# -- the chain ---------------------------------------------------------------------------------------------------------


def first_chain(run_id: str) -> bytes:
    """The chain before the first event of a run."""
    return hashlib.sha256(run_id.encode()).digest()


def next_chain(chain: bytes, event_id: int, event_type: str, timestamp: int, attributes: str) -> bytes:
    """The chain after an event, from the chain before it. `timestamp` is in milliseconds since 1970."""
    return hashlib.sha256(
        b"%b%d %b %d %b" % (chain, event_id, event_type.encode(), timestamp, attributes.encode())
    ).digest()


def verified_events(run: Run, rows: Sequence[tuple[Any, ...]], path: str) -> tuple[list[HistoryEvent], bytes]:
    """The events of these rows and the last chain. Raises `StoreError` if they are not what was written.

    `run` is the execution's record as it is stored.
    """
    events: list[HistoryEvent] = []
    chain = first_chain(run.run_id)
    for position, (event_id, event_type, timestamp, attributes, recorded) in enumerate(rows, start=1):
        try:
            chain = next_chain(chain, event_id, event_type, timestamp, attributes)
            intact = event_id == position and chain == recorded
        except (TypeError, AttributeError, UnicodeError):
            intact = False
        if not intact:
            raise StoreError(damage(run, path, f"event {position} is not what was written"))
        events.append(HistoryEvent(event_id, event_type, to_datetime(timestamp), json.loads(attributes)))
    if not events:
        raise StoreError(damage(run, path, "it has no events"))
    if len(events) < run.event_count:
        raise StoreError(damage(run, path, f"only {len(events)} of at least {run.event_count} events are there"))
    return events, chain


DECODE_ERRORS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The errors of values in a store that can't be what was written."""


def damaged_store(path: str, error: object) -> str:
    """The message about a store that can't be read because of damage."""
    known = type(error) is ValueError or isinstance(error, sqlite3.Error)
    finding = str(error) if known else f"a row is not what was written ({type(error).__name__}: {error})"
    return f"the store {path} is damaged: {finding}; restore the file from a copy"


def damage(run: Run, path: str, finding: str) -> str:
    """The message about a damaged execution."""
    return (
        f"the store {path} is damaged: execution {run.workflow_id} (run {run.run_id}), {finding}; "
        "restore the file from a copy"
    )
