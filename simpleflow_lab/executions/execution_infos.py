"""The open and closed executions of a domain, from the two lists that a service has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.service.watchable import WatchableService
from simpleflow_lab.views.listed_executions import each_once


def with_damaged(infos: list[Mapping[str, Any]], service: WatchableService, *, domain: str) -> list[Mapping[str, Any]]:
    """These `executionInfos` and those of open executions that are damaged, which no service lists; latest first."""
    damaged = service.damaged_executions(domain=domain)["executionInfos"]
    return sorted([*infos, *damaged], key=lambda info: info["startTimestamp"], reverse=True) if damaged else infos


def execution_infos(
    service: SWFService, *, domain: str, open_only: bool = False, workflow_id: str | None = None
) -> list[Mapping[str, Any]]:
    """SWF's `executionInfos` of all of them, or of those with this id, latest first."""
    ever: dict[str, Any] = {"domain": domain, "startTimeFilter": {"oldestDate": 0}}
    if workflow_id is not None:
        ever["executionFilter"] = {"workflowId": workflow_id}

    def listed(listing: Callable[..., Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        infos: list[Mapping[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            answer = listing(**ever, **page)
            infos.extend(answer["executionInfos"])
            if not answer.get("nextPageToken"):
                return infos
            page = {"nextPageToken": answer["nextPageToken"]}

    still_open = listed(service.list_open_workflow_executions)
    closed = [] if open_only else listed(service.list_closed_workflow_executions)
    return sorted(each_once(still_open, closed), key=lambda info: info["startTimestamp"], reverse=True)


def latest_run(service: SWFService, workflow_id: str, *, domain: str) -> str | None:
    """The run id of the latest execution with this id, open or closed; `None` if there is none."""
    latest: dict[str, Any] = {
        "domain": domain,
        "startTimeFilter": {"oldestDate": 0},
        "executionFilter": {"workflowId": workflow_id},
        "maximumPageSize": 1,
    }
    still_open = service.list_open_workflow_executions(**latest)["executionInfos"]
    closed = service.list_closed_workflow_executions(**latest)["executionInfos"]
    infos = each_once(still_open, closed)
    return max(infos, key=lambda info: info["startTimestamp"])["execution"]["runId"] if infos else None
