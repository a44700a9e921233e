"""`doctor`: what is configured, what can be reached, what is allowed, and what to do about the rest.

Rule: it only reads. A store that is not there is not made.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from simpleflow_lab import settings
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import SimpleflowLabError, UsageError
from simpleflow_lab.views.formatting import count
from simpleflow_lab.views.listings import Kind, Listing

if TYPE_CHECKING:
    from simpleflow_lab.lab import Lab

OK, WARNING, PROBLEM = "ok", "warning", "problem"
MAX_NAMED: Final = 3
"""Executions that a finding names."""
_COLUMNS: Final = {"check": Kind.TEXT, "state": Kind.TEXT, "finding": Kind.TEXT, "what to do": Kind.TEXT}


class Finding(NamedTuple):
    """The finding of one check."""

    check: str
    """The thing that was checked."""
    state: str
    """`ok`, `warning` or `problem`."""
    finding: str
    """The result in words."""
    to_do: str = ""
    """Advice on it."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis(ListingRecord):
    """`doctor`."""

    findings: tuple[Finding, ...]
    """The finding of each check."""

    @property
    def has_problem(self) -> bool:
        """Whether something does not work."""
        return any(finding.state == PROBLEM for finding in self.findings)

    def listing(self) -> Listing:
        """One row per check."""
        return Listing(columns=_COLUMNS, rows=[tuple(finding) for finding in self.findings])


@click.command("doctor")
@click.pass_obj
def doctor(session: Session) -> Diagnosis:
    """Check what is configured, what can be reached, what is allowed; and say what to do about what is not.

    The exit code is 1 if something does not work. Nothing is written, and a store that is not there is not made.
    """
    return Diagnosis(findings=tuple(_findings(session)))


def _findings(session: Session) -> Iterator[Finding]:
    yield _python()
    yield _sqlite()
    settings_finding = _settings(session.address)
    yield settings_finding
    if settings_finding.state == PROBLEM:
        return
    address = session.address
    if address.startswith("aws:"):
        yield _boto3()
    elif address != ":memory:":
        store = _store_file(Path(os.path.realpath(os.path.expanduser(address))))
        yield store
        if store.state != OK:
            return
    try:
        lab = session.lab()
    except SimpleflowLabError as error:
        yield Finding("service", PROBLEM, str(error), _to_do_for(address))
        return
    yield Finding("service", OK, f"{lab.address} answers")
    try:
        session.known_domain(None)
    except UsageError as error:
        yield Finding(
            "domain", PROBLEM, str(error), "name one of them in SWF_DOMAIN, or `simpleflow domain.register` yours"
        )
        return
    yield from _allowed(lab)


# -- this process ------------------------------------------------------------------------------------------------------


def _python() -> Finding:
    import platform

    return Finding("python", OK, f"{platform.python_version()} at {sys.executable}")


def _sqlite() -> Finding:
    import sqlite3

    return Finding("sqlite", OK, sqlite3.sqlite_version)


def _settings(address: str) -> Finding:
    try:
        found = settings.current()
    except SimpleflowLabError as error:
        return Finding("settings", PROBLEM, str(error), "correct the variable: `simpleflow info environment` shows all")
    bucket = found.jumbo_fields_bucket
    if address.startswith("aws:"):
        if bucket:
            return Finding("settings", OK, f"large values go to the bucket {bucket}")
        finding = "values longer than 32,768 characters have no place on Amazon SWF"
        return Finding("settings", WARNING, finding, "name a bucket in SIMPLEFLOW_JUMBO_FIELDS_BUCKET")
    large = f"large values go to the bucket {bucket}" if bucket else "large values stay beside the store"
    return Finding("settings", OK, f"domain {found.swf_domain}; {large}")


def _boto3() -> Finding:
    if importlib.util.find_spec("boto3") is None:
        return Finding("boto3", PROBLEM, "not installed", "pip install boto3")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return Finding("boto3", OK, f"installed; AWS_DEFAULT_REGION is {region or 'not set'}")


def _store_file(path: Path) -> Finding:
    folder = path.parent
    try:
        is_there = path.exists()
    except PermissionError:
        return Finding("store", PROBLEM, f"{path} can't be looked for: permission denied", f"chmod u+rwx {folder}")
    if not is_there:
        if not folder.is_dir():
            # The folder of the default store is made with it.
            state = WARNING if path == Path(os.path.realpath(settings.default_store())) else PROBLEM
            return Finding("store", state, f"no folder {folder}", f"name another --store, or: mkdir -p {folder}")
        if not os.access(folder, os.W_OK | os.X_OK):
            return Finding("store", PROBLEM, f"{folder} can't be written to", "name another --store")
        return Finding("store", WARNING, f"no store at {path} yet", "workflow.start makes it, or name another --store")
    if not path.is_file():
        return Finding("store", PROBLEM, f"{path} is no file", "name another --store")
    status = path.stat()
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return Finding("store", PROBLEM, f"{path} belongs to another user", "name a store of your own")
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding("store", PROBLEM, f"{path} can't be read and written", f"chmod u+rw {path}")
    if status.st_mode & 0o077:
        return Finding("store", WARNING, f"{path} is open to other users", f"chmod go= {path}")
    return Finding("store", OK, f"{path}, {status.st_size:,} bytes")


# -- the service -------------------------------------------------------------------------------------------------------


def _to_do_for(address: str) -> str:
    if address.startswith("aws:"):
        return "check region, credentials (`aws configure`) and network: `aws sts get-caller-identity` should answer"
    return "end the process that holds the store, or name another --store"


def _allowed(lab: Lab) -> Iterator[Finding]:
    """The findings about what the service allows and what it has, by calls that only read."""
    ever: dict[str, Any] = {"domain": lab.domain, "startTimeFilter": {"oldestDate": 0}}
    calls: dict[str, Callable[[], Any]] = {
        "ListDomains": lab.domains,
        "DescribeDomain": lambda: lab.service.describe_domain(name=lab.domain),
        "CountOpenWorkflowExecutions": lambda: lab.service.count_open_workflow_executions(**ever),
        "CountClosedWorkflowExecutions": lambda: lab.service.count_closed_workflow_executions(**ever),
        "ListOpenWorkflowExecutions": lambda: lab.execution_infos(open_only=True),
    }
    answers: dict[str, Any] = {}
    for name, call in calls.items():
        try:
            answers[name] = call()
        except SimpleflowLabError as error:
            yield Finding(name, PROBLEM, str(error), f"allow swf:{name} for these credentials, or check the domain")
    if len(answers) < len(calls):
        return
    yield Finding("allowed", OK, f"{', '.join(calls)}: what only reads")
    status = answers["DescribeDomain"]["domainInfo"]["status"]
    if status == "REGISTERED":
        yield Finding("domain", OK, f"{lab.domain} is registered, one of {len(answers['ListDomains'])}")
    else:
        yield Finding("domain", PROBLEM, f"{lab.domain} is {status}", f"simpleflow domain.undeprecate {lab.domain}")
    opened = answers["CountOpenWorkflowExecutions"]["count"]
    closed = answers["CountClosedWorkflowExecutions"]["count"]
    yield Finding("executions", OK, f"{opened:,} open, {closed:,} closed")
    yield _waiting(lab, answers["ListOpenWorkflowExecutions"])
    pollers = lab.pollers()
    names = sorted({poller.task_list for poller in pollers})
    polled = count(len(names), "polled task list") if names else "nobody polls"
    to_do = "" if names or not opened else "simpleflow resume --module MODULE"
    yield Finding("pollers", OK if names or not opened else WARNING, polled, to_do)


def _waiting(lab: Lab, infos: list[Any]) -> Finding:
    waits = []
    for info in infos[:MAX_NAMED]:
        execution = lab.listed_execution(info)
        words = execution.waits_in_short()
        if words:
            waits.append(f"{execution.workflow_id}: {words}")
    if not waits:
        return Finding("waits", OK, "no open execution waits for anybody")
    more = f"; {len(infos) - MAX_NAMED:,} more are open" if len(infos) > MAX_NAMED else ""
    return Finding("waits", WARNING, "; ".join(waits) + more, "workflow.info ID says what to do")


READING: Final = (doctor,)
