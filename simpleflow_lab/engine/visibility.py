"""Lists and counts of executions: filters, order and pages.

Rule: pure functions of the index of runs and a request; filters, order and pages are SWF's. A page reads as many runs
as it holds, and those that a filter skips.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from simpleflow_lab.engine.execution_state import Run, to_datetime, to_milliseconds
from simpleflow_lab.engine.open_questions import CANCEL_REQUESTED_AFTER_CLOSE
from simpleflow_lab.engine.run_index import Place, RunIndex, SortedRuns
from simpleflow_lab.engine.validation import Request
from simpleflow_lab.exceptions import ValidationException

_FILTERS: Final = ("executionFilter", "typeFilter", "tagFilter", "closeStatusFilter")
_TIME_FILTERS: Final = ("startTimeFilter", "closeTimeFilter")
_NO_END: Final = 1 << 62


def check_filters(request: Request, *, closed: bool) -> None:
    """Refuse filters that SWF does not combine. Raises `ValidationException`."""
    filters = [name for name in _FILTERS if name in request]
    if len(filters) > 1:
        raise ValidationException(f"Cannot specify both a {filters[0]} and a {filters[1]}")
    times = [name for name in _TIME_FILTERS if name in request]
    if len(times) > 1:
        raise ValidationException(f"Cannot specify both a {times[0]} and a {times[1]}")
    if closed and not times:
        raise ValidationException("Must specify time filter")


def page(
    runs: RunIndex, request: Request, *, closed: bool, after: Place | None, size: int
) -> tuple[list[Run], Place | None]:
    """The next `size` runs that the request selects, after the place `after`, and where they end if more follow."""
    latest_first = not request.get("reverseOrder")
    found = list(itertools.islice(_selected(runs, request, closed, after, latest_first), size + 1))
    return found[:size], (_place(found[size - 1], request) if len(found) > size else None)


def count(runs: RunIndex, request: Request, *, closed: bool) -> int:
    """The number of runs that the request selects."""
    return sum(1 for _ in _selected(runs, request, closed, None, False))


def _selected(runs: RunIndex, request: Request, closed: bool, after: Place | None, latest_first: bool) -> Iterator[Run]:
    domain = request["domain"]
    index = runs.closed(domain, by_start="closeTimeFilter" not in request) if closed else runs.open(domain)
    if "executionFilter" in request:
        index = _with_workflow_id(runs, index, request)
    matches = [_MATCHES[name](request[name]) for name in _MATCHES if name in request]
    for run in index.between(*_period(request), after=after, latest_first=latest_first):
        if all(match(run) for match in matches):
            yield run


def _with_workflow_id(runs: RunIndex, index: SortedRuns, request: Request) -> SortedRuns:
    """The runs of an index that have the workflowId of the request's execution filter."""
    found = SortedRuns()
    for run in runs.of_workflow_id(request["domain"], request["executionFilter"]["workflowId"]):
        time, _ = _place(run, request)
        if index.holds(time, run):
            found.add(time, run)
    return found


def _period(request: Request) -> tuple[int, int]:
    """The oldest and the latest time that the request selects, in milliseconds."""
    for name in _TIME_FILTERS:
        if name in request:
            period = request[name]
            return _milliseconds(period["oldestDate"]), _milliseconds(period.get("latestDate"))
    return 0, _NO_END


def _milliseconds(date: Any) -> int:
    if date is None:
        return _NO_END
    return to_milliseconds(date) if isinstance(date, datetime.datetime) else round(date * 1000)


def _place(run: Run, request: Request) -> Place:
    """The place of the run in a list: lists are sorted by the time that their time filter is about."""
    if "closeTimeFilter" in request:
        return run.closed_at or 0, run.key
    return run.started_at, run.key


Filter = Callable[[Run], bool]


def _of_type(wanted: Mapping[str, Any]) -> Filter:
    name, version = wanted["name"], wanted.get("version")
    return lambda run: run.type_name == name and (not version or run.type_version == version)


_MATCHES: Final[dict[str, Callable[[Mapping[str, Any]], Filter]]] = {
    "typeFilter": _of_type,
    "tagFilter": lambda wanted: lambda run: wanted["tag"] in (run.tags or ()),
    "closeStatusFilter": lambda wanted: lambda run: run.close_status == wanted["status"],
}


def execution_info(run: Run, *, cancel_requested: bool) -> dict[str, Any]:
    """SWF's structure WorkflowExecutionInfo."""
    info: dict[str, Any] = {
        "execution": run.execution,
        "workflowType": run.workflow_type,
        "startTimestamp": to_datetime(run.started_at),
        "executionStatus": "OPEN" if run.closed_at is None else "CLOSED",
        "cancelRequested": cancel_requested and (run.closed_at is None or CANCEL_REQUESTED_AFTER_CLOSE),
    }
    if run.closed_at is not None:
        info["closeTimestamp"] = to_datetime(run.closed_at)
        info["closeStatus"] = run.close_status
    if run.parent is not None:
        info["parent"] = {"workflowId": run.parent[0], "runId": run.parent[1]}
    if run.tags is not None:
        info["tagList"] = list(run.tags)
    return info
