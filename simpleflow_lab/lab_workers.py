"""The deciders and activity workers of a Lab: shown, started, scaled, and what is started by itself."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.pool import SERVE, WorkerPool
from simpleflow_lab.runtime.worker import Worker, checked_count
from simpleflow_lab.service.watchable import WatchableService
from simpleflow_lab.swf.names import check_name
from simpleflow_lab.workflow import Workflow

if TYPE_CHECKING:
    from simpleflow_lab.workers import Pollers, Workers


class LabWorkers(ABC):
    """The part of a Lab about task lists: each has a decider or an activity worker here, or both."""

    _pool: WorkerPool
    service: WatchableService
    address: str
    domain: str
    closed: bool

    @abstractmethod
    def _open_pools(self) -> Iterable[WorkerPool]:
        """Those of all open Labs of this process."""

    def limit_to_own_executions(self) -> None:
        """Take only tasks of executions that this process starts or resumes from now on, and of their children.

        Without it a process takes the tasks of its task lists, of any execution. It holds for all Labs of the store in
        this process. On Amazon SWF it has no effect: a poll there can't say which tasks it wants.
        """
        self._pool.context.session.limit_to_own_executions()

    @property
    def workers(self) -> Workers:
        """The deciders and activity workers of this process on this service and domain, those that were stopped, too.

        First those of this Lab, then those of other open ones. It displays itself: what each does, since when, what it
        has done, and its latest error.
        """
        from simpleflow_lab.workers import Workers

        context = self._pool.context
        others = [
            pool
            for pool in self._open_pools()
            if pool is not self._pool
            and pool.context.domain == self.domain
            and pool.context.output_contexts is context.output_contexts
        ]
        return Workers(worker for pool in (self._pool, *others) for worker in pool.workers)

    def pollers(self, *, domain: str | None = None) -> Pollers:
        """The pollers of each task list of a domain, by default this Lab's: every process that has the store open, and
        other programs.

        It displays itself. Amazon SWF doesn't tell who polls there: then it is about this process, and about those that
        `decider.start`, `worker.start` and `standalone` started on this machine.
        """
        from simpleflow_lab.runtime.supervised.statuses import supervisors_of
        from simpleflow_lab.workers import pollers_from, pollers_of, with_statuses

        domain = domain or self.domain
        found = pollers_of(self.service.pollers(domain=domain), instance=self._pool.context.session.instance)
        workers = self._pool.workers if domain == self.domain else []
        if not found and self._pool.context.session.instance is None:
            found = pollers_from(workers, pid=os.getpid(), hostname=socket.gethostname())
        return with_statuses(found, workers, supervisors_of(self.address, domain))

    @property
    def serves(self) -> str:
        """The automatic policy, as `serve` of `Lab`: what is started by itself for task lists that turn up. It may be
        set: what runs already goes on. Raises `UsageError`."""
        return self._pool.serve

    @serves.setter
    def serves(self, serve: str) -> None:
        check_serve(serve)
        self._pool.serve = serve
        self._pool.serve_definitions()

    @property
    def longest_heartbeat(self) -> float:
        """Seconds between the heartbeats of an activity without a heartbeat timeout; of any other a third of that
        timeout at most. It may be set, for the activities that are taken from then on."""
        return self._pool.longest_heartbeat

    @longest_heartbeat.setter
    def longest_heartbeat(self, seconds: float) -> None:
        self._pool.longest_heartbeat = seconds

    @property
    def task_lists_defined(self) -> tuple[list[str], list[str]]:
        """The task lists of the workflows that this process defines, and those of its activities."""
        return self._pool.task_lists_of_workflows(), self._pool.task_lists_of_activities()

    def task_lists_defined_by(self, workflows: Iterable[type[Workflow]]) -> list[str]:
        """The task lists of these workflows, or of all that this process defines if there are none among these."""
        return self._pool.task_lists_of_workflows(workflows)

    def start_workers(
        self, count: int | None = None, *, task_list: str | None = None, only_one_task: bool = False
    ) -> Workers:
        """Start the activity worker of a task list, also one that was stopped, and give it.

        `count` of its activities run at once, by default `activity_threads` of this Lab; a worker that runs already is
        scaled. Without `task_list`, those of all activities that this process defines. With `only_one_task` each of
        them stops when it has taken one. Raises `UsageError`.
        """
        from simpleflow_lab.workers import Workers

        if count is not None:
            checked_count(count)
        task_lists = self._task_lists_to_serve(task_list, self._pool.task_lists_of_activities(), "activity")
        started = [self._pool.start_activity_worker(each, count, only_one_task=only_one_task) for each in task_lists]
        return Workers(worker for worker in started if worker is not None)

    def handle_task(self, task: Mapping[str, Any], *, task_list: str) -> Worker:
        """Run the activity of a task that was polled elsewhere, and answer it: SWF's answer to PollForActivityTask.

        Gives the worker, which was not started, with what it counted. Raises `UsageError` if this Lab is closed.
        """
        worker = self._pool.activity_worker(self._task_lists_to_serve(task_list, [], "activity")[0])
        worker.handle(task)
        return worker

    def start_deciders(self, *, task_list: str | None = None) -> Workers:
        """Start the decider of a task list, also one that was stopped, and give it.

        Without `task_list`, those of all workflows that this process defines. Raises `UsageError`.
        """
        from simpleflow_lab.workers import Workers

        task_lists = self._task_lists_to_serve(task_list, self._pool.task_lists_of_workflows(), "workflow")
        started = [self._pool.start_decider(each) for each in task_lists]
        return Workers(decider for decider in started if decider is not None)

    def _task_lists_to_serve(self, given: str | None, defined: list[str], noun: str) -> list[str]:
        if self.closed:
            raise UsageError("this Lab is closed: open another one")
        if given is None:
            if not defined:
                raise UsageError(f"no {noun} is defined in this process: give task_list=…, or define one")
            return defined
        check_name(given, "Name", "the name of a task list")
        return [given]

    @property
    def task_lists(self) -> tuple[list[str], list[str]]:
        """The task lists for which this process has a decider, and those for which it has an activity worker."""
        return self._pool.task_lists


def check_serve(serve: object) -> None:
    """Raise `UsageError` for what is not one of `SERVE`."""
    if not isinstance(serve, str) or serve not in SERVE:
        raise UsageError(f"serve is {', '.join(map(repr, SERVE))}, not {serve!r}")
