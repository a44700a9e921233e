"""The service under test. Every history that a test leaves behind satisfies the invariants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.endpoint import Endpoint
from simpleflow_lab.service import aws
from simpleflow_lab.service.protocol import WatchableService
from simpleflow_lab.service.watching import Watching
from tests.engine.invariants import violations
from tests.service.scenario import DOMAIN, Scenario


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "file", "wire"])
def service(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> Iterator[WatchableService]:
    """An empty service. It answers an empty poll at once. "wire" is boto3's client at the engine's endpoint."""
    path = tmp_path / "store.sqlite" if request.param == "file" else ":memory:"
    with EmbeddedSWF(path, clock=clock, poll_seconds=0.0) as engine:
        if request.param != "wire":
            yield engine
            return
        endpoint = Endpoint(engine)
        client = aws.client(
            region="eu-west-1",
            endpoint=endpoint.url,
            access_key=endpoint.access_key,
            secret_key=endpoint.secret_key,
            max_attempts=1,
        )
        yield cast(WatchableService, Watching(aws.service(client), longest_pause=0.05))
        client.close()
        endpoint.close()


@pytest.fixture
def lab(service: WatchableService, clock: ManualClock) -> Iterator[Scenario]:
    """The service with a domain, a workflow type and an activity type."""
    scenario = Scenario(service, clock)
    scenario.prepare()
    yield scenario
    for handle in scenario.everything():
        assert violations(scenario.events(handle)) == [], f"{DOMAIN}/{handle}"
