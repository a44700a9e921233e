"""Open and closed executions are listed apart, and each of them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.debugger.checking import recorded_executions
from simpleflow_lab.service.delegation import DelegatingService, call_operation


class WaitsForTheListing(Workflow):
    name = "waits-for-the-listing"
    version = "1"
    task_list = "waits-for-the-listing"

    def run(self):
        return self.submit(self.wait_signal("listed")).result


class ClosesBetweenTheLists(DelegatingService):
    """A service whose open executions close as soon as they have been listed."""

    def __init__(self, service: Any, close: Callable[[], object]):
        self._service = service
        self._close = close

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        answer = call_operation(self._service, operation, request)
        if operation == "list_open_workflow_executions":
            self._close()
        return answer


def test_an_execution_that_closes_while_executions_are_listed_is_listed_once_as_closed():
    with Lab(":memory:") as lab:
        first = execution = lab.start(WaitsForTheListing)

        def close() -> None:
            if execution.status == "OPEN":
                execution.signal("listed")
                execution.result(200)

        service = ClosesBetweenTheLists(lab.service, close)
        found = recorded_executions(service, lab.domain, WaitsForTheListing, lambda *ids: execution.history())
        second = execution = lab.start(WaitsForTheListing)
        own, lab.service = lab.service, service
        infos = lab.execution_infos()
        lab.service = own
        listed = [(info["execution"]["runId"], info.get("closeStatus")) for info in infos]
    assert listed == [(second.run_id, "COMPLETED"), (first.run_id, "COMPLETED")]
    assert [(each.run_id, each.is_open) for each in found] == [(first.run_id, False)]
