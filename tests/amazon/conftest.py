"""An environment without anything of the user's own AWS set-up, and a simulated Amazon SWF that it leads to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.amazon.simulated import SimulatedAmazon
from tests.engine.invariants import violations

DOMAIN = "etl"
ADDRESS = f"aws://eu-west-1/{DOMAIN}"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of the user's own AWS set-up, and no STS."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed_port = free.getsockname()[1]
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed_port}",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def simulated(environment: pytest.MonkeyPatch) -> Iterator[SimulatedAmazon]:
    """What the environment says is Amazon SWF. In the end its histories are right."""
    with SimulatedAmazon() as amazon:
        amazon.engine.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="30")
        for name, value in amazon.environment.items():
            environment.setenv(name, value)
        yield amazon
        amazon.is_down = True
        for domain in amazon.engine.list_domains(registrationStatus="REGISTERED")["domainInfos"]:
            request: dict[str, Any] = {"domain": domain["name"], "startTimeFilter": {"oldestDate": 0}}
            for info in amazon.engine.list_closed_workflow_executions(**request)["executionInfos"]:
                ids = {"domain": domain["name"], "execution": info["execution"]}
                answer = amazon.engine.get_workflow_execution_history(**ids)
                assert violations(answer["events"]) == []
