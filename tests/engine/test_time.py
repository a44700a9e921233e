"""Time: what a clock that is set, a process that was suspended and a sleeping computer do to events and deadlines."""

from __future__ import annotations

import datetime
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import SUSPENDED_SECONDS, Elapsed, EngineTime, ManualClock, SystemClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.conventions import is_worker_lost
from tests.service.scenario import ACTIVITY_TYPE, WORKFLOW_TYPE, Handle, Scenario
from tests.waiting import until

Open = Callable[..., Scenario]
HOUR = 3600


def activity(activity_id: str = "a", **options: Any) -> dict[str, Any]:
    return decisions.schedule_activity_task(activity_id=activity_id, name="activity", version="1", **options)


def timer(seconds: int) -> dict[str, Any]:
    return decisions.start_timer(timer_id="t", start_to_fire_timeout=seconds)


def times(lab: Scenario, handle: Handle) -> list[datetime.datetime]:
    return [event["eventTimestamp"] for event in lab.events(handle)]


# -- the clock on the wall is set --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_wall_clock_that_is_set_moves_no_deadline_and_event_times_are_durations(opened: Open, step: int) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(timer(60), activity(schedule_to_start_timeout="50"))
    lab.clock.set_wall(step)
    lab.clock.advance(49)
    assert lab.types(handle)[-1] == "ActivityTaskScheduled"
    lab.clock.advance(1)
    assert "ActivityTaskTimedOut" in lab.types(handle)
    lab.clock.advance(10)
    assert "TimerFired" in lab.types(handle)
    assert times(lab, handle)[-1] - times(lab, handle)[0] == datetime.timedelta(seconds=60)


def test_the_next_engine_of_a_store_goes_on_from_the_latest_recorded_time(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(timer(60))
    lab.clock.set_wall(-HOUR)
    again = opened()
    again.clock.advance(59)
    again.signal()
    assert "TimerFired" not in again.types(handle)
    again.clock.advance(1)
    assert "TimerFired" in again.types(handle)
    assert times(again, handle) == sorted(times(again, handle))


def test_a_closed_executions_end_is_a_recorded_time_too(opened: Open) -> None:
    lab = opened()
    first = lab.start("first")
    lab.clock.advance(10)
    lab.decide(decisions.complete_workflow_execution())
    lab.clock.set_wall(-HOUR)
    again = opened()
    second = again.start("second")
    assert times(again, second)[0] >= times(again, first)[-1]


def test_events_meet_the_wall_again_when_no_execution_is_open_and_never_go_back(opened: Open) -> None:
    lab = opened()
    first = lab.start("first")
    lab.clock.set_wall(HOUR)
    lab.decide(decisions.complete_workflow_execution())
    second = lab.start("second")
    assert times(lab, second)[0] - times(lab, first)[-1] == datetime.timedelta(hours=1)
    lab.decide(decisions.complete_workflow_execution())
    lab.clock.set_wall(-2 * HOUR)
    third = lab.start("third")
    assert times(lab, third)[0] == times(lab, second)[-1]


# -- the process did not run -------------------------------------------------------------------------------------------


def test_timeouts_do_not_count_the_time_in_which_the_process_was_suspended(opened: Open) -> None:
    lab = opened()
    handle = lab.start(executionStartToCloseTimeout="100")
    lab.decide(activity(schedule_to_start_timeout="50"))
    lab.clock.advance(30)
    lab.clock.suspend(1000)
    assert lab.types(handle)[-1] == "ActivityTaskScheduled"
    lab.clock.advance(10)
    lab.clock.suspend(1000)
    lab.clock.advance(9)
    assert lab.types(handle)[-1] == "ActivityTaskScheduled"
    lab.clock.advance(1)
    assert lab.last(handle, "ActivityTaskTimedOut")["timeoutType"] == "SCHEDULE_TO_START"
    lab.clock.advance(49)
    assert lab.status(handle) == "OPEN"
    lab.clock.advance(1)
    assert lab.status(handle) == "TIMED_OUT"


def test_the_timeouts_of_started_tasks_do_not_count_it_either(opened: Open) -> None:
    lab = opened()
    handle = lab.start(taskStartToCloseTimeout="30")
    lab.decide(activity(start_to_close_timeout="50", schedule_to_close_timeout="60", heartbeat_timeout="20"))
    task = lab.take()
    lab.signal()
    decision = lab.poll()
    lab.clock.advance(15)
    lab.service.record_activity_task_heartbeat(taskToken=task["taskToken"], details="half")
    lab.clock.advance(10)
    lab.clock.suspend(500)
    lab.clock.advance(4)
    assert not any("TimedOut" in each for each in lab.types(handle))
    lab.answer(decision)
    lab.clock.advance(5)
    assert not any("TimedOut" in each for each in lab.types(handle))
    lab.clock.advance(1)
    assert lab.last(handle, "ActivityTaskTimedOut")["timeoutType"] == "HEARTBEAT"


def test_timers_run_on_while_the_process_is_suspended(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(timer(60))
    lab.clock.suspend(60)
    assert lab.types(handle)[-2:] == ["TimerFired", "DecisionTaskScheduled"]


def test_a_deadline_that_begins_after_a_suspension_is_not_moved_by_it(opened: Open) -> None:
    lab = opened()
    lab.clock.suspend(1000)
    handle = lab.start()
    lab.decide(activity(schedule_to_start_timeout="50"))
    lab.clock.advance(50)
    assert "ActivityTaskTimedOut" in lab.types(handle)


def test_a_suspension_does_not_count_after_the_store_is_opened_again(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(activity(schedule_to_start_timeout="50"))
    lab.clock.advance(30)
    lab = opened()  # which records that the engine before it ran until now
    lab.clock.suspend(1000)
    again = opened()
    again.clock.advance(19)
    assert again.types(handle)[-1] == "ActivityTaskScheduled"
    again.clock.advance(1)
    assert "ActivityTaskTimedOut" in again.types(handle)


# -- a client did not run ----------------------------------------------------------------------------------------------

CLIENT = "0123456789abcdef"


class Client:
    """Another process with a session, which a test lets speak."""

    def __init__(self, lab: Scenario):
        self.lab = lab
        record = {
            "pid": 1,
            "hostname": "here",
            "workflowTypes": [{**WORKFLOW_TYPE, "fingerprint": "1"}],
            "activityTypes": [{**ACTIVITY_TYPE, "fingerprint": "1"}],
        }
        lab.service.open_session(instance=CLIENT, record=record, is_local=False)
        self.speak()
        self.identity = f'{{"instance": "{CLIENT}"}}'

    def speak(self) -> None:
        self.lab.service.keep_session(instance=CLIENT, record={}, connection=self)

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.lab.clock.advance(1)
            self.speak()


@pytest.fixture
def held(opened: Open) -> tuple[Scenario, Handle, Client, dict[str, Any]]:
    """An activity task with timeouts of 10 and 8 seconds, which a client holds."""
    lab = opened()
    handle = lab.start()
    lab.decide(activity(start_to_close_timeout="10", heartbeat_timeout="8"))
    client = Client(lab)
    return lab, handle, client, lab.take(identity=client.identity)


def timed_out(lab: Scenario, handle: Handle) -> bool:
    return "ActivityTaskTimedOut" in lab.types(handle)


def test_the_timeouts_of_a_clients_task_pass_while_it_speaks(held: Any) -> None:
    lab, handle, client, _ = held
    client.live(7)
    assert not timed_out(lab, handle)
    client.live(1)
    lab.clock.advance(1)
    assert lab.last(handle, "ActivityTaskTimedOut")["timeoutType"] == "HEARTBEAT"


def test_a_task_does_not_time_out_while_its_holder_is_silent(held: Any) -> None:
    lab, handle, client, _ = held
    client.live(2)
    for _ in range(100):
        lab.clock.advance(10)
        assert not timed_out(lab, handle)
    client.speak()
    client.live(5)
    assert not timed_out(lab, handle)
    client.live(2)
    assert timed_out(lab, handle)


def test_the_answer_of_a_client_that_was_silent_is_taken(held: Any) -> None:
    lab, handle, client, task = held
    client.live(2)
    lab.clock.advance(1000)
    lab.service.respond_activity_task_completed(taskToken=task["taskToken"])
    assert lab.types(handle)[-2:] == ["ActivityTaskCompleted", "DecisionTaskScheduled"]


def test_heartbeats_count_the_silence_that_follows_them(held: Any) -> None:
    lab, handle, client, task = held
    client.live(1)
    lab.service.record_activity_task_heartbeat(taskToken=task["taskToken"])
    lab.clock.advance(500)
    client.speak()
    client.live(7)
    assert not timed_out(lab, handle)
    client.live(2)
    assert lab.last(handle, "ActivityTaskTimedOut")["timeoutType"] == "HEARTBEAT"


def test_a_decision_task_does_not_time_out_while_its_holder_is_silent(opened: Open) -> None:
    lab = opened()
    handle = lab.start(taskStartToCloseTimeout="10")
    client = Client(lab)
    lab.poll(identity=client.identity)
    client.live(2)
    lab.clock.advance(500)
    client.speak()
    client.live(7)
    assert "DecisionTaskTimedOut" not in lab.types(handle)
    client.live(2)
    assert "DecisionTaskTimedOut" in lab.types(handle)


def test_a_silence_before_a_task_was_given_does_not_move_it(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    client = Client(lab)
    lab.clock.advance(500)
    client.speak()
    lab.decide(activity(start_to_close_timeout="10"))
    lab.take(identity=client.identity)
    client.live(11)
    assert timed_out(lab, handle)


def test_the_engines_own_suspension_is_no_silence_of_its_clients(held: Any) -> None:
    lab, handle, client, _ = held
    client.live(2)
    lab.clock.suspend(500)
    client.speak()
    client.live(5)
    assert not timed_out(lab, handle)
    client.live(2)
    assert timed_out(lab, handle)


def test_when_a_silent_client_is_gone_its_task_is_lost(held: Any) -> None:
    lab, handle, client, _ = held
    client.live(2)
    lab.clock.advance(1000)
    lab.service.connection_lost(CLIENT, client)
    assert is_worker_lost(lab.last(handle, "ActivityTaskTimedOut")["details"])


def test_the_time_to_claim_tasks_does_not_count_the_engines_suspension(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(activity())
    Client(lab)
    task = lab.take(identity=living_identity())
    again = opened()
    again.clock.suspend(1000)
    assert not timed_out(again, handle)
    again.service.open_session(instance=CLIENT, record={"pid": 1}, taskTokens=[task["taskToken"]], is_local=False)
    again.clock.advance(5)
    again.service.respond_activity_task_completed(taskToken=task["taskToken"])


def living_identity() -> str:
    """The identity of a process that lives and has the client's instance: the one that started this one."""
    return json.dumps({"instance": CLIENT, "pid": os.getppid(), "hostname": socket.gethostname()})


# -- the computer's clock ----------------------------------------------------------------------------------------------


class Hands:
    """Two hands that a test moves, in milliseconds."""

    def __init__(self) -> None:
        self.wall, self.elapsed = 1_000_000, 50

    def clock(self) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, elapsed=lambda: self.elapsed)


def test_a_pause_that_is_longer_than_any_tick_is_a_suspension() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.elapsed += int(SUSPENDED_SECONDS * 1000)
    assert clock.elapsed() == Elapsed(2050, 0)
    hands.elapsed += 8000
    assert clock.elapsed() == Elapsed(10_050, 8000)
    assert clock.elapsed() == Elapsed(10_050, 8000)


def test_an_engines_time_begins_on_the_wall_and_follows_the_other_hand() -> None:
    hands = Hands()
    engine = EngineTime(hands.clock())
    assert engine.now() == 1_000_000
    hands.wall -= 500
    hands.elapsed += 100
    assert engine.now() == 1_000_100
    engine.meet_wall()
    assert engine.now() == 1_000_100
    hands.wall = 3_000_000
    assert engine.now() == 1_000_100
    engine.meet_wall()
    assert engine.now() == 3_000_000
    engine.begin_after(2_000_000)
    assert engine.now() == 3_000_000
    engine.begin_after(4_000_000)
    assert engine.now() == 4_000_000


# -- real time ---------------------------------------------------------------------------------------------------------


def test_what_keeps_the_interpreter_for_itself_keeps_no_timeout_running(tmp_path: Path) -> None:
    with EmbeddedSWF(tmp_path / "store.sqlite", poll_seconds=0.0) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        handle = lab.start()
        lab.decide(activity(schedule_to_start_timeout="2"))
        keep_the_interpreter(SUSPENDED_SECONDS + 1)
        assert lab.types(handle)[-1] == "ActivityTaskScheduled"
        until(lambda: "ActivityTaskTimedOut" in lab.types(handle))


def keep_the_interpreter(seconds: float) -> None:
    """Run Python for so long without another thread's turn."""
    switches = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
    finally:
        sys.setswitchinterval(switches)


# -- which timeout of an activity passes first -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeouts", "seconds", "passes", "left_out"),
    [
        ({"schedule_to_close": 60, "start_to_close": 60, "heartbeat": 60}, 50, "SCHEDULE_TO_CLOSE", 2),
        ({"schedule_to_close": 60, "start_to_close": 49, "heartbeat": 49}, 49, "START_TO_CLOSE", 1),
        ({"schedule_to_close": 60, "start_to_close": 49, "heartbeat": 48}, 48, "HEARTBEAT", 0),
        ({"schedule_to_close": 60, "start_to_close": 59, "heartbeat": 58}, 50, "SCHEDULE_TO_CLOSE", 0),
        ({"start_to_close": 60, "heartbeat": 61}, 60, "START_TO_CLOSE", 1),
        ({"heartbeat": 60}, 60, "HEARTBEAT", 0),
    ],
)
def test_a_timeout_that_can_not_be_the_first_of_its_activity_is_no_deadline(
    opened: Open, timeouts: dict[str, int], seconds: int, passes: str, left_out: int
) -> None:
    """The activity is started ten seconds after it is scheduled."""
    lab = opened()
    handle = lab.start(taskStartToCloseTimeout="NONE")
    unset = {"schedule_to_start": "NONE", "schedule_to_close": "NONE", "start_to_close": "NONE", "heartbeat": "NONE"}
    chosen = {f"{name}_timeout": str(value) for name, value in {**unset, **timeouts}.items()}
    lab.decide(activity(**chosen))
    lab.clock.advance(10)
    lab.take()
    kinds = [deadline.kind for deadline in lab.service._durable.state.deadlines]
    assert sum(kind.startswith("ACTIVITY_") for kind in kinds) == len(timeouts) - left_out
    lab.clock.advance(seconds - 1)
    assert lab.types(handle)[-1] == "ActivityTaskStarted"
    lab.clock.advance(1)
    assert lab.last(handle, "ActivityTaskTimedOut")["timeoutType"] == passes
