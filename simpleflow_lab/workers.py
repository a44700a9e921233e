"""The deciders and activity workers of a Lab, to show, scale and stop them, and those of other processes.

    lab.workers
    lab.start_workers(4, task_list="etl")
    lab.workers.of("etl").stop(seconds=30)
    lab.pollers()

Rule: looking at workers costs them nothing: everything that is shown is counted anyway.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.supervised.statuses import status_of
from simpleflow_lab.runtime.worker import ACTIVITY_WORKER, WORKER_KINDS, CurrentTask, Worker, checked_count, stop_all
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing

_MAX_TASKS: Final = 1
"""The most current tasks that a cell names."""
_MAX_TYPES: Final = 3
"""The most types that a cell names."""
_MAX_NAME: Final = 40
_MAX_ERROR: Final = 160


class Workers(ListingView[Worker]):
    """Deciders and activity workers of this process, the stopped ones, too. It displays itself as a table."""

    def of(self, task_list: str) -> Workers:
        """The workers of one task list."""
        return Workers(worker for worker in self if worker.task_list == task_list)

    def scale(self, count: int) -> None:
        """Let each activity worker among them run `count` activities at once; see `Worker.scale`.

        Raises `UsageError` if there is none.
        """
        checked_count(count)
        chosen = [worker for worker in self if worker.kind == ACTIVITY_WORKER]
        if not chosen:
            raise UsageError("there is no activity worker here: start_workers() starts one")
        for worker in chosen:
            worker.scale(count)

    def start(self) -> None:
        """Start those that were stopped."""
        for worker in self:
            worker.start()

    def stop(self, *, drain: bool = True, seconds: float | None = None) -> bool:
        """Stop all of them at once; `False` if a task is still in progress after `seconds`. See `Worker.stop`."""
        return stop_all(self, drain=drain, seconds=seconds)

    def listing(self) -> Listing:
        """One row for each; texts are bounded."""
        return Listing(columns=_COLUMNS, rows=[_row(worker) for worker in self])

    @property
    def _nothing(self) -> str:
        return "no decider and no activity worker has been started here"


_COLUMNS: Final = {
    "kind": Kind.TEXT,
    "task list": Kind.TEXT,
    "state": Kind.TEXT,
    "since": Kind.TIME,
    "at once": Kind.COUNT,
    "current tasks": Kind.TEXT,
    "done": Kind.COUNT,
    "failed": Kind.COUNT,
    "last error": Kind.TEXT,
    "types": Kind.TEXT,
}


def _row(worker: Worker) -> tuple[object, ...]:
    error = worker.last_error
    return (
        worker.kind,
        shortened(worker.task_list, _MAX_NAME),
        worker.state,
        worker.since,
        worker.at_once,
        _named([_task_text(task) for task in worker.tasks], _MAX_TASKS),
        worker.done,
        worker.failed,
        None if error is None else shortened(error, _MAX_ERROR),
        _named([shortened(name, _MAX_NAME) for name in worker.types], _MAX_TYPES),
    )


@dataclass(frozen=True, kw_only=True)
class TaskListPoller:
    """A process that polls a task list, or a program of another kind of which nothing else is known."""

    task_list: str
    """The task list."""
    kind: str
    """`decider` or `activity worker`."""
    pid: int | None
    """The process; `None` for a program that is not ours, such as one of simpleflow or of an AWS SDK."""
    hostname: str | None
    """The machine of the process; `None` for a program that is not ours."""
    is_this_process: bool
    """Whether it is this process."""
    waiting_polls: int | None
    """Number of its polls that wait for a task; `None` if the service doesn't tell, as Amazon SWF of another
    process."""
    tasks: tuple[CurrentTask, ...]
    """The tasks that it was given and has not answered; none is known of a program that is not ours."""
    since: datetime.datetime | None
    """The time since which the store knows the process; `None` for a program that is not ours."""
    is_silent: bool
    """Whether the process was not heard of for seconds: it is stopped, or the machine sleeps."""
    does: Mapping[str, Any] | None = None
    """Further facts about it: of one of this process, or that a supervisor of this machine started. `None` if
    nothing is."""
    supervisor: int | None = None
    """The process that started it and starts it again when it ends; `None` if it was started otherwise."""

    @property
    def state(self) -> str:
        """Its state, as that of a `Worker`; `silent` or `idle` of one that is only known by its polls, `starting` or
        `restarting` of a supervised process that does not serve yet."""
        if self.is_silent:
            return "silent"
        known = None if self.does is None else self.does["state"]
        if known is not None and known not in ("polling", "busy"):
            return str(known)
        return "busy" if self.tasks else "polling" if self.waiting_polls or known is not None else "idle"

    @property
    def done(self) -> int | None:
        """The number of tasks that it has completed, and activities that it has canceled; `None` if not known."""
        return None if self.does is None else self.does["done"]

    @property
    def failed(self) -> int | None:
        """The number of activities that failed, or of decisions that could not be made; `None` if it is not known."""
        return None if self.does is None else self.does["failed"]

    @property
    def last_error(self) -> str | None:
        """The latest error of a task, of a poll, or of the process before; `None` if none is known."""
        return None if self.does is None else self.does["lastError"]

    @property
    def types(self) -> tuple[str, ...]:
        """Name and version of each type that it takes tasks of, its own list's first; none if they are not known."""
        return () if self.does is None else tuple(self.does["types"])


class Pollers(ListingView[TaskListPoller]):
    """The pollers of each task list of a domain, in every process. It displays itself as a table."""

    def of(self, task_list: str) -> Pollers:
        """The pollers of one task list."""
        return Pollers(poller for poller in self if poller.task_list == task_list)

    def listing(self) -> Listing:
        """One row for each; texts are bounded."""
        return Listing(columns=_POLLER_COLUMNS, rows=[_poller_row(poller) for poller in self])

    @property
    def _nothing(self) -> str:
        return "nobody polls a task list of this domain"


_POLLER_COLUMNS: Final = {
    "task list": Kind.TEXT,
    "kind": Kind.TEXT,
    "process": Kind.TEXT,
    "state": Kind.TEXT,
    "since": Kind.TIME,
    "waiting polls": Kind.COUNT,
    "tasks": Kind.COUNT,
    "current tasks": Kind.TEXT,
    "done": Kind.COUNT,
    "failed": Kind.COUNT,
    "last error": Kind.TEXT,
    "types": Kind.TEXT,
}


def _poller_row(poller: TaskListPoller) -> tuple[object, ...]:
    if poller.pid is None and poller.supervisor is not None:
        process = f"of supervisor {poller.supervisor}"
    elif poller.pid is None:
        process = "a program without a session"
    elif poller.is_this_process:
        process = f"{poller.pid} (this one)"
    else:
        process = f"{poller.pid} on {shortened(poller.hostname, _MAX_NAME)}"
    error = poller.last_error
    return (
        shortened(poller.task_list, _MAX_NAME),
        poller.kind,
        process,
        poller.state,
        poller.since,
        poller.waiting_polls,
        len(poller.tasks),
        _named([_task_text(task) for task in poller.tasks], _MAX_TASKS),
        poller.done,
        poller.failed,
        None if error is None else shortened(error, _MAX_ERROR),
        _named([shortened(name, _MAX_NAME) for name in poller.types], _MAX_TYPES),
    )


def pollers_of(answer: Mapping[str, Any], *, instance: str | None) -> Pollers:
    """The pollers in the answer of a service's `pollers`; `instance` is that of this process."""
    return Pollers(
        TaskListPoller(
            task_list=each["taskList"],
            kind=WORKER_KINDS[each["kind"]],
            pid=each.get("pid"),
            hostname=each.get("hostname"),
            is_this_process=instance is not None and each.get("instance") == instance,
            waiting_polls=each["waitingPolls"],
            tasks=tuple(_task_of(task) for task in each["tasks"]),
            since=_time(each.get("since")),
            is_silent=bool(each.get("isSilent")),
        )
        for each in answer["pollers"]
    )


def pollers_from(workers: Sequence[Worker], *, pid: int, hostname: str) -> Pollers:
    """The pollers among the workers of this process, for a service that knows none."""
    return Pollers(
        TaskListPoller(
            task_list=worker.task_list,
            kind=worker.kind,
            pid=pid,
            hostname=hostname,
            is_this_process=True,
            waiting_polls=worker.waiting_polls,
            tasks=tuple(worker.tasks),
            since=worker.since,
            is_silent=False,
        )
        for worker in workers
        if worker.state != "stopped"
    )


def with_statuses(pollers: Pollers, workers: Sequence[Worker], supervisors: Sequence[Mapping[str, Any]]) -> Pollers:
    """These pollers, with what this process's workers and the supervisors of this machine say of them.

    A supervised process that does not poll now, or of which the service tells nothing, is added. One that polls, and
    has not yet told its supervisor what it serves, has done nothing yet.
    """
    here = {(worker.kind, worker.task_list): status_of(worker) for worker in workers}
    supervised = [
        (supervisor, process)
        for supervisor in supervisors
        for process in supervisor["processes"]
        if process["state"] != "ended"
    ]
    started_by = {(process["pid"], supervisor["hostname"]): (supervisor, process) for supervisor, process in supervised}
    found = []
    for poller in pollers:
        supervisor, process = started_by.get((poller.pid, poller.hostname), (None, None))
        if poller.is_this_process:
            found.append(replace(poller, does=here.get((poller.kind, poller.task_list))))
        elif supervisor is None or process is None:
            found.append(poller)
        else:
            does = _does(process, poller.kind, poller.task_list)
            found.append(replace(poller, does=does, supervisor=supervisor["pid"]))
    polled = {(poller.pid, poller.hostname, poller.kind, poller.task_list) for poller in found}
    polling = {(poller.pid, poller.hostname) for poller in found}
    for supervisor, process in supervised:
        pid, hostname = process["pid"], supervisor["hostname"]
        not_serving = _not_serving(process) if process["taskLists"] or (pid, hostname) not in polling else ()
        for each in process["serves"] or not_serving:
            if (pid, hostname, each["kind"], each["taskList"]) not in polled:
                found.append(_supervised(supervisor, process, each))
    return Pollers(sorted(found, key=lambda each: (each.task_list, each.kind)))


def _does(process: Mapping[str, Any], kind: str, task_list: str) -> Mapping[str, Any]:
    """The words for a supervised process that polls this task list."""
    for each in process["serves"]:
        if (each["kind"], each["taskList"]) == (kind, task_list):
            return cast(Mapping[str, Any], each)
    return _nothing_yet(process, task_list, state="polling")


def _not_serving(process: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The words for a supervised process before it serves: a line for each task list, or one for all."""
    return [
        _nothing_yet(process, name, state=process["state"])
        for name in process["taskLists"] or ("all that its modules define",)
    ]


def _nothing_yet(process: Mapping[str, Any], task_list: str, *, state: str) -> dict[str, Any]:
    return {
        "kind": process["kind"],
        "taskList": task_list,
        "state": state,
        "since": process["since"],
        "tasks": [],
        "done": 0,
        "failed": 0,
        "lastError": process["lastDeath"],
        "types": [],
    }


def _supervised(supervisor: Mapping[str, Any], process: Mapping[str, Any], does: Mapping[str, Any]) -> TaskListPoller:
    return TaskListPoller(
        task_list=does["taskList"],
        kind=does["kind"],
        pid=process["pid"],
        hostname=supervisor["hostname"],
        is_this_process=False,
        waiting_polls=None if does["state"] in ("polling", "busy") else 0,
        tasks=tuple(
            CurrentTask(
                workflow_id=task["workflowId"],
                run_id=task["runId"],
                activity_id=task["activityId"],
                type=task["type"],
                since=datetime.datetime.fromtimestamp(task["since"], datetime.UTC),
            )
            for task in does["tasks"]
        ),
        since=_time(does["since"]),
        is_silent=False,
        does=does,
        supervisor=supervisor["pid"],
    )


def _task_of(task: Mapping[str, Any]) -> CurrentTask:
    return CurrentTask(
        workflow_id=task["workflowExecution"]["workflowId"],
        run_id=task["workflowExecution"]["runId"],
        activity_id=task.get("activityId"),
        type=f"{task['type']['name']} {task['type']['version']}",
        since=datetime.datetime.fromtimestamp(task["since"], datetime.UTC),
    )


def _time(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _task_text(task: CurrentTask) -> str:
    workflow_id = shortened(task.workflow_id, _MAX_NAME)
    return workflow_id if task.activity_id is None else f"{shortened(task.activity_id, _MAX_NAME)} of {workflow_id}"


def _named(names: Sequence[str], limit: int) -> str:
    """The first names, and how many there are more."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"
