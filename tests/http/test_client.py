"""The client of the endpoint: as boto3's, without boto3, and with one clear error when there is no owner behind it."""

from __future__ import annotations

import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from simpleflow_lab import Lab
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import (
    DomainAlreadyExistsFault,
    SerializationException,
    ServiceUnreachableError,
    SWFFault,
    UnknownOperationException,
    UnknownResourceFault,
    ValidationException,
)
from simpleflow_lab.http.client import EngineClient, connect_to_owner
from simpleflow_lab.http.connections import MAX_HEADERS, MAX_LINE, MAX_RESPONSE
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.http.signature import signed_headers
from simpleflow_lab.http.targets import MAX_BODY, WAIT_FOR_HISTORY
from simpleflow_lab.service import aws

ROOT = Path(__file__).parents[2]
DOMAIN = {"name": "lab", "workflowExecutionRetentionPeriodInDays": "1"}
KIND = {"name": "w", "version": "1"}
ODD = "a  b\t\n é ß 漢 \u2028 \x00 \U0001f600 \" \\ ' %2F + = & / ~"

LESS_THAN_A_POLL = 45.0
"""Seconds: a poll or a wait that nothing ends takes 60."""


@pytest.fixture
def engine() -> Iterator[EmbeddedSWF]:
    with EmbeddedSWF(":memory:", poll_seconds=20.0) as opened:
        opened.register_domain(**DOMAIN)
        opened.register_workflow_type(domain="lab", **KIND)
        yield opened


@pytest.fixture
def endpoint(engine: EmbeddedSWF) -> Iterator[Endpoint]:
    served = Endpoint(engine)
    yield served
    served.close()


def client_of(endpoint: Endpoint, **changes: Any) -> EngineClient:
    key = {"access_key": endpoint.keys.access_key, "secret_key": endpoint.keys.secret_key, "region": "us-east-1"}
    return EngineClient(**{"port": endpoint.port, **key, **changes})


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[EngineClient]:
    opened = client_of(endpoint)
    yield opened
    opened.close()


def start(service: Any, workflow_id: str = "w", **more: Any) -> dict[str, str]:
    run_id = service.start_workflow_execution(
        domain="lab",
        workflowId=workflow_id,
        workflowType=KIND,
        taskList={"name": "list"},
        executionStartToCloseTimeout="60",
        taskStartToCloseTimeout="60",
        childPolicy="TERMINATE",
        **more,
    )["runId"]
    return {"workflowId": workflow_id, "runId": run_id}


def domains(service: Any) -> list[str]:
    return [info["name"] for info in service.list_domains(registrationStatus="REGISTERED")["domainInfos"]]


def connections(client: EngineClient) -> int:
    """How many connections of the client are open."""
    return len(client._connections._opened)


# -- what it gives -----------------------------------------------------------------------------------------------------


def test_times_are_those_that_boto3_gives(endpoint, client, engine):
    execution = start(client)
    engine.register_workflow_type(domain="lab", name="old", version="1")
    engine.deprecate_workflow_type(domain="lab", workflowType={"name": "old", "version": "1"})
    start(client, "closed")
    engine.terminate_workflow_execution(domain="lab", workflowId="closed")
    sdk_client = aws.clients(
        region="us-east-1",
        endpoint=endpoint.url,
        access_key=endpoint.keys.access_key,
        secret_key=endpoint.keys.secret_key,
        retries=0,
    )
    sdk = aws.Boto3Service(sdk_client)
    since = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    questions: list[Callable[[Any], Any]] = [
        lambda service: service.get_workflow_execution_history(domain="lab", execution=execution),
        lambda service: service.describe_workflow_execution(domain="lab", execution=execution),
        lambda service: service.list_workflow_types(domain="lab", registrationStatus="DEPRECATED"),
        lambda service: service.describe_workflow_type(domain="lab", workflowType=KIND),
        lambda service: service.list_open_workflow_executions(domain="lab", startTimeFilter={"oldestDate": since}),
        lambda service: service.list_closed_workflow_executions(domain="lab", startTimeFilter={"oldestDate": since}),
    ]
    for question in questions:
        answer = question(client)
        assert answer == question(sdk) == question(engine)
        assert "datetime.datetime" in repr(answer)
        assert "tzinfo=datetime.timezone.utc" in repr(answer)
    sdk_client.close()


def test_faults_are_our_classes_with_the_engines_words(client, engine):
    with pytest.raises(DomainAlreadyExistsFault) as refused:
        client.register_domain(**DOMAIN)
    with pytest.raises(DomainAlreadyExistsFault) as refused_here:
        engine.register_domain(**DOMAIN)
    assert str(refused.value) == str(refused_here.value)
    with pytest.raises(UnknownResourceFault):
        client.wait_for_history(domain="lab", execution={"workflowId": "w", "runId": "x"}, after_event_id=0, timeout=0)


def test_requests_that_have_no_json_or_are_too_large_are_refused_and_the_client_goes_on(client):
    for value in (b"bytes", object(), float("nan")):
        with pytest.raises(SerializationException, match="no JSON"):
            client.register_domain(**{**DOMAIN, "name": value})
    with pytest.raises(ValidationException, match="time zone"):
        client.count_open_workflow_executions(
            domain="lab", startTimeFilter={"oldestDate": datetime.datetime(2020, 1, 1)}
        )
    with pytest.raises(SWFFault, match="at most"):
        client.register_domain(**{**DOMAIN, "name": "x" * MAX_BODY})
    assert domains(client) == ["lab"]


@pytest.mark.parametrize("body", [{}, {"domain": "lab"}, {"domain": "lab", "execution": {"workflowId": 1, "runId": 2}}])
def test_a_wait_for_a_history_that_is_not_complete_is_refused(client, body):
    with pytest.raises(ValidationException, match="WaitForHistory"):
        client._post("SimpleflowLab.WaitForHistory", body)


def test_a_long_poll_ends_when_the_history_grows_and_when_it_closes(client, engine):
    execution = start(engine)
    wait = {"domain": "lab", "execution": execution, "timeout": 30.0}
    assert client.wait_for_history(**wait, after_event_id=1) == 2
    with ThreadPoolExecutor(2) as threads:
        grown = threads.submit(client.wait_for_history, **wait, after_event_id=2)
        closed = threads.submit(client.wait_for_history, **wait, after_event_id=2, until_closed=True)
        _until(lambda: len(_waiters(engine)) == 2)
        engine.signal_workflow_execution(domain="lab", workflowId="w", signalName="s")
        assert grown.result(60) == 3
        assert not closed.done()
        engine.terminate_workflow_execution(domain="lab", workflowId="w")
        assert closed.result(60) == 4
    assert client.wait_for_history(**{**wait, "timeout": 0.0}, after_event_id=9) == 4


def _waiters(engine: EmbeddedSWF) -> list[Any]:
    return [waiter for waiters in list(engine._durable.history_waiters._by_key.values()) for waiter in waiters]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


# -- signatures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{}", ODD.encode()])
@pytest.mark.parametrize("value", ["plain", " in   blanks ", "a;b,c=d/e"])
def test_a_request_is_signed_as_botocore_signs_it(body, value):
    headers = {"Host": "127.0.0.1:80", "X-Amz-Target": value, "Content-Type": "application/x-amz-json-1.0"}
    request = botocore.awsrequest.AWSRequest("POST", "http://127.0.0.1:80/", dict(headers), body)
    botocore.auth.SigV4Auth(botocore.credentials.Credentials("key", ODD), "swf", "eu-west-1").add_auth(request)
    stamp = request.headers["X-Amz-Date"]
    now = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    ours = signed_headers(headers, body=body, access_key="key", secret_key=ODD, region="eu-west-1", now=now)
    assert ours["X-Amz-Date"] == stamp
    assert ours["Authorization"] == request.headers["Authorization"]


def test_odd_characters_arrive_as_they_were_sent(client):
    execution = start(client, "w é 漢", input=ODD, tagList=[ODD])
    attributes = client.get_workflow_execution_history(domain="lab", execution=execution)["events"][0][
        "workflowExecutionStartedEventAttributes"
    ]
    assert (attributes["input"], attributes["tagList"]) == (ODD, [ODD])


@pytest.mark.parametrize("changes", [{"secret_key": "x"}, {"access_key": "x"}])
def test_an_endpoint_that_does_not_know_the_key_is_not_the_owner(endpoint, changes):
    with pytest.raises(ServiceUnreachableError, match="status 403"):
        domains(client_of(endpoint, **changes))


# -- connections -------------------------------------------------------------------------------------------------------


def test_a_thread_keeps_its_connection_and_the_connection_ends_with_the_thread(client):
    for _ in range(3):
        assert domains(client) == ["lab"]
        assert connections(client) == 1
    done, release = threading.Barrier(5), threading.Event()

    def work() -> None:
        for _ in range(20):
            assert domains(client) == ["lab"]
        done.wait(200)
        release.wait(200)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    done.wait(200)
    assert connections(client) == 5
    release.set()
    for thread in threads:
        thread.join()
    _until(lambda: connections(client) == 1)


def test_four_threads_at_once_get_their_own_answers(client):
    def work(thread: int) -> list[str]:
        starts = [start(client, f"{thread} {n}", input=f"{thread} {n}") for n in range(25)]
        return [
            client.get_workflow_execution_history(domain="lab", execution=each)["events"][0][
                "workflowExecutionStartedEventAttributes"
            ]["input"]
            for each in starts
        ]

    with ThreadPoolExecutor(4) as threads:
        for thread, inputs in enumerate(threads.map(work, range(4))):
            assert inputs == [f"{thread} {n}" for n in range(25)]


def test_close_ends_the_calls_that_wait_and_refuses_later_ones(endpoint, engine):
    client = client_of(endpoint)
    execution = start(engine)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(
            client.wait_for_history, domain="lab", execution=execution, after_event_id=9, timeout=60.0
        )
        _until(lambda: len(_waiters(engine)) == 1)
        client.close()
        assert isinstance(waiting.exception(60), ServiceUnreachableError)
    with pytest.raises(ServiceUnreachableError, match="closed"):
        domains(client)
    engine.terminate_workflow_execution(domain="lab", workflowId="w")  # ends the endpoint's wait


OWNER = """
import sys
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.server import Endpoint
with EmbeddedSWF(sys.argv[1]) as engine:
    engine.register_domain(name="lab", workflowExecutionRetentionPeriodInDays="1")
    engine.register_workflow_type(domain="lab", name="w", version="1")
    endpoint = Endpoint(engine, connection_file=connection_file_path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    endpoint.close()
"""


@contextmanager
def owner(store: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the store."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_an_owner_that_dies_between_two_calls_is_unreachable(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with owner(store) as process:
        client = connect_to_owner(store)
        assert domains(client) == ["lab"]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for _ in range(2):
            with pytest.raises(ServiceUnreachableError, match="does not answer"):
                domains(client)


class ClientOfAnOlderOwner(EngineClient):
    def _post(self, target, request, *more):
        if target == WAIT_FOR_HISTORY:
            raise UnknownOperationException
        return super()._post(target, request, *more)


def test_the_history_of_an_owner_that_cannot_wait_is_read_until_it_grows(endpoint, engine):
    client = ClientOfAnOlderOwner(
        port=endpoint.port, access_key=endpoint.keys.access_key, secret_key=endpoint.keys.secret_key, region="us-east-1"
    )
    wait = {"domain": "lab", "execution": start(engine), "timeout": 30.0}
    with ThreadPoolExecutor(1) as threads:
        closed = threads.submit(client.wait_for_history, **wait, after_event_id=2, until_closed=True)
        engine.terminate_workflow_execution(domain="lab", workflowId="w")
        assert closed.result(60) == 3
    client.close()


@pytest.mark.parametrize("how", ["killed", "closed"])
def test_an_owner_that_ends_during_a_long_poll_is_unreachable_at_once(tmp_path, how):
    store = str(tmp_path / "store.sqlite")
    with owner(store) as process, ThreadPoolExecutor(2) as threads:
        client = connect_to_owner(store)
        execution = start(client)
        waiting = threads.submit(
            client.wait_for_history, domain="lab", execution=execution, after_event_id=9, timeout=60.0
        )
        polling = threads.submit(client.poll_for_activity_task, domain="lab", taskList={"name": "empty"})
        asking = connect_to_owner(store)
        _until(lambda: [each["waitingPolls"] for each in asking.pollers(domain="lab")["pollers"]] == [1])
        asking.close()
        assert not waiting.done()
        if how == "killed":
            os.kill(process.pid, signal.SIGKILL)
        else:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert isinstance(waiting.exception(LESS_THAN_A_POLL), ServiceUnreachableError)
        if how == "killed":
            assert isinstance(polling.exception(LESS_THAN_A_POLL), ServiceUnreachableError)
        else:
            assert polling.exception(LESS_THAN_A_POLL) is not None or "taskToken" not in polling.result()


FORKS = """
import os, sys
from simpleflow_lab.http.client import connect_to_owner
client = connect_to_owner(sys.argv[1])
ask = lambda: client.list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"]
assert ask() == "lab"
child = os.fork()
for _ in range(100):
    assert ask() == "lab"
if child == 0:
    client.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
for _ in range(10):
    assert ask() == "lab"
print("as it should be")
"""


def test_a_forked_process_has_connections_of_its_own(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with owner(store):
        done = subprocess.run(
            [sys.executable, "-c", FORKS, store], capture_output=True, text=True, cwd=ROOT, timeout=200
        )
    assert (done.stdout, done.stderr) == ("as it should be\n", "")


# -- answers of something else -----------------------------------------------------------------------------------------


@contextmanager
def answering(response: bytes) -> Iterator[int]:
    """A port that answers every request with these bytes, and then says no more."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as opened:

        def serve() -> None:
            while True:
                try:
                    connection = opened.enter_context(listening.accept()[0])
                except OSError:
                    return
                connection.recv(1 << 16)
                connection.sendall(response)
                if response.endswith(b"END"):
                    connection.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def http_response(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode() + headers + b"\r\n" + body


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        pytest.param(http_response(b"<html>"), "not JSON", id="HTML"),
        pytest.param(http_response(b"\xff\xfe"), "not JSON", id="bytes"),
        pytest.param(http_response(b"[" * 100_000), "not JSON", id="nested"),
        pytest.param(http_response(b"[]"), "no JSON object", id="a list"),
        pytest.param(http_response(b'"x"', "500 Oh"), "no JSON object", id="a string"),
        pytest.param(http_response(b"{}", "500 Oh"), "status 500", id="500"),
        pytest.param(http_response(b"{}", "503 Oh"), "status 503", id="503"),
        pytest.param(http_response(b"{}", "302 Found", b"Location: http://evil/\r\n"), "status 302", id="moved"),
        pytest.param(http_response(b"{}", "204 None"), "status 204", id="204"),
        pytest.param(http_response(b'{"domainInfos": [], "events": [{"eventTimestamp": "x"}]}'), "times", id="times"),
        pytest.param(http_response(b'{"events": [1]}'), "times", id="events"),
        pytest.param(http_response(b'{"events": [{"eventTimestamp": 1e300}]}'), "times", id="far time"),
        pytest.param(
            f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_RESPONSE + 1}\r\n\r\n".encode(), "more than", id="large"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "more than", id="huge"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "without a length", id="negative"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{}", "without a length", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "in pieces", id="chunked"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * MAX_HEADERS, "headers", id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_LINE, "a header of more", id="long header"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "not HTTP", id="not HTTP"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not HTTP", id="HTTP/1.0"),
        pytest.param(b"END", "without a response", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}END", "too early", id="too short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", "got no answer within 0.5 s", id="slow body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", "got no answer within 0.5 s", id="slow headers"),
    ],
)
def test_what_is_no_answer_of_an_engine_is_one_clear_error(response, reason):
    seconds = 0.5 if "within 0.5 s" in reason else 60.0
    with answering(response) as port:
        client = EngineClient(port=port, access_key="k", secret_key="s", region="r", read_timeout=seconds)
        with pytest.raises(ServiceUnreachableError, match=reason) as unreachable:
            domains(client)
        assert len(str(unreachable.value)) < 300
        assert connections(client) <= 1
        client.close()


def test_a_port_that_nobody_listens_on_is_an_error_of_one_line():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(ServiceUnreachableError, match=r"[Cc]onnection refused") as unreachable:
        domains(EngineClient(port=port, access_key="k", secret_key="s", region="r"))
    assert "\n" not in str(unreachable.value)


def test_a_fault_that_is_not_in_swfs_model_keeps_its_code():
    body = json.dumps({"__type": "com.amazon.coral.service#InternalFailure", "message": "the disk is full"}).encode()
    with answering(http_response(body, "500 Oh")) as port:
        client = EngineClient(port=port, access_key="k", secret_key="s", region="r")
        with pytest.raises(SWFFault, match="InternalFailure: the disk is full"):
            domains(client)
        client.close()


def test_a_poll_that_gets_no_answer_in_time_has_no_task():
    with answering(b"HTTP/1.1 200 OK\r\n") as port:
        client = EngineClient(port=port, access_key="k", secret_key="s", region="r", read_timeout=0.3)
        assert client.poll_for_decision_task(domain="lab", taskList={"name": "list"}) == {}
        client.close()


# -- what a process loads ----------------------------------------------------------------------------------------------

VISITOR = """
import json, sys
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="visit.add", version="1", task_list="visit")
def add(a, b):
    return a + b

class Visit(Workflow):
    name = "visit"
    task_list = "visit"
    def run(self, n):
        return self.submit(add, n, 1).result

with Lab(sys.argv[1]) as lab:
    execution = lab.start(Visit, 1)
    result = execution.result(40)
    looks = [str(execution), len(execution.history()), len(execution.tasks()), len(lab.executions())]
    owns = lab.service.engine is not None
print(json.dumps({
    "owns": owns, "result": result, "looks": looks,
    "sdk": sorted({name.partition(".")[0] for name in sys.modules} & {"boto3", "botocore", "s3transfer", "urllib3"}),
}))
"""


def test_a_process_that_uses_the_store_of_another_loads_no_sdk(tmp_path):
    store = tmp_path / "lab.sqlite"
    with Lab(store):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(VISITOR), str(store)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["owns"], found["result"], found["sdk"]) == (False, 2, [])
    assert found["looks"][1] > 5
    assert found["looks"][2:] == [1, 1]


def test_a_task_whose_response_was_lost_is_given_out_again(engine: EmbeddedSWF, client: EngineClient) -> None:
    """The client says which polls wait and which tasks came: what was given to another poll, it never got."""
    identity = json.dumps({"instance": "i"})
    record = {
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "workflowTypes": [{**KIND, "fingerprint": "f"}],
        "activityTypes": [],
        "decisionTaskLists": [{"domain": "lab", "name": "list"}],
        "activityTaskLists": [],
    }
    client.open_session(instance="i", record=record)
    request = {"domain": "lab", "taskList": {"name": "list"}, "identity": identity}

    def pending() -> int:
        return int(engine.count_pending_decision_tasks(domain="lab", taskList={"name": "list"})["count"])

    start(engine)
    token = client.poll("poll_for_decision_task", request, 1)["taskToken"]
    client.hold_session(instance="i", held={"polls": [1], "latestPoll": 1, "taskTokens": []})
    assert pending() == 0  # its response may be on its way
    client.hold_session(instance="i", held={"polls": [], "latestPoll": 1, "taskTokens": []})
    assert pending() == 1
    with pytest.raises(UnknownResourceFault):
        client.respond_decision_task_completed(taskToken=token)
    again = client.poll("poll_for_decision_task", request, 2)["taskToken"]
    client.hold_session(instance="i", held={"polls": [], "latestPoll": 2, "taskTokens": [again]})
    client.hold_session(instance="i", held={"polls": [], "latestPoll": 2, "taskTokens": []})
    client.respond_decision_task_completed(taskToken=again)


# -- an answer and the next poll in one request ------------------------------------------------------------------------

POLL = {"domain": "lab", "taskList": {"name": "list"}}


def test_an_answer_brings_the_next_task(client: EngineClient, engine: EmbeddedSWF) -> None:
    execution = start(engine, "first")
    token = client.poll_for_decision_task(**POLL)["taskToken"]
    start(engine, "second")
    request = {"taskToken": token, "executionContext": "said"}
    following = client.answer_and_poll("respond_decision_task_completed", request, POLL, 1)
    assert following["workflowExecution"]["workflowId"] == "second"
    assert following["events"][0]["eventTimestamp"].tzinfo is datetime.UTC
    assert engine.describe_workflow_execution(domain="lab", execution=execution)["latestExecutionContext"] == "said"
    last = client.answer_and_poll("respond_decision_task_completed", {"taskToken": following["taskToken"]}, POLL, 2)
    assert "taskToken" not in last


@pytest.mark.parametrize(
    ("operation", "request_", "poll", "fault"),
    [
        ("respond_activity_task_completed", {"taskToken": "none"}, POLL, ValidationException),
        ("respond_decision_task_completed", {"taskToken": ""}, POLL, ValidationException),
        ("respond_decision_task_completed", {}, {"domain": "lab"}, ValidationException),
        ("respond_decision_task_completed", {"decisions": [{"decisionType": "no"}]}, POLL, ValidationException),
        ("signal_workflow_execution", {}, POLL, ValidationException),
    ],
    ids=["no token", "an empty token", "no task list", "a decision that there is not", "no answer"],
)
def test_what_is_wrong_in_an_answer_or_its_poll_changes_nothing(client, engine, operation, request_, poll, fault):
    start(engine, "first")
    token = client.poll_for_decision_task(**POLL)["taskToken"]
    start(engine, "second")
    with pytest.raises(fault):
        client.answer_and_poll(operation, {"taskToken": token, **request_}, poll, 1)
    assert engine.count_pending_decision_tasks(**POLL)["count"] == 1
    client.respond_decision_task_completed(taskToken=token)


def test_an_answer_that_is_refused_polls_for_nothing(client: EngineClient, engine: EmbeddedSWF) -> None:
    start(engine, "first")
    token = client.poll_for_decision_task(**POLL)["taskToken"]
    client.respond_decision_task_completed(taskToken=token)
    start(engine, "second")
    with pytest.raises(UnknownResourceFault):
        client.answer_and_poll("respond_decision_task_completed", {"taskToken": token}, POLL, 1)
    assert engine.count_pending_decision_tasks(**POLL)["count"] == 1


def test_a_poll_that_is_refused_after_an_answer_leaves_it_answered(client, engine):
    execution = start(engine)
    token = client.poll_for_decision_task(**POLL)["taskToken"]
    elsewhere = {**POLL, "domain": "nowhere"}
    assert client.answer_and_poll("respond_decision_task_completed", {"taskToken": token}, elsewhere, 1) == {}
    events = engine.get_workflow_execution_history(domain="lab", execution=execution)["events"]
    assert events[-1]["eventType"] == "DecisionTaskCompleted"


MAPS = """
import sys
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="maps.add", version="1", task_list="maps")
def add(a):
    return a + 1

class Maps(Workflow):
    name = "maps"
    task_list = "maps"
    def run(self, n):
        return sum(future.result for future in self.map(add, range(n)))

with Lab(sys.argv[1]) as lab:
    assert lab.start(Maps, 20).result(100) == 210
"""


def test_the_workers_of_a_client_answer_and_poll_in_one_request(tmp_path, caplog):
    store = tmp_path / "lab.sqlite"
    caplog.set_level("DEBUG", logger="simpleflow_lab.http.server")
    with Lab(store):
        subprocess.run([sys.executable, "-c", MAPS, str(store)], cwd=ROOT, timeout=120, check=True)
    sent = [record.getMessage() for record in caplog.records]
    assert sent.count("SimpleflowLab.AnswerAndPoll: 200") >= 21  # 20 activities and their decisions
    assert not any("RespondActivityTaskCompleted" in each for each in sent)
