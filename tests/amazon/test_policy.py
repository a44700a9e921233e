"""The IAM policy of the guide: every action is used, and every call is allowed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.cli.main import main
from simpleflow_lab.exceptions import WorkflowExecutionError
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.step.workflow import WorkflowStepMixin
from tests.amazon.conftest import ADDRESS, DOMAIN
from tests.amazon.simulated import SimulatedAmazon
from tests.s3 import Bucket
from tests.waiting import until

ROOT = Path(__file__).parents[2]
TASKS: dict[str, Any] = {"task_list": "policy", "version": "1"}
ALLOWED_BY = {"s3:ListObjectsV2": "s3:ListBucket"}
"""The actions of calls that have another name."""
LARGE = 40_000


def policy() -> list[dict[str, Any]]:
    """The statements in the guide."""
    [text] = re.findall(r"^```json\n(.*?)^```$", (ROOT / "docs" / "amazon.md").read_text(), re.MULTILINE | re.DOTALL)
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements


def actions(*sids: str) -> set[str]:
    """The actions of these statements, or of all."""
    found: set[str] = set()
    for statement in policy():
        if not sids or statement["Sid"] in sids:
            allowed = statement["Action"]
            found.update([allowed] if isinstance(allowed, str) else allowed)
    return found


@activity.with_attributes(name="policy.long", **TASKS)
def long(length: int) -> str:
    return "x" * length


@activity.with_attributes(name="policy.fails", **TASKS)
def fails() -> None:
    raise ValueError("no")


@activity.with_attributes(name="policy.beats", heartbeat_timeout=9, **TASKS)
def beats() -> None:
    while True:
        activity.heartbeat("alive")
        time.sleep(0.01)


class Waits(Workflow):
    """Until it is canceled, or gets a signal."""

    name = "policy.waits"
    task_list = "policy"

    def run(self):
        self.submit(self.wait_signal("go")).wait()
        self.fail("as it was asked")


class Everything(Workflow):
    """Makes each decision that there is but that of a Lambda function."""

    name = "policy.everything"
    task_list = "policy"

    def run(self, other, again):
        if not again:
            return "done"
        self.submit(self.record_marker("began"))
        failed = self.submit(fails)
        running = self.submit(beats)
        timer = self.submit(self.start_timer("long", 500))
        child = self.submit(Waits)
        length = len(self.submit(long, LARGE).result)
        self.submit(self.signal("go", workflow_id=other, propagate=False))
        failed.wait()
        self.submit(self.start_timer("short", 0)).wait()
        for each in (running, child, timer):
            each.cancel()
        running.wait()
        child.wait()
        assert length == LARGE
        return self.submit(self.continue_as_new(other, again=False)).result


class Stepwise(Workflow, WorkflowStepMixin):
    """One step."""

    name = "policy.stepwise"
    task_list = "policy"

    def run(self):
        self.submit(self.step("only", (long, 1))).wait()


class Sums(Workflow):
    """One activity."""

    name = "policy.sums"
    task_list = "policy"

    def run(self, length):
        return self.submit(long, length).result


def quiet(notice: str) -> None:
    """Where the notices go that no test is about."""


def contract(lab: Lab) -> None:
    """Everything that a Lab does."""
    lab.domains()
    failing, canceled, terminated = (lab.start(Waits) for _ in range(3))
    everything = lab.start(Everything, failing.workflow_id, again=True)
    assert everything.result(60) == "done"
    lab.start(Stepwise).result(60)
    canceled.request_cancel()
    canceled.wait(60)
    terminated.signal("nothing")
    terminated.terminate()
    with pytest.raises(WorkflowExecutionError):
        failing.result(60)
    assert failing.workflow_id in lab.executions()["workflow_id"].tolist()


def commands() -> None:
    """Those that call what a Lab does not."""
    for words in (
        ["doctor"],
        ["domain.info", DOMAIN],
        ["task_list.list", "--task-list", "policy"],
        ["domain.register", "another"],
        ["domain.deprecate", DOMAIN],
        ["domain.undeprecate", DOMAIN],
    ):
        assert main(["--store", ADDRESS, *words]) == 0, words


def test_the_calls_of_everything_that_a_lab_does_are_the_actions_of_the_policy(
    bucket: Bucket, simulated: SimulatedAmazon, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", f"{bucket.name}/prefix")
    environment.setenv("SIMPLEFLOW_ENABLE_DISK_CACHE", "false")
    simulated.records = True
    used: set[str] = set()

    def record_s3(model: Any, **_: Any) -> None:
        used.add(ALLOWED_BY.get(f"s3:{model.name}", f"s3:{model.name}"))

    with Lab(ADDRESS, notice=quiet) as lab:
        objects: Any = lab.storage.default
        objects.client.meta.events.register("before-call.s3", record_s3)
        contract(lab)
    commands()
    for operation, request in simulated.requests:
        used.add(f"swf:{operation}")
        used.update(f"swf:{decision['decisionType']}" for decision in request.get("decisions", ()))
    assert used == actions()


def test_a_process_needs_the_statement_of_what_it_does_and_no_other(simulated: SimulatedAmazon) -> None:
    def allow(sid: str) -> None:
        def accepts(headers: Mapping[str, str]) -> tuple[str, str] | None:
            action = f"swf:{headers['operation']}"
            if action in actions(sid):
                return None
            refused.add(action)
            return "AccessDeniedException", f"not authorized to perform: {action}"

        simulated.accepts = accepts

    def events() -> list[str]:
        found = simulated.engine.get_workflow_execution_history(domain=DOMAIN, execution=execution)["events"]
        return [event["eventType"] for event in found]

    refused: set[str] = set()
    allow("Operate")
    with Lab(ADDRESS, notice=quiet, serve="nothing") as lab:
        started = lab.start(Sums, 2)
        execution = {"workflowId": started.workflow_id, "runId": started.run_id}
    for sid, serves, reached in (
        ("Decide", Lab.start_deciders, "ActivityTaskScheduled"),
        ("Work", Lab.start_workers, "ActivityTaskCompleted"),
        ("Decide", Lab.start_deciders, "WorkflowExecutionCompleted"),
    ):
        allow(sid)
        with Lab(ADDRESS, notice=quiet, serve="nothing") as lab:
            serves(lab, task_list="policy")
            until(lambda reached=reached: reached in events())
    assert refused <= {"swf:DescribeDomain"}  # that it is there is looked for, and is then taken for granted


def named_in_code() -> set[str]:
    """The operations that the code above the services names, as actions."""
    operations = {name for name in vars(SWFService) if not name.startswith("_")}
    # By other names: `answer_decision_task`, `answer_activity_task`.
    found = {"respond_decision_task_completed", "respond_activity_task_completed"}
    for path in (ROOT / "simpleflow_lab").rglob("*.py"):
        if path.relative_to(ROOT / "simpleflow_lab").parts[0] not in ("service", "engine", "http"):
            found |= set(re.findall(r"\.(\w+)", path.read_text()))
    return {f"swf:{''.join(word.capitalize() for word in name.split('_'))}" for name in found & operations}


def test_the_policy_allows_what_the_code_can_call_and_nothing_else() -> None:
    """Whoever calls another operation adds it to the guide, in docs/amazon.md."""
    calls = {action for action in actions() if action.startswith("swf:")} - decisions()
    assert calls == named_in_code()


def decisions() -> set[str]:
    """Those that are decisions."""
    from simpleflow_lab.engine.decision_rules import _RULES

    return {f"swf:{decision_type}" for decision_type in _RULES} & actions("Decide")


def test_only_what_has_no_domain_is_for_any_domain() -> None:
    for statement in policy():
        assert (statement["Resource"] == "*") == (statement["Sid"] == "Domains")
    assert actions("Domains") == {"swf:RegisterDomain", "swf:ListDomains"}
