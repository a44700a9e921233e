"""Domains, workflow types and activity types, registered when they are first needed.

SWF rejects a domain, workflow type or activity type that is not registered. Each is registered once per process; the
fault that it exists already is the normal case.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

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

MAX_SIMILAR: Final = 2
"""Domains that are spelled like another and that a message names."""
SIMILARITY: Final = 0.8
"""The least of `difflib`'s ratios at which a new domain of a store may be a mistyped one."""
MAX_NAMED: Final = 5
"""Domains that a message names."""
RETENTION_DAYS = "30"
"""Number of days for which a domain that is registered here keeps closed executions."""


def _similar(name: str, others: Sequence[str], *, ratio: float = 0.6) -> list[str]:
    """Those of the others that are spelled like a name, by at least this of `difflib`'s ratios."""
    import difflib  # noqa: PLC0415  only for a domain that is new, or not there

    return difflib.get_close_matches(name, others, n=MAX_SIMILAR, cutoff=ratio)


class TypeRegistration:
    """Registers one domain of a service, and types in it."""

    def __init__(
        self, service: SWFService, domain: str, defaults: Settings | None = None, *, registers_domain: bool = True
    ) -> None:
        """`defaults` has the task lists and timeouts that are registered as the types' defaults. Without
        `registers_domain` the domain must be there."""
        self._registers_domain = registers_domain
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

    def domains(self) -> list[str]:
        """Names of the registered domains of the service."""
        names: list[str] = []
        page: dict[str, Any] = {}
        while True:
            answer = self._service.list_domains(registrationStatus="REGISTERED", **page)
            names.extend(info["name"] for info in answer["domainInfos"])
            if not answer.get("nextPageToken"):
                return names
            page = {"nextPageToken": answer["nextPageToken"]}

    def check_domain(self) -> None:
        """Raise `UsageError`, which names domains that are there, if there is none and it is not to be registered."""
        if self._registers_domain or self._has("domain", self._domain, "") or self.finds_domain():
            return
        try:
            known = self.domains()
        except (AccessDeniedException, OperationNotPermittedFault):
            known = []
        near = _similar(self._domain, known)
        more = f" and {len(known) - MAX_NAMED} more" if len(known) > MAX_NAMED else ""
        if near:
            there = f"did you mean {' or '.join(near)}? If not,"
        else:
            there = f"there are {', '.join(known[:MAX_NAMED])}{more};" if known else "register it:"
        raise UsageError(f"no domain {self._domain!r}: {there} `simpleflow domain.register {self._domain}` makes it")

    def similar_domains(self) -> list[str]:
        """Names of other registered domains that are spelled almost alike."""
        others = [name for name in self.domains() if name != self._domain]
        return _similar(self._domain, others, ratio=SIMILARITY)

    def register_domain(self) -> bool:
        """Register the domain, unless it was; gives whether it is new.

        Raises `UsageError` if there is none and it must not be registered.
        """
        self.check_domain()
        is_new = False
        if self._registers_domain and not self._has("domain", self._domain, ""):
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
            else:
                is_new = True
            self._known.add(("domain", self._domain, ""))
        return is_new

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
