"""Domains, workflow types and activity types, registered when they are first needed.

SWF rejects a domain, workflow type or activity type that is not registered. Each is registered once per process; the
fault that it exists already is the normal case.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from simpleflow_lab.exceptions import (
    AccessDeniedException,
    DomainAlreadyExistsFault,
    OperationNotPermittedFault,
    TypeAlreadyExistsFault,
    UnknownResourceFault,
    UsageError,
)
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.settings import Settings
from simpleflow_lab.swf import decisions as swf_decisions

logger = logging.getLogger(__name__)

RETENTION_DAYS = "30"
"""How many days a domain that is registered here keeps closed executions."""


class TypeRegistration:
    """Registers one domain of a service, and types in it."""

    def __init__(self, service: SWFService, domain: str, defaults: Settings | None = None):
        """`defaults` has the task lists and timeouts that are registered as the types' defaults."""
        self._service = service
        self._defaults = defaults or Settings()
        self._domain = domain
        self._known: set[tuple[str, str, str]] = set()

    def finds_domain(self) -> bool:
        """Look whether the domain is registered, and register nothing; `True` if that can't be told."""
        try:
            self._service.describe_domain(name=self._domain)
        except UnknownResourceFault:
            return False
        except (AccessDeniedException, OperationNotPermittedFault) as error:
            logger.info("whether the domain %s exists can't be told: %s", self._domain, error)
        else:
            self._known.add(("domain", self._domain, ""))
        return True

    def register_domain(self) -> None:
        """Register the domain, unless it was. Raises `UsageError` if there is none and it must not be registered."""
        if not self._has("domain", self._domain, ""):
            try:
                self._service.register_domain(name=self._domain, workflowExecutionRetentionPeriodInDays=RETENTION_DAYS)
            except DomainAlreadyExistsFault:
                logger.debug("the domain %s exists", self._domain)
            except (AccessDeniedException, OperationNotPermittedFault):
                if not self.finds_domain():
                    raise UsageError(
                        f"there is no domain {self._domain!r}, and these credentials may not register it: name another "
                        "one, or let somebody register it who may"
                    ) from None
            self._known.add(("domain", self._domain, ""))

    def register_workflow_type(self, name: str, version: str) -> None:
        """Register a workflow type, unless it was."""
        if not self._has("workflow", name, version):
            self.register_domain()
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

    def register_activity_type(self, name: str, version: str) -> None:
        """Register an activity type, unless it was."""
        if not self._has("activity", name, version):
            self.register_domain()
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

    def register_types_of(self, decisions: Iterable[Mapping[str, Any]]) -> None:
        """Register the types that these decisions name."""
        for decision in decisions:
            attributes = swf_decisions.attributes(decision)
            if decision["decisionType"] == "ScheduleActivityTask":
                self.register_activity_type(attributes["activityType"]["name"], attributes["activityType"]["version"])
            elif decision["decisionType"] == "StartChildWorkflowExecution":
                self.register_workflow_type(attributes["workflowType"]["name"], attributes["workflowType"]["version"])

    def _has(self, kind: str, name: str, version: str) -> bool:
        """Whether this process registered it, or found it registered.

        Of two threads that register one at the same time, the second gets the fault that it exists.
        """
        return (kind, name, version) in self._known
