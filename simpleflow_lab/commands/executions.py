"""Commands that read many executions of a domain: `workflow.list`, `workflow.filter`, `workflow.statistics`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from simpleflow_lab.commands.parameters import Function, Number, Tags, Time, Word, one_domain, why_no_name
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UnknownResourceFault, UsageError
from simpleflow_lab.views.listings import Listing

DEFAULT_DAYS: Final = 30
"""Executions are listed that were started in so many days."""
CLOSE_STATUSES: Final = ("COMPLETED", "FAILED", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW", "TIMED_OUT")
"""SWF's close statuses."""
MAX_WAITS: Final = 100
"""`workflow.list` says of so many open executions what they wait for, the latest."""

_NAMED: Final = {
    "workflow_id": "--workflow-id",
    "type_name": "--workflow-type-name",
    "type_version": "--workflow-type-version",
}
"""The criteria that are names, and their options."""

Infos = tuple[Mapping[str, Any], ...]


# -- which executions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """The criteria for an execution to be listed. One that is `None` says nothing."""

    status: str = "all"
    """`open`, `closed` or `all`."""
    since: datetime.datetime | None = None
    """Started then or later."""
    until: datetime.datetime | None = None
    """Started then or earlier."""
    tags: tuple[str, ...] = ()
    """It has all of these tags."""
    workflow_id: str | None = None
    """Its workflow id."""
    type_name: str | None = None
    """The name of its workflow type."""
    type_version: str | None = None
    """The version of its workflow type."""
    close_status: str | None = None
    """SWF's close status."""

    def hold_of(self, info: Mapping[str, Any]) -> bool:
        """Whether an execution is to be listed, by its `executionInfo`."""
        closed = "closeStatus" in info
        return (
            (self.status == "all" or closed == (self.status == "closed"))
            and (self.since is None or info["startTimestamp"] >= self.since)
            and (self.until is None or info["startTimestamp"] <= self.until)
            and set(self.tags) <= set(info.get("tagList", ()))
            and self.workflow_id in (None, info["execution"]["workflowId"])
            and self.type_name in (None, info["workflowType"]["name"])
            and self.type_version in (None, info["workflowType"]["version"])
            and self.close_status in (None, info.get("closeStatus"))
        )


def infos_of(session: Session, domain: str, criteria: Criteria, *, damaged: bool = False) -> Infos:
    """SWF's `executionInfos` of the executions of a domain for which the criteria hold, latest first.

    For `damaged` see `Lab.execution_infos`.
    """
    found = session.lab().execution_infos(
        open_only=criteria.status == "open", workflow_id=criteria.workflow_id, domain=domain, damaged=damaged
    )
    return tuple(info for info in found if criteria.hold_of(info))


def _days_ago(session: Session, days: float) -> datetime.datetime:
    return session.lab().now() - datetime.timedelta(days=days)


def _domain_parameters(function: Function) -> Function:
    """`[DOMAIN]` and `--domain`, which the command gets as `domain` and `named`."""
    argument = click.argument("domain", required=False, type=Word("domain"))
    option = click.option(
        "--domain",
        "named",
        type=Word("domain"),
        metavar="DOMAIN",
        help="The same.  [env var: SWF_DOMAIN; default: lab]",
    )
    return argument(option(function))


def _since_option(short: bool = True) -> Callable[[Function], Function]:
    return click.option(
        *(("-d", "--started-since") if short else ("--started-since",)),
        "days",
        type=Number(min=0, max=36_500),
        default=DEFAULT_DAYS,
        show_default=True,
        metavar="DAYS",
        help="Executions started in the last DAYS.",
    )


def _criteria_options(function: Function) -> Function:
    """The options of `workflow.filter`, which the command hands to `_criteria`."""
    options = (
        click.option("-s", "--status", type=click.Choice(["open", "closed", "all"]), default="all", show_default=True),
        click.option("--tag", "--tags", "tags", type=Tags(), help="With all of these tags."),
        click.option("--workflow-id", type=Word("execution"), metavar="ID", help="All runs of this workflow id."),
        click.option("--workflow-type-name", "type_name", metavar="NAME", help="Of this workflow type."),
        click.option("--workflow-type-version", "type_version", metavar="VERSION", help="Of this version of it."),
        click.option(
            "-c",
            "--close-status",
            type=click.Choice(CLOSE_STATUSES, case_sensitive=False),
            help="Closed in this way.",
        ),
        _since_option(),
        click.option("--from-date", "since", type=Time(), help="Started then or later, instead of --started-since."),
        click.option("--to-date", "until", type=Time(), help="Started then or earlier."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _criteria(
    session: Session, *, days: float, tags: Sequence[str] | None, since: datetime.datetime | None, **given: Any
) -> Criteria:
    for name, option in _NAMED.items():
        reason = None if given[name] is None else why_no_name(given[name])
        if reason is not None:
            raise UsageError(f"{option}: {reason}")
    if tags == []:  # of a shell's variable that is not set: all would be chosen
        raise UsageError("--tag names no tag: leave it out, or give one")
    if given["close_status"] is not None and given["status"] == "open":
        raise UsageError("--close-status is of closed executions, and --status open lists open ones: leave one out")
    if given["type_version"] is not None and given["type_name"] is None:
        raise UsageError("--workflow-type-version goes with --workflow-type-name: give both")
    if since is not None and given["until"] is not None and since > given["until"]:
        raise UsageError("--from-date is after --to-date: exchange them")
    return Criteria(since=since or _days_ago(session, days), tags=tuple(tags or ()), **given)


# -- lists -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ListedExecutions(ListingRecord):
    """`workflow.list`."""

    domain: str
    """The domain of the executions."""
    infos: Infos
    """SWF's `executionInfos`, latest first."""
    waits: Mapping[str, str]
    """The waits of open ones, in a few words, by run id."""
    until: datetime.datetime
    """The time up to which open ones have lasted."""

    def listing(self) -> Listing:
        """One row per execution."""
        from simpleflow_lab.views.workflow_listings import workflow_list

        return workflow_list(self.infos, self.waits)

    def in_full(self) -> Listing:
        """The same with the columns that a notebook shows."""
        from simpleflow_lab.views.workflow_listings import workflow_list

        return workflow_list(self.infos, self.waits, in_full=True, until=self.until)


@click.command("workflow.list")
@_domain_parameters
@click.option("-s", "--status", type=click.Choice(["open", "closed", "all"]), default="all", show_default=True)
@_since_option()
@click.pass_obj
def list_executions(
    session: Session, domain: str | None, named: str | None, status: str, days: float
) -> ListedExecutions:
    """The executions of a domain, latest first; of open ones, what they wait for.

    --columns, --sort and --filter know further ones, as in a notebook: version, run_id, started, closed, duration,
    tags, parent, cancel_requested. So --filter parent= leaves out what another execution started.
    """
    found = session.known_domain(one_domain(domain, named))
    infos = infos_of(session, found, Criteria(status=status, since=_days_ago(session, days)), damaged=True)
    return ListedExecutions(domain=found, infos=infos, waits=_waits(session, found, infos), until=session.lab().now())


def _waits(session: Session, domain: str | None, infos: Infos) -> dict[str, str]:
    waits = {info["execution"]["runId"]: info["damage"] for info in infos if "damage" in info}
    for info in [info for info in infos if info["executionStatus"] == "OPEN"][:MAX_WAITS]:
        execution = session.lab().listed_execution(info, domain=domain)
        try:
            waits[execution.run_id] = execution.waits_in_short()
        except UnknownResourceFault:  # it has closed and was deleted meanwhile
            continue
    return {run_id: words for run_id, words in waits.items() if words}


@dataclass(frozen=True, kw_only=True)
class FilteredExecutions(ListingRecord):
    """`workflow.filter`."""

    domain: str
    """The domain of the executions."""
    infos: Infos
    """SWF's `executionInfos`, latest first."""
    described: tuple[Mapping[str, Any], ...]
    """SWF's description of each: its timeouts and its child policy, and its input."""

    def listing(self) -> Listing:
        """One row per execution, in upstream's columns."""
        from simpleflow_lab.views.workflow_listings import workflow_filter

        return workflow_filter(self.infos, self.described)


@click.command("workflow.filter")
@_domain_parameters
@_criteria_options
@click.pass_obj
def filter_executions(session: Session, /, domain: str | None, named: str | None, **given: Any) -> FilteredExecutions:
    """The executions of a domain that are as asked for, latest first, with all that is known of each."""
    criteria = _criteria(session, **given)
    found = session.known_domain(one_domain(domain, named))
    infos = infos_of(session, found, criteria)
    shape = session.output.shape
    if not shape.filters and not shape.sort:
        infos = infos[: shape.limit]  # what is not shown is not asked for
    return FilteredExecutions(domain=found, infos=infos, described=tuple(_described(session, found, infos)))


def _described(session: Session, domain: str, infos: Infos) -> Iterator[Mapping[str, Any]]:
    service = session.lab().service
    for info in infos:
        description = service.describe_workflow_execution(domain=domain, execution=info["execution"])
        first = service.get_workflow_execution_history(domain=domain, execution=info["execution"], maximumPageSize=1)
        attributes = first["events"][0]["workflowExecutionStartedEventAttributes"]
        yield {**description["executionConfiguration"], "input": attributes.get("input")}


# -- statistics --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TaskStatistics(ListingRecord):
    """`workflow.statistics`."""

    executions: int
    """Number of executions that were read."""
    table: Listing
    """One row per kind and name of task."""

    def listing(self) -> Listing:
        """One row per kind and name of task, the one with the longest mean first."""
        return self.table


@click.command("workflow.statistics")
@_domain_parameters
@_criteria_options
@click.pass_obj
def statistics(session: Session, /, domain: str | None, named: str | None, **given: Any) -> TaskStatistics:
    """The tasks of many executions: how often, how long, how often and how they failed; the slowest first.

    Sort and cut it as any list: `--sort -p95 --limit 10`. Attempts are counted, so a task that was tried three times
    counts three times; what is open counts and has no time.
    """
    from simpleflow_lab.views.task_statistics import StatisticsOfTasks

    criteria = _criteria(session, **given)
    found = session.known_domain(one_domain(domain, named))
    infos = infos_of(session, found, criteria)
    statistics = StatisticsOfTasks()
    lab = session.lab()
    for info in infos:
        statistics.add(lab.listed_execution(info, domain=found).history())
    nothing = None if infos else "no execution is as asked for"
    return TaskStatistics(executions=len(infos), table=statistics.listing(), message=nothing)


READING: Final = (list_executions, filter_executions, statistics)
