"""The scenario on Amazon SWF itself. No test sets its clock, the effects of a call come a little later, and what a test
leaves behind is there for the next one.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from typing import Any, NoReturn

import pytest

from simpleflow_lab.exceptions import DomainAlreadyExistsFault, TypeDeprecatedFault, UnknownResourceFault
from tests.service.scenario import DOMAIN, EPOCH, Handle, Scenario

SETTLED_SECONDS = 0.5
"""A history that did not grow for so long has all effects of a call: recordings show 20 to 100 ms."""


class NoClock:
    """A test that needs the clock can't run here."""

    def __getattr__(self, name: str) -> NoReturn:
        pytest.skip("needs a clock that can be set")


class AmazonScenario(Scenario):
    """A domain that is kept, with types that are made for each test."""

    def prepare(self) -> None:
        self.since = datetime.datetime.now(datetime.UTC)
        with contextlib.suppress(DomainAlreadyExistsFault):
            self.service.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
        self.tidy()
        self.workflow_type()
        self.activity_type()

    def events(self, handle: Handle) -> list[dict[str, Any]]:
        """The whole history, when it has stopped growing."""
        events = super().events(handle)
        while True:
            time.sleep(SETTLED_SECONDS)
            again = super().events(handle)
            if len(again) == len(events):
                return again
            events = again

    def tidy(self) -> None:
        """No execution is open, no type is registered."""
        ever = {"domain": DOMAIN, "startTimeFilter": {"oldestDate": EPOCH}}
        for info in self.service.list_open_workflow_executions(**ever)["executionInfos"]:
            with contextlib.suppress(UnknownResourceFault):  # with its parent
                self.service.terminate_workflow_execution(domain=DOMAIN, **info["execution"])
        for kind in ("workflow", "activity"):
            for status in ("REGISTERED", "DEPRECATED"):
                listed = getattr(self.service, f"list_{kind}_types")(domain=DOMAIN, registrationStatus=status)
                for info in listed["typeInfos"]:
                    named = {"domain": DOMAIN, f"{kind}Type": info[f"{kind}Type"]}
                    with contextlib.suppress(TypeDeprecatedFault):
                        getattr(self.service, f"deprecate_{kind}_type")(**named)
                    getattr(self.service, f"delete_{kind}_type")(**named)
