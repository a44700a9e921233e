"""A Lab at a glance: its service, who owns and uses it, the workers of this process, task lists, and executions.

    print(overview_of(lab))

Rule: it reads one page of open executions and one of closed ones, whatever a store holds, and no history.

Of a page it shows the latest that no other execution started, and then children: a workflow of hundreds of children
stays in sight.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.lab import Lab
from simpleflow_lab.views.formatting import LABEL_LIMIT, count, shortened
from simpleflow_lab.views.listed_executions import each_once
from simpleflow_lab.views.listing_views import listing_html
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.markup import Html
from simpleflow_lab.views.summary import OPEN
from simpleflow_lab.views.text_tables import text_table
from simpleflow_lab.workers import Pollers, Workers

MAX_EXECUTIONS: Final = 100
"""Open executions that are shown, and closed ones."""
PAGE: Final = 1_000
"""Of so many of the latest they are chosen: as many as SWF lists at once."""
MAX_WAITS: Final = 25
"""Of so many open executions it is said what they wait for, and in which task lists."""
MAX_PROCESSES: Final = 20
"""Processes that are named."""
SHOWN: Final = 15
"""Rows of executions in a text or a still picture."""

_EVER: Final = {"oldestDate": 0}


@dataclass(frozen=True, kw_only=True)
class ExecutionAtAGlance:
    """One execution of a Lab."""

    workflow_id: str
    run_id: str
    type: str
    """Name and version of its type."""
    status: str
    """OPEN, or how it closed."""
    started: datetime.datetime
    seconds: float
    """Seconds that it took, or has taken so far."""
    waits: str
    """Its waits, in a few words; empty if it has closed, or if that was not asked for."""
    is_child: bool
    """Whether another execution started it."""


@dataclass(frozen=True, kw_only=True)
class TaskListAtAGlance:
    """One task list."""

    name: str
    decisions: int
    """Decision tasks that nobody has taken."""
    activities: int
    """Activity tasks that nobody has taken."""
    deciders: int
    workers: int
    running: int
    """Tasks that were taken and have not ended."""


@dataclass(frozen=True, kw_only=True)
class LabOverview:
    """An overview of a Lab. It displays itself, as text and in a notebook."""

    at: datetime.datetime
    """When that was."""
    service: str
    """Its service, in words."""
    domain: str
    processes: tuple[str, ...]
    """Who uses it: the owner of the store first."""
    workers: Workers
    """The deciders and activity workers of this process, the stopped ones, too."""
    task_lists: tuple[TaskListAtAGlance, ...]
    executions: tuple[ExecutionAtAGlance, ...]
    """The latest open ones, then the latest closed ones; of each those that no other execution started first."""
    open_count: str
    """The number of open ones, as a text: SWF stops to count somewhere."""
    closed_count: str

    def executions_listing(self, limit: int | None = None) -> Listing:
        """One row for each execution."""
        rows = [
            (each.workflow_id, each.type, each.status, each.started, each.seconds, each.waits)
            for each in self.executions[:limit]
        ]
        return Listing(columns=_EXECUTIONS, rows=rows)

    def task_lists_listing(self) -> Listing:
        """One row for each task list."""
        rows = [
            (each.name, each.decisions, each.activities, each.deciders, each.workers, each.running)
            for each in self.task_lists
        ]
        return Listing(columns=_TASK_LISTS, rows=rows)

    @property
    def lines(self) -> list[str]:
        """The lines beside the tables."""
        return [
            f"{self.service}, domain {self.domain}",
            f"used by {', '.join(self.processes)}",
            f"executions: {self.open_count} open, {self.closed_count} closed",
        ]

    def __repr__(self) -> str:
        parts = ["\n".join(self.lines)]
        if self.executions:
            parts.append(text_table(self.executions_listing(SHOWN), header=True) + _more(len(self.executions) - SHOWN))
        if self.task_lists:
            parts.append(text_table(self.task_lists_listing(), header=True))
        parts.append(repr(self.workers))
        return "\n\n".join(part.rstrip("\n") for part in parts)

    def _repr_html_(self) -> str:
        head = Html("<h3>Lab</h3>{}").format(Html("").join(Html("<div>{}</div>").format(line) for line in self.lines))
        tables = []
        if self.executions:
            tables.append(f"{listing_html(self.executions_listing(SHOWN))}")
        if self.task_lists:
            tables.append(listing_html(self.task_lists_listing()))
        more = Html('<div class="sfl-quiet">{}</div>').format(_more(len(self.executions) - SHOWN).strip())
        # Each of these is HTML that is escaped already.
        return (
            f'<div class="sfl">{head}</div>{"".join(tables[:1])}{more}{"".join(tables[1:])}{self.workers._repr_html_()}'
        )


_EXECUTIONS: Final = {
    "workflow id": Kind.TEXT,
    "type": Kind.TEXT,
    "status": Kind.STATE,
    "started": Kind.TIME,
    "time": Kind.SECONDS,
    "waits for": Kind.TEXT,
}
_TASK_LISTS: Final = {
    "task list": Kind.TEXT,
    "decision tasks waiting": Kind.COUNT,
    "activity tasks waiting": Kind.COUNT,
    "deciders": Kind.COUNT,
    "activity workers": Kind.COUNT,
    "running": Kind.COUNT,
}


def _more(number: int) -> str:
    return f"\nand {number:,} more" if number > 0 else ""


def overview_of(lab: Lab) -> LabOverview:
    """A Lab at a glance, as it is now. Raises `SimpleflowLabError` if its service can't be asked."""
    pollers = lab.pollers()
    infos = each_once(
        *(
            each(domain=lab.domain, startTimeFilter=_EVER, maximumPageSize=PAGE)["executionInfos"]
            for each in (lab.service.list_open_workflow_executions, lab.service.list_closed_workflow_executions)
        )
    )
    open_infos = _chosen(info for info in infos if "closeStatus" not in info)
    closed_infos = _chosen(info for info in infos if "closeStatus" in info)
    waits, lists = _waits(lab, open_infos[:MAX_WAITS])
    deciding, working = lab.task_lists
    names = sorted({*lists, *deciding, *working, *(each.task_list for each in pollers)})
    return LabOverview(
        at=lab.now(),
        service=_service(lab),
        domain=lab.domain,
        processes=tuple(_processes(lab, pollers)),
        workers=lab.workers,
        task_lists=tuple(_task_list(lab, name, pollers) for name in names),
        executions=tuple(_execution(lab, info, waits) for info in (*open_infos, *closed_infos)),
        open_count=_counted(lab.service.count_open_workflow_executions(domain=lab.domain, startTimeFilter=_EVER)),
        closed_count=_counted(lab.service.count_closed_workflow_executions(domain=lab.domain, startTimeFilter=_EVER)),
    )


def _chosen(infos: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of a page's executions that are shown."""
    return sorted(infos, key=lambda info: "parent" in info)[:MAX_EXECUTIONS]


def _service(lab: Lab) -> str:
    if lab.address.startswith("aws:"):
        return f"Amazon SWF, {shortened(lab.address.removeprefix('aws://'), LABEL_LIMIT)}"
    if lab.address == ":memory:":
        return "embedded engine, in memory"
    return f"embedded engine, store {shortened(lab.address, 2 * LABEL_LIMIT)}"


def _processes(lab: Lab, pollers: Pollers) -> Iterable[str]:
    """This process, and the others that poll; of the owner of the store that it is."""
    owner = lab.owner
    yield "this process, which owns the store" if owner == "this process" else "this process"
    if owner not in ("", "this process"):
        yield f"{shortened(owner, LABEL_LIMIT)}, which owns the store"
    others = {
        (each.pid, each.hostname, each.is_silent)
        for each in pollers
        if not each.is_this_process and each.pid is not None
    }
    for pid, hostname, is_silent in sorted(others, key=lambda each: each[0] or 0)[:MAX_PROCESSES]:
        if owner == f"process {pid} on {hostname}" and not is_silent:
            continue
        yield f"process {pid} on {shortened(hostname, LABEL_LIMIT)}{', silent' if is_silent else ''}"
    if len(others) > MAX_PROCESSES:
        yield f"{len(others) - MAX_PROCESSES} more"
    programs = sum(each.pid is None for each in pollers)
    if programs:
        yield f"{count(programs, 'poller')} of other programs"


def _waits(lab: Lab, infos: Iterable[Mapping[str, Any]]) -> tuple[dict[str, str], set[str]]:
    """The waits of open executions, by run id, and the task lists of what is open in them."""
    waits: dict[str, str] = {}
    lists: set[str] = set()
    for info in infos:
        ids = info["execution"]
        try:
            waits[ids["runId"]] = lab.listed_execution(info).waits_in_short()
            tasks = lab.service.describe_waiting(domain=lab.domain, execution=ids)["tasks"]
            lists |= {task["taskList"] for task in tasks}
        except UnknownResourceFault:  # it has closed and was deleted meanwhile
            continue
    return waits, lists


def _execution(lab: Lab, info: Mapping[str, Any], waits: Mapping[str, str]) -> ExecutionAtAGlance:
    end = info.get("closeTimestamp") or lab.now()
    return ExecutionAtAGlance(
        workflow_id=shortened(info["execution"]["workflowId"]),
        run_id=info["execution"]["runId"],
        type=shortened(f"{info['workflowType']['name']} {info['workflowType']['version']}"),
        status=info.get("closeStatus", OPEN),
        started=info["startTimestamp"],
        seconds=max((end - info["startTimestamp"]).total_seconds(), 0.0),
        waits=shortened(waits.get(info["execution"]["runId"], "")),
        is_child="parent" in info,
    )


def _task_list(lab: Lab, name: str, pollers: Pollers) -> TaskListAtAGlance:
    found = pollers.of(name)
    task_list = {"domain": lab.domain, "taskList": {"name": name}}
    return TaskListAtAGlance(
        name=shortened(name),
        decisions=_pending(lab.service.count_pending_decision_tasks, task_list),
        activities=_pending(lab.service.count_pending_activity_tasks, task_list),
        deciders=sum(each.kind == "decider" for each in found),
        workers=sum(each.kind != "decider" for each in found),
        running=sum(len(each.tasks) for each in found),
    )


def _pending(count: Any, arguments: Mapping[str, Any]) -> int:
    return int(count(**arguments)["count"])


def _counted(answer: Mapping[str, Any]) -> str:
    return f"{answer['count']:,}{' or more' if answer.get('truncated') else ''}"
