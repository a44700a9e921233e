"""Time: what a clock that is set, a process that was suspended and a sleeping computer do to events and deadlines."""

from __future__ import annotations

import datetime
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import SUSPENDED_SECONDS, Elapsed, EngineTime, ManualClock, SystemClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.swf import decisions
from tests.service.scenario import Handle, Scenario

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


# -- real processes ----------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, time
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(task_list="n", version="1", start_to_close_timeout=3, heartbeat_timeout=2, retry=0)
def nap(seconds):
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(0.05)
    return 7

class Naps(Workflow):
    name, version, task_list = "naps", "1", "n"
    decision_tasks_timeout = 3
    def run(self):
        first = self.submit(nap, 1)
        return [first.result, self.submit(nap, 0.1).result]

if __name__ == "__main__":
    with Lab(sys.argv[1]) as lab:
        execution = lab.start(Naps, workflow_id="x")
        print("started", flush=True)
        print("result", execution.result(timeout=120), flush=True)
"""


def started(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that owns a store and runs a workflow with timeouts of three seconds and less."""
    program = tmp_path / "naps.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path / "store.sqlite")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def recorded(tmp_path: Path) -> list[str]:
    connection = sqlite3.connect(tmp_path / "store.sqlite")
    found = [row[0] for row in connection.execute("SELECT type FROM event ORDER BY id")]
    connection.close()
    return found


def test_the_timeouts_of_a_process_that_is_stopped_do_not_pass(tmp_path: Path) -> None:
    process = started(tmp_path)
    process.send_signal(signal.SIGSTOP)
    time.sleep(8)
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=60)
    assert output == "result [7, 7]\n"
    assert not [each for each in recorded(tmp_path) if "TimedOut" in each]


def test_what_keeps_the_interpreter_for_itself_keeps_no_timeout_running(tmp_path: Path) -> None:
    with EmbeddedSWF(tmp_path / "store.sqlite", poll_seconds=0.0) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        handle = lab.start()
        lab.decide(activity(schedule_to_start_timeout="3"))
        keep_the_interpreter(6)
        assert lab.types(handle)[-1] == "ActivityTaskScheduled"
        wait_for(lambda: "ActivityTaskTimedOut" in lab.types(handle))


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


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
