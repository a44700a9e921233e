"""Domains and types, registered when they are first needed.

SWF knows nothing of a domain, workflow type or activity type before somebody registers it. Each is asked for until
it is there, once per process; that it exists already is what one hopes for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from simpleflow_lab.exceptions import DomainAlreadyExistsFault, TypeAlreadyExistsFault
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.settings import Settings
from simpleflow_lab.swf import decisions as swf_decisions

RETENTION_DAYS = "30"
"""How long a domain that is registered here keeps closed executions."""


class Registration:
    """Registers what is missing in one domain of a service."""

    def __init__(self, service: SWFService, domain: str, defaults: Settings | None = None):
        """`defaults` has the defaults of the types."""
        self._service = service
        self._defaults = defaults or Settings()
        self._domain = domain
        self._known: set[tuple[str, str, str]] = set()

    def domain(self) -> None:
        """The domain itself."""
        if not self._has("domain", self._domain, ""):
            with contextlib.suppress(DomainAlreadyExistsFault):
                self._service.register_domain(name=self._domain, workflowExecutionRetentionPeriodInDays=RETENTION_DAYS)
            self._known.add(("domain", self._domain, ""))

    def workflow_type(self, name: str, version: str) -> None:
        """A workflow type."""
        if not self._has("workflow", name, version):
            with contextlib.suppress(TypeAlreadyExistsFault):
                self._service.register_workflow_type(
                    domain=self._domain,
                    name=name,
                    version=version,
                    defaultTaskList={"name": self._defaults.workflow_default_task_list},
                    defaultTaskStartToCloseTimeout=self._defaults.workflow_default_decision_task_timeout,
                    defaultExecutionStartToCloseTimeout=str(self._defaults.workflow_default_execution_time),
                    defaultChildPolicy="TERMINATE",
                )
            self._known.add(("workflow", name, version))

    def activity_type(self, name: str, version: str) -> None:
        """An activity type."""
        if not self._has("activity", name, version):
            with contextlib.suppress(TypeAlreadyExistsFault):
                self._service.register_activity_type(
                    domain=self._domain,
                    name=name,
                    version=version,
                    defaultTaskList={"name": self._defaults.activity_default_task_list},
                    defaultTaskStartToCloseTimeout=self._defaults.activity_start_to_close_timeout,
                    defaultTaskScheduleToCloseTimeout=self._defaults.activity_schedule_to_close_timeout,
                    defaultTaskScheduleToStartTimeout=self._defaults.activity_schedule_to_start_timeout,
                    defaultTaskHeartbeatTimeout=self._defaults.activity_heartbeat_timeout,
                )
            self._known.add(("activity", name, version))

    def types_of(self, decisions: Iterable[Mapping[str, Any]]) -> None:
        """The types that these decisions name."""
        for decision in decisions:
            attributes = swf_decisions.attributes(decision)
            if decision["decisionType"] == "ScheduleActivityTask":
                self.activity_type(attributes["activityType"]["name"], attributes["activityType"]["version"])
            elif decision["decisionType"] == "StartChildWorkflowExecution":
                self.workflow_type(attributes["workflowType"]["name"], attributes["workflowType"]["version"])

    def _has(self, kind: str, name: str, version: str) -> bool:
        """It was registered, or found registered. Two threads may ask at once: the second is told that it exists."""
        return (kind, name, version) in self._known
