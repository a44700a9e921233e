"""The endpoint: programs with the key are served, everything else is refused (threat T7)."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import ServiceUnreachableError, StoreError
from simpleflow_lab.http.client import connect_to_owner
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.http.targets import MAX_BODY, OWN_OPERATIONS

DOMAIN = {"name": "lab", "workflowExecutionRetentionPeriodInDays": "1"}
TARGET = "SimpleWorkflowService.ListDomains"
BODY = b'{"registrationStatus": "REGISTERED"}'


@pytest.fixture
def engine() -> Iterator[EmbeddedSWF]:
    with EmbeddedSWF(":memory:", poll_seconds=20.0) as opened:
        opened.register_domain(**DOMAIN)
        yield opened


@pytest.fixture
def endpoint(engine: EmbeddedSWF) -> Iterator[Endpoint]:
    served = Endpoint(engine)
    yield served
    served.close()


def signed(endpoint: Endpoint, body: bytes = BODY, target: str = TARGET, **changes: Any) -> dict[str, str]:
    """The headers of a request as botocore signs it."""
    request = botocore.awsrequest.AWSRequest(
        "POST",
        changes.get("url", endpoint.url + "/"),
        {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0", **changes.get("headers", {})},
        body,
    )
    key = changes.get("key", (endpoint.keys.access_key, endpoint.keys.secret_key))
    credentials = botocore.credentials.Credentials(*key)
    botocore.auth.SigV4Auth(credentials, changes.get("service", "swf"), "eu-west-1").add_auth(request)
    return dict(request.headers.items())


def send(
    endpoint: Endpoint, headers: dict[str, str], body: bytes = BODY, *, method: str = "POST", path: str = "/"
) -> tuple[int, Any]:
    """Send a request as it is; gives the status and the JSON of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=200)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    given = {"Host": f"127.0.0.1:{endpoint.port}", "Content-Length": str(len(body)), **headers}
    for name, value in given.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    connection.send(body)
    answer = connection.getresponse()
    text = answer.read()
    assert not any(name.lower().startswith("access-control") for name, _ in answer.getheaders())
    connection.close()
    return answer.status, json.loads(text) if text else None


def test_a_request_signed_with_the_key_is_answered(endpoint):
    status, answer = send(endpoint, signed(endpoint))
    assert status == 200
    assert answer["domainInfos"][0]["name"] == "lab"


def test_the_long_form_of_the_target_and_plain_json_are_accepted(endpoint):
    target = "com.amazonaws.swf.service.model.SimpleWorkflowService.ListDomains"
    headers = signed(endpoint, target=target, headers={"Content-Type": "application/json; charset=UTF-8"})
    assert send(endpoint, headers)[0] == 200


def _refused(endpoint: Endpoint) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    good = signed(endpoint)
    port = endpoint.port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        "localhost",
        f"127.0.0.1:{port + 1}",
        f"127.0.0.1.evil.example:{port}",
        f"[::1]:{port}",
        f"0.0.0.0:{port}",
        f"2130706433:{port}",
        f"LOCALHOST.:{port}",
        f"user@127.0.0.1:{port}",
        f"127.1:{port}",
        "",
    ):
        yield f"host {host}", {**good, "Host": host}, {}
    yield "unsigned", {name: value for name, value in good.items() if name != "Authorization"}, {}
    yield "wrong key", signed(endpoint, key=("LAB0000", endpoint.keys.secret_key)), {}
    yield "wrong secret", signed(endpoint, key=(endpoint.keys.access_key, "x" * 40)), {}
    yield "another service", signed(endpoint, service="s3"), {}
    yield "another target", {**good, "X-Amz-Target": "SimpleWorkflowService.DeprecateDomain"}, {}
    yield "another body", good, {"body": b'{"registrationStatus": "DEPRECATED"}'}
    yield "an old signature", {**good, "X-Amz-Date": "20200101T000000Z"}, {}
    yield "no date", {name: value for name, value in good.items() if name != "X-Amz-Date"}, {}
    yield "basic authorization", {**good, "Authorization": "Basic QWxhZGRpbg=="}, {}
    yield "AWS3 authorization", {**good, "Authorization": "AWS3 AWSAccessKeyId=x,Algorithm=HmacSHA256,Signature=x"}, {}
    yield "a web page", {**good, "Origin": "http://evil.example"}, {}
    yield "a page of this machine", {**good, "Origin": f"http://127.0.0.1:{port}"}, {}
    yield "a page without origin", {**good, "Origin": "null"}, {}
    yield "a fetch", {**good, "Sec-Fetch-Site": "cross-site"}, {}
    yield "a fetch of the same site", {**good, "Sec-Fetch-Site": "same-origin"}, {}
    yield "a form", {**good, "Content-Type": "text/plain"}, {}
    yield "an encoded form", {**good, "Content-Type": "application/x-www-form-urlencoded"}, {}
    yield "no content type", {name: value for name, value in good.items() if name != "Content-Type"}, {}
    yield "another path", good, {"path": "/x"}
    yield "a query", good, {"path": "/?a=b"}
    yield "an absolute address", good, {"path": f"http://127.0.0.1:{port}/"}
    yield "GET", good, {"method": "GET"}
    yield (
        "OPTIONS",
        {**good, "Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
        {"method": "OPTIONS"},
    )
    yield "PUT", good, {"method": "PUT"}
    yield "CONNECT", good, {"method": "CONNECT", "path": "127.0.0.1:80"}
    yield "chunked", {**good, "Transfer-Encoding": "chunked", "Content-Length": None}, {"body": b"0\r\n\r\n"}
    yield "no length", {**good, "Content-Length": None}, {"body": b""}
    yield "a negative length", {**good, "Content-Length": "-1"}, {"body": b""}
    yield "too much", {**good, "Content-Length": str(MAX_BODY + 1)}, {"body": b"x" * 10}


def test_requests_that_a_program_with_the_key_would_not_send_are_refused_and_change_nothing(endpoint, engine):
    before = engine.list_domains(registrationStatus="REGISTERED")
    cases = list(_refused(endpoint))
    for name, headers, how in cases:
        status, answer = send(endpoint, headers, **how)
        assert status in (400, 403, 404, 405, 411, 413), name
        assert "domainInfos" not in (answer or {}), name
    assert len(cases) >= 40
    assert engine.list_domains(registrationStatus="REGISTERED") == before


def test_the_response_to_an_unsigned_request_reveals_nothing_of_the_engine(endpoint):
    _, answer = send(endpoint, {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.0"})
    assert set(answer) == {"__type", "message"}
    assert endpoint.keys.secret_key not in json.dumps(answer)
    assert endpoint.keys.access_key not in json.dumps(answer)


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("SimpleWorkflowService.Dance", b"{}", "com.amazon.coral.service#UnknownOperationException"),
        ("Other.ListDomains", b"{}", "com.amazon.coral.service#UnknownOperationException"),
        (TARGET, b"{", "com.amazon.coral.service#SerializationException"),
        (TARGET, b"[1]", "com.amazon.coral.service#SerializationException"),
        (TARGET, b"\xff", "com.amazon.coral.service#SerializationException"),
        (TARGET, b"[" * 100_000, "com.amazon.coral.service#SerializationException"),
        (TARGET, b"{}", "com.amazon.coral.validate#ValidationException"),
        *(
            (
                "SimpleWorkflowService.ListOpenWorkflowExecutions",
                b'{"domain": "lab", "startTimeFilter": {"oldestDate": %b}}' % time,
                "com.amazon.coral.validate#ValidationException",
            )
            for time in (b"NaN", b"Infinity", b"-1e999")
        ),
        ("SimpleWorkflowService.DescribeDomain", b'{"name": "x"}', "com.amazonaws.swf.base.model#UnknownResourceFault"),
    ],
)
def test_faults_have_swfs_types(endpoint, target, body, kind):
    status, answer = send(endpoint, signed(endpoint, body, target), body)
    assert (status, answer["__type"]) == (400, kind)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("wait_for_history", {"after_event_id": 0, "timeout": 1e999, "until_closed": False}),
        ("read_log", {"after": 1 << 70}),
        ("attach_execution", {"instance": "\ud800"}),
        ("open_session", {"instance": "\ud800", "record": {}, "taskTokens": []}),
        ("open_session", {"instance": "other", "record": {}, "taskTokens": [1]}),
    ],
    ids=["no end", "a large number", "not UTF-8", "a session not in UTF-8", "a token that is no text"],
)
def test_what_a_store_cannot_hold_is_refused_in_operations_of_our_own_too(tmp_path, method, arguments):
    with contextlib.ExitStack() as closing:
        engine = closing.enter_context(EmbeddedSWF(tmp_path / "store.sqlite", poll_seconds=0))
        endpoint = closing.enter_context(contextlib.closing(Endpoint(engine)))
        engine.register_domain(**DOMAIN)
        engine.register_workflow_type(domain="lab", name="w", version="1")
        start = {
            "domain": "lab",
            "workflowType": {"name": "w", "version": "1"},
            "taskList": {"name": "list"},
            "childPolicy": "TERMINATE",
            "executionStartToCloseTimeout": "100",
            "taskStartToCloseTimeout": "100",
        }
        execution = {"workflowId": "first", **engine.start_workflow_execution(workflowId="first", **start)}
        operation = OWN_OPERATIONS[method]
        body = json.dumps(operation.request({"domain": "lab", "execution": execution, **arguments})).encode()
        status, answer = send(endpoint, signed(endpoint, body, operation.target), body)
        assert (status, answer["__type"]) == (400, "com.amazon.coral.validate#ValidationException")
        engine.start_workflow_execution(workflowId="another", **start)


def test_boto3_has_typed_faults_and_datetimes(endpoint):
    client = boto3.client(
        "swf",
        region_name="us-east-1",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.keys.access_key,
        aws_secret_access_key=endpoint.keys.secret_key,
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(client.exceptions.DomainAlreadyExistsFault, match="lab"):
        client.register_domain(**DOMAIN)
    client.register_workflow_type(domain="lab", name="w", version="1")
    created = client.describe_workflow_type(domain="lab", workflowType={"name": "w", "version": "1"})
    assert isinstance(created["typeInfo"]["creationDate"], datetime.datetime)
    client.close()


def _an_open_execution(engine: EmbeddedSWF) -> None:
    kind = {"name": "w", "version": "1"}
    engine.register_workflow_type(domain="lab", **kind)
    engine.start_workflow_execution(
        domain="lab",
        workflowId="w",
        workflowType=kind,
        taskList={"name": "list"},
        executionStartToCloseTimeout="60",
        taskStartToCloseTimeout="60",
        childPolicy="TERMINATE",
    )


def test_a_poll_whose_client_has_disconnected_is_assigned_no_task(endpoint, engine):
    body = json.dumps({"domain": "lab", "taskList": {"name": "list"}}).encode()
    target = "SimpleWorkflowService.PollForDecisionTask"
    headers = signed(endpoint, body, target)
    disconnected = socket.create_connection(("127.0.0.1", endpoint.port))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    disconnected.sendall(
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{endpoint.port}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode()
        + body
    )
    while not engine._durable.state.waiting_polls():
        threading.Event().wait(0.01)
    disconnected.close()
    threading.Event().wait(0.05)
    _an_open_execution(engine)
    status, answer = send(endpoint, headers, body)
    assert status == 200
    assert answer["startedEventId"] == 3
    assert [event["eventType"] for event in answer["events"]].count("DecisionTaskStarted") == 1


def test_an_empty_poll_is_answered_before_boto3_gives_up():
    """boto3 reads for 60 s; an engine holds a poll for less unless it is configured otherwise."""
    with EmbeddedSWF(":memory:") as engine:
        assert engine._poll_seconds < 60


def test_the_connection_file_is_the_users_alone_and_goes_with_the_endpoint(engine, tmp_path):
    store = str(tmp_path / "store.sqlite")
    before = os.umask(0)
    try:
        endpoint = Endpoint(engine, connection_file=connection_file_path(store))
    finally:
        os.umask(before)
    path = Path(connection_file_path(store))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert connect_to_owner(store).list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"] == "lab"
    endpoint.close()
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        ("{}", 0o600),
        ("[]", 0o600),
        ("not JSON", 0o600),
        (
            json.dumps(
                {
                    "AWS_ENDPOINT_URL_SWF": "http://evil.example",
                    "AWS_ACCESS_KEY_ID": "a",
                    "AWS_SECRET_ACCESS_KEY": "b",
                    "AWS_DEFAULT_REGION": "c",
                }
            ),
            0o600,
        ),
        (
            json.dumps(
                {
                    "AWS_ENDPOINT_URL_SWF": "http://127.0.0.1:1",
                    "AWS_ACCESS_KEY_ID": "a",
                    "AWS_SECRET_ACCESS_KEY": "b",
                    "AWS_DEFAULT_REGION": "c",
                }
            ),
            0o644,
        ),
    ],
)
def test_a_connection_file_that_is_not_ours_is_not_used(tmp_path, content, mode):
    store = str(tmp_path / "store.sqlite")
    path = Path(connection_file_path(store))
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ServiceUnreachableError):
        connect_to_owner(store)


def test_a_port_that_is_taken_is_an_error_of_one_line(endpoint, engine):
    with pytest.raises(StoreError, match="name another port") as refused:
        Endpoint(engine, port=endpoint.port)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("connections", [0, 3])
def test_closing_waits_for_no_look_at_the_connections(engine, connections):
    """Every command that owns its store would take longer by that."""
    endpoint = Endpoint(engine, check_seconds=600)
    opened = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(connections)]

    endpoint.close()

    for each in opened:
        each.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", endpoint.port))


def test_a_closed_endpoint_leaves_no_thread_of_a_kept_connection(engine, tmp_path):
    """What waits for the next request of a client ends, and is not left until the client goes."""
    path = str(tmp_path / "lab.sqlite")
    before = set(threading.enumerate())
    served = Endpoint(engine, connection_file=connection_file_path(path))
    client = connect_to_owner(path)
    client.list_domains(registrationStatus="REGISTERED")
    mine = [each for each in threading.enumerate() if each not in before]
    assert len(mine) == 2
    served.close()
    for each in mine:
        each.join(60)
    assert not any(each.is_alive() for each in mine)
    with pytest.raises(ServiceUnreachableError):
        client.list_domains(registrationStatus="REGISTERED")
    client.close()


def test_a_request_that_ends_in_its_middle_is_none(endpoint, engine):
    """It is not carried out, and not told that its signature is wrong: an SDK would not send it again."""
    body = json.dumps(DOMAIN | {"name": "half"}).encode()
    headers = signed(endpoint, body, "SimpleWorkflowService.RegisterDomain")
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=60)
    connection.request("POST", "/", None, headers | {"Content-Length": str(len(body))})
    connection.send(body[:-2])
    connection.sock.shutdown(socket.SHUT_WR)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()
    assert [each["name"] for each in engine.list_domains(registrationStatus="REGISTERED")["domainInfos"]] == ["lab"]


def test_a_request_that_has_come_when_the_endpoint_closes_is_answered(engine):
    """It may be the first of its connection: whether a program with the key sent it is not known by then."""
    served: list[Endpoint] = []

    def closing() -> datetime.datetime:
        served[0].close()
        return datetime.datetime.now(datetime.UTC)

    served.append(Endpoint(engine, now=closing))
    request = {"name": "recorded", "workflowExecutionRetentionPeriodInDays": "1"}
    body = json.dumps(request).encode()
    assert send(served[0], signed(served[0], body, "SimpleWorkflowService.RegisterDomain"), body) == (200, None)
    assert len(engine.list_domains(registrationStatus="REGISTERED")["domainInfos"]) == 2
