"""`Lab("aws://REGION/DOMAIN")` end to end, without an account: over the wire to our own endpoint and to moto's.

What is Amazon's here is an engine of this process, found through the environment as every AWS SDK finds an endpoint.
"""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Group, Lab, Workflow, activity, futures
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import (
    CredentialsError,
    SimpleflowLabError,
    ThrottlingException,
    UnknownResourceFault,
    UsageError,
)
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.runtime.type_registration import TypeRegistration
from simpleflow_lab.service import aws
from simpleflow_lab.swf.conventions import is_not_here
from tests.engine.invariants import violations

ADDRESS = "aws://eu-west-1/etl"
TASKS = {"task_list": "amazon", "version": "1"}
ACCOUNT = "123456789012"


@activity.with_attributes(name="amazon.double", **TASKS)
def double(x: int) -> int:
    return 2 * x


@activity.with_attributes(name="amazon.length", **TASKS)
def length(text: str) -> int:
    return len(text)


@activity.with_attributes(name="amazon.flaky", retry=2, **TASKS)
def flaky() -> str:
    context = activity.current_context()
    attempts[context["run_id"]] += 1
    if attempts[context["run_id"]] < 3:
        raise RuntimeError("not yet")
    return f"attempt {attempts[context['run_id']]}"


attempts: Counter[str] = Counter()


class Doubling(Workflow):
    """A chain and a fan: no retries, for moto refuses an activity id the second time."""

    name = "amazon.doubling"
    task_list = "amazon"

    def run(self, x):
        return futures.wait(self.map(double, [self.submit(double, x), x]))


class Story(Workflow):
    """Activities, retries, a child, a timer, a signal and a marker."""

    name = "amazon.story"
    task_list = "amazon"

    def run(self, x):
        child = self.submit(Doubling, x)
        again = self.submit(flaky)
        self.submit(self.record_marker("started", x))
        self.submit(self.signal("go", x))
        go = self.submit(self.wait_signal("go"))
        self.submit(self.start_timer("none", 0)).wait()
        return [*child.result, again.result, go.result["args"]]


STORY = [12, 6, "attempt 3", [3]]


@pytest.fixture
def amazon(environment: pytest.MonkeyPatch) -> Iterator[EmbeddedSWF]:
    """What the environment says is Amazon SWF. In the end its histories are right."""
    with EmbeddedSWF(poll_seconds=0.3) as engine:
        engine.register_domain(name="etl", workflowExecutionRetentionPeriodInDays="30")
        endpoint = Endpoint(engine)
        for name, value in endpoint.environment.items():
            environment.setenv(name, str(value))
        yield engine
        request: dict[str, Any] = {"domain": "etl", "startTimeFilter": {"oldestDate": 0}}
        if engine.list_domains(registrationStatus="REGISTERED")["domainInfos"]:
            for info in engine.list_closed_workflow_executions(**request)["executionInfos"]:
                answer = engine.get_workflow_execution_history(domain="etl", execution=info["execution"])
                assert violations(answer["events"]) == []
        endpoint.close()


def quiet(notice: str) -> None:
    """Where the notices go that no test is about."""


def test_the_same_workflow_runs_there_and_what_is_missing_is_registered(amazon: EmbeddedSWF) -> None:
    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Story, 3)
        assert execution.result(60) == STORY
        assert lab.domain == "etl"
        assert execution.status == "COMPLETED"
    (domain,) = amazon.list_domains(registrationStatus="REGISTERED")["domainInfos"]
    assert domain["name"] == "etl"
    registered = {"domain": "etl", "registrationStatus": "REGISTERED"}
    workflows = amazon.list_workflow_types(**registered)["typeInfos"]
    assert [info["workflowType"]["name"] for info in workflows] == ["amazon.doubling", "amazon.story"]
    activities = amazon.list_activity_types(**registered)["typeInfos"]
    assert [info["activityType"]["name"] for info in activities] == ["amazon.double", "amazon.flaky"]


def test_what_a_process_serves_there_is_chosen_and_its_own_pollers_are_all_that_is_known(amazon: EmbeddedSWF) -> None:
    with Lab(ADDRESS, notice=quiet, serve="nothing") as starts:
        execution = starts.start(Doubling, 3)
        assert list(starts.pollers()) == []
        with Lab(ADDRESS, notice=quiet, serve="nothing") as decides, Lab(ADDRESS, notice=quiet) as runs:
            decides.start_deciders(task_list=Doubling.task_list)
            runs.start_workers(2, task_list="amazon")
            assert execution.result(60) == [12, 6]
            assert [(each.kind, each.is_this_process) for each in decides.pollers()] == [("decider", True)]
            assert [(each.kind, each.task_list) for each in runs.pollers()] == [("activity worker", "amazon")]
            assert runs.workers.stop(seconds=60)
            until = time.monotonic() + 200
            while {worker.state for worker in runs.workers} != {"stopped"}:  # a poll lasts up to a minute
                assert time.monotonic() < until
                time.sleep(0.01)
            assert list(runs.pollers()) == []


STRANGER = """
import sys
from simpleflow_lab import Lab
with Lab(sys.argv[1], notice=print, serve="nothing") as lab:
    if sys.argv[2] == "activities":
        lab.start_workers(1, task_list="amazon")
    else:
        lab.start_deciders(task_list="amazon")
    sys.stdin.read()
"""


def stranger(serves: str) -> subprocess.Popen[str]:
    """A process that serves the task list and defines nothing."""
    command = [sys.executable, "-c", STRANGER, ADDRESS, serves]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[1])


def test_a_worker_without_the_activity_costs_no_retry(amazon: EmbeddedSWF) -> None:
    """Polls of Amazon SWF can't say types: a task may come to a worker that does not define it."""
    with Lab(ADDRESS, notice=quiet, serve="decisions") as lab, stranger("activities") as other:
        execution = lab.start(Doubling, 3)

        def failed() -> list[dict[str, Any]]:
            return [dict(event.attributes) for event in execution.history() if event.type == "ActivityTaskFailed"]

        until = time.monotonic() + 200
        while not failed():
            assert time.monotonic() < until
            time.sleep(0.1)
        lab.start_workers(2, task_list="amazon")
        other.communicate(timeout=200)
        assert execution.result(60) == [12, 6]
        assert all(is_not_here(attributes["details"]) for attributes in failed())
        assert f"no activity 'amazon.double' version '1' is defined in process {other.pid}" in failed()[0]["reason"]


class Brief(Doubling):
    name = "amazon.brief"
    decision_tasks_timeout = 5


def test_a_decider_without_the_workflow_keeps_its_task_and_says_so(amazon: EmbeddedSWF) -> None:
    with Lab(ADDRESS, notice=quiet, serve="nothing") as lab, stranger("decisions") as other:
        execution = lab.start(Brief, 3)
        said = next(line for line in other.stderr or () if "came here" in line)
        assert "no workflow 'amazon.brief' version 'default' is defined in this process" in said
        assert "Give each code base a task list of its own" in said
        assert execution.status == "OPEN"
        other.communicate(timeout=200)
        lab.start_deciders(task_list="amazon")
        lab.start_workers(2, task_list="amazon")
        assert execution.result(60) == [12, 6]  # after the timeout of the decision task


def test_another_kernel_finds_what_is_registered_and_what_was_run(amazon: EmbeddedSWF) -> None:
    with Lab(ADDRESS, notice=quiet) as lab:
        first = lab.start(Doubling, 3)
        first.result(60)
    # A poll of the closed Lab that still waits at the service would take a task of the next one, and run it no further.
    amazon.release_polls()
    with Lab(ADDRESS, notice=quiet) as lab:
        assert lab.execution(first.workflow_id).result(60) == [12, 6]
        assert lab.start(Doubling, 4).result(60) == [16, 8]
        assert len(lab.executions()) == 2


def test_the_same_workflow_runs_over_the_wire_to_motos_server(
    environment: pytest.MonkeyPatch, moto_server: tuple[str, Any]
) -> None:
    for service in ("SWF", "STS"):
        environment.setenv(f"AWS_ENDPOINT_URL_{service}", moto_server[0])
    told: list[str] = []
    with Lab(ADDRESS, activity_threads=2, registers_domain=True, notice=told.append) as lab:
        assert lab.start(Doubling, 3).result(60) == [12, 6]
    assert told[0] == f"Amazon SWF: account {ACCOUNT}, region eu-west-1, domain etl"


# -- before the first write --------------------------------------------------------------------------------------------


@pytest.fixture
def sts(environment: pytest.MonkeyPatch) -> Iterator[None]:
    """A token service that knows one account."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = (
                '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
                f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Not to stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        environment.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_address[1]}")
        yield
        server.shutdown()
        thread.join()


def test_account_region_and_domain_are_shown_when_it_is_opened(amazon: EmbeddedSWF, sts: None) -> None:
    told: list[str] = []
    with Lab(ADDRESS, notice=told.append):
        assert told == [f"Amazon SWF: account {ACCOUNT}, region eu-west-1, domain etl"]


def register(amazon: EmbeddedSWF, *names: str) -> None:
    for name in names:
        amazon.register_domain(name=name, workflowExecutionRetentionPeriodInDays="1")


def names_in(amazon: EmbeddedSWF) -> list[str]:
    return [info["name"] for info in amazon.list_domains(registrationStatus="REGISTERED")["domainInfos"]]


def test_a_domain_that_is_not_there_is_told_with_those_spelled_like_it_and_not_registered(amazon: EmbeddedSWF) -> None:
    for domain, told in {
        "etll": "no domain 'etll': did you mean etl? If not, `simpleflow domain.register etll` makes it",
        "quite-another": (
            "no domain 'quite-another': there are etl; `simpleflow domain.register quite-another` makes it"
        ),
    }.items():
        with Lab(ADDRESS, domain=domain, notice=quiet) as lab:
            for start in (lambda lab=lab: lab.start(Doubling, 3), lab.start_deciders, lab.start_workers):
                with pytest.raises(UsageError) as refused:
                    start()
                assert str(refused.value) == told
            with pytest.raises(UnknownResourceFault, match="name another one, or register it"):
                lab.executions()
    assert names_in(amazon) == ["etl"]


def test_a_domain_is_registered_there_by_who_says_so(amazon: EmbeddedSWF) -> None:
    with Lab(ADDRESS, domain="new", registers_domain=True, notice=quiet) as lab:
        assert names_in(amazon) == ["etl"]  # nothing was started
        assert lab.start(Doubling, 3).result(60) == [12, 6]
    assert names_in(amazon) == ["etl", "new"]


@pytest.mark.parametrize(
    ("address", "variable", "argument", "works_in", "told"),
    [
        (ADDRESS, None, None, "etl", "domain etl"),
        (ADDRESS, "etl", None, "etl", "domain etl"),
        (ADDRESS, "prod", None, "etl", "domain etl as in the address, not prod as in SWF_DOMAIN"),
        (ADDRESS, "prod", "test", "test", "domain test, not etl as in the address"),
        (ADDRESS, "prod", "etl", "etl", "domain etl"),
        ("aws://eu-west-1", "prod", None, "prod", "domain prod"),
        ("aws://eu-west-1/", "prod", None, "prod", "domain prod"),
        ("aws://eu-west-1", "prod", "test", "test", "domain test"),
        ("aws:///", None, "test", "test", "domain test"),
    ],
)
def test_which_domain_it_works_in_is_said(
    amazon: EmbeddedSWF,
    environment: pytest.MonkeyPatch,
    address: str,
    variable: str | None,
    argument: str | None,
    works_in: str,
    told: str,
) -> None:
    environment.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    if variable is not None:
        environment.setenv("SWF_DOMAIN", variable)
    notices: list[str] = []
    with Lab(address, domain=argument, notice=notices.append) as lab:
        assert lab.domain == works_in
        assert [notice.partition(", region eu-west-1, ")[2] for notice in notices] == [told]


def test_nothing_is_written_if_whoever_is_told_says_no(amazon: EmbeddedSWF) -> None:
    def no(text: str) -> None:
        raise UsageError("not there")

    with pytest.raises(UsageError, match="not there"):
        Lab(ADDRESS, registers_domain=True, domain="new", notice=no)
    assert names_in(amazon) == ["etl"]


def test_an_account_that_can_not_be_asked_for_is_unknown_and_soon(amazon: EmbeddedSWF) -> None:
    told: list[str] = []
    began = time.monotonic()
    Lab(ADDRESS, notice=told.append).close()
    assert told[0] == "Amazon SWF: account unknown, region eu-west-1, domain etl"
    assert time.monotonic() - began < 60


def test_without_credentials_it_says_so_in_one_line(amazon: EmbeddedSWF, environment: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name)
    with pytest.raises(SimpleflowLabError) as refused:
        Lab(ADDRESS, notice=quiet)
    assert isinstance(refused.value, CredentialsError)
    assert "credentials" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "aws:",
        "aws://",
        "aws://eu-west-1",
        "aws://eu-west-1/",
        "aws:///",
        "aws:/eu-west-1/etl",
        "aws://eu-west-1/arn",
        "aws://eu-west-1/ etl",
        "aws://eu-west-1/etl/more",
        "aws://EU-WEST-1/etl",
        "aws://eu west/etl",
        "aws://eu-west-1/a:b",
        "aws://eu-west-1/a|b",
        "aws://eu-west-1/a\nb",
        "aws://user@eu-west-1/etl",
        "aws://-/etl",
        "aws://eu-west-1-/etl",
        f"aws://eu-west-1/{'x' * 257}",
        "swf://eu-west-1/etl",
        "https://swf.eu-west-1.amazonaws.com/etl",
    ],
)
def test_an_address_that_is_none_is_refused_in_one_line(amazon: EmbeddedSWF, address: str) -> None:
    with pytest.raises(UsageError) as refused:
        Lab(address, notice=quiet)
    assert "\n" not in str(refused.value)
    assert "aws://" in str(refused.value)
    assert names_in(amazon) == ["etl"]


ARN = "arn:aws:swf:eu-west-1:123456789012:/domain/etl"


@pytest.mark.parametrize("address", [f"aws://{ARN}", f"aws://eu-west-1/{ARN}", f"aws:{ARN}"])
def test_an_arn_in_an_address_is_told_with_the_address_to_write(amazon: EmbeddedSWF, address: str) -> None:
    with pytest.raises(UsageError, match=r"has the ARN of a domain in it: write aws://eu-west-1/etl instead$"):
        Lab(address, notice=quiet)


def test_a_clock_is_refused_in_one_line(amazon: EmbeddedSWF) -> None:
    with pytest.raises(UsageError, match=r"^Amazon SWF has a clock of its own.*$"):
        Lab(ADDRESS, clock="virtual", notice=quiet)


# -- limits and faults -------------------------------------------------------------------------------------------------


def test_the_client_outlasts_a_long_poll_and_tries_again(environment: pytest.MonkeyPatch) -> None:
    """P12: upstream's waited 60 s, as long as SWF holds a poll."""
    clients = aws.clients(region="eu-west-1")
    calls, polls, heartbeats = (client.meta.config for client in clients[:3])
    assert polls.read_timeout > 60 + 5
    assert max(calls.connect_timeout, polls.connect_timeout, heartbeats.connect_timeout) <= 10
    assert calls.retries == {"mode": "standard", "total_max_attempts": 6}
    assert polls.retries == heartbeats.retries == {"mode": "standard", "total_max_attempts": 1}
    assert polls.max_pool_connections == aws.MAX_POLLS
    clients.close()


def batches(amazon: EmbeddedSWF, execution: Any) -> list[list[dict[str, Any]]]:
    """The events of each answer of the decider."""
    ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
    events = amazon.get_workflow_execution_history(domain="etl", execution=ids)["events"]
    found: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        (members,) = (value for name, value in event.items() if name.endswith("Attributes"))
        completed = members.get("decisionTaskCompletedEventId")
        if completed:
            found.setdefault(completed, []).append(members)
    return list(found.values())


def test_more_than_a_hundred_decisions_are_made_in_several_answers(amazon: EmbeddedSWF) -> None:
    class Wide(Workflow):
        name = "amazon.wide"
        task_list = "amazon"

        def run(self):
            return sum(self.submit(Group(*((double, n) for n in range(130)))).result)

    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Wide)
        assert execution.result(100) == sum(2 * n for n in range(130))
        sizes = [len(batch) for batch in batches(amazon, execution)]
        assert max(sizes) == 100
        assert sum(sizes) >= 131


def test_more_than_a_megabyte_of_decisions_is_made_in_several_answers(amazon: EmbeddedSWF) -> None:
    class Heavy(Workflow):
        name = "amazon.heavy"
        task_list = "amazon"

        def run(self):
            return self.submit(Group(*((length, str(n % 10) * 32_000) for n in range(50)))).result

    with Lab(ADDRESS, notice=quiet) as lab:
        execution = lab.start(Heavy)
        assert execution.result(100) == [32_000] * 50
        weights = [sum(len(members.get("input", "")) for members in batch) for batch in batches(amazon, execution)]
        assert sum(weights) > 1_500_000
        assert max(weights) < 1_000_000


@pytest.mark.parametrize("kind", ["domain", "workflow_type", "activity_type"])
def test_what_could_not_be_registered_is_registered_the_next_time(kind: str) -> None:
    class Busy:
        """A service that is too busy for the first registration."""

        calls = 0

        def register(self, **request: Any) -> dict[str, Any]:
            self.calls += 1
            if self.calls == 1:
                raise ThrottlingException("Rate exceeded")
            return {}

        register_domain = register_workflow_type = register_activity_type = register

    service = Busy()
    registration = TypeRegistration(service, "etl")  # type: ignore[arg-type]
    register = getattr(registration, f"register_{kind}")
    arguments = () if kind == "domain" else ("name", "1")
    with pytest.raises(ThrottlingException):
        register(*arguments)
    register(*arguments)
    assert service.calls == (2 if kind == "domain" else 3)  # a type's domain is registered first


def test_credentials_that_changed_are_used_by_who_connects_after_that(environment: pytest.MonkeyPatch) -> None:
    def key_in_use() -> str:
        clients = aws.clients(region="eu-west-1")
        clients.close()
        key: str = clients.calls._request_signer._credentials.access_key
        return key

    environment.setenv("AWS_ACCESS_KEY_ID", "first")
    assert key_in_use() == "first"
    environment.setenv("AWS_ACCESS_KEY_ID", "second")
    assert key_in_use() == "second"
