"""Brings what the code of executions prints and logs to the service that keeps it.

Lines are collected in memory, and handed over in batches: a moment after the first one came, by a thread that lives
only while there is something to hand over, and before a task is answered.

Rule: nobody who prints waits for the service, and nobody waits for the disk; memory is bounded: of what can't be
handed over for now, the oldest records go, and are counted. Output is no part of the history: what a process that is
killed had printed in its last moment may be missing.
"""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from simpleflow_lab.exceptions import ServiceUnreachableError, SimpleflowLabError, StoreError
from simpleflow_lab.locking.process_lock import process_lock
from simpleflow_lab.runtime.bounded import LatestUsed
from simpleflow_lab.service.execution_logs import (
    MAX_BYTES,
    MAX_RECORDS,
    MAX_TEXT,
    PAGE_BYTES,
    PAGE_RECORDS,
    LogRecord,
    record_to_json,
)
from simpleflow_lab.service.watchable import WatchableService

logger = logging.getLogger(__name__)

BATCH_SECONDS: Final = 0.05
"""Seconds that the first record of a batch waits for others."""
IDLE_SECONDS: Final = 1.0
"""Seconds that the thread waits for records before it ends."""
RETRY_SECONDS: Final = 1.0
"""Seconds that it waits before it tries again to hand records over."""
MAX_BUFFERED: Final = 10 * MAX_RECORDS
"""Records of all executions that wait in memory, at most."""


MAX_OWN_TASKS: Final = 10_000
"""Tasks of which it is remembered that they wrote something here: the latest."""


class LoggedExecution(NamedTuple):
    """An execution, by its ids."""

    domain: str
    workflow_id: str
    run_id: str


class _Line(NamedTuple):
    """The key of the line that is being written: those of different threads don't mix."""

    execution: LoggedExecution
    task: str | None
    started_event_id: int | None
    source: str
    thread: int


class _Buffer:
    """The records of one execution that were not handed over yet."""

    def __init__(self) -> None:
        self.records: deque[LogRecord] = deque()
        self.bytes = 0
        self.dropped = 0
        """Number of records that were dropped before these."""

    def append(self, record: LogRecord) -> None:
        self.records.append(record)
        self.bytes += record.size
        while len(self.records) > MAX_RECORDS or self.bytes > MAX_BYTES:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        self.bytes -= self.records.popleft().size
        self.dropped += 1

    def batches(self) -> Iterator[tuple[list[LogRecord], int]]:
        """The records in batches that a service takes, each with how many went before it; emptied meanwhile.

        A batch is still here until the next one is asked for.
        """
        while self.records:
            batch: list[LogRecord] = []
            size = 0
            for record in self.records:
                size += record.size
                if len(batch) == PAGE_RECORDS or size > PAGE_BYTES:
                    break
                batch.append(record)
            yield batch, self.dropped
            self.dropped = 0
            for record in batch:
                self.records.popleft()
                self.bytes -= record.size


class LogWriter:
    """Hands what executions print and log to one service. Threads share it."""

    def __init__(self, service: WatchableService) -> None:
        self._service = weakref.ref(service)  # it is found by its service, which must not live for its sake
        self._lock = threading.Lock()
        self._handing_over = threading.Lock()
        self._buffers: dict[LoggedExecution, _Buffer] = {}
        self._in_flight: dict[LoggedExecution, _Buffer] = {}
        self._buffered = 0
        self._lines: dict[_Line, str] = {}
        self._came = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self.follows_service = False
        """Records have the time of the service: of an engine of this process that has a clock of its own."""
        self._own: LatestUsed[tuple[LoggedExecution, str | None, int | None], bool] = LatestUsed(MAX_OWN_TASKS)

    @classmethod
    def of(cls, service: WatchableService) -> LogWriter:
        """The one of this service, which all of this process that use it share."""
        with _lock:
            found = _by_service.get(service)
            if found is None:
                found = _by_service[service] = cls(service)
            return found

    def _now(self) -> int:
        """Milliseconds since 1970."""
        service = self._service() if self.follows_service else None
        return time.time_ns() // 1_000_000 if service is None else service.now()

    # -- called by whoever prints --

    def write(
        self, execution: LoggedExecution, task: str | None, started_event_id: int | None, source: str, text: str
    ) -> None:
        """Text was written to a stream. A line is a record once it ends or is too long, or `task_ended` is called."""
        line = _Line(execution, task, started_event_id, source, threading.get_ident())
        *complete, rest = (self._lines.pop(line, "") + text).split("\n")
        # A progress bar writes its line again and again, and the last time counts.
        rest = rest.rpartition("\r")[2] if not rest.endswith("\r") else rest.rstrip("\r").rpartition("\r")[2] + "\r"
        if len(rest) > MAX_TEXT:
            cut = (len(rest) - 1) // MAX_TEXT * MAX_TEXT
            complete.append(rest[:cut])
            rest = rest[cut:]
        if rest:
            self._lines[line] = rest
        for each in complete:
            self.add(execution, task, started_event_id, source, each.rstrip("\r").rpartition("\r")[2])

    def task_ended(self, execution: LoggedExecution, task: str | None, started_event_id: int | None) -> None:
        """The code of a task has ended, or is suspended: a line that it began is a record too.

        What its execution wrote is handed over, so that it is in the log before what follows from the task; what the
        service does not take for now is tried again. It costs nothing if nothing was written.
        """
        if not (self._lines or self._buffers or self._in_flight):
            return
        for line in list(self._lines):
            if line[:3] == (execution, task, started_event_id) and (text := self._lines.pop(line, None)):
                self.add(execution, task, started_event_id, line.source, text.rstrip("\r").rpartition("\r")[2])
        if execution in self._buffers or execution in self._in_flight:
            self.offer()

    def add(
        self, execution: LoggedExecution, task: str | None, started_event_id: int | None, source: str, text: str
    ) -> None:
        """Add a record, or several for a text that is longer than one may be."""
        if self._pid != os.getpid():
            return  # a process that an activity forked: its memory is a copy, and its locks may be held for ever
        self._own.put((execution, task, started_event_id), True)
        now = self._now()
        with self._lock:
            for first in range(0, len(text) or 1, MAX_TEXT):
                record = LogRecord(now, task, started_event_id, source, text[first : first + MAX_TEXT])
                buffer = self._buffers.setdefault(execution, _Buffer())
                before = len(buffer.records)
                buffer.append(record)
                self._buffered += len(buffer.records) - before
                if self._buffered > MAX_BUFFERED:
                    buffer.drop_oldest()
                    self._buffered -= 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="simpleflow-lab logs", daemon=True)
                try:
                    contextvars.Context().run(self._thread.start)
                except RuntimeError:  # the interpreter ends: `stop` hands over what came
                    self._thread = None
        self._came.set()

    def is_own(self, execution: LoggedExecution, task: str | None, started_event_id: int | None) -> bool:
        """Whether what this task, an activity's attempt or the workflow's own code, has written came from here."""
        return self._own.get((execution, task, started_event_id)) is not None

    @property
    def waiting(self) -> int:
        """The number of records that wait to be handed over."""
        return self._buffered

    # -- handing over --

    def flush(self) -> None:
        """Hand over what was added before.

        Raises `StoreError` or `ServiceUnreachableError` if the service does not take it for now.
        """
        with self._handing_over:
            with self._lock:
                self._in_flight, self._buffers = self._buffers, {}
                self._buffered = 0
            try:
                for execution, buffer in self._in_flight.items():
                    try:
                        self._hand_over(execution, buffer)
                    except (ServiceUnreachableError, StoreError):
                        raise
                    except Exception:  # a log is lost rather than a task, which comes by here when it ends
                        logger.exception("the log of %s is not kept", execution.workflow_id)
                        buffer.records.clear()
            finally:
                self._put_back()

    def offer(self) -> None:
        """Hand over what was added before, as far as the service takes it for now."""
        try:
            self.flush()
        except (ServiceUnreachableError, StoreError) as error:
            logger.debug("logs wait: %s", error)

    def stop(self) -> None:
        """Hand over what was added before; what the service does not take is given up."""
        try:
            self.flush()
        except (ServiceUnreachableError, StoreError) as error:
            logger.info("the last lines of logs are lost: %s", error)
            with self._lock:
                self._buffers.clear()
                self._buffered = 0

    def _hand_over(self, execution: LoggedExecution, buffer: _Buffer) -> None:
        ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
        service = self._service()
        for records, dropped in buffer.batches():
            if service is None:
                continue
            try:
                service.append_log(
                    domain=execution.domain,
                    execution=ids,
                    records=[record_to_json(record) for record in records],
                    dropped=dropped,
                )
            except (ServiceUnreachableError, StoreError):
                raise
            except SimpleflowLabError as error:
                # The execution was deleted meanwhile, or the owner of the store is of a version without logs.
                logger.debug("the log of %s is not kept: %s", execution.workflow_id, error)

    def _put_back(self) -> None:
        """Keep what was not handed over, before what came meanwhile."""
        left = {execution: buffer for execution, buffer in self._in_flight.items() if buffer.records}
        with self._lock:
            for execution, buffer in left.items():
                for record in self._buffers.get(execution, _Buffer()).records:
                    buffer.append(record)
                self._buffers[execution] = buffer
            self._buffered = sum(len(buffer.records) for buffer in self._buffers.values())
            self._in_flight = {}

    def _run(self) -> None:
        while True:
            if not self._came.wait(IDLE_SECONDS):
                with self._lock:
                    if not self._buffers:
                        self._thread = None
                        return
            self._came.clear()
            time.sleep(BATCH_SECONDS)
            try:
                self.flush()
            except (ServiceUnreachableError, StoreError) as error:
                logger.debug("logs wait: %s", error)
                time.sleep(RETRY_SECONDS)


_lock: Final = process_lock()
_by_service: Final[weakref.WeakKeyDictionary[WatchableService, LogWriter]] = weakref.WeakKeyDictionary()
