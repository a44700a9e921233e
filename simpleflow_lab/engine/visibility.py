"""Which executions there are: lists and counts.

Rule: pure functions of the records of executions; filters, order and pages are SWF's.
"""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.engine.execution_state import Run, to_datetime, to_milliseconds
from simpleflow_lab.engine.open_questions import CANCEL_REQUESTED_AFTER_CLOSE
from simpleflow_lab.engine.validation import Request
from simpleflow_lab.exceptions import ValidationException

_FILTERS: Final = ("executionFilter", "typeFilter", "tagFilter", "closeStatusFilter")
_TIME_FILTERS: Final = ("startTimeFilter", "closeTimeFilter")


def check_filters(request: Request, *, closed: bool) -> None:
    """Raises `ValidationException` for filters that SWF does not combine."""
    given = [name for name in _FILTERS if name in request]
    if len(given) > 1:
        raise ValidationException(f"Cannot specify both a {given[0]} and a {given[1]}")
    times = [name for name in _TIME_FILTERS if name in request]
    if len(times) > 1:
        raise ValidationException(f"Cannot specify both a {times[0]} and a {times[1]}")
    if closed and not times:
        raise ValidationException("Must specify time filter")


def selected(runs: Iterable[Run], request: Request) -> list[Run]:
    """Those that match the request's filters."""
    tests = [_MATCHES[name](request[name]) for name in (*_TIME_FILTERS, *_FILTERS) if name in request]
    return [run for run in runs if all(test(run) for test in tests)]


Test = Callable[[Run], bool]


def _in_time(moment: Callable[[Run], int]) -> Callable[[Mapping[str, Any]], Test]:
    def matching(given: Mapping[str, Any]) -> Test:
        oldest = _milliseconds(given["oldestDate"])
        latest = _milliseconds(given["latestDate"]) if "latestDate" in given else 1 << 62
        return lambda run: oldest <= moment(run) <= latest

    return matching


def _of_type(given: Mapping[str, Any]) -> Test:
    name, version = given["name"], given.get("version")
    return lambda run: run.type_name == name and (not version or run.type_version == version)


_MATCHES: Final[dict[str, Callable[[Mapping[str, Any]], Test]]] = {
    "startTimeFilter": _in_time(lambda run: run.started_at),
    "closeTimeFilter": _in_time(lambda run: run.closed_at or 0),
    "executionFilter": lambda given: lambda run: run.workflow_id == given["workflowId"],
    "typeFilter": _of_type,
    "tagFilter": lambda given: lambda run: given["tag"] in (run.tags or ()),
    "closeStatusFilter": lambda given: lambda run: run.close_status == given["status"],
}


def _milliseconds(moment: Any) -> int:
    return to_milliseconds(moment) if isinstance(moment, datetime.datetime) else round(moment * 1000)


def order(request: Request) -> Callable[[Run], tuple[int, int]]:
    """What a list is sorted by: the moment that its time filter is about, then age. Latest first, unless reversed."""
    sign = 1 if request.get("reverseOrder") else -1
    if "closeTimeFilter" in request:
        return lambda run: (sign * (run.closed_at or 0), sign * run.key)
    return lambda run: (sign * run.started_at, sign * run.key)


def page_after(
    runs: Sequence[Run], request: Request, after: tuple[int, int] | None, size: int
) -> tuple[list[Run], tuple[int, int] | None]:
    """The page that begins after the place `after`, and the place where the next one does, if there is more."""
    place = order(request)
    rest = sorted((run for run in runs if after is None or place(run) > after), key=place)
    page = rest[:size]
    return page, (place(page[-1]) if len(rest) > size else None)


def question(about: str, request: Request) -> int:
    """A number for what is asked, whatever the page: a page token is good for that question only."""
    asked = sorted(
        (name, str(value)) for name, value in request.items() if name not in ("nextPageToken", "maximumPageSize")
    )
    return zlib.crc32(repr((about, asked)).encode("utf-8", "backslashreplace"))


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
