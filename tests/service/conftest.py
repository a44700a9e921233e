"""The services under test. Every history that a test leaves behind satisfies the invariants.

============  ===================================================================================================
service       what it is
============  ===================================================================================================
`memory`      the engine, without a file
`file`        the engine on a store
`wire`        boto3's client at the engine's endpoint
`client`      our own client at the engine's endpoint
`moto`        boto3's client at moto: only tests marked `moto`, each with the name of the probe by which moto was
              found right there (moto's histories break invariants, so they are not held against them)
`aws`         Amazon SWF itself, instead of all others: `pytest tests/service --swf=aws` (see CONTRIBUTING)
============  ===================================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.client import EngineClient
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.service import aws
from simpleflow_lab.service.history_polling import HistoryPolling
from simpleflow_lab.service.watchable import WatchableService
from tests.engine.invariants import violations
from tests.examples_count import trials
from tests.service.amazon import AmazonScenario, NoClock
from tests.service.scenario import DOMAIN, DOMAIN_VARIABLE, Scenario

ENGINES = ["memory", "file", "wire", "client"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "moto(probe): moto does this as SWF does, so it is held to it too")
    config.addinivalue_line("markers", "many_events: thousands of them: on a store and over the wire it is a trial")
    config.addinivalue_line("markers", "own_service: needs a service of its own, or more calls than Amazon should get")
    if config.getoption("--swf") == "aws" and "test" not in os.environ.get(DOMAIN_VARIABLE, ""):
        raise pytest.UsageError(
            f'--swf=aws needs {DOMAIN_VARIABLE}: a domain with "test" in its name, which is emptied before each test'
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "service" in metafunc.fixturenames:
        services: list[Any] = [*ENGINES, "moto"] if metafunc.definition.get_closest_marker("moto") else ENGINES
        if metafunc.definition.get_closest_marker("many_events"):
            services = ["memory", *trials(["file", "wire", "client"])]
        amazon = metafunc.config.getoption("--swf") == "aws"
        metafunc.parametrize("service", ["aws"] if amazon else services, indirect=True, scope="function")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--swf") == "aws":
        fit = [item for item in items if _service_of(item) == "aws" and not item.get_closest_marker("own_service")]
        config.hook.pytest_deselected(items=[item for item in items if item not in fit])
        items[:] = fit


def _service_of(item: pytest.Item) -> str | None:
    """Which service a test is for."""
    return item.callspec.params.get("service") if hasattr(item, "callspec") else None


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> ManualClock:
    return cast(ManualClock, NoClock()) if request.config.getoption("--swf") == "aws" else ManualClock()


@pytest.fixture
def service(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> Iterator[WatchableService]:
    """An empty service. If it is ours it answers an empty poll at once."""
    kind = request.param
    with ExitStack() as closing:
        if kind in ENGINES:
            path = tmp_path / "store.sqlite" if kind == "file" else ":memory:"
            engine = closing.enter_context(EmbeddedSWF(path, clock=clock, poll_seconds=0.0))
            if kind not in ("wire", "client"):
                yield engine
                return
            endpoint = Endpoint(engine)
            closing.callback(endpoint.close)
            if kind == "client":
                own = EngineClient(
                    port=endpoint.port,
                    access_key=endpoint.keys.access_key,
                    secret_key=endpoint.keys.secret_key,
                    region="eu-west-1",
                )
                closing.callback(own.close)
                yield own
                return
            client = aws.clients(
                region="eu-west-1",
                endpoint=endpoint.url,
                access_key=endpoint.keys.access_key,
                secret_key=endpoint.keys.secret_key,
                retries=0,
            )
        elif kind == "moto":
            from moto import mock_aws

            closing.enter_context(mock_aws())
            client = aws.clients(region="eu-west-1", access_key="k", secret_key="s", retries=0)
        else:
            client = aws.clients()
        closing.callback(client.close)
        yield cast(WatchableService, HistoryPolling(aws.Boto3Service(client), longest_pause=0.05))


@pytest.fixture
def lab(request: pytest.FixtureRequest, service: WatchableService, clock: ManualClock) -> Iterator[Scenario]:
    """The service with a domain, a workflow type and an activity type."""
    kind = _service_of(request.node)
    scenario = AmazonScenario(service, clock) if kind == "aws" else Scenario(service, clock)
    scenario.prepare()
    yield scenario
    if kind != "moto":
        for handle in scenario.everything():
            assert violations(scenario.events(handle)) == [], f"{DOMAIN}/{handle}"
    if isinstance(scenario, AmazonScenario):
        scenario.tidy()
