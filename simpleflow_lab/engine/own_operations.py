"""Operations of a service in this process beside SWF's: waits for a history, reports, logs, and who polls.

See `WatchableService` for the operations.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from simpleflow_lab.engine import polls_and_tasks
from simpleflow_lab.engine.engine_state import EngineState, NewLogRecords
from simpleflow_lab.engine.named_executions import run_of
from simpleflow_lab.engine.session_changes import note_log, retry_decision
from simpleflow_lab.engine.session_operations import SessionOperations
from simpleflow_lab.engine.visibility import execution_info
from simpleflow_lab.engine.waiters import HistoryWaiter
from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.service.execution_logs import checked_records, page_to_json
from simpleflow_lab.service.protocol import Answer, Structure
from simpleflow_lab.service.reports import RunName


class OwnOperations(SessionOperations):
    """The part of the embedded engine that Amazon SWF does not have."""

    def now(self) -> int:
        """The time of the engine's clock, in milliseconds since 1970."""
        return self._durable.now()

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """The id of the execution's last event on disk, as soon as it is greater than `after_event_id`.

        After `timeout` seconds it is returned whatever it is. With `until_closed` the call returns when the execution
        closes. Raises `UnknownResourceFault`.
        """
        end = time.monotonic() + timeout

        def wait() -> int:
            while True:
                waiter = HistoryWaiter(until_closed)
                with self._durable.transaction(urgent=False) as state:
                    run = run_of(state, domain, execution)
                    found = state.open.get(run.key)
                    last = run.event_count if found is None else len(found.events)
                    ticket = self._ticket(state, run.key)
                    if found is None or (last > after_event_id and not until_closed) or time.monotonic() >= end:
                        break
                    self._durable.history_waiters.add(run.key, waiter)
                waiter.sleep(end - time.monotonic())
                self._durable.stop_waiting(run.key, waiter)
            # What is not on disk is not shown, however long that takes.
            return last if self._durable.store.wait_to_read(ticket, until=end) else after_event_id

        result: int = self._durable.run_off_main_thread(wait)
        return result

    def report_decision_error(self, *, domain: str, execution: Structure, error: Structure) -> Answer:
        """See `WatchableService`."""
        with self._durable.lock:
            run = run_of(self._durable.state, domain, execution)
            found = self._durable.state.open.get(run.key)
            started = None if found is None else found.started
            if started is None or started[1] != error.get("startedEventId"):
                return {}
            if "error" in error:
                self._durable.state.reports.block(
                    (domain, run.workflow_id, run.run_id), error, self._durable.now() / 1000
                )
            else:
                self._durable.state.reports.unblock(run.run_id)
        return {}

    def report_warning(self, *, domain: str, execution: Structure, message: str) -> Answer:
        """See `WatchableService`."""
        with self._durable.lock:
            run = run_of(self._durable.state, domain, execution)
            if run.key in self._durable.state.open:
                self._durable.state.reports.warn((domain, run.workflow_id, run.run_id), message)
        return {}

    def describe_reports(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        state = self._durable.state

        def parent_of(name: RunName) -> RunName | None:
            found = state.runs.find(*name)
            return None if found is None or found.parent is None else (name[0], *found.parent)

        with self._durable.lock:
            run = run_of(state, domain, execution)
            reports = state.reports.describe((domain, run.workflow_id, run.run_id), parent_of)
        paused = self._durable.paused
        return reports if paused is None else {**reports, "storePaused": paused}

    def retry_decision(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""

        def change(state: EngineState) -> Answer:
            found = state.open.get(run_of(state, domain, execution).key)
            return {"isRetried": found is not None and retry_decision(state, found)}

        return self._in_transaction(change)

    def pollers(self, *, domain: str) -> Answer:
        """See `WatchableService`."""
        return self._in_transaction(lambda state: {"pollers": polls_and_tasks.pollers(state, domain)})

    def describe_waiting(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""

        with self._durable.lock:
            found = self._durable.state.open.get(run_of(self._durable.state, domain, execution).key)
            tasks = [] if found is None else polls_and_tasks.open_tasks(self._durable.state, found)
        paused = self._durable.paused
        return {"tasks": tasks} if paused is None else {"tasks": tasks, "storePaused": paused}

    def damaged_executions(self, *, domain: str) -> Answer:
        """See `WatchableService`."""
        with self._durable.lock:
            state = self._durable.state
            found = [(state.runs.by_key[key], damage) for key, damage in state.damaged.items()]
        infos = [
            execution_info(run, cancel_requested=False) | {"executionStatus": "DAMAGED", "damage": damage}
            for run, damage in found
            if run.domain == domain and run.closed_at is None
        ]
        return {"executionInfos": infos}

    # -- logs

    def append_log(
        self,
        *,
        domain: str,
        execution: Structure,
        records: Sequence[Structure],
        dropped: int = 0,
        instance: str | None = None,
    ) -> Answer:
        """Append records to the log of an execution; they are written with the next changes, within seconds.

        `dropped` is how many records went before these, `instance` that of the process that wrote them, by default this
        one: if another one started the execution, the answer says so.

        Raises `ValidationException`, `UnknownResourceFault`, and `StoreError` while the store can't be written.
        """
        checked = checked_records(records, dropped)

        def append() -> None:
            if self._durable.paused is not None:
                raise StoreError(self._durable.paused)
            with self._durable.transaction(urgent=False) as state:
                run = run_of(state, domain, execution)
                state.outbox.append(NewLogRecords(run.key, checked, dropped))
                note_log(state, run, instance or self.instance)

        self._durable.run_off_main_thread(append)
        return {}

    def read_log(self, *, domain: str, execution: Structure, after: int = 0) -> Answer:
        """The first records of an execution's log whose number is greater than `after`; none if it has no more.

        Raises `UnknownResourceFault`, `StoreError`.
        """

        def read() -> Answer:
            with self._durable.transaction(urgent=False) as state:
                key = run_of(state, domain, execution).key
            return page_to_json(self._durable.store.log(key, after))

        return self._durable.run_off_main_thread(read)

    def _ticket(self, state: EngineState, key: int) -> int:
        """The ticket after which all events of the execution are on disk."""
        found = state.in_memory(key)
        return self._durable.last_ticket if found is None else found.ticket
