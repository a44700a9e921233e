"""Histories that upstream simpleflow recorded on Amazon SWF, replayed by workflows written for this package."""

import functools

import pytest

from simpleflow_lab import Workflow
from simpleflow_lab.exceptions import NondeterminismError
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.history import History
from tests.replay.recorded_by_upstream import (
    HISTORIES,
    RECORDED,
    Basic,
    basic_increment,
    forget_others,
    use_run_hash,
)
from tests.replay.trace_laws import check_trace


@pytest.fixture(autouse=True)
def nobody_elses_definitions(monkeypatch):
    forget_others(monkeypatch)


@pytest.fixture
def run_hash(monkeypatch):
    return functools.partial(use_run_hash, monkeypatch)


def decided(workflow, history):
    """The decisions at the end of this history, from a replay of all of it."""
    replay = Replay(workflow, workflow_id="test-simpleflow-workflow", run_id="r")
    replay.feed(history)
    return replay.decide(history[-1].id)


@pytest.mark.parametrize(("name", "workflow"), RECORDED, ids=[name for name, _ in RECORDED])
def test_what_upstream_recorded_is_what_this_package_decides(name, workflow, run_hash):
    history = History.from_file(HISTORIES / f"{name}.json")
    run_hash(history)
    replay = Replay(workflow, workflow_id="test-simpleflow-workflow", run_id="r")
    replay.feed(history)
    assert replay.decided_for == [event.id for event in history if event.type == "DecisionTaskStarted"][-1]


@pytest.mark.parametrize(("name", "workflow"), RECORDED, ids=[name for name, _ in RECORDED])
def test_fed_in_pieces_it_decides_as_fed_at_once(name, workflow, run_hash):
    """A cached replay that is fed only new events makes the same decisions as a replay from the start."""
    history = History.from_file(HISTORIES / f"{name}.json")
    run_hash(history)
    completed = {event.attributes["startedEventId"] for event in history if event.type == "DecisionTaskCompleted"}
    cached, fed = Replay(workflow, workflow_id="test-simpleflow-workflow", run_id="r"), 0
    for started in sorted(completed):
        cached.feed(history[fed:started])
        fed = started
        assert cached.decide(started).decisions == decided(workflow, history[:started]).decisions
        if name in ("with_replays", "without_replays", "timer_and_cancel", "signal_played_once_by_default"):
            break  # upstream needs more decision tasks than we do for these


@pytest.mark.parametrize(("name", "workflow"), RECORDED, ids=[name for name, _ in RECORDED])
def test_what_upstream_recorded_can_be_watched_up_to_any_event(name, workflow, run_hash):
    history = History.from_file(HISTORIES / f"{name}.json")
    run_hash(history)
    check_trace(workflow, history, cuts=range(len(history) + 1), workflow_id="test-simpleflow-workflow", run_id="r")


@pytest.mark.parametrize(("name", "workflow"), RECORDED, ids=[name for name, _ in RECORDED])
def test_other_code_is_found_out_at_the_first_difference(name, workflow, run_hash):
    history = History.from_file(HISTORIES / f"{name}.json")
    recorded = next(event for event in history if event.id == 5)

    class Other(Workflow):
        name = "recorded.other"

        def run(self, *args):
            return self.submit(basic_increment, "something else").result

    replay = Replay(Other, workflow_id="test-simpleflow-workflow", run_id="r")
    with pytest.raises(NondeterminismError) as found:
        replay.feed(history)
    assert found.value.event_id == recorded.id
    assert "something else" in str(found.value)
    assert "test_recorded_by_upstream.py" in found.value.requested_line


def test_an_answer_is_made_of_swfs_words():
    history = History.from_file(HISTORIES / "workflow_execution_basic.json")
    decisions = decided(Basic, history[:3]).decisions
    assert [decision["decisionType"] for decision in decisions] == ["ScheduleActivityTask"]
    recorded = history.event(5).attributes
    its = attributes(decisions[0])
    for name in ("activityId", "activityType", "input"):
        assert its[name] == recorded[name]
