"""Each row of the tables in `docs/failures.md`: what is submitted there is submitted here, and must end as it says."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Chain, FuncGroup, Group, Workflow, activity
from simpleflow_lab.exceptions import AggregateException
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.task import ActivityTask
from tests.authors.replaying import replay_all
from tests.replay.story import Story

PAGE = Path(__file__).parents[2] / "docs" / "failures.md"
TASKS = {"task_list": "failure-table", "version": "1"}
THREADS = 4  # activities at once for each task list, in the Labs of these tests

current_labs: list[Any] = []


def rows(table: str) -> list[list[str]]:
    """The rows of a table of the page, without its head."""
    _, _, rest = PAGE.read_text().partition(f"<!-- table: {table} -->\n\n")
    lines = rest.partition("\n\n")[0].splitlines()
    assert len(lines) > 2, f"{PAGE.name} has no table {table}"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def parameters(table: str) -> list[Any]:
    return [pytest.param(row[0].strip("`"), row[1:], id=row[0].strip("`")) for row in rows(table)]


# -- the activities and workflows of the page --


def an_activity(name: str, does: Callable[..., Any], **options: Any) -> activity.Activity:
    return activity.with_attributes(name=f"failure-table.{name}", **TASKS | options)(does)


def raise_value_error(*args):
    raise ValueError("on purpose")


tries: dict[tuple[str, str], int] = {}


def fails_until(attempt: int) -> Callable[..., int]:
    def fail_until(*args):
        context = activity.current_context()
        task = context["run_id"], context["activity_id"]
        tries[task] = tries.get(task, 0) + 1
        if tries[task] < attempt:
            raise ValueError("not yet")
        return 2

    return fail_until


def push_clock(*args):
    current_labs[-1].clock.advance(101)


barrier = threading.Barrier(THREADS, action=push_clock)
occupied = an_activity(
    "occupied",
    lambda: barrier.wait(200) and None,
    task_list="failure-table-busy",
    start_to_close_timeout=None,
    schedule_to_close_timeout=None,
)


def end_execution(how: str) -> None:
    getattr(current_labs[-1].execution(activity.current_context()["workflow_id"]), how)()


ender = an_activity("ender", end_execution)


class Child(Workflow):
    name = "failure-table.child"
    task_list = "failure-table"

    def run(self):
        return 2


class ChildFails(Child):
    name = "failure-table.child_fails"

    def run(self):
        raise ValueError("on purpose")


class ChildFailsQuietly(ChildFails):
    name = "failure-table.child_fails_quietly"
    raises_on_failure = False


class ChildTooSlow(Child):
    name = "failure-table.child_too_slow"
    execution_timeout = 1000

    def run(self):
        self.submit(self.start_timer("too long", 5000)).wait()


class ChildTerminated(Child):
    name = "failure-table.child_terminated"

    def run(self):
        self.submit(ender, "terminate")
        self.submit(self.wait_signal("never")).wait()


class ChildCanceled(Child):
    name = "failure-table.child_canceled"

    def run(self):
        self.submit(ender, "request_cancel")
        self.submit(self.wait_signal("never")).wait()


class ChildCanceledQuietly(ChildCanceled):
    name = "failure-table.child_canceled_quietly"
    raises_on_failure = False


NAMES: dict[str, Any] = {
    "ok": an_activity("ok", lambda *args: 2),
    "fails": an_activity("fails", raise_value_error),
    "fails_aloud": an_activity("fails_aloud", raise_value_error, raises_on_failure=True),
    "fails_twice": an_activity("fails_twice", fails_until(3), retry=2),
    "fails_thrice": an_activity("fails_thrice", fails_until(4), retry=2),
    "fails_thrice_aloud": an_activity("fails_thrice_aloud", fails_until(4), retry=2, raises_on_failure=True),
    "too_slow": an_activity("too_slow", push_clock, start_to_close_timeout=100),
    "too_slow_aloud": an_activity("too_slow_aloud", push_clock, start_to_close_timeout=100, raises_on_failure=True),
    "never_taken": an_activity(
        "never_taken", lambda: None, task_list="failure-table-busy", schedule_to_start_timeout=100
    ),
    "never_done": an_activity("never_done", push_clock, schedule_to_close_timeout=100),
    "silent": an_activity("silent", push_clock, heartbeat_timeout=100),
    "canceled": an_activity("canceled", raise_value_error),
    "canceled_aloud": an_activity("canceled_aloud", raise_value_error, raises_on_failure=True),
    "refused": an_activity("refused", raise_value_error),
    "Child": Child,
    "ChildFails": ChildFails,
    "ChildFailsQuietly": ChildFailsQuietly,
    "ChildTooSlow": ChildTooSlow,
    "ChildTerminated": ChildTerminated,
    "ChildCanceled": ChildCanceled,
    "ChildCanceledQuietly": ChildCanceledQuietly,
}
CANVAS = {"Group": Group, "Chain": Chain, "FuncGroup": FuncGroup, "ActivityTask": ActivityTask}


def test_the_page_explains_every_name():
    named = set(re.findall(r"^\| `(\w+)` \| \w[^|`]*(?:`[^|]*)?\|$", PAGE.read_text(), re.MULTILINE))
    assert named == set(NAMES)


def test_the_code_of_the_page_runs():
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found: dict[str, Any] = {"__name__": "docs.failures"}
    exec(code, found)
    assert found["fetch"].retry.timeouts == {"HEARTBEAT": 5, "START_TO_CLOSE": 0}


# -- how each is looked at --


def shown(error: BaseException | None) -> str:
    if isinstance(error, AggregateException):
        return f"[{', '.join(shown(each) for each in error.exceptions)}]"
    return "None" if error is None else type(error).__name__


def look(future) -> list[str]:
    future.wait()
    try:
        result = f"`{future.result!r}`"
    except Exception as error:
        result = f"raises `{type(error).__name__}`"
    return [f"`{future.state}`", result, f"`{shown(future.exception)}`"]


class Row(Workflow):
    """Submits what a row says; what it does with the future is what its `use` says."""

    task_list = "failure-table"
    expression = "ok"

    def run(self, use):
        if "never_taken" in self.expression:
            for _ in range(THREADS):
                self.submit(occupied)
        future = self.submit(self.submitted())
        if use == "look":
            return look(future)
        if use == "read":
            return future.result
        future.wait()
        return None

    def submitted(self):
        return eval(self.expression, {**NAMES, **CANVAS})


class Verdict(Row):
    def submitted(self):
        return NAMES["fails_aloud"]

    def on_task_failure(self, failure_context):
        if failure_context.task_name == "failure-table.fails_aloud":
            return eval(self.expression, {**NAMES, **CANVAS, "ctx": failure_context, "self": self})
        return None


def workflow_of(base: type[Row], expression: str) -> type[Row]:
    name = f"failure-table.{base.__name__}.{expression}"[:200]
    return type(base.__name__, (base,), {"name": re.sub(r"[:/|]", " ", name), "expression": expression})


def outcome_of(lab, workflow: type[Row]) -> list[str]:
    """The cells of a row: how the future looked, and how the workflows ended."""
    closed = {}
    for use in ("look", "read", "wait"):
        execution = lab.start(workflow, use)
        assert execution.wait(200)
        replay_all(execution, workflow)
        closed[use] = execution
    ends = ["completes" if closed[use].status == "COMPLETED" else "fails" for use in ("read", "wait")]
    looks = closed["look"].result(1) if closed["look"].status == "COMPLETED" else ["–"] * 3
    return [*looks, *ends]


@pytest.mark.parametrize(
    ("expression", "cells"),
    [each for each in parameters("tasks") if each.id not in ("canceled", "canceled_aloud", "refused")],
)
def test_a_task_ends_as_the_page_says(shared_lab, expression, cells):
    current_labs.append(shared_lab)
    assert outcome_of(shared_lab, workflow_of(Row, expression)) == cells


@pytest.mark.parametrize(("expression", "cells"), parameters("containers"))
def test_a_container_ends_as_the_page_says(shared_lab, expression, cells):
    current_labs.append(shared_lab)
    assert outcome_of(shared_lab, workflow_of(Row, expression)) == cells


@pytest.mark.parametrize(("expression", "cells"), parameters("verdicts"))
def test_a_hooks_answer_ends_the_task_as_the_page_says(shared_lab, expression, cells):
    current_labs.append(shared_lab)
    assert outcome_of(shared_lab, workflow_of(Verdict, expression)) == cells


def cancel(story: Story, asked: dict[str, Any]) -> None:
    scheduled = story.record(asked)
    started = story.add("ActivityTaskStarted", scheduledEventId=scheduled.id)
    story.add("ActivityTaskCanceled", scheduledEventId=scheduled.id, startedEventId=started.id, details="enough")


ENDED_BY_SWF = {
    "canceled": cancel,
    "canceled_aloud": cancel,
    "refused": lambda story, asked: story.refuse(asked, "ACTIVITY_TYPE_DEPRECATED"),
}


@pytest.mark.parametrize(("expression", "cells"), [each for each in parameters("tasks") if each.id in ENDED_BY_SWF])
def test_what_only_swf_or_a_worker_brings_about_ends_as_the_page_says(expression, cells):
    """UB-03 among them: with upstream a canceled activity hangs the workflow for ever."""
    workflow = workflow_of(Row, expression)
    closes = {}
    for use in ("look", "read", "wait"):
        story = Story(workflow, use)
        [asked] = story.decide()
        ENDED_BY_SWF[expression](story, asked)
        [closes[use]] = story.decide()
    ends = [
        "completes" if closes[use]["decisionType"] == "CompleteWorkflowExecution" else "fails"
        for use in ("read", "wait")
    ]
    assert [*json.loads(attributes(closes["look"])["result"]), *ends] == cells
