"""The rows of a store that the engine can do without: those that are what was written, and a word for each other one.

Domains, types, the times at which engines ran, the records of processes and the requests of clients have no seal. What
can't be one of them is found here, row by row.

Rule: such a row does not keep the others from being read. A type is left out, and registered again when it is used; a
domain that is damaged or missing is taken for one that keeps its executions for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from simpleflow_lab.engine.domains_and_types import ACTIVITY_TYPE, DEPRECATED, REGISTERED, WORKFLOW_TYPE, Domain, Type
from simpleflow_lab.engine.execution_state import Run
from simpleflow_lab.engine.integrity import DECODE_ERRORS
from simpleflow_lab.engine.process_records import ProcessRecord
from simpleflow_lab.engine.requests_carried_out import CarriedOut

T = TypeVar("T")
Row = tuple[Any, ...]

_KEEPS: Final = "NONE"
"""The retention of a domain that keeps its executions for ever."""


class IntactRows(NamedTuple):
    """The rows that are as they were written, and findings about the others."""

    sessions: list[tuple[int, int]]
    """The times between which engines ran, in milliseconds since 1970."""
    domains: list[Domain]
    """All domains."""
    types: list[Type]
    """The types."""
    processes: list[ProcessRecord]
    """The processes that had sessions."""
    requests: list[CarriedOut]
    """The requests of clients that were carried out."""
    findings: list[str]
    """The rows that are not what was written, and what follows, one text for each."""


def intact_rows(
    *,
    uptimes: Iterable[Row],
    domains: Iterable[Row],
    types: Iterable[Row],
    processes: Iterable[Row],
    requests: Iterable[Row],
    runs: Sequence[Run],
) -> IntactRows:
    """The rows that are what was written; `runs` are the executions, whose domains are there in any case."""
    findings: list[str] = []

    def intact(rows: Iterable[Row], decoded: Callable[[Row], T], what: Callable[[Row], str], then: str) -> list[T]:
        found = []
        for row in rows:
            try:
                found.append(decoded(row))
            except DECODE_ERRORS:
                findings.append(f"{what(row)} is not what was written: {then}")
        return found

    sessions = intact(
        uptimes,
        _uptime,
        lambda row: f"the time at which an engine ran (row {row[0]} of its table)",
        "it is left out, and timeouts may come later",
    )
    found_domains = intact(domains, _domain, lambda row: f"domain {row[0]!r:.100}", "its executions are kept for ever")
    found_types = intact(
        types,
        _type,
        lambda row: f"{row[1]!r:.20} {row[2]!r:.100} {row[3]!r:.100} of domain {row[0]!r:.100}",
        "it is left out, and registered again when it is used",
    )
    found_processes = intact(
        processes,
        lambda row: ProcessRecord.from_json(*row),
        lambda row: f"the record of process {row[0]!r:.40}",
        "its definitions are not known",
    )
    found_requests = intact(
        requests,
        CarriedOut.from_row,
        lambda row: f"request {row[0]} of a client",
        "if its client makes it again, it takes effect again",
    )
    names = {domain.name for domain in found_domains}
    damaged = {row[0] for row in domains} - names
    for name in dict.fromkeys([*(each.domain for each in found_types), *(run.domain for run in runs)]):
        if name not in names:
            names.add(name)
            found_domains.append(Domain(name=name, status=REGISTERED, description=None, retention=_KEEPS, tags={}))
            if name not in damaged:
                findings.append(f"domain {name!r:.100} is missing: its executions are kept for ever")
    return IntactRows(sessions, found_domains, found_types, found_processes, found_requests, findings)


def _expect(holds: bool) -> None:
    if not holds:
        raise ValueError("not what was written")


def _uptime(row: Row) -> tuple[int, int]:
    _, opened_at, last_alive = row
    _expect(isinstance(opened_at, int) and isinstance(last_alive, int))
    return opened_at, last_alive


def _domain(row: Row) -> Domain:
    name, status, description, retention, tags = row
    _expect(all(isinstance(each, str) for each in (name, description or "", retention)))
    _expect(status in (REGISTERED, DEPRECATED) and (retention == _KEEPS or retention.isdecimal()))
    found = json.loads(tags)
    _expect(isinstance(found, dict))
    return Domain(name=name, status=status, description=description, retention=retention, tags=found)


def _type(row: Row) -> Type:
    domain, kind, name, version, status, description, created_at, deprecated_at, defaults = row
    _expect(all(isinstance(each, str) for each in (domain, name, version, description or "")))
    _expect(kind in (WORKFLOW_TYPE, ACTIVITY_TYPE) and status in (REGISTERED, DEPRECATED))
    _expect(isinstance(created_at, int) and isinstance(deprecated_at or 0, int))
    found = json.loads(defaults)
    _expect(isinstance(found, dict))
    return Type(
        domain=domain,
        kind=kind,
        name=name,
        version=version,
        status=status,
        description=description,
        created_at=created_at,
        deprecated_at=deprecated_at,
        defaults=found,
    )
