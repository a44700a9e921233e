"""`task_list.list`: the backlog of each task list, and who polls it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from simpleflow_lab.commands.parameters import Name, Word, one_domain
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.views.listings import Kind, Listing

if TYPE_CHECKING:
    from simpleflow_lab.lab import Lab
    from simpleflow_lab.workers import Pollers, TaskListPoller

_COLUMNS: Final = {
    "task list": Kind.TEXT,
    "decision tasks": Kind.COUNT,
    "activity tasks": Kind.COUNT,
    "deciders": Kind.COUNT,
    "activity workers": Kind.COUNT,
    "running": Kind.COUNT,
    "polled by": Kind.TEXT,
}
_MAX_PROCESSES: Final = 5
"""Processes that a row names."""


@dataclass(frozen=True, kw_only=True)
class TaskLists(ListingRecord):
    """`task_list.list`."""

    backlog: Mapping[str, tuple[int, int]]
    """The decision tasks and the activity tasks that wait in each task list."""
    pollers: Pollers
    """Who polls them."""

    def listing(self) -> Listing:
        """One row per task list, by name."""
        rows = [(name, *self.backlog[name], *self._polls(name)) for name in sorted(self.backlog)]
        return Listing(columns=_COLUMNS, rows=rows)

    def _polls(self, name: str) -> tuple[int, int, int, str]:
        found = self.pollers.of(name)
        processes = list(dict.fromkeys(_process(poller) for poller in found))
        more = f" and {len(processes) - _MAX_PROCESSES} more" if len(processes) > _MAX_PROCESSES else ""
        return (
            sum(poller.kind == "decider" for poller in found),
            sum(poller.kind != "decider" for poller in found),
            sum(len(poller.tasks) for poller in found),
            ", ".join(processes[:_MAX_PROCESSES]) + more if processes else "nobody",
        )


def _process(poller: TaskListPoller) -> str:
    if poller.pid is None:
        return "another program"
    silent = ", silent" if poller.is_silent else ""
    return f"process {poller.pid}{' (this one)' if poller.is_this_process else ''}{silent}"


@click.command("task_list.list")
@click.argument("domain", required=False, type=Word("domain"))
@click.option(
    "-d",
    "--domain",
    "named",
    type=Word("domain"),
    metavar="DOMAIN",
    help="The same.  [env var: SWF_DOMAIN; default: lab]",
)
@click.option(
    "--task-list", "names", multiple=True, type=Name(), metavar="NAME", help="Also this one; may be repeated."
)
@click.pass_obj
def list_task_lists(session: Session, domain: str | None, named: str | None, names: tuple[str, ...]) -> TaskLists:
    """The task lists of a domain: how many tasks wait in each, and who polls it.

    They are those of open executions and of processes that poll. Amazon SWF doesn't tell who polls there: then the
    pollers are those of this process, and `nobody` means nobody here.
    """
    found = session.known_domain(one_domain(domain, named))
    lab = session.lab()
    pollers = lab.pollers(domain=found)
    task_lists = {poller.task_list for poller in pollers} | set(names)
    for info in lab.execution_infos(open_only=True, domain=found):
        task_lists |= set(_task_lists_of(lab, found, info["execution"]))
    nothing = None if task_lists else "no execution is open in this domain, and nobody polls"
    backlog = {name: _backlog(lab, found, name) for name in task_lists}
    return TaskLists(backlog=backlog, pollers=pollers, message=nothing)


def _task_lists_of(lab: Lab, domain: str, ids: Mapping[str, str]) -> Iterable[str]:
    """The task lists of the decision tasks and the open activities of an execution.

    Its history is read only if activities are open: Amazon SWF gives it in pages, at a limited rate.
    """
    from simpleflow_lab.views.history_fold import attempts_of

    described = lab.service.describe_workflow_execution(domain=domain, execution=ids)
    yield described["executionConfiguration"]["taskList"]["name"]
    if described["openCounts"]["openActivityTasks"]:
        execution = lab.execution(ids["workflowId"], ids["runId"], domain=domain)
        for task in attempts_of(execution.history()):
            if task.kind == "activity" and task.open and task.task_list is not None:
                yield task.task_list


def _backlog(lab: Lab, domain: str, task_list: str) -> tuple[int, int]:
    """The numbers of decision tasks and activity tasks that wait there."""
    name = {"name": task_list}
    decisions = lab.service.count_pending_decision_tasks(domain=domain, taskList=name)["count"]
    activities = lab.service.count_pending_activity_tasks(domain=domain, taskList=name)["count"]
    return int(decisions), int(activities)


READING: Final = (list_task_lists,)
