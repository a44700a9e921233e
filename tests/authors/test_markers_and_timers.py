"""Markers and timers: asked for, read back, canceled, in groups and chains."""

import pytest

from simpleflow_lab import Chain, Group, Lab, Workflow, activity, exceptions, futures
from simpleflow_lab.marker import Marker

TASKS = {"task_list": "marks", "version": "1"}
pytestmark = pytest.mark.usefixtures("replays_anew")


@activity.with_attributes(name="marks.double", **TASKS)
def double(x):
    return 2 * x


@activity.with_attributes(name="marks.fail_aloud", raises_on_failure=True, **TASKS)
def fail_aloud():
    raise ValueError("no")


def one_off(run, **attributes):
    """A workflow whose `run` is this function."""
    return type("OneOff", (Workflow,), {"run": run, "task_list": "marks", **attributes})


def recorded(execution, kind, attribute):
    return [event.attributes.get(attribute) for event in execution.history() if event.type == kind]


# -- markers -----------------------------------------------------------------------------------------------------------


def test_markers_are_listed_the_latest_of_a_name_or_all(virtual_lab):
    """MK-01, MK-02."""

    def run(self):
        self.submit(self.record_marker("phase", {"n": (1, 2)}))
        self.submit(self.record_marker("phase", "two"))
        self.submit(self.record_marker("other"))
        self.submit(double, 1).wait()
        return [self.list_markers(), self.list_markers(all=True)]

    execution = virtual_lab.start(one_off(run, name="marks.listed"))
    latest, every = execution.result(200)
    assert latest == [["phase", "two"], ["other", None]]
    assert every == [["phase", {"n": [1, 2]}], ["phase", "two"], ["other", None]]
    assert recorded(execution, "MarkerRecorded", "details") == ['{"n":[1,2]}', '"two"', None]


def test_markers_and_signals_are_a_table_of_the_execution(virtual_lab):
    def run(self):
        self.submit(self.record_marker("phase", "two"))
        self.submit(self.signal("go", 1, propagate=False))
        self.submit(self.wait_signal("go")).wait()

    execution = virtual_lab.start(one_off(run, name="marks.table"))
    execution.result(200)
    point_events = execution.point_events()
    assert set(zip(point_events["kind"], point_events["name"], strict=True)) == {
        ("marker", "phase"),
        ("external_signal", "go"),
        ("signal", "go"),
    }
    assert point_events.set_index("name")["text"]["phase"] == '"two"'


def test_the_same_name_and_details_are_one_marker(virtual_lab):
    """MK-03."""

    def run(self):
        for _ in range(3):
            self.submit(self.record_marker("same", {"a": 1, "b": 2})).wait()
            self.submit(self.record_marker("same", {"b": 2, "a": 1})).wait()
        self.submit(double, 1).wait()
        return len(self.list_markers(all=True))

    execution = virtual_lab.start(one_off(run, name="marks.same"))
    assert execution.result(200) == 1
    assert recorded(execution, "MarkerRecorded", "markerName") == ["same"]


def test_a_marker_of_a_future_waits_for_it_and_holds_up_nothing(virtual_lab):
    def run(self):
        later = self.submit(double, 4)
        marker = self.submit(self.record_marker("result", {"of": [later]}))
        assert (marker.done, self.list_markers()) == (False, [])
        assert marker.result == {"of": [8]}
        return self.list_markers()

    assert virtual_lab.start(one_off(run, name="marks.nested")).result(200) == [["result", {"of": [8]}]]


def test_a_marker_of_a_task_that_fails_is_not_recorded(virtual_lab):
    def run(self):
        marker = self.submit(self.record_marker("result", self.submit(fail_aloud)))
        return [type(marker.exception).__name__, self.list_markers()]

    assert virtual_lab.start(one_off(run, name="marks.failed")).result(200) == ["TaskFailed", []]


def test_a_marker_of_what_json_cant_hold_is_an_error_of_its_line(virtual_lab):
    def run(self):
        with pytest.raises(exceptions.EncodingError):
            self.submit(self.record_marker("odd", object()))
        return "went on"

    assert virtual_lab.start(one_off(run, name="marks.odd")).result(200) == "went on"


def test_a_marker_reads_back_as_it_was_written_then(virtual_lab):
    """What the author changes afterwards changes nothing."""

    def run(self):
        details = {"rows": [1]}
        self.submit(self.record_marker("rows", details))
        details["rows"].append(2)
        assert self.list_markers() == [Marker("rows", {"rows": [1]})]
        return details

    assert virtual_lab.start(one_off(run, name="marks.changed")).result(200) == {"rows": [1, 2]}


def test_details_of_the_latest_event_of_a_name(virtual_lab):
    """MK-04: upstream's keys."""

    def run(self):
        self.submit(self.record_marker("mark", {"n": 1}))
        self.submit(self.record_marker("mark", {"n": 2}))
        self.submit(self.signal("go", 7, propagate=False))
        self.submit(self.start_timer("hour", 3_600, control={"for": "tea"})).wait()
        self.submit(self.wait_signal("go")).wait()
        marker, signal, timer = (
            dict(self.get_event_details(kind, name))
            for kind, name in (("marker", "mark"), ("signal", "go"), ("timer", "hour"))
        )
        assert self.get_event_details("marker", "no such") is None
        with pytest.raises(exceptions.UsageError):
            self.get_event_details("activity", "x")
        assert all(found.pop("event_id") and found.pop("timestamp") for found in (marker, signal, timer))
        assert signal.pop("external_run_id") == self.get_run_context()["run_id"]
        assert signal.pop("external_initiated_event_id")
        assert timer.pop("started_event_id") < timer.pop("fired_event_id")
        assert timer.pop("started_event_timestamp") < timer.pop("fired_event_timestamp")
        assert timer.pop("decision_task_completed_event_id")
        return [marker, signal, timer]

    execution = virtual_lab.start(one_off(run, name="marks.details"), workflow_id="marks-details")
    assert execution.result(200) == [
        {"type": "marker", "name": "mark", "state": "recorded", "details": {"n": 2}},
        {
            "type": "signal",
            "name": "go",
            "state": "signaled",
            "input": {"args": [7], "kwargs": {}, "__propagate": False},
            "external_workflow_id": "marks-details",
        },
        {
            "type": "timer",
            "name": "hour",
            "id": "hour",
            "state": "fired",
            "start_to_fire_timeout": 3_600,
            "control": {"for": "tea"},
        },
    ]


def test_a_workflow_that_only_marks_and_cancels_timers_goes_on(virtual_lab):
    """TM-03: neither brings a decision task by itself."""

    def run(self):
        futures.wait(*[self.submit(self.record_marker("step", n)) for n in range(5)])
        self.submit(self.start_timer("day", 86_400))
        self.submit(self.start_timer("second", 1)).wait()
        futures.wait(self.submit(self.cancel_timer("day")), self.submit(self.record_marker("canceled")))
        futures.wait(self.submit(self.record_marker("after")))
        return len(self.list_markers(all=True))

    execution = virtual_lab.start(one_off(run, name="marks.only"))
    assert execution.result(200) == 7
    assert recorded(execution, "TimerFired", "timerId") == ["second"]


def test_more_markers_than_an_answer_holds_are_all_recorded(virtual_lab):
    def run(self):
        for n in range(250):
            self.submit(self.record_marker("n", n))
        self.submit(double, 1).wait()
        return len(self.list_markers(all=True))

    execution = virtual_lab.start(one_off(run, name="marks.many"))
    assert execution.result(200) == 250
    assert len(recorded(execution, "MarkerRecorded", "details")) == 250


# -- timers ------------------------------------------------------------------------------------------------------------


def test_a_timer_id_is_one_timer_for_the_whole_run(virtual_lab):
    """TM-02: a second start gives the future of the first, whatever it says."""

    def run(self):
        first = self.submit(self.start_timer("hour", 3_600))
        assert self.submit(self.start_timer("hour", 1)) is first
        first.wait()
        before = self.now()
        self.submit(self.start_timer("hour", 3_600)).wait()
        return (self.now() - before).total_seconds()

    execution = virtual_lab.start(one_off(run, name="marks.once"))
    assert execution.result(200) == 0
    assert recorded(execution, "TimerStarted", "startToFireTimeout") == ["3600"]


def test_timers_in_chains_and_groups(virtual_lab):
    """TM-01."""

    def run(self):
        def hours(*numbers):
            return [self.start_timer(f"{n} h", n * 3_600) for n in numbers]

        result = self.submit(Chain(Group(*hours(1, 2)), (double, 1), *hours(3), (double, 2))).result
        return [result, (self.now() - self.executor.history[0].timestamp).total_seconds() // 3_600]

    assert virtual_lab.start(one_off(run, name="marks.canvas")).result(200) == [[[None, None], 2, None, 4], 5]


@pytest.mark.parametrize("how", ["task", "future"])
def test_a_timer_is_canceled_at_once(virtual_lab, how):
    def run(self):
        day = self.submit(self.start_timer("day", 86_400))
        self.submit(self.start_timer("second", 1)).wait()
        if how == "task":
            self.submit(self.cancel_timer("day")).wait()
        else:
            assert day.cancel()
        assert (day.cancelled, day.done, day.cancel()) == (True, True, False)
        self.submit(self.start_timer("another second", 1)).wait()
        return futures.wait(day)

    execution = virtual_lab.start(one_off(run, name=f"marks.canceled_by_{how}"))
    assert execution.result(200) == [None]
    assert recorded(execution, "TimerCanceled", "timerId") == ["day"]


def test_a_timer_that_was_not_asked_for_yet_is_not_asked_for(virtual_lab):
    def run(self):
        day = self.submit(self.start_timer("day", 86_400))
        self.submit(self.cancel_timer("day"))
        self.submit(double, 1).wait()
        return day.cancelled

    execution = virtual_lab.start(one_off(run, name="marks.not_asked"))
    assert execution.result(200) is True
    assert recorded(execution, "TimerStarted", "timerId") == []


def test_canceling_a_timer_that_is_not_running_changes_nothing(virtual_lab):
    """Neither one never started, nor one that fired."""

    def run(self):
        second = self.submit(self.start_timer("second", 1))
        second.wait()
        never, late = self.submit(self.cancel_timer("never")), self.submit(self.cancel_timer("second"))
        futures.wait(never, late)
        self.submit(double, 1).wait()
        return [never.exception, late.exception, second.cancelled]

    execution = virtual_lab.start(one_off(run, name="marks.not_running"))
    assert execution.result(200) == [None, None, False]
    assert recorded(execution, "CancelTimerFailed", "timerId") == []


def test_a_timer_that_fires_while_it_is_canceled_is_canceled(clocked_lab, clock):
    """SWF refuses the cancel; what the code saw stays so in each replay."""

    def run(self):
        timer = self.submit(self.start_timer("soon", 1))
        self.submit(self.wait_signal("go")).wait()
        if not self.is_replaying:
            clock.advance(1.3)  # longer than the timer has to go: it fires while this decision is made
        timer.cancel()
        self.submit(double, 1).wait()
        return [timer.cancelled, self.submit(double, 2).result]

    execution = clocked_lab.start(one_off(run, name="marks.race"))
    named = {"workflowId": execution.workflow_id, "runId": execution.run_id}
    # The first decision has four events; the timer's is the fifth.
    clocked_lab.service.wait_for_history(domain=clocked_lab.domain, execution=named, after_event_id=4, timeout=200)
    execution.signal("go")
    assert execution.result(200) == [True, 4]
    assert recorded(execution, "CancelTimerFailed", "cause") == ["TIMER_ID_UNKNOWN"]


@pytest.mark.parametrize(("seconds", "waits", "told"), [(1, True, 1), (5000, True, 1), (5000, False, 1), (1, False, 0)])
def test_a_timer_that_is_an_earlier_one_is_told_where_that_is_seen(seconds, waits, told):
    def run(self):
        first = self.submit(self.start_timer("pause", 1))
        if waits:
            first.wait()
        self.submit(self.start_timer("pause", seconds)).wait()

    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(one_off(run))
        execution.result(60)
        assert len(execution.tasks()) == 1
        found = [each for each in execution.warnings if "timer 'pause' is the one that this run started before" in each]
        assert len(found) == told
        assert all("test_markers_and_timers.py" in each and "an id of its own" in each for each in found)
