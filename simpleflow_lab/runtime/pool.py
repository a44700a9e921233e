"""Deciders and activity workers for every task list that is named.

A notebook has no operator who starts a worker for each list. So whoever starts or resumes an execution serves its list,
and each answer of a decider adds the lists of the activities and children it asks for.
"""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simpleflow_lab.activity_context import ActivityProgress
from simpleflow_lab.middleware import Around
from simpleflow_lab.runtime.activity_worker import ActivityWorker
from simpleflow_lab.runtime.context import Site
from simpleflow_lab.runtime.decider import Decider
from simpleflow_lab.runtime.forked.parent import Processes
from simpleflow_lab.runtime.heartbeat import LONGEST_INTERVAL, Heartbeats
from simpleflow_lab.runtime.poller import Poller
from simpleflow_lab.runtime.type_registration import Registration
from simpleflow_lab.swf import decisions as swf_decisions
from simpleflow_lab.swf.history import HistoryEvent

logger = logging.getLogger(__name__)

DEFAULT_ACTIVITY_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Activities that run at once for each task list; most wait for something, so more than there are processors."""

PROCESS_END_SECONDS = 0.3
"""How long the threads of processes that are killed may need to notice."""


class WorkerPool:
    """The deciders and activity workers of this process for one domain of a service."""

    def __init__(
        self,
        site: Site,
        *,
        activity_threads: int = DEFAULT_ACTIVITY_THREADS,
        activity_executor: str = "threads",
        middleware: Iterable[Around] = (),
        longest_heartbeat: float = LONGEST_INTERVAL,
    ):
        self.site = site
        self._activity_threads = activity_threads
        self.registration = Registration(site.service, site.domain, site.settings)
        self._heartbeats = Heartbeats(site.service, longest=longest_heartbeat)
        self._activity_executor = activity_executor
        self._processes = Processes(sigterm_wait=site.settings.activity_sigterm_wait_sec)
        self.middleware = list(middleware)
        """What runs around each activity that is taken from now on, the outermost first."""
        self._deciders: dict[str, Decider] = {}
        self._workers: dict[str, ActivityWorker] = {}
        self._stuck: dict[str, Exception] = {}
        self._warnings: dict[str, dict[str, None]] = {}
        self._lock = threading.Lock()
        self._stopped = False

    # -- what to serve --

    def surround(self, workflow_id: str, context: contextvars.Context) -> None:
        """The code of this execution runs, and prints, in this context."""
        self.site.contexts[workflow_id] = context

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
                self.site, task_list, registration=self.registration, listener=self
            )
        decider.start()

    def activities(self, task_list: str) -> None:
        """Run the activities of this task list."""
        with self._lock:
            if self._stopped or task_list in self._workers:
                return
            worker = self._workers[task_list] = ActivityWorker(
                self.site,
                task_list,
                threads=self._activity_threads,
                heartbeats=self._heartbeats,
                executor=self._activity_executor,
                processes=self._processes,
                middleware=self.middleware,
            )
        worker.start()

    # -- what to know --

    def decision_error(self, run_id: str) -> Exception | None:
        """Why this execution can't be decided for now, or `None`."""
        return self._stuck.get(run_id)

    def warnings(self, run_id: str) -> tuple[str, ...]:
        """What the author of this execution's workflow should know, each once."""
        return tuple(self._warnings.get(run_id, ()))

    def activity_progress(self, run_id: str) -> list[ActivityProgress]:
        """How far the activities of this execution are that run in this process, in the order they were taken."""
        return [task.progress for task in self._heartbeats.tasks if task.context["run_id"] == run_id]

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
            workers = list(self._workers.values())
        for decider in deciders:
            decider.stop()
        for worker in workers:
            worker.stop()
        for poller in pollers:
            poller.stop()
        if release is not None:
            release()
        deadline = time.monotonic() + seconds
        ended = [poller.join(max(deadline - time.monotonic(), 0.01)) for poller in pollers]
        if not all(ended):
            # A thread that runs an activity can't be ended; its process can.
            self._processes.stop()
            deadline = time.monotonic() + PROCESS_END_SECONDS
            ended = [poller.join(max(deadline - time.monotonic(), 0.01)) for poller in pollers]
        self._heartbeats.stop()
        return all(ended)

    # -- what a decider tells: `decider.Listener` --

    def decided(self, run_id: str, decisions: Sequence[Mapping[str, Any]]) -> None:
        """Serve the task lists that these decisions name."""
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

    def decision_blocked(self, run_id: str, error: Exception | None) -> None:
        """What `stuck` says from now on."""
        if error is not None:
            self._stuck[run_id] = error
        elif run_id in self._stuck:
            del self._stuck[run_id]

    def warned(self, run_id: str, message: str) -> None:
        """One more of `warnings`, if it is new."""
        known = self._warnings.setdefault(run_id, {})
        if message not in known:
            known[message] = None
            logger.info("run %s: %s", run_id, message)
