"""Signals: sent, waited for, taken one by one, passed on.

Among the workflows are those of upstream's example of signals, written anew, with short waits. Where a signal comes
from outside the clock is a real one: one that jumps would not wait for it.
"""

import json

import pytest

from simpleflow_lab import Chain, Group, Workflow, activity, exceptions, futures
from simpleflow_lab.signal import Signal
from simpleflow_lab.task import ActivityTask

TASKS = {"task_list": "signals", "version": "1"}
pytestmark = pytest.mark.usefixtures("replays_anew")


@activity.with_attributes(name="signals.work", **TASKS)
def work(*args):
    return list(args)


class Signals(Workflow):
    version = "1"
    task_list = "signals"


def one_off(run, **attributes):
    """A workflow whose `run` is this function."""
    return type("OneOff", (Signals,), {"run": run, **attributes})


def sent(execution):
    """(signal, to) of what an execution sent."""
    return [
        (event.attributes["signalName"], event.attributes["workflowId"])
        for event in execution.history()
        if event.type == "SignalExternalWorkflowExecutionInitiated"
    ]


def got(execution):
    return [
        event.attributes["signalName"] for event in execution.history() if event.type == "WorkflowExecutionSignaled"
    ]


def children(lab, execution):
    """The child executions by the names of their types."""
    return {
        event.attributes["workflowType"]["name"]: lab.execution(
            event.attributes["workflowExecution"]["workflowId"], event.attributes["workflowExecution"]["runId"]
        )
        for event in execution.history()
        if event.type == "ChildWorkflowExecutionStarted"
    }


# -- sending and waiting -----------------------------------------------------------------------------------------------


def test_ub_06_a_signal_takes_positional_and_keyword_arguments(virtual_lab):
    def run(self):
        self.submit(self.signal("row", 1, [2], x=3))
        future = self.submit(self.wait_signal("row"))
        assert future.result == {"args": [1, [2]], "kwargs": {"x": 3}, "__propagate": True}
        return [future.signal.args, future.signal.kwargs, future.signal.workflow_id]

    execution = virtual_lab.start(one_off(run, name="signals.arguments"), workflow_id="signals-arguments")
    assert execution.result(200) == [[1, [2]], {"x": 3}, "signals-arguments"]


def test_futures_among_the_arguments_are_waited_for(virtual_lab):
    def run(self):
        number = self.submit(work, 5)
        self.submit(self.signal("row", [number], propagate=False))
        return self.submit(self.wait_signal("row")).result

    result = virtual_lab.start(one_off(run, name="signals.nested")).result(200)
    assert result == {"args": [[[5]]], "kwargs": {}, "__propagate": False}


@pytest.mark.parametrize(
    ("given", "result", "args"),
    [
        ('{"args": [1], "kwargs": {"x": 2}}', {"args": [1], "kwargs": {"x": 2}}, [1]),
        ('[1, "two"]', [1, "two"], [1, "two"]),
        ('"on"', "on", ["on"]),
        ("not JSON", "not JSON", ["not JSON"]),
        (None, None, []),
    ],
)
def test_a_signal_from_outside_comes_as_it_was_sent(lab, given, result, args):
    def run(self):
        future = self.submit(self.wait_signal("go"))
        return [future.result, future.signal.args, future.signal.workflow_id, future.signal.propagates]

    execution = lab.start(one_off(run, name="signals.outside"))
    execution.signal("go", given)
    assert execution.result(200) == [result, args, None, False]


def test_waiting_gives_the_latest_signal(lab):
    def run(self):
        self.submit(self.wait_signal("end")).wait()
        return self.submit(self.wait_signal("row")).result

    execution = lab.start(one_off(run, name="signals.latest"))
    for row in ("1", "2", "3"):
        execution.signal("row", row)
    execution.signal("end")
    assert execution.result(200) == 3


def test_what_is_waited_for_is_told_in_the_execution_context(lab):
    """SM-04."""

    def run(self):
        self.submit(self.next_signal("never")).cancel()
        futures.wait(self.submit(self.wait_signal("go")), self.submit(self.next_signal("row")))
        return self.submit(work).result

    execution = lab.start(one_off(run, name="signals.context"))
    for _ in execution.watch(timeout=200):
        if "latestExecutionContext" in execution.describe():
            break
    assert json.loads(execution.describe()["latestExecutionContext"])["waiting_signals"] == ["go", "row"]
    execution.signal("go")
    execution.signal("row")
    execution.result(200)
    assert not execution.describe().get("latestExecutionContext")


# -- one by one --------------------------------------------------------------------------------------------------------


def test_each_signal_is_taken_once_and_in_order(lab):
    def run(self):
        rows = []
        for signal in self.signals("row"):
            if signal.args == ["end"]:
                return rows
            rows.append(signal.args[0])
            self.submit(work, *signal.args).wait()

    execution = lab.start(one_off(run, name="signals.one_by_one"))
    for row in range(5):
        execution.signal("row", str(row))
    execution.signal("row", '"end"')
    assert execution.result(200) == [0, 1, 2, 3, 4]


def test_takers_share_the_signals_first_come_first_served(lab):
    def run(self):
        def some(number):
            return Chain(*[self.next_signal("row") for _ in range(number)])

        return self.submit(Group(some(2), some(3))).result

    execution = lab.start(one_off(run, name="signals.takers"))
    for row in range(5):
        execution.signal("row", str(row))
    one, other = execution.result(200)
    assert sorted(one + other) == [0, 1, 2, 3, 4]
    assert (one, other) == (sorted(one), sorted(other))


def test_who_waits_no_longer_takes_nothing(virtual_lab):
    def run(self):
        early = self.submit(self.next_signal("row"))
        assert not futures.wait(early, timeout=60).done
        assert early.cancel()
        assert early.cancelled
        self.submit(self.signal("row", "mine", propagate=False))
        signal = next(self.signals("row"))
        assert isinstance(signal, Signal)
        return signal.args

    assert virtual_lab.start(one_off(run, name="signals.no_longer")).result(200) == ["mine"]


def test_a_signal_or_a_deadline_whichever_is_first(virtual_lab):
    def run(self):
        came = []
        self.submit(self.signal("beat", 0, propagate=False))
        waiting = self.submit(self.next_signal("beat"))
        while futures.wait(waiting, timeout=60).done:
            came.append(waiting.result["args"][0])
            if len(came) == 1:
                self.submit(self.signal("beat", len(came), propagate=False))
            waiting = self.submit(self.next_signal("beat"))
        return came

    assert virtual_lab.start(one_off(run, name="signals.beats")).result(200) == [0, 1]


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_signal_to_nobody_fails_with_the_reason_and_the_sender_goes_on(virtual_lab):
    def run(self):
        future = self.submit(self.signal("go", workflow_id="signals-nobody"))
        error = future.exception
        assert isinstance(error, exceptions.TaskFailed)
        return [future.result, error.name, error.reason]

    assert virtual_lab.start(one_off(run, name="signals.to_nobody")).result(200) == [
        None,
        "go",
        "SWF refused it: UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION, no execution 'signals-nobody' is open to get the signal",
    ]


def test_a_signal_to_nobody_that_nothing_handled_is_named(virtual_lab):
    def run(self):
        return self.submit(self.signal("go", 7, workflow_id="signals-nobody")).result

    execution = virtual_lab.start(one_off(run, name="signals.to_nobody_unread"))
    assert execution.result(200) is None
    [row] = execution.unhandled_failures().itertuples()
    assert (row.kind, row.id, row.state) == ("external_signal", "go", "failed")
    assert row.reason == "signal to signals-nobody: UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"
    assert "test_signals.py" in row.line
    said = "1 failure was not handled: go (signal to signals-nobody: UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION)"
    assert f": COMPLETED; {said}" in repr(execution)
    assert said in [line.text for line in execution.explain()]
    assert "go: failed: signal to signals-nobody" in execution._repr_html_()


def test_a_signal_to_nobody_is_named_in_the_error_that_its_none_led_to(virtual_lab):
    def run(self):
        return self.submit(self.signal("go", 7, workflow_id="signals-nobody")).result["args"]

    execution = virtual_lab.start(one_off(run, name="signals.reads_none_of_nobody"))
    with pytest.raises(exceptions.WorkflowExecutionFailed, match=r"'NoneType'.*after go: .*UNKNOWN_EXTERNAL"):
        execution.result(200)
    assert list(execution.unhandled_failures()["id"]) == ["go"]


def test_one_signal_goes_to_whom_it_is_sent(lab):
    """The same name to several executions, one of which is not there."""
    waiting = one_off(lambda self: self.submit(self.wait_signal("go")).result["args"], name="signals.receiver")
    receivers = [lab.start(waiting, workflow_id=f"signals-receiver-{n}") for n in range(2)]

    def run(self):
        every = [
            self.submit(self.signal("go", n, workflow_id=f"signals-receiver-{n}", propagate=False)) for n in range(3)
        ]
        futures.wait(every)
        return [future.exception is None for future in every]

    assert lab.start(one_off(run, name="signals.sender")).result(200) == [True, True, False]
    assert [receiver.result(200) for receiver in receivers] == [[0], [1]]


# -- passed on ---------------------------------------------------------------------------------------------------------


class ChildWaits(Signals):
    name = "signals.child_waits"

    def run(self):
        futures.wait(self.submit(self.wait_signal("signal1")), self.submit(work, 1))


class ChildSends(Signals):
    name = "signals.child_sends"

    def run(self):
        futures.wait(self.submit(self.signal("signal1")))


class ChildWorksUntilSignaled(Signals):
    name = "signals.child_works"

    def run(self):
        signaled = self.submit(self.wait_signal("signal1"))
        while not signaled.finished:
            self.submit(self.start_timer(str(self.uuid4()), 1)).wait()
            futures.wait(self.submit(work, 1))


class Simple(Signals):
    """Signals itself."""

    name = "signals.simple"

    def run(self):
        futures.wait(
            self.submit(self.wait_signal("signal1")), self.submit(work, 2), self.submit(self.signal("signal1"))
        )


class InCanvas(Signals):
    """One chain sends, the other waits."""

    name = "signals.canvas"

    def run(self):
        pair = [ActivityTask(work, 1), ActivityTask(work, 2)]
        sends = Chain(Group(*pair), self.signal("signal1"), Group(*pair))
        waits = Chain(Group(*pair), self.wait_signal("signal1"), Group(*pair))
        futures.wait(self.submit(Group(sends, waits)))


class ParentSignalsChild(Signals):
    """The child may start after the signal came."""

    name = "signals.parent_1"

    def run(self):
        futures.wait(self.submit(ChildWaits), self.submit(self.signal("signal1")))


class ChildSignalsSibling(Signals):
    name = "signals.parent_2"

    def run(self):
        futures.wait(self.submit(ChildWaits), self.submit(ChildSends))


class ChildSignalsParent(Signals):
    name = "signals.parent_3"

    def run(self):
        futures.wait(self.submit(ChildSends), self.submit(self.wait_signal("signal1")))


class ChildStopsAtSignal(Signals):
    name = "signals.parent_4"

    def run(self):
        pause = self.start_timer("pause", 10)
        futures.wait(self.submit(ChildWorksUntilSignaled), self.submit(Chain(pause, self.signal("signal1"))))


class ChildReports(Signals):
    name = "signals.child_reports"

    def run(self):
        context = self.get_run_context()
        me = {"workflow_id": context["workflow_id"], "run_id": context["run_id"]}
        parent = {"workflow_id": context["parent_workflow_id"], "run_id": context["parent_run_id"]}
        futures.wait(self.submit(self.signal("ChildReady", **parent, me=me)))


class ParentIsTold(Signals):
    name = "signals.parent_5"

    def run(self):
        futures.wait(self.submit(ChildReports))
        return sorted(self.submit(self.wait_signal("ChildReady")).result["kwargs"]["me"])


class ChildSignalsOnlyItself(Signals):
    name = "signals.child_itself"

    def run(self):
        futures.wait(self.submit(self.signal("IAmReady", propagate=False)), self.submit(self.wait_signal("IAmReady")))


class ParentIsNotTold(Signals):
    name = "signals.parent_6"

    def run(self):
        futures.wait(self.submit(ChildSignalsOnlyItself))
        return self.submit(self.wait_signal("IAmReady")).finished


class WaitsForTwo(Signals):
    name = "signals.waits_for_two"

    def run(self):
        return self.submit(Chain(Group(self.wait_signal("signal"), self.wait_signal("signal 2")))).result


class SendsTwo(Signals):
    name = "signals.sends_two"

    def run(self):
        signals = [self.signal("signal", propagate=True), self.signal("signal 2", propagate=True)]
        return self.submit(Chain(Group(WaitsForTwo, *signals))).result


class TwoChildren(Signals):
    name = "signals.two_children"

    def run(self, *args, **kwargs):
        return self.submit(Group(WaitsForTwo, SendsTwo)).result


EXPECTED = {
    Simple: None,
    InCanvas: None,
    ParentSignalsChild: None,
    ChildSignalsSibling: None,
    ChildSignalsParent: None,
    ChildStopsAtSignal: None,
    ParentIsTold: ["run_id", "workflow_id"],
    ParentIsNotTold: False,
    ChildSends: None,
    ChildReports: None,
    ChildSignalsOnlyItself: None,
}


@pytest.mark.parametrize("workflow", EXPECTED, ids=lambda workflow: workflow.name)
def test_workflows_of_upstreams_example_end(virtual_lab, workflow):
    """SM-03."""
    assert virtual_lab.start(workflow).result(200) == EXPECTED[workflow]


def test_a_signal_reaches_children_and_grandchildren_once(virtual_lab):
    """SM-03: the last workflow of upstream's example; nobody gets a signal twice, or back."""
    execution = virtual_lab.start(TwoChildren)
    waiting, sending = execution.result(200)
    nothing = {"args": [], "kwargs": {}, "__propagate": True}
    assert waiting == [[nothing, nothing]]
    assert sending == [[[[nothing, nothing]], nothing, nothing]]
    family = children(virtual_lab, execution)
    grandchild = children(virtual_lab, family["signals.sends_two"])["signals.waits_for_two"]
    for member in (execution, family["signals.waits_for_two"], family["signals.sends_two"], grandchild):
        assert sorted(got(member)) == ["signal", "signal 2"]


def test_an_execution_closes_when_what_it_passes_on_has_arrived(virtual_lab):
    """What is not waited for is left behind, and a replay from the start agrees."""

    class Hasty(Signals):
        name = "signals.hasty"

        def run(self):
            self.submit(self.signal("signal1"))
            self.submit(self.wait_signal("signal1")).wait()
            self.submit(work, "left behind")
            return "sent"

    def run(self):
        return [self.submit(Hasty).result, self.submit(self.wait_signal("signal1")).done]

    execution = virtual_lab.start(one_off(run, name="signals.patient"))
    assert execution.result(200) == ["sent", True]
    kinds = [event.type for event in children(virtual_lab, execution)["signals.hasty"].history()]
    assert kinds.count("ExternalWorkflowExecutionSignaled") == 2
    assert kinds[-1] == "WorkflowExecutionCompleted"
    assert "ActivityTaskScheduled" not in kinds


def test_each_occurrence_is_passed_on_as_it_came(lab):
    class Reads(Signals):
        name = "signals.reads"

        def run(self):
            rows = self.signals("row")
            return [next(rows).args for _ in range(3)]

    def run(self):
        child = self.submit(Reads)
        self.submit(self.wait_signal("start")).wait()
        for row in range(3):
            self.submit(self.signal("row", row, "é"))
        return child.result

    execution = lab.start(one_off(run, name="signals.rows"))
    for _ in execution.watch(timeout=200):
        if any(event.type == "ChildWorkflowExecutionStarted" for event in execution.history()):
            break
    execution.signal("start")
    assert execution.result(200) == [[0, "é"], [1, "é"], [2, "é"]]


def test_signals_from_outside_are_not_passed_on(lab):
    def run(self):
        child = self.submit(ChildWaits)
        self.submit(self.wait_signal("signal1")).wait()
        return futures.wait(child, timeout=1).done

    execution = lab.start(one_off(run, name="signals.stays"))
    execution.signal("signal1", '{"args": []}')
    assert execution.result(200) == []
    assert sent(execution) == []


def test_a_workflow_may_keep_signals_from_its_parent(virtual_lab):
    class Discreet(Signals):
        name = "signals.discreet"
        propagate_signals_to_parent = False

        def run(self):
            futures.wait(self.submit(self.signal("signal1")), self.submit(self.wait_signal("signal1")))

    def run(self):
        self.submit(Discreet).wait()
        return self.submit(self.wait_signal("signal1")).done

    assert virtual_lab.start(one_off(run, name="signals.hears_nothing")).result(200) is False


def test_a_relative_that_has_closed_is_no_failure(virtual_lab):
    """The parent is closed when its child, left alone, gets a signal that is to be passed on."""

    class LeftAlone(Signals):
        name = "signals.left_alone"
        child_policy = "ABANDON"

        def run(self):
            self.submit(self.start_timer("later", 60)).wait()
            self.submit(self.signal("signal1"))
            self.submit(self.wait_signal("signal1")).wait()
            self.submit(self.start_timer("still later", 60)).wait()
            return "alive"

    def run(self):
        self.submit(LeftAlone)
        self.submit(self.start_timer("leave", 10)).wait()

    execution = virtual_lab.start(one_off(run, name="signals.leaves", child_policy="ABANDON"))
    execution.result(200)
    child = children(virtual_lab, execution)["signals.left_alone"]
    assert child.result(200) == "alive"
    assert [event.type for event in child.history()].count("SignalExternalWorkflowExecutionFailed") == 1
    assert child.unhandled_failures().empty
