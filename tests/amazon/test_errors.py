"""What AWS refuses, and what is not there: one line each, which says what to do."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.cli.main import main
from simpleflow_lab.exceptions import (
    AccessDeniedException,
    CredentialsError,
    DomainDeprecatedFault,
    ServiceUnreachableError,
    SimpleflowLabError,
    UsageError,
)
from simpleflow_lab.service import aws
from tests.amazon.conftest import ADDRESS, DOMAIN
from tests.amazon.simulated import Faults, SimulatedAmazon

DENIED = "User: arn:aws:iam::1:user/me is not authorized to perform: swf:{0} on resource: arn:aws:swf:x:1:/domain/etl"


class Nothing(Workflow):
    name = "errors.nothing"
    task_list = "errors"

    def run(self):
        return None


def quiet(notice: str) -> None:
    """Where the notices go that no test is about."""


def refused(address: str = ADDRESS) -> SimpleflowLabError:
    """The error of a Lab that starts something there; it is one line."""
    with pytest.raises(SimpleflowLabError) as raised, Lab(address, notice=quiet, serve="nothing") as lab:
        lab.start(Nothing)
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "no AWS credentials: Unable to locate credentials",
        ),
        ({"AWS_SECRET_ACCESS_KEY": None}, "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY"),
        ({"AWS_PROFILE": "nosuch"}, r"The config profile \(nosuch\) could not be found"),
    ],
)
def test_credentials_that_are_not_there(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, variables: dict[str, str | None], says: str
) -> None:
    for name, value in variables.items():
        environment.delenv(name) if value is None else environment.setenv(name, value)
    error = refused()
    assert isinstance(error, CredentialsError)
    assert re.search(says, str(error))
    assert "aws configure" in str(error)


@pytest.mark.parametrize(
    ("code", "message", "says"),
    [
        ("ExpiredTokenException", "The security token included is expired", "have expired: get new ones"),
        ("UnrecognizedClientException", "The security token is invalid", "does not accept the credentials"),
        ("InvalidSignatureException", "Signature expired: 1 is now earlier than 2", "set its clock"),
        ("InvalidSignatureException", "The signature does not match", "does not accept the credentials"),
        ("MissingAuthenticationTokenException", "", "does not accept the credentials"),
    ],
)
def test_credentials_that_aws_does_not_accept(simulated: SimulatedAmazon, code: str, message: str, says: str) -> None:
    simulated.accepts = lambda headers: (f"com.amazon.coral.service#{code}", message)
    error = refused()
    assert isinstance(error, CredentialsError)
    assert says in str(error)


def test_credentials_of_another_account_are_not_taken(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, moto_server: tuple[str, Any]
) -> None:
    """Nobody was told that something will be written there."""
    environment.setenv("AWS_SESSION_TOKEN", "first")
    found = aws.clients(region="eu-west-1")
    service = aws.Boto3Service(found, renew=lambda: aws.clients(region="eu-west-1"), account="1")
    environment.setenv("AWS_ENDPOINT_URL_STS", moto_server[0])
    environment.setenv("AWS_SESSION_TOKEN", "second")
    simulated.accepts = lambda headers: ("x#ExpiredTokenException", "expired")
    with pytest.raises(CredentialsError, match="now belong to account 123456789012, and those before to 1"):
        service.list_domains(registrationStatus="REGISTERED")
    service.close()


def test_an_action_that_is_denied(simulated: SimulatedAmazon) -> None:
    simulated.accepts = lambda headers: (
        ("com.amazon.coral.service#AccessDeniedException", DENIED.format(headers["operation"]))
        if headers["operation"] == "StartWorkflowExecution"
        else None
    )
    error = refused()
    assert isinstance(error, AccessDeniedException)
    assert str(error).endswith("/domain/etl: allow it in the IAM policy of these credentials")


def without(simulated: SimulatedAmazon, *operations: str) -> None:
    """These operations are denied from now on."""
    simulated.accepts = lambda headers: (
        ("com.amazonaws.swf.base.model#OperationNotPermittedFault", "no")
        if headers["operation"] in operations
        else None
    )


def test_who_may_not_register_a_domain_may_use_one(simulated: SimulatedAmazon) -> None:
    without(simulated, "RegisterDomain")
    with (
        Lab(ADDRESS, domain="new", registers_domain=True, notice=quiet) as lab,
        pytest.raises(UsageError, match="there is no domain 'new', and these credentials may not register it"),
    ):
        lab.start(Nothing)
    for denied in ([], ["DescribeDomain"]):
        without(simulated, "RegisterDomain", *denied)
        with Lab(ADDRESS, notice=quiet) as lab:
            assert lab.start(Nothing).result(60) is None


def test_a_domain_that_is_deprecated(simulated: SimulatedAmazon) -> None:
    simulated.engine.deprecate_domain(name=DOMAIN)
    error = refused()
    assert isinstance(error, DomainDeprecatedFault)
    assert "undeprecate it, or name another one" in str(error)


def test_nobody_at_the_port(simulated: SimulatedAmazon, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SWF_CONNECTION_RETRIES", "0")
    simulated.is_down = True
    error = refused()
    assert isinstance(error, ServiceUnreachableError)
    assert "SWF can't be reached" in str(error)
    assert "check the region, the network and AWS_ENDPOINT_URL_SWF" in str(error)


@pytest.mark.parametrize("retries", [0, 2])
def test_p13_the_setting_for_retries_says_how_often_a_call_is_made_again(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, retries: int
) -> None:
    """Upstream's had no such meaning: it was about making a client."""
    environment.setenv("SWF_CONNECTION_RETRIES", str(retries))
    with Lab(ADDRESS, serve="nothing", notice=quiet) as lab:
        simulated.faults = Faults({"DescribeDomain": ["error"] * 9})
        before = simulated.calls["DescribeDomain"]
        with pytest.raises(SimpleflowLabError):
            lab.service.describe_domain(name="etl")
        assert simulated.calls["DescribeDomain"] - before == retries + 1


def test_no_region(simulated: SimulatedAmazon, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_DEFAULT_REGION", raising=False)
    error = refused("aws:///etl")
    assert isinstance(error, UsageError)
    assert "no usable AWS region" in str(error)


def test_the_region_of_awss_own_configuration(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.delenv("AWS_DEFAULT_REGION", raising=False)
    (tmp_path / "config").write_text("[profile etl]\nregion = eu-central-1\n")
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.setenv("AWS_PROFILE", "etl")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        with (tmp_path / "config").open("a") as file:
            file.write(f"{variable.lower()} = {simulated.environment[variable]}\n")
        environment.delenv(variable)
    told: list[str] = []
    with Lab("aws:///etl", notice=told.append) as lab:
        assert lab.start(Nothing).result(60) is None
    assert told[0] == "Amazon SWF: account unknown, region eu-central-1, domain etl"


@pytest.fixture(params=[(200, b"<html>Please log in</html>")])
def web_page(environment: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """What answers every request with a status and a page, as a proxy's log-in does."""
    status, page = request.param

    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """Not to stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        environment.setenv("AWS_ENDPOINT_URL_SWF", f"http://127.0.0.1:{server.server_address[1]}")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("web_page", [(200, b"<html>Please log in</html>"), (200, b"")], indirect=True)
def test_a_page_instead_of_amazon(web_page: None) -> None:
    service = aws.connect(region="eu-west-1")
    started = {"domain": DOMAIN, "workflowId": "x", "workflowType": {"name": "x", "version": "1"}}
    calls: list[Callable[[], object]] = [
        lambda: service.start_workflow_execution(**started),
        lambda: service.list_domains(registrationStatus="REGISTERED"),
        lambda: service.poll_for_activity_task(domain=DOMAIN, taskList={"name": "x"}),
        lambda: service.poll_for_decision_task(domain=DOMAIN, taskList={"name": "x"}),
    ]
    for call in calls:
        with pytest.raises(ServiceUnreachableError, match="is not Amazon SWF"):
            call()
    service.close()


@pytest.mark.parametrize(
    "web_page",
    [(503, b"<!DOCTYPE html>\n<html><body><h1>Service Unavailable</h1></body></html>"), (403, b"<html>no</html>")],
    indirect=True,
)
def test_a_page_of_a_load_balancer_is_not_quoted(web_page: None) -> None:
    service = aws.connect(region="eu-west-1", retries=0)
    with pytest.raises(SimpleflowLabError) as raised:
        service.list_domains(registrationStatus="REGISTERED")
    assert "<" not in str(raised.value)
    service.close()


def test_an_endpoint_that_is_no_address_is_not_a_matter_of_the_region(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL_SWF", "no address")
    with pytest.raises(CredentialsError, match=r"configuration can't be used.*no address"):
        aws.clients(region="eu-west-1")


def test_a_log_in_that_has_ended_is_told_without_a_traceback(
    tmp_path: Path, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile sso]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\nregion = eu-west-1\n"
        "[sso-session s]\nsso_start_url = https://127.0.0.1:9/start\nsso_region = eu-west-1\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", str(config))
    environment.setenv("AWS_PROFILE", "sso")
    environment.setenv("HOME", str(tmp_path))
    tokens = tmp_path / ".aws" / "sso" / "cache"
    tokens.mkdir(parents=True)
    token = {"accessToken": "a", "clientId": "c", "clientSecret": "s"}
    times = {"expiresAt": "2020-01-01T00:00:00Z", "registrationExpiresAt": "2100-01-01T00:00:00Z"}
    (tokens / f"{hashlib.sha1(b's').hexdigest()}.json").write_text(json.dumps(token | times))
    environment.setattr("botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR", str(tokens), raising=False)
    with pytest.raises(CredentialsError, match=r"has expired.*log in again, as with `aws sso login`"):
        aws.connect(region="eu-west-1").list_domains(registrationStatus="REGISTERED")
    assert [record.name for record in caplog.records if record.name == "botocore.credentials"]
    assert "Traceback" not in caplog.text


def test_a_command_says_it_in_one_line_and_ends_with_2(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["--store", ADDRESS, "workflow.list"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no AWS credentials" in printed.err
    assert "Traceback" not in printed.err


def test_logs_that_nobody_has_are_no_empty_table(
    simulated: SimulatedAmazon, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another process ran it, and Amazon SWF has no place for what that one printed."""
    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Nothing)
        execution.result(60)
    assert main(["--store", ADDRESS, "workflow.logs", execution.workflow_id]) == 2
    assert "Amazon SWF keeps none: see the output of the processes that ran it" in capsys.readouterr().err


# -- time --------------------------------------------------------------------------------------------------------------


def slow_service(simulated: SimulatedAmazon, *, seconds: float) -> aws.Boto3Service:
    """A service whose calls wait for an answer for so many seconds, and are not repeated."""
    client = boto3.session.Session().client(
        "swf",
        region_name="eu-west-1",
        config=botocore.config.Config(read_timeout=seconds, retries={"total_max_attempts": 1}),
    )
    return aws.Boto3Service(aws.Clients(client, client, client, None))


def test_a_call_without_an_answer_and_a_poll_without_one(simulated: SimulatedAmazon) -> None:
    service = slow_service(simulated, seconds=0.2)
    simulated.latency = 0.5
    assert service.poll_for_activity_task(domain=DOMAIN, taskList={"name": "x"}) == {}
    with pytest.raises(ServiceUnreachableError, match="SWF did not answer list_domains in time"):
        service.list_domains(registrationStatus="REGISTERED")
    # The rest of a decision task that was given out: no answer is not the same as no events.
    with pytest.raises(ServiceUnreachableError, match="SWF did not answer poll_for_decision_task in time"):
        service.poll_for_decision_task(domain=DOMAIN, taskList={"name": "x"}, nextPageToken="more")
    service.close()


def test_short_calls_do_not_wait_behind_polls(simulated: SimulatedAmazon, caplog: pytest.LogCaptureFixture) -> None:
    """Polls have a bounded number of connections: one too many waits for its turn."""
    simulated.endpoint.poll_seconds = 30
    service = aws.Boto3Service(aws.clients(region="eu-west-1"), max_polls=2, wait_for_poll_seconds=0.2)

    def poll() -> object:
        return service.poll_for_activity_task(domain=DOMAIN, taskList={"name": "x"})

    waiting = [threading.Thread(target=poll) for _ in range(2)]
    for thread in waiting:
        thread.start()
    while simulated.calls["PollForActivityTask"] < 2:
        time.sleep(0.01)
    assert poll() == {}
    assert simulated.calls["PollForActivityTask"] == 2
    assert "more than 2 polls wait at Amazon SWF" in caplog.text
    assert service.list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"] == DOMAIN
    assert all(thread.is_alive() for thread in waiting)
    simulated.engine.release_polls()
    for thread in waiting:
        thread.join()
    service.close()


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_who_waits_for_an_execution_goes_on_waiting_through_an_outage(
    simulated: SimulatedAmazon, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setenv("SWF_CONNECTION_RETRIES", "0")

    class Waiting(Nothing):
        name = "errors.waiting"

        def run(self):
            return self.submit(self.wait_signal("go")).result["args"]

    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Waiting)
        found: list[object] = []
        waits = threading.Thread(target=lambda: found.append(execution.result(60)))
        waits.start()
        simulated.faults = Faults(rate=1.0, kinds=["refuse", "error", "throttle"])
        deadline = time.monotonic() + 200
        while f"waiting for {execution.workflow_id} goes on" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        simulated.faults = Faults()
        execution.signal("go", '{"args": ["on"], "kwargs": {}}')
        waits.join()
    assert found == [["on"]]


def test_a_start_whose_response_is_lost_is_one_execution(simulated: SimulatedAmazon) -> None:
    """Its repetition is refused, for the execution is open; and lists show that only after a while."""
    simulated.visible_after = 1.0
    simulated.faults = Faults({"StartWorkflowExecution": ["lose"]})
    with Lab(ADDRESS, notice=quiet, serve="nothing") as lab:
        execution = lab.start(Nothing, workflow_id="once")
        assert execution.status == "OPEN"
        lab.start_deciders(task_list="errors")
        assert execution.result(60) is None
    everything = {"domain": DOMAIN, "startTimeFilter": {"oldestDate": 0}}
    assert len(simulated.engine.list_closed_workflow_executions(**everything)["executionInfos"]) == 1
