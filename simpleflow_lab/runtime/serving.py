"""Deciders and activity workers for every task list that is named.

A notebook has no operator who starts a worker for each list. So whoever starts or resumes an execution serves its list,
and each answer of a decider adds the lists of the activities and children it asks for.
"""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simpleflow_lab.fields import Fields
from simpleflow_lab.runtime.activity_worker import ActivityWorker
from simpleflow_lab.runtime.decider import Decider
from simpleflow_lab.runtime.heartbeat import Heartbeats
from simpleflow_lab.runtime.identity import identity
from simpleflow_lab.runtime.poller import Poller
from simpleflow_lab.runtime.registration import Registration
from simpleflow_lab.service.protocol import WatchableService
from simpleflow_lab.storage import Storage
from simpleflow_lab.swf import decisions as swf_decisions
from simpleflow_lab.swf.history import HistoryEvent

DEFAULT_ACTIVITY_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Activities that run at once for each task list; most wait for something, so more than there are processors."""


class Serving:
    """The deciders and activity workers of this process for one domain of a service."""

    def __init__(
        self,
        service: WatchableService,
        domain: str,
        *,
        activity_threads: int = DEFAULT_ACTIVITY_THREADS,
        storage: Storage,
        fields: Fields,
    ):
        self._service = service
        self._storage = storage
        self._fields = fields
        self._domain = domain
        self._activity_threads = activity_threads
        self._identity = identity()
        self.registration = Registration(service, domain)
        self._heartbeats = Heartbeats(service)
        self._deciders: dict[str, Decider] = {}
        self._workers: dict[str, ActivityWorker] = {}
        self._contexts: dict[str, contextvars.Context] = {}
        self._stuck: dict[str, Exception] = {}
        self._lock = threading.Lock()
        self._stopped = False

    # -- what to serve --

    def surround(self, workflow_id: str, context: contextvars.Context) -> None:
        """The code of this execution runs, and prints, in this context."""
        self._contexts[workflow_id] = context

    def history(self, events: Iterable[HistoryEvent]) -> None:
        """Serve every task list that this history names."""
        for event in events:
            task_list = (event.attributes.get("taskList") or {}).get("name")
            if task_list is None:
                continue
            if event.type == "ActivityTaskScheduled":
                self.activities(task_list)
            elif event.type in (
                "WorkflowExecutionStarted",
                "StartChildWorkflowExecutionInitiated",
                "DecisionTaskScheduled",
            ):
                self.decisions(task_list)

    def decisions(self, task_list: str) -> None:
        """Decide for this task list."""
        with self._lock:
            if self._stopped or task_list in self._deciders:
                return
            decider = self._deciders[task_list] = Decider(
                self._service,
                self._domain,
                task_list,
                identity=self._identity,
                registration=self.registration,
                contexts=self._contexts.get,
                on_decisions=self._decided,
                on_stuck=self._note_stuck,
                fields=self._fields,
            )
        decider.start()

    def activities(self, task_list: str) -> None:
        """Run the activities of this task list."""
        with self._lock:
            if self._stopped or task_list in self._workers:
                return
            worker = self._workers[task_list] = ActivityWorker(
                self._service,
                self._domain,
                task_list,
                threads=self._activity_threads,
                identity=self._identity,
                heartbeats=self._heartbeats,
                contexts=self._contexts.get,
                storage=self._storage,
                fields=self._fields,
            )
        worker.start()

    # -- what to know --

    def stuck(self, run_id: str) -> Exception | None:
        """Why this execution can't be decided for now, or `None`."""
        return self._stuck.get(run_id)

    @property
    def task_lists(self) -> tuple[list[str], list[str]]:
        """The decision task lists and the activity task lists that are served."""
        with self._lock:
            return sorted(self._deciders), sorted(self._workers)

    def stop(self, *, release: Any = None, seconds: float = 2.0) -> bool:
        """Take no more tasks, and wait this long for those at hand; `False` if some still run.

        `release` makes the service answer the polls that wait.
        """
        with self._lock:
            self._stopped = True
            pollers: list[Poller] = [p for d in self._deciders.values() for p in d.pollers]
            pollers += [p for w in self._workers.values() for p in w.pollers]
            deciders = list(self._deciders.values())
        for decider in deciders:
            decider.stop()
        for poller in pollers:
            poller.stop()
        if release is not None:
            release()
        deadline = time.monotonic() + seconds
        ended = [poller.join(max(deadline - time.monotonic(), 0.01)) for poller in pollers]
        self._heartbeats.stop()
        return all(ended)

    def _decided(self, run_id: str, decisions: Sequence[Mapping[str, Any]]) -> None:
        for decision in decisions:
            kind, attributes = decision["decisionType"], swf_decisions.attributes(decision)
            task_list = (attributes.get("taskList") or {}).get("name")
            if task_list is None:
                continue
            if kind == "ScheduleActivityTask":
                if task_list not in self._workers:
                    self.activities(task_list)
            elif (
                kind in ("StartChildWorkflowExecution", "ContinueAsNewWorkflowExecution")
                and task_list not in self._deciders
            ):
                self.decisions(task_list)

    def _note_stuck(self, run_id: str, error: Exception | None) -> None:
        if error is not None:
            self._stuck[run_id] = error
        elif run_id in self._stuck:
            del self._stuck[run_id]
