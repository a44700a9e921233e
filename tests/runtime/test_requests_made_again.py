"""A request whose answer is lost is made again, and takes effect once, even if the owner was killed before it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import DomainAlreadyExistsFault, WorkflowExecutionAlreadyStartedFault
from simpleflow_lab.http.server import HOST
from simpleflow_lab.http.targets import ONCE, SWF_NAMES
from simpleflow_lab.runtime.shared_store import SharedStore
from simpleflow_lab.service.delegation import call_operation
from tests.runtime import owner_behind_proxy
from tests.service.scenario import ACTIVITY_TYPE, DOMAIN, WORKFLOW_TYPE, Scenario

PROGRAM = Path(owner_behind_proxy.__file__)
EXECUTION = {"domain": DOMAIN, "workflowId": "w"}
TYPE = {"domain": DOMAIN, "name": "more", "version": "1"}
MORE = {"domain": DOMAIN, "workflowType": {"name": "more", "version": "1"}}
OLD = {"domain": DOMAIN, "activityType": ACTIVITY_TYPE}
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("signal_workflow_execution", {**EXECUTION, "signalName": "s", "input": "1"}),
    ("request_cancel_workflow_execution", EXECUTION),
    ("terminate_workflow_execution", EXECUTION),
    ("start_workflow_execution", {"domain": DOMAIN, "workflowId": "other", "workflowType": WORKFLOW_TYPE}),
    ("register_domain", {"name": "more", "workflowExecutionRetentionPeriodInDays": "1"}),
    ("deprecate_domain", {"name": "more"}),
    ("undeprecate_domain", {"name": "more"}),
    ("register_workflow_type", TYPE),
    ("deprecate_workflow_type", MORE),
    ("undeprecate_workflow_type", MORE),
    ("register_activity_type", TYPE),
    ("deprecate_activity_type", OLD),
    ("undeprecate_activity_type", OLD),
]
"""In this order all of them are accepted, by a store with an open execution `w`; and none of them twice in a row, but
a signal and a cancel request."""


class LosingProxy(ThreadingHTTPServer):
    """Passes requests on to an owner; the answers to those of some operations it loses, once each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.owner = 0
        """The port of the owner."""
        self.loses: set[str] = set()
        """SWF's names of the operations of which the next answer is lost."""
        self.on_lost: Callable[[], None] = lambda: None
        """Called when an answer has come that is lost."""
        self.came: Counter[str] = Counter()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An owner that was killed answers nothing: its client sees the end of the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LosingProxy

    def do_POST(self) -> None:
        proxy = self.server
        self.close_connection = True
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        proxy.came[operation] += 1
        owner = http.client.HTTPConnection(HOST, proxy.owner)
        owner.request("POST", "/", body, dict(self.headers))
        response = owner.getresponse()
        answer = response.read()
        owner.close()
        if response.status == 200 and operation in proxy.loses:
            proxy.loses.remove(operation)
            proxy.on_lost()
            return
        self.send_response(response.status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Not to stderr."""


@pytest.fixture
def proxy() -> Iterator[LosingProxy]:
    with LosingProxy() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def events(service: Any, workflow_id: str) -> list[str]:
    infos = service.list_open_workflow_executions(domain=DOMAIN, startTimeFilter={"oldestDate": 0})["executionInfos"]
    infos += service.list_closed_workflow_executions(domain=DOMAIN, startTimeFilter={"oldestDate": 0})["executionInfos"]
    (execution,) = [each["execution"] for each in infos if each["execution"]["workflowId"] == workflow_id]
    history = service.get_workflow_execution_history(domain=DOMAIN, execution=execution)["events"]
    return [event["eventType"].removeprefix("WorkflowExecution") for event in history]


def test_an_answer_that_is_lost_while_the_owner_lives_costs_no_second_effect_and_no_refusal(tmp_path, proxy):
    path = str(tmp_path / "lab.sqlite")
    with EmbeddedSWF(path) as engine:
        Scenario(engine, None).prepare()  # type: ignore[arg-type]
        Scenario(engine, None).start("w")  # type: ignore[arg-type]
        endpoint = owner_behind_proxy.serve_through(engine, proxy.server_address[1])
        proxy.owner = endpoint.port
        client = SharedStore.open(path)
        answers = {}
        for method, request in REQUESTS:
            proxy.loses = {SWF_NAMES[method]}
            answers[method] = call_operation(client, method, request)
            assert not proxy.loses
            assert proxy.came[SWF_NAMES[method]] == 2
        assert set(answers) == ONCE - {"delete_workflow_type", "delete_activity_type"}
        assert events(client, "w").count("Signaled") == 1
        assert events(client, "w").count("CancelRequested") == 1
        ids = {"workflowId": "other", "runId": answers["start_workflow_execution"]["runId"]}
        assert client.describe_workflow_execution(domain=DOMAIN, execution=ids)["openCounts"]
        client.close()
        endpoint.close()


def test_what_is_asked_twice_is_refused_as_ever(tmp_path, proxy):
    path = str(tmp_path / "lab.sqlite")
    with EmbeddedSWF(path) as engine:
        Scenario(engine, None).prepare()  # type: ignore[arg-type]
        endpoint = owner_behind_proxy.serve_through(engine, proxy.server_address[1])
        proxy.owner = endpoint.port
        client = SharedStore.open(path)
        lab = Scenario(client, None)  # type: ignore[arg-type]
        lab.start("w")
        with pytest.raises(WorkflowExecutionAlreadyStartedFault):
            lab.start("w")
        with pytest.raises(DomainAlreadyExistsFault):
            client.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
        for _ in range(2):
            client.signal_workflow_execution(**EXECUTION, signalName="s")
        assert events(client, "w").count("Signaled") == 2
        client.close()
        endpoint.close()


@pytest.mark.parametrize(("method", "request_"), REQUESTS[:4], ids=[method for method, _ in REQUESTS[:4]])
def test_an_owner_that_is_killed_after_its_commit_and_before_its_answer_costs_no_second_effect(
    tmp_path, proxy, method, request_
):
    path = str(tmp_path / "lab.sqlite")
    with EmbeddedSWF(path) as engine:
        Scenario(engine, None).prepare()  # type: ignore[arg-type]
        Scenario(engine, None).start("w")  # type: ignore[arg-type]
    command = [sys.executable, str(PROGRAM), path, str(proxy.server_address[1])]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout is not None
        proxy.owner = int(owner.stdout.readline())

        def kill() -> None:
            owner.kill()
            owner.wait()

        client = SharedStore.open(path)
        assert client.engine is None
        proxy.loses, proxy.on_lost = {SWF_NAMES[method]}, kill
        answer = call_operation(client, method, request_)
        assert owner.returncode is not None
    assert client.engine is not None  # this process owns the store now
    signaled = ["Signaled"] if method.startswith("signal") else []
    canceled = ["CancelRequested"] if method.startswith("request_cancel") else []
    ended = ["Terminated"] if method.startswith("terminate") else []
    assert [each for each in events(client, "w") if each in ("Signaled", "CancelRequested", "Terminated")] == [
        *signaled,
        *canceled,
        *ended,
    ]
    if method.startswith("start"):
        ids = {"workflowId": "other", "runId": answer["runId"]}
        assert client.describe_workflow_execution(domain=DOMAIN, execution=ids)["executionInfo"]
        assert events(client, "other").count("Started") == 1
    client.close()
