"""Laws: a workflow gives what plain Python gives, every prefix of its history replays to what was recorded, and code
that has changed gives the same or is found out.

A program is a list of nodes, drawn by hypothesis: what each does, whether the workflow waits for it at once, and which
earlier nodes it depends on. One workflow runs it, one function says what it gives. Activities are shared by all nodes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simpleflow_lab import Chain, Execution, FuncGroup, Group, Lab, Workflow, activity
from simpleflow_lab.data.codec import decode
from simpleflow_lab.exceptions import NondeterminismError, WorkflowExecutionFailed
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.history import History, HistoryEvent
from tests.engine.invariants import violations
from tests.examples_count import TIMEOUT, examples
from tests.step_by_step import DOMAIN, StepByStep
from tests.views.path_laws import check_path
from tests.views.wait_laws import check_waits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]

TASKS = {"task_list": "laws", "version": "1"}
RAISED = "!"
"""What stands in the result for a node whose result can't be read."""


def brief(text: str) -> str:
    """Texts that hold texts that hold texts would soon be more than SWF takes."""
    return text if len(text) <= 100 else f"{text[:20]}...{zlib.crc32(text.encode())}"


@activity.with_attributes(name="laws.join", **TASKS)
def join(node: Any, *parts: Any) -> str:
    return brief(f"{node}({','.join(str(part) for part in parts)})")


@activity.with_attributes(name="laws.join", task_list="laws", version="2")
def newer_join(node: Any, *parts: Any) -> str:
    return brief(f"{node}<{','.join(str(part) for part in parts)}>")


@activity.with_attributes(name="laws.gather", **TASKS)
def gather(node: Any, parts: list[Any], named: dict[str, Any]) -> str:
    return brief(f"{node}[{','.join(str(part) for part in parts)};{sorted(named.items())}]")


@activity.with_attributes(name="laws.shared", idempotent=True, **TASKS)
def shared(word: Any, *parts: Any) -> str:
    return brief(f"{word}={','.join(str(part) for part in parts)}")


@activity.with_attributes(name="laws.flaky", retry=3, **TASKS)
def flaky(node: int, *parts: Any) -> str:
    context = activity.current_context()
    if count_attempt(context["run_id"], context["activity_id"]) <= node % 3:
        raise RuntimeError("again")
    return brief(f"{node}~{','.join(str(part) for part in parts)}")


def count_attempt(run_id: str, activity_id: str) -> int:
    """Which attempt of the task this is; counted in a folder where several processes run attempts of one task."""
    folder = os.environ.get(ATTEMPTS)
    if folder is None:
        attempts[run_id, activity_id] += 1
        return attempts[run_id, activity_id]
    file = Path(folder) / f"{zlib.crc32(run_id.encode())}-{activity_id}"
    with file.open("a", encoding="utf-8") as tries:
        tries.write("x")
        return tries.tell()


ATTEMPTS = "TEST_ATTEMPTS"
attempts: Counter[tuple[str, str]] = Counter()


@activity.with_attributes(name="laws.fails", retry=1, **TASKS)
def fails(node: int, *parts: Any) -> None:
    raise RuntimeError(f"{node} failed")


@activity.with_attributes(name="laws.fails_aloud", raises_on_failure=True, **TASKS)
def fails_aloud(node: int, *parts: Any) -> None:
    raise RuntimeError(f"{node} failed")


class Leaf(Workflow):
    """A child with a task of its own."""

    name = "laws.leaf"
    task_list = "laws"

    def run(self, node, *parts):
        return self.submit(join, node, *parts).result


class FailingLeaf(Workflow):
    """A child that fails."""

    name = "laws.failing_leaf"
    task_list = "laws"

    def run(self, node, *parts):
        return self.submit(fails_aloud, node).result


KINDS = ["join", "newer", "gather", "flaky", "fails", "aloud", "timer", "signal", "marker"]
KINDS += ["child", "failing child", "group", "few at a time", "chain", "broken chain"]
KINDS += ["shared", "func group", "canvas in canvas"]

programs = st.lists(
    st.tuples(st.sampled_from(KINDS), st.booleans(), st.lists(st.integers(0, 30), max_size=3, unique=True)),
    min_size=1,
    max_size=10,
).map(lambda nodes: [[kind, waits, depends, number] for number, (kind, waits, depends) in enumerate(nodes)])
"""Nodes as JSON: kind, waits, depends on, name."""


def parts_of(position: int, depends: list[int], values: list[Any]) -> list[Any]:
    return [values[each % position] for each in depends] if position else []


class Program(Workflow):
    """Runs a program."""

    name = "laws.program"
    task_list = "laws"

    def run(self, program):
        submitted: list[Any] = []
        for position, (kind, waits, depends, node) in enumerate(program):
            future = self.one(kind, node, parts_of(position, depends, submitted))
            submitted.append(future)
            if waits:
                future.wait()
        for future in submitted:
            future.wait()
        return [self.read(future) for future in submitted]

    def read(self, future):
        try:
            return future.result
        except Exception:
            return RAISED

    def one(self, kind, node, parts):
        match kind:
            case "join":
                return self.submit(join, node, *parts)
            case "newer":
                return self.submit(newer_join, node, *parts)
            case "gather":
                return self.submit(gather, node, parts, {"first": parts[:1]})
            case "flaky":
                return self.submit(flaky, node, *parts)
            case "fails":
                return self.submit(fails, node, *parts)
            case "aloud":
                return self.submit(fails_aloud, node, *parts)
            case "timer":
                return self.submit(self.start_timer(f"t{node}", 3600 * (node % 3)))
            case "signal":
                self.submit(self.signal(f"s{node}", node))
                return self.submit(self.wait_signal(f"s{node}"))
            case "marker":
                return self.submit(self.record_marker(f"m{node}", node))
            case "child":
                return self.submit(Leaf, node, *parts)
            case "failing child":
                return self.submit(FailingLeaf, node, *parts)
            case "group":
                return self.submit(Group((join, node, *parts), (fails, node), (Leaf, node)))
            case "few at a time":
                return self.submit(Group(*((join, node, n, *parts) for n in range(3)), max_parallel=2))
            case "chain":
                return self.submit(Chain((join, node, *parts), (join, node), send_result=True))
            case "shared":
                return self.submit(shared, node % 2, *parts)
            case "func group":
                fan_out = FuncGroup(lambda previous: Group((join, node, previous), (join, node, "x")))
                return self.submit(Chain((join, node, *parts), fan_out, send_result=True))
            case "canvas in canvas":
                chain = Chain((join, node, *parts), (join, node))
                return self.submit(Group(chain, Group((join, node, "a"), (Leaf, node), max_parallel=1)))
            case _:
                return self.submit(Chain((join, node), (fails, node), (join, node), break_on_failure=True))


def plain(program: list[Any]) -> list[Any]:
    """What the program gives, by plain Python."""
    values: list[Any] = []
    for position, (kind, _, depends, node) in enumerate(program):
        parts = parts_of(position, depends, values)
        text = ",".join(str(part) for part in parts)
        joined = brief(f"{node}({text})")
        takes_parts = kind not in ("timer", "signal", "marker", "broken chain")
        value: Any
        match kind:
            case _ if takes_parts and RAISED in parts:
                value = RAISED
            case "join" | "child":
                value = joined
            case "newer":
                value = brief(f"{node}<{text}>")
            case "gather":
                value = brief(f"{node}[{text};{sorted({'first': parts[:1]}.items())}]")
            case "flaky":
                value = brief(f"{node}~{text}")
            case "fails" | "timer":
                value = None
            case "signal":
                value = {"__propagate": True, "args": [node], "kwargs": {}}
            case "marker":
                value = node
            case "group":
                value = [joined, None, f"{node}()"]
            case "few at a time":
                value = [brief(f"{node}({','.join([str(n), *map(str, parts)])})") for n in range(3)]
            case "chain":
                value = [joined, brief(f"{node}({joined})")]
            case "shared":
                value = brief(f"{node % 2}={text}")
            case "func group":
                value = [joined, [brief(f"{node}({joined})"), f"{node}(x)"]]
            case "canvas in canvas":
                value = [[joined, f"{node}()"], [f"{node}(a)", f"{node}()"]]
            case "broken chain":
                value = [f"{node}()", None]
            case _:  # fails aloud, failing child
                value = RAISED
        values.append(value)
    return values


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with Lab(":memory:", activity_threads=3, clock="virtual") as lab:
        yield lab


@pytest.fixture(scope="module")
def recorded(shared_lab: Lab) -> Callable[[list[Any]], Execution]:
    """From a program to its execution, which has completed."""

    def run(program: list[Any]) -> Execution:
        execution = shared_lab.start(Program, program)
        execution.result(60)
        return execution

    return run


# -- what can't be kept ------------------------------------------------------------------------------------------------

TOO_LONG = "x" * 6_000_000


class TooLong(Workflow):
    """Asks for what is longer than can be kept."""

    name = "laws.too_long"
    task_list = "laws"

    def run(self, what):
        match what:
            case "result":
                return TOO_LONG
            case "activity":
                return self.submit(join, 0, TOO_LONG).result
            case "child":
                return self.submit(Leaf, 0, TOO_LONG).result
            case "marker":
                return self.submit(self.record_marker("m", TOO_LONG)).result
            case "signal":
                return self.submit(self.signal("s", TOO_LONG)).result
            case _:
                return self.submit(self.continue_as_new(TOO_LONG)).result


@pytest.mark.parametrize("what", ["result", "activity", "child", "marker", "signal", "next run"])
def test_what_is_longer_than_can_be_kept_fails_the_execution_and_says_so(what):
    """It is the author's error, and will be too long each time: waiting for it to go away holds up everybody."""
    with Lab(":memory:", activity_threads=1) as lab:
        with pytest.raises(WorkflowExecutionFailed) as failed:
            lab.start(TooLong, what).result(60)
        assert "5242880" in str(failed.value)


# -- replays -----------------------------------------------------------------------------------------------------------

MADE: Mapping[str, str] = {
    "ScheduleActivityTask": "ActivityTaskScheduled",
    "StartChildWorkflowExecution": "StartChildWorkflowExecutionInitiated",
    "StartTimer": "TimerStarted",
    "CancelTimer": "TimerCanceled",
    "RequestCancelActivityTask": "ActivityTaskCancelRequested",
    "RecordMarker": "MarkerRecorded",
    "SignalExternalWorkflowExecution": "SignalExternalWorkflowExecutionInitiated",
    "CompleteWorkflowExecution": "WorkflowExecutionCompleted",
    "FailWorkflowExecution": "WorkflowExecutionFailed",
    "CancelWorkflowExecution": "WorkflowExecutionCanceled",
    "RequestCancelExternalWorkflowExecution": "RequestCancelExternalWorkflowExecutionInitiated",
}
REFUSED = {
    "CompleteWorkflowExecution": "CompleteWorkflowExecutionFailed",
    "FailWorkflowExecution": "FailWorkflowExecutionFailed",
    "CancelWorkflowExecution": "CancelWorkflowExecutionFailed",
    "RequestCancelActivityTask": "RequestCancelActivityTaskFailed",
}


def says_the_same(decision: Mapping[str, Any], event: HistoryEvent) -> bool:
    """The event records this decision: every member that the decision gives, and no other type."""
    kind, asked = decision["decisionType"], attributes(decision)
    if event.type == REFUSED.get(kind):
        return True
    return event.type == MADE[kind] and all(event.attributes.get(name) == value for name, value in asked.items())


def replays_as_recorded(
    workflow: type[Workflow], history: History, workflow_id: str, run_id: str, domain: str = ""
) -> None:
    """Every decision of the history is made again: by a replay of the events before it, and by one that is kept."""
    names = {"workflow_id": workflow_id, "run_id": run_id, "domain": domain}
    kept = Replay(workflow, **names)
    for completed in history:
        if completed.type != "DecisionTaskCompleted":
            continue
        started = completed.attributes["startedEventId"]
        anew = Replay(workflow, **names)
        anew.feed(history[:started])
        answer = anew.decide(started)
        anew.close()
        kept.feed(history[:started])
        assert kept.decide(started) == answer
        events = [
            event
            for event in history[completed.id :]
            if event.attributes.get("decisionTaskCompletedEventId") == completed.id
            and event.decision is not None
            and not event.attributes.get("initiatedEventId")
        ]
        assert len(answer.decisions) == len(events)
        for decision, event in zip(answer.decisions, events, strict=True):
            assert says_the_same(decision, event)
    kept.close()


def with_children(lab: Lab, execution: Execution) -> Iterator[tuple[type[Workflow], Execution]]:
    """The execution and its child executions, with their workflows."""
    yield Program, execution
    for event in execution.history():
        if event.type == "ChildWorkflowExecutionStarted":
            ids = event.attributes["workflowExecution"]
            kind = {found.name: found for found in (Leaf, FailingLeaf)}[event.attributes["workflowType"]["name"]]
            yield kind, lab.execution(ids["workflowId"], ids["runId"])


def raw_events(lab: Lab, execution: Execution) -> list[Mapping[str, Any]]:
    ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
    found: list[Mapping[str, Any]] = lab.service.get_workflow_execution_history(domain=lab.domain, execution=ids)[
        "events"
    ]
    return found


@examples(300, 20_000)
@given(programs)
def test_a_program_gives_what_plain_python_gives_and_replays_at_every_prefix(shared_lab, program):
    """H1 and H3, and I1 to I4, I8 of the histories of the execution and of its children."""
    execution = shared_lab.start(Program, program)
    assert execution.result(60) == plain(program)
    for workflow, each in with_children(shared_lab, execution):
        assert violations(raw_events(shared_lab, each)) == []
        replays_as_recorded(workflow, each.history(), each.workflow_id, each.run_id)
        check_waits(each.history(), each.workflow_id)
        check_path(each.history())


@example(
    # A child that is about to fail gets a signal meanwhile: SWF refuses its failure, and is asked again.
    [["join", False, [], node] for node in range(3)]
    + [["fails", False, [], 3], ["signal", False, [], 4], ["join", True, [], 5], ["join", False, [], 6]]
    + [["failing child", False, [], 7]],
    [0, 0, 4, 1],
)
@examples(100, 20_000)
@given(programs, st.lists(st.integers(0, 11), max_size=12))
def test_a_program_gives_what_plain_python_gives_in_whatever_order_its_tasks_complete(program, choices):
    """H1 and H3: one thing at a time, any of those that may happen; each decision by a kept replay and by a new one."""
    with StepByStep("laws", choices) as hand:
        assert hand.run(Program, program) == plain(program)
        for run_id, (workflow, workflow_id) in hand.executions.items():
            history = hand.history(workflow_id, run_id)
            assert violations([event.to_wire() for event in history]) == []
            replays_as_recorded(workflow, history, workflow_id, run_id, DOMAIN)
            check_waits(history, workflow_id)
            check_path(history)


@examples(40, 2000)
@given(programs, st.lists(st.integers(0, 11), max_size=12))
def test_what_a_workflow_sees_of_its_history_is_the_same_in_every_replay(program, choices):
    class Sees(Program):
        name = "laws.sees"

        def run(self, given_program):
            self.seen: list[Any] = []
            super().run(given_program)
            return self.seen

        def one(self, kind, node, parts):
            history = self.executor.history
            self.seen.append([history.last_event_id, len(history.tasks), len(history.timers), len(history.markers)])
            return super().one(kind, node, parts)

    with StepByStep("laws", choices) as hand:
        seen = hand.run(Sees, program)
        (run_id, (workflow, workflow_id)) = next(iter(hand.executions.items()))
        history = hand.history(workflow_id, run_id)
        assert {history.event(event_id).type for event_id, *_ in seen} == {"DecisionTaskStarted"}
        replays_as_recorded(workflow, history, workflow_id, run_id, DOMAIN)


@examples(60, 2000)
@given(programs)
def test_a_failure_that_nobody_catches_fails_the_execution_after_the_same_decisions(shared_lab, program):
    class Careless(Program):
        name = "laws.careless"

        def read(self, future):
            return future.result

    execution = shared_lab.start(Careless, program)
    if RAISED not in plain(program):
        assert execution.result(60) == plain(program)
    else:
        assert execution.wait(60)
        assert execution.status == "FAILED"
    assert violations(raw_events(shared_lab, execution)) == []
    replays_as_recorded(Careless, execution.history(), execution.workflow_id, execution.run_id)


# -- code that has changed ---------------------------------------------------------------------------------------------


def deleted(program: list[Any], position: int) -> list[Any]:
    return program[:position] + program[position + 1 :]


def inserted(program: list[Any], position: int) -> list[Any]:
    return [*program[:position], ["join", False, [], "new"], *program[position:]]


def doubled(program: list[Any], position: int) -> list[Any]:
    return [*program[:position], program[position], *program[position:]]


def swapped(program: list[Any], position: int) -> list[Any]:
    return [*program[:position], *program[position : position + 2][::-1], *program[position + 2 :]]


def renamed(program: list[Any], position: int) -> list[Any]:
    kind, *rest = program[position]
    return [*program[:position], ["gather" if kind == "join" else "join", *rest], *program[position + 1 :]]


def another_version(program: list[Any], position: int) -> list[Any]:
    kind, *rest = program[position]
    other = {"join": "newer", "newer": "join"}.get(kind, kind)
    return [*program[:position], [other, *rest], *program[position + 1 :]]


def another_argument(program: list[Any], position: int) -> list[Any]:
    *rest, node = program[position]
    return [*program[:position], [*rest, node + 100], *program[position + 1 :]]


def other_dependencies(program: list[Any], position: int) -> list[Any]:
    kind, waits, depends, node = program[position]
    return [*program[:position], [kind, waits, [*depends[1:], 7], node], *program[position + 1 :]]


def waiting_elsewhere(program: list[Any], position: int) -> list[Any]:
    kind, waits, *rest = program[position]
    return [*program[:position], [kind, not waits, *rest], *program[position + 1 :]]


def reversed_order(program: list[Any], position: int) -> list[Any]:
    return program[::-1]


CHANGES = [deleted, inserted, doubled, swapped, renamed, another_version, another_argument]
CHANGES += [other_dependencies, waiting_elsewhere, reversed_order]


def replayed_result(workflow: type[Workflow], execution: Execution, history: History) -> Any:
    """What the code makes of a whole history. Raises `NondeterminismError`."""
    replay = Replay(workflow, workflow_id=execution.workflow_id, run_id=execution.run_id)
    try:
        replay.feed(history)
        replay.feed([])
        replay.replay_last_batch()
        closing = replay._run.closing
    finally:
        replay.close()
    assert closing is not None
    assert closing.id == "CompleteWorkflowExecution"
    return decode(closing.options["result"])


@examples(300, 10_000)
@given(program=programs, change=st.sampled_from(CHANGES), place=st.integers(0, 30))
def test_changed_code_gives_the_same_or_is_found_out(recorded, program, change, place):
    """H4: whatever changes between two decisions, no other result passes for this history's."""
    execution = recorded(program)
    history, result = execution.history(), execution.result(0)

    class Changed(Program):
        name = "laws.changed"

        def run(self, given_program):
            return super().run(change(given_program, place % len(given_program)))

    try:
        found = replayed_result(Changed, execution, history)
    except NondeterminismError:
        return
    assert found == result


@examples(60, 1000)
@given(program=programs, change=st.sampled_from([another_version, another_argument]))
def test_a_task_of_another_version_or_argument_is_always_found_out(recorded, program, change):
    """Where the history has a result, the wrong task would not show in it."""
    execution = recorded([*program, ["join", False, [], 100]])

    class Changed(Program):
        name = "laws.changed"

        def run(self, given_program):
            return super().run(change(given_program, len(given_program) - 1))

    with pytest.raises(NondeterminismError):
        replayed_result(Changed, execution, execution.history())


@examples(60, 1000)
@given(program=programs)
def test_unchanged_code_is_never_suspected(recorded, program):
    execution = recorded(program)
    assert replayed_result(Program, execution, execution.history()) == plain(program)


# -- other processes ---------------------------------------------------------------------------------------------------


def test_recorded_histories_replay_the_same_in_every_process():
    """H5: whatever the seed of hashes and the time zone."""
    root = Path(__file__).parents[1]

    def begin(seed: str, zone: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(root)}
        command = [sys.executable, "-m", "tests.replay.all_decisions"]
        return subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)

    running = [begin(*each) for each in (("0", "UTC"), ("1", "Asia/Kolkata"), ("4242", "America/St_Johns"))]
    told = [process.communicate(timeout=200)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert told[0].count("ScheduleActivityTask") > 10
    assert set(told) == {told[0]}
