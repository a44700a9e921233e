"""The service under test. Every history that a test leaves behind satisfies the invariants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.service.protocol import WatchableService
from tests.engine.invariants import violations
from tests.service.scenario import DOMAIN, Scenario


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "file"])
def service(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> Iterator[WatchableService]:
    """An empty service. It answers an empty poll at once."""
    path = ":memory:" if request.param == "memory" else tmp_path / "store.sqlite"
    with EmbeddedSWF(path, clock=clock, poll_seconds=0.0) as engine:
        yield engine


@pytest.fixture
def lab(service: WatchableService, clock: ManualClock) -> Iterator[Scenario]:
    """The service with a domain, a workflow type and an activity type."""
    scenario = Scenario(service, clock)
    scenario.prepare()
    yield scenario
    for handle in scenario.everything():
        assert violations(scenario.events(handle)) == [], f"{DOMAIN}/{handle}"
