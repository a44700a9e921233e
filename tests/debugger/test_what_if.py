"""What if: simulated, the same takes as long; and what is changed makes the difference that it makes."""

import contextlib
import datetime
import threading
import time
from collections import Counter

import pytest

from simpleflow_lab import Lab, RecordedExecution, Workflow, activity, futures, open_history, settings
from simpleflow_lab.exceptions import DecisionTooLongError, UsageError
from simpleflow_lab.replay.task_ids import TaskIds
from simpleflow_lab.swf.history import History
from tests.debugger.story import Story
from tests.waiting import until

pytestmark = pytest.mark.slow

TASKS = {"task_list": "what-if", "version": "1"}
calls: Counter[str] = Counter()


@activity.with_attributes(name="what_if.nap", **TASKS)
def nap(name, seconds):
    calls[name] += 1
    time.sleep(seconds)
    return name


@activity.with_attributes(name="what_if.flaky", retry=2, **TASKS)
def flaky(seconds):
    calls["flaky"] += 1
    time.sleep(seconds)
    if calls["flaky"] < 3:
        raise OSError("not yet")
    return "there"


class Naps(Workflow):
    name, version, task_list = "what_if.naps", "1", "what-if-decisions"

    def run(self, many, seconds):
        naps = [self.submit(nap, f"nap {number}", seconds) for number in range(many)]
        futures.wait(naps)
        last = self.submit(nap, "last", seconds).result
        print("all slept")
        return [len(naps), last]

    def on_completed(self, history):
        calls["completed"] += 1


class Child(Workflow):
    name, version, task_list = "what_if.child", "1", "what-if-decisions"

    def run(self, seconds):
        return self.submit(nap, "child", seconds).result


class Mixed(Workflow):
    name, version, task_list = "what_if.mixed", "1", "what-if-decisions"

    def run(self):
        child = self.submit(Child, 0.3)
        tried = self.submit(flaky, 0.1)
        pause = self.submit(self.start_timer("pause", 1))
        self.record_marker("begun")
        told = self.submit(self.wait_signal("go")).result
        futures.wait([child, tried, pause])
        return [child.result, tried.result, told, str(self.uuid4())]


@pytest.fixture(autouse=True)
def nothing_called():
    calls.clear()


@pytest.fixture(scope="module")
def lab():
    with Lab(":memory:", activity_threads=2) as opened:
        yield opened


def simulated(found, tmp_path):
    """The execution as it was simulated: no task waits for a machine that is busy."""
    path = tmp_path / "simulated.json"
    path.write_text(found.history.to_json())
    return open_history(path)


def takes_as_long(found, workflow, tmp_path):
    """With nothing changed a simulation takes as long as what was recorded; exactly, if a simulation wrote that."""
    again = simulated(found, tmp_path).what_if(workflow)
    assert again.seconds == again.recorded_seconds == found.seconds
    return found.seconds == pytest.approx(found.recorded_seconds, rel=0.05)


def test_with_nothing_changed_it_takes_as_long_and_nothing_runs(lab, capfd, tmp_path):
    execution = lab.start(Naps, 5, 0.1)
    execution.result(timeout=200)
    before, printed = Counter(calls), capfd.readouterr()
    assert "all slept" in printed.out
    found = execution.what_if()
    assert found.status == "COMPLETED"
    assert "the code here" not in str(found)
    assert takes_as_long(found, Naps, tmp_path)
    *naps, last = execution.tasks()["running"]
    assert sum(naps) / 2 + last - 0.01 <= found.seconds
    assert calls == before
    assert capfd.readouterr().out == ""
    assert found.history[-1].attributes["result"] == execution.history()[-1].attributes["result"]


def test_a_task_of_a_child_is_scaled_in_a_what_if_of_the_child(lab):
    execution = lab.start(Mixed)
    execution.signal("go", '"now"')
    execution.result(timeout=200)
    with pytest.raises(
        UsageError, match=r"no task is named 'nap': .*in a what_if of the child: workflow-what_if\.child"
    ):
        execution.what_if(scale={"nap": 0.5})


def test_more_workers_and_other_durations(lab, tmp_path):
    run = lab.start(Naps, 6, 0.2)
    run.result(timeout=60)
    execution = simulated(run.what_if(), tmp_path)
    same = execution.what_if()
    recorded = same.recorded_seconds
    *naps, last = execution.tasks()["running"]
    wide, narrow = execution.what_if(workers=8), execution.what_if(workers={"what-if": 1})
    assert max(naps) + last - 0.01 <= wide.seconds < recorded  # two at a time before, and all at once now
    assert sum(naps) + last - 0.01 <= narrow.seconds
    assert recorded < narrow.seconds
    half = execution.what_if(scale={"nap": 0.5})
    assert recorded / 2 - 0.01 <= half.seconds < recorded
    the_last = [attempt.id for attempt in execution.replay()[-1].futures if attempt.id][-1]
    longer = execution.what_if(scale={the_last: 10})
    assert longer.seconds == pytest.approx(same.seconds + 9 * last, abs=0.02)
    assert "instead of" in wide.lines()[0]
    assert wide.recorded_critical_path.seconds() > wide.critical_path.seconds()
    assert len(wide.gantt().data) >= 2
    assert len(wide.compare().differences) == 7


def test_children_retries_timers_and_signals(lab, tmp_path):
    execution = lab.start(Mixed)
    time.sleep(0.2)
    execution.signal("go", '"now"')
    result = execution.result(timeout=200)
    before = Counter(calls)
    found = execution.what_if()
    assert found.status == "COMPLETED", found
    assert "the code here" not in str(found)
    assert takes_as_long(found, Mixed, tmp_path)
    assert found.seconds >= 1  # the timer
    assert found.history[-1].attributes["result"] == execution.history()[-1].attributes["result"]
    assert result[2] == "now"
    types = Counter(event.type for event in execution.history())
    simulated = Counter(event.type for event in found.history)
    assert {name: simulated[name] for name in types if "Decision" not in name} == {
        name: types[name] for name in types if "Decision" not in name
    }
    tried = execution.what_if(without_retries=True)
    scheduled = [event for event in tried.history if event.type == "ActivityTaskScheduled"]
    assert len(scheduled) == 1
    assert calls == before


def test_what_it_does_not_have_is_one_line(lab):
    execution = lab.start(Naps, 1, 0)
    execution.result(timeout=200)
    for bad, words in (
        ({"workers": 0}, "workers is a number from 1"),
        ({"workers": {"nowhere": 2}}, "no activity ran on a task list 'nowhere'"),
        ({"scale": {"nothing": 2}}, "no task is named 'nothing'"),
        ({"scale": -1}, "scale is a number from 0"),
        ({"workflow": int}, "is no workflow"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            execution.what_if(**bad)
        assert "\n" not in str(caught.value)


class Sends(Workflow):
    name, version, task_list = "what_if.sends", "1", "what-if-decisions"

    def run(self, *targets):
        sent = [self.submit(self.signal("go", workflow_id=each, propagate=False)) for each in targets]
        futures.wait(sent)
        return self.submit(nap, "after", 0).result


class Waits(Workflow):
    name, version, task_list = "what_if.waits", "1", "what-if-decisions"
    execution_timeout = 2

    def run(self, _number):
        self.submit(nap, "first", 0).wait()
        self.submit(self.wait_signal("go")).wait()


class WaitsNoLonger(Waits):
    name = "what_if.waits_no_longer"

    def run(self, _number):
        self.submit(nap, "first", 0).wait()


class WaitsLonger(Waits):
    name = "what_if.waits_longer"
    execution_timeout = 300


def test_signals_that_it_sends_are_delivered_as_they_were(lab):
    lab.start(Waits, 1, workflow_id="listener")
    execution = lab.start(Sends, "listener", "nobody")
    execution.wait(timeout=200)
    simulated = execution.what_if()
    assert simulated.status == execution.status
    assert simulated.seconds == pytest.approx(execution.what_if().recorded_seconds, abs=0.05)
    recorded = [event.type for event in execution.history() if "External" in event.type]
    assert sorted(event.type for event in simulated.history if "External" in event.type) == sorted(recorded)
    assert len(recorded) >= 4


class ToItself(Workflow):
    name, version, task_list = "what_if.to_itself", "1", "what-if"

    def run(self, propagate):
        options = {} if propagate else {"workflow_id": self.get_run_context()["workflow_id"]}
        self.submit(self.signal("note", input=1, **options)).wait()
        first = self.submit(self.wait_signal("note")).result
        self.submit(self.start_timer("a while", 1)).wait()
        return [first, self.submit(self.wait_signal("other")).result]


@pytest.mark.parametrize("propagate", [True, False])
def test_a_signal_to_itself_comes_once(propagate):
    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(ToItself, propagate)
        execution.signal("other", "2")
        assert execution.result(200)[1] == 2
        found = execution.what_if()
        assert found.status == "COMPLETED"
        signals = [
            sorted(event.attributes["signalName"] for event in each if event.type == "WorkflowExecutionSignaled")
            for each in (execution.history(), found.history)
        ]
        assert signals == [["note", "other"]] * 2


def test_what_timed_out_or_was_terminated_ends_when_it_ended(lab):
    terminated = lab.start(WaitsLonger, 2)
    with Lab(":memory:", clock="virtual") as virtual:  # else a busy machine notices the end of its time later
        timed_out = virtual.start(Waits, 1)
        timed_out.wait(timeout=200)
        time.sleep(0.5)
        terminated.terminate(reason="enough")
        for execution in (timed_out, terminated):
            simulated = execution.what_if()
            assert simulated.status == execution.status
            assert simulated.seconds == pytest.approx(simulated.recorded_seconds, abs=0.1)
    assert simulated.history[-1].attributes["reason"] == "enough"


@activity.with_attributes(name="what_if.tidy", heartbeat_timeout=30, **TASKS)
def tidy(seconds):
    try:
        while True:
            activity.heartbeat()
            time.sleep(0.05)
    finally:
        time.sleep(seconds)


class Cancels(Workflow):
    name, version, task_list = "what_if.cancels", "1", "what-if"

    def run(self, seconds):
        task = self.submit(tidy, seconds)
        self.submit(self.start_timer("a while", 1)).wait()
        task.cancel()
        futures.wait(task, return_when=futures.ALL_COMPLETED)


def test_what_is_canceled_takes_as_long_to_end_as_it_took(lab):
    execution = lab.start(Cancels, 1)
    execution.wait(timeout=200)
    assert "ActivityTaskCanceled" in [event.type for event in execution.history()]
    simulated = execution.what_if()
    assert simulated.recorded_seconds > 2
    assert simulated.seconds == pytest.approx(simulated.recorded_seconds, rel=0.05)


@activity.with_attributes(name="what_if.unseen", **TASKS)
def unseen(number):
    return number


@pytest.fixture
def napped(lab):
    """An execution of one short nap, and the last one."""
    execution = lab.start(Naps, 1, 0)
    execution.result(timeout=200)
    return execution


def naps_that(run):
    """`Naps` with another `run`."""
    return type("Naps", (Workflow,), {"name": Naps.name, "version": "1", "task_list": Naps.task_list, "run": run})


def test_a_task_whose_type_was_never_recorded_is_said_to_be_run_by_nobody(napped):
    def run(self, many, seconds):
        return self.submit(unseen, 1).result

    simulated = napped.what_if(workflow=naps_that(run))
    assert "nobody runs them: activity-what_if.unseen-1" in str(simulated)
    assert "taken as others" not in str(simulated)


def test_tasks_with_another_input_than_was_recorded_are_told(napped):
    def run(self, many, seconds):
        futures.wait([self.submit(nap, f"other {number}", seconds) for number in range(many)])
        return self.submit(nap, "last", seconds).result

    changed = str(napped.what_if(workflow=naps_that(run)))
    assert "submitted with another input than was recorded, and taken as they were: activity-what_if.nap-1" in changed
    assert "from decision 1, event 5 on the code here decides otherwise than was recorded" in changed
    unchanged = str(napped.what_if(workflow=Naps))
    assert "another input" not in unchanged
    assert "the code here" not in unchanged


def test_a_run_that_never_waits_is_interrupted_and_its_line_told(napped):
    def run(self, many, seconds):
        while True:
            pass

    with settings.override(lab_step_seconds=0.3), pytest.raises(DecisionTooLongError, match=r"test_what_if\.py:"):
        napped.what_if(workflow=naps_that(run))
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "simulation"])


def test_a_run_that_asks_without_end_is_told_with_its_line(napped):
    def run(self, many, seconds):
        while True:
            futures.wait([self.submit(nap, "again", seconds) for _ in range(90)])

    simulated = napped.what_if(workflow=naps_that(run), scale=0)
    assert simulated.status == "TERMINATED"
    first = simulated.lines()[0]
    assert first.startswith("its code comes to no end: SWF terminates an execution that has 25,000 events; it asked")
    assert first.endswith('futures.wait([self.submit(nap, "again", seconds) for _ in range(90)])')


@pytest.mark.parametrize("step", [0.235, 0.26, 0.4])
def test_an_execution_whose_time_is_over_at_any_moment_times_out(lab, tmp_path, step):
    execution = lab.start(WaitsNoLonger, 1)
    execution.wait(timeout=200)
    first, *_ = execution.history()
    path = tmp_path / "history.json"
    slower = [
        event._replace(timestamp=first.timestamp + datetime.timedelta(seconds=step * number))
        for number, event in enumerate(execution.history())
    ]
    path.write_text(History(slower).to_json())
    simulated = open_history(path).what_if(WaitsNoLonger)
    assert simulated.status == "TIMED_OUT"
    assert simulated.seconds == pytest.approx(2, abs=0.5)


def test_a_history_from_a_file_can_be_asked_and_says_what_needs_a_store(lab, tmp_path):
    execution = lab.start(Naps, 2, 0.05)
    execution.result(timeout=200)
    path = tmp_path / "history.json"
    path.write_text(execution.history().to_json())
    recorded = open_history(path)
    simulated = recorded.what_if(Naps, scale=2)
    assert simulated.status == "COMPLETED"
    assert simulated.seconds > 0.2
    assert recorded.what_if().recorded_seconds == simulated.recorded_seconds
    for name in ("fork", "task", "signal", "status"):
        with pytest.raises(
            UsageError, match=f"{name} needs the store in which the execution is, and this is a history"
        ):
            getattr(recorded, name)
    assert not hasattr(recorded, "fork")
    with pytest.raises(AttributeError, match="no attribute 'forks'"):
        _ = recorded.forks


UPSTREAM = '{"user": "lab", "hostname": "node-1", "pid": 17}'
OURS = '{"simpleflow_lab":3}'


class Refused(Workflow):
    """Its first task, and then a child, are of types that SWF does not know at first."""

    name, version, task_list = "what_if.refused", "1", "what-if-decisions"
    execution_timeout = 300

    def run(self):
        return self.submit(Child, self.submit(nap, "nap", 1).result).result


def refused(identity: str, ids: tuple[str, str], times: int) -> History:
    """The history of `Refused`, whose tasks are refused so often before they are taken."""
    story = Story("what_if.refused", identity=identity, executionStartToCloseTimeout="300")
    named = {"activityId": "activity-what_if.nap-1", "activityType": {"name": "what_if.nap", "version": "1"}}
    for _ in range(times):
        story.decide(0.4)
        story.refuse("ScheduleActivityTaskFailed", "ACTIVITY_TYPE_DOES_NOT_EXIST", **named)
    story.decide(0.2)
    task = story.schedule(**named, input='{"args":["nap",1],"kwargs":{}}')
    story.start(task)
    story.after(0.5).complete(task, '"nap"')
    child = {
        "workflowId": TaskIds(*ids).child_id("workflow-what_if.child", "1"),
        "workflowType": {"name": Child.class_name() if identity == UPSTREAM else "what_if.child", "version": "1"},
    }
    for _ in range(times):
        story.decide(0.3)
        story.refuse("StartChildWorkflowExecutionFailed", "WORKFLOW_TYPE_DOES_NOT_EXIST", initiatedEventId=0, **child)
    story.decide(0.1)
    story.run_child(child, seconds=0.6, result='"child"')
    story.decide(0.1)
    story.end(result='"child"', decisionTaskCompletedEventId=story.decided)
    return story.history()


@pytest.mark.parametrize("known", [True, False], ids=["ids known", "ids not known"])
@pytest.mark.parametrize(("identity", "times"), [(OURS, 0), (OURS, 2), (UPSTREAM, 0), (UPSTREAM, 1), (UPSTREAM, 5)])
def test_what_was_refused_until_its_type_was_registered_takes_as_long_as_it_took(
    identity: str, times: int, known: bool
) -> None:
    ids = ("the-one", "a run of it")
    history = refused(identity, ids, times)
    options = dict(zip(("workflow_id", "run_id"), ids, strict=True)) if known else {}
    same = RecordedExecution(history).what_if(Refused, **options)
    assert same.status == "COMPLETED"
    assert same.seconds == pytest.approx(same.recorded_seconds, abs=0.002)
    assert not [line for line in same.lines() if "not recorded" in line or "the code here" in line]
    assert [(event.type, event.attributes.get("cause")) for event in same.history if event.decision] == [
        (event.type, event.attributes.get("cause")) for event in history if event.decision
    ]
    children = [event.attributes["workflowId"] for event in history if "workflowId" in event.attributes]
    assert [event.attributes["workflowId"] for event in same.history if "workflowId" in event.attributes] == children
    last = RecordedExecution(history).what_if(Refused, without_retries=True, **options)
    assert last.status == "COMPLETED"
    assert not [event.type for event in last.history if event.type.endswith("Failed")]


@pytest.mark.parametrize("identity", [OURS, UPSTREAM])
def test_simpleflow_asks_again_at_once_for_what_was_refused_for_want_of_room(identity: str) -> None:
    story = Story("what_if.naps", identity=identity, input='{"args":[0,1],"kwargs":{}}')
    named = {"activityId": "activity-what_if.nap-1", "activityType": {"name": "what_if.nap", "version": "1"}}
    story.decide(0.3)
    story.refuse("ScheduleActivityTaskFailed", "OPEN_ACTIVITIES_LIMIT_EXCEEDED", **named)
    story.decide(0.3)
    if identity == OURS:
        story.pause("__simpleflow_task_activity-what_if.nap-1", 1)
        story.decide(0.3)
    task = story.schedule(**named, input='{"args":["last",1],"kwargs":{}}')
    story.start(task)
    story.after(0.5).complete(task, '"last"')
    story.decide(0.1)
    story.end(result='[0,"last"]', decisionTaskCompletedEventId=story.decided)
    same = RecordedExecution(story.history()).what_if(Naps)
    assert same.status == "COMPLETED"
    assert same.seconds == pytest.approx(same.recorded_seconds, abs=0.002)


@activity.with_attributes(name="what_if.raising", raises_on_failure=True, **TASKS)
def raising():
    raise ValueError("no")


class WaitsForBoth(Workflow):
    name, version, task_list = "what_if.waits_for_both", "1", "what-if-decisions"

    def run(self):
        slow, failed = self.submit(nap, "slow", 1), self.submit(raising)
        futures.wait([slow, failed])
        return failed.result


class Swallows(Workflow):
    """In simpleflow, whose `ExecutionBlocked` is an `Exception`, it does not wait for its first task."""

    name, version, task_list = "what_if.swallows", "1", "what-if-decisions"

    def run(self):
        slow = self.submit(nap, "slow", 1)
        with contextlib.suppress(Exception):
            slow.result
        futures.wait([slow, self.submit(nap, "quick", 1)])


def test_code_that_swallowed_what_blocks_it_is_told_to_take_another_way() -> None:
    story = Story("what_if.swallows", identity=UPSTREAM)
    story.decide(0.1)
    slow, quick = (
        story.schedule(
            f"activity-what_if.nap-{number}",
            activityType={"name": "what_if.nap", "version": "1"},
            input=f'{{"args":["{name}",1],"kwargs":{{}}}}',
        )
        for number, name in enumerate(("slow", "quick"), start=1)
    )
    story.start(slow)
    story.start(quick)
    story.after(0.5).complete(quick, '"quick"')
    story.after(0.5).complete(slow, '"slow"')
    story.decide(0.1)
    story.end(result="null", decisionTaskCompletedEventId=story.decided)
    same = RecordedExecution(story.history()).what_if(Swallows)
    assert same.seconds > same.recorded_seconds
    said = "from decision 1, event 6 on the code here decides otherwise than was recorded, whatever else is changed: "
    assert f"{said}recorded activity what_if.nap (version 1) [activity-what_if.nap-2]" in str(same)


@pytest.mark.parametrize("identity", [OURS, UPSTREAM])
def test_a_failure_is_raised_when_the_decider_of_the_history_raises_it(identity: str) -> None:
    story = Story("what_if.waits_for_both", identity=identity)
    story.decide(0.1)
    slow, failing = (
        story.schedule(f"activity-{name}-1", activityType={"name": name, "version": "1"}, input=text)
        for name, text in (
            ("what_if.nap", '{"args":["slow",1],"kwargs":{}}'),
            ("what_if.raising", '{"args":[],"kwargs":{}}'),
        )
    )
    story.start(slow)
    story.start(failing)
    story.after(0.2).fail(failing, "ValueError: no")
    story.decide(0.1)
    if identity == OURS:
        story.after(0.7).complete(slow, '"slow"')
        story.decide(0.1)
    story.end("Failed", reason="ValueError: no", decisionTaskCompletedEventId=story.decided)
    same = RecordedExecution(story.history()).what_if(WaitsForBoth)
    assert same.status == "FAILED"
    assert "the code here" not in str(same)
    assert same.seconds == pytest.approx(same.recorded_seconds, abs=0.002)
