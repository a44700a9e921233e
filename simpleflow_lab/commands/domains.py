"""Commands of the noun `domain`: list, info, register, deprecate, undeprecate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from simpleflow_lab.commands.parameters import Name, Word
from simpleflow_lab.commands.records import Done, ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import (
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    UnknownResourceFault,
    UsageError,
)
from simpleflow_lab.views.listings import Kind, Listing

STATUSES: Final = ("REGISTERED", "DEPRECATED")
"""SWF's registration statuses."""
MAX_RETENTION: Final = 90
"""SWF's limit on the days for which it keeps closed executions."""

_COLUMNS: Final = {
    "domain": Kind.TEXT,
    "status": Kind.TEXT,
    "description": Kind.TEXT,
    "retention_days": Kind.TEXT,
    "open": Kind.COUNT,
    "closed": Kind.COUNT,
}


@dataclass(frozen=True, kw_only=True)
class Domains(ListingRecord):
    """`domain.list` and `domain.info`."""

    described: tuple[Mapping[str, Any], ...]
    """SWF's description of each, with the numbers of its `open` and `closed` executions."""

    def listing(self) -> Listing:
        """One row per domain."""
        rows = [
            (
                each["domainInfo"]["name"],
                each["domainInfo"]["status"],
                each["domainInfo"].get("description"),
                each["configuration"]["workflowExecutionRetentionPeriodInDays"],
                each["open"],
                each["closed"],
            )
            for each in self.described
        ]
        return Listing(columns=_COLUMNS, rows=rows)


def _described(session: Session, name: str) -> Mapping[str, Any]:
    service = session.lab().service
    try:
        described = service.describe_domain(name=name)
    except UnknownResourceFault:
        raise UsageError(f"no domain {name!r}: domain.list lists them, domain.register makes one") from None
    ever: dict[str, Any] = {"domain": name, "startTimeFilter": {"oldestDate": 0}}
    opened = service.count_open_workflow_executions(**ever)["count"]
    closed = service.count_closed_workflow_executions(**ever)["count"]
    return {**described, "open": opened, "closed": closed}


def _names(session: Session, status: str) -> Iterator[str]:
    page: dict[str, Any] = {}
    while True:
        answer = session.lab().service.list_domains(registrationStatus=status, **page)
        yield from (info["name"] for info in answer["domainInfos"])
        if not answer.get("nextPageToken"):
            return
        page = {"nextPageToken": answer["nextPageToken"]}


@click.command("domain.list")
@click.option(
    "-s",
    "--status",
    type=click.Choice([*STATUSES, "all"], case_sensitive=False),
    default=STATUSES[0],
    show_default=True,
    help="Only these.",
)
@click.pass_obj
def list_domains(session: Session, status: str) -> Domains:
    """The domains of the store or of the account, with the number of executions in each."""
    statuses = STATUSES if status == "all" else (status,)
    names = [name for each in statuses for name in _names(session, each)]
    return Domains(described=tuple(_described(session, name) for name in names))


@click.command("domain.info")
@click.argument("domain", required=False, type=Word("domain"))
@click.pass_obj
def info(session: Session, domain: str | None) -> Domains:
    """A domain: its status, its description and the number of its executions."""
    return Domains(described=(_described(session, domain or session.lab().domain),))


def _is_already(session: Session, name: str) -> UsageError:
    """The error that a domain is what a command is asked to make it."""
    if _described(session, name)["domainInfo"]["status"] == STATUSES[0]:
        return UsageError(f"domain {name!r} is registered already")
    return UsageError(f"domain {name!r} is deprecated already: domain.undeprecate takes it back")


@click.command("domain.register")
@click.argument("domain", type=Name())
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option(
    "--retention-days",
    type=click.IntRange(0, MAX_RETENTION),
    metavar="DAYS",
    help="How long closed executions are kept; without it, for ever in a store and 30 days on Amazon SWF.",
)
@click.pass_obj
def register(session: Session, domain: str, description: str | None, retention_days: int | None) -> Done:
    """Register a DOMAIN."""
    lab = session.lab()
    on_amazon = lab.address.startswith("aws:")
    days = "30" if retention_days is None and on_amazon else "NONE" if retention_days is None else str(retention_days)
    members: dict[str, Any] = {} if description is None else {"description": description}
    try:
        lab.service.register_domain(name=domain, workflowExecutionRetentionPeriodInDays=days, **members)
    except DomainAlreadyExistsFault:
        raise _is_already(session, domain) from None
    return Done(message=f"domain {domain!r} is registered")


@click.command("domain.deprecate")
@click.argument("domain", type=Word("domain"))
@click.pass_obj
def deprecate(session: Session, domain: str) -> Done:
    """Deprecate a DOMAIN: no execution starts there any more, open ones go on."""
    _described(session, domain)
    try:
        session.lab().service.deprecate_domain(name=domain)
    except DomainDeprecatedFault:
        raise _is_already(session, domain) from None
    return Done(message=f"domain {domain!r} is deprecated: domain.undeprecate takes it back")


@click.command("domain.undeprecate")
@click.argument("domain", type=Word("domain"))
@click.pass_obj
def undeprecate(session: Session, domain: str) -> Done:
    """Take a DOMAIN back that is deprecated."""
    _described(session, domain)
    try:
        session.lab().service.undeprecate_domain(name=domain)
    except DomainAlreadyExistsFault:
        raise _is_already(session, domain) from None
    return Done(message=f"domain {domain!r} is registered again")


READING: Final = (list_domains, info)
ACTING: Final = (register, deprecate, undeprecate)
