"""Shows what other processes print for the executions that this one started, in the cell that started them.

The engine tells the process that started or resumed an execution that another one has added to its log; what is new
there is read and shown. That comes a moment later than what is printed here, and line by line.

Rule: only in a notebook, and each line once: not what this process wrote itself. What was logged is shown from
WARNING on, as Python does where nothing else is configured.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.locking.process_lock import process_lock
from simpleflow_lab.runtime.bounded import LatestUsed
from simpleflow_lab.runtime.captured_output import TaskOutput, shows_in_cells, streams_below
from simpleflow_lab.runtime.log_writer import LoggedExecution, LogWriter
from simpleflow_lab.runtime.output_contexts import OutputContexts
from simpleflow_lab.runtime.process_session import ProcessSession
from simpleflow_lab.runtime.reporting import Reporting
from simpleflow_lab.service.execution_logs import LogRecord, page_from_json
from simpleflow_lab.service.watchable import WatchableService

logger = logging.getLogger(__name__)

MAX_RUNS: Final = 10_000
"""Runs of which it is remembered what was shown: the latest."""


class OutputOfOthers:
    """Shows what other processes print for the executions that this process started or resumed on one service."""

    def __init__(
        self, service: WatchableService, contexts: OutputContexts, log: LogWriter, session: ProcessSession
    ) -> None:
        """See `follow`."""
        self._service = weakref.ref(service)
        self._contexts, self._log = contexts, log
        self._shown: LatestUsed[LoggedExecution, int] = LatestUsed(MAX_RUNS)
        self._reading = Reporting()  # in a thread: the session's must not wait for the service
        session.on_logs.append(self._came)

    @classmethod
    def follow(
        cls, service: WatchableService, contexts: OutputContexts, log: LogWriter, session: ProcessSession
    ) -> None:
        """Show it from now on; once for each service, however many Labs use it."""
        with _lock:
            if service not in _by_service:
                _by_service[service] = cls(service, contexts, log, session)

    def _came(self, news: Mapping[str, Any]) -> None:
        """Another process has added to the log of an execution. Returns at once."""
        if any(shows_in_cells(stream) for stream in streams_below("stdout")):
            self._reading.send(lambda: self._show(news))

    def _show(self, news: Mapping[str, Any]) -> None:
        domain, ids = str(news["domain"]), news["execution"]
        run = LoggedExecution(domain, ids["workflowId"], ids["runId"])
        service = self._service()
        of = next((each for each in (run.workflow_id, *news["parents"]) if self._contexts.get(domain, each)), None)
        if service is None or of is None:
            return
        output = TaskOutput(self._contexts, self._log, LoggedExecution(domain, of, run.run_id))
        since = self._contexts.since(domain, of)
        after = self._shown.get(run) or 0
        while True:
            try:
                page = page_from_json(service.read_log(domain=domain, execution=ids, after=after))
            except SimpleflowLabError as error:
                logger.debug("the log of %s can't be read: %s", run.workflow_id, error)
                return
            if not page:
                return
            for number, record in page:
                after = number
                if record.timestamp >= since and not self._log.is_own(run, record.task, record.started_event_id):
                    _write(output, record)
            self._shown.put(run, after)


def _write(output: TaskOutput, record: LogRecord) -> None:
    if record.source in ("stdout", "stderr"):
        output.show(getattr(sys, record.source), f"{record.text}\n")
    elif logging.getLevelNamesMapping().get(record.source, 0) >= logging.WARNING:
        output.show(sys.stderr, f"{record.source}: {record.text}\n")


_lock: Final = process_lock()
_by_service: Final[weakref.WeakKeyDictionary[WatchableService, OutputOfOthers]] = weakref.WeakKeyDictionary()
