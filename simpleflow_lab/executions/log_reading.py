"""The log of an execution, read from its service: at once, or as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.service.execution_logs import NumberedRecord, page_from_json
from simpleflow_lab.views.execution_log import ExecutionLog, attempts_by_start, execution_log

_STEP: Final = 0.5
"""Seconds between two readings of a log that is followed, at most."""


def read_log(
    reader: ExecutionReader, *, task: str | None, source: str | None, text: str | None, tail: int | None
) -> ExecutionLog:
    """The records so far, as `Execution.logs` selects them. Raises `UsageError`, `StoreError`."""
    if tail is not None and tail < 0:
        raise UsageError(f"tail is how many records are shown, not {tail}")
    reader.pool.context.log.offer()
    attempts = attempts_by_start(reader.history(), reader.folded().attempts)
    rows = ((number, *record) for number, record in _records(reader))
    return execution_log(rows, attempts, task=task, source=source, text=text, tail=tail)


def followed_log(
    reader: ExecutionReader, *, task: str | None, source: str | None, text: str | None, tail: int | None
) -> Iterator[ExecutionLog]:
    """The records of `read_log`, and then, until the execution has closed, those that are added."""
    after, first, closed = 0, True, False
    while not closed:
        closed = reader.is_closed  # before its log is read: what it wrote is there then
        reader.pool.context.log.offer()
        records = _records(reader, after)
        attempts = attempts_by_start(reader.history(), reader.folded().attempts)
        rows = ((number, *record) for number, record in records)
        log = execution_log(
            rows, attempts, after=after, task=task, source=source, text=text, tail=tail if first else None
        )
        if first or len(log):
            yield log
        after, first = records[-1].number if records else after, False
        if not closed:
            reader.wait_for_growth(_STEP)


def _records(reader: ExecutionReader, after: int = 0) -> list[NumberedRecord]:
    records: list[NumberedRecord] = []
    while page := page_from_json(reader.service.read_log(domain=reader.domain, execution=reader.ids, after=after)):
        records.extend(page)
        after = page[-1].number
    return records
