"""The engine and threads: polls that wait, waiting for histories, time that passes by itself, interrupts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import ManualClock, SystemClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.task_lists import Poll
from simpleflow_lab.exceptions import LimitExceededFault, StoreError, UnknownResourceFault
from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, Scenario
from tests.waiting import until

SOON = 200.0
"""Seconds after which a test gives up on something that takes milliseconds."""


@pytest.fixture(params=["memory", "file"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedSWF]:
    path = ":memory:" if request.param == "memory" else tmp_path / "store.sqlite"
    with EmbeddedSWF(path, clock=ManualClock(), poll_seconds=SOON) as opened:
        yield opened


@pytest.fixture
def lab(engine: EmbeddedSWF) -> Scenario:
    scenario = Scenario(engine, engine._durable._clock)  # type: ignore[arg-type]
    scenario.prepare()
    return scenario


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def waiting(engine: EmbeddedSWF, count: int) -> None:
    """Return when so many polls wait."""
    until(lambda: len(engine._durable.state.waiting_polls()) == count)


def activity(activity_id: str, **options: Any) -> dict[str, Any]:
    return decisions.schedule_activity_task(activity_id=activity_id, name="activity", version="1", **options)


# -- long polls --------------------------------------------------------------------------------------------------------


def test_a_waiting_poll_is_given_the_task_as_soon_as_there_is_one(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    poll = threads.submit(lab.poll)
    waiting(engine, 1)
    handle = lab.start()
    task = poll.result(SOON)
    assert task["workflowExecution"] == handle.ids
    assert [event["eventId"] for event in task["events"]] == [1, 2, 3]


def test_tasks_go_to_the_polls_that_have_waited_longest_one_each(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    polls: list[Future[dict[str, Any]]] = []
    for n in range(3):
        polls.append(threads.submit(lab.take))
        waiting(engine, n + 1)
    lab.start()
    lab.decide(activity("a"), activity("b"))
    assert [poll.result(SOON)["activityId"] for poll in polls[:2]] == ["a", "b"]
    assert not polls[2].done()
    engine.release_polls()
    assert polls[2].result(SOON) == {"startedEventId": 0}


def test_a_released_poll_returns_empty_and_the_next_one_waits_again(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    polls = [threads.submit(lab.poll), threads.submit(lab.take)]
    waiting(engine, 2)
    engine.release_polls()
    assert "taskToken" not in polls[0].result(SOON)
    assert "taskToken" not in polls[1].result(SOON)
    again = threads.submit(lab.poll)
    waiting(engine, 1)
    lab.start()
    assert again.result(SOON)["taskToken"]


def test_closing_the_engine_ends_polls(lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor) -> None:
    poll = threads.submit(lab.poll)
    waiting(engine, 1)
    engine.close()
    assert "taskToken" not in poll.result(SOON)


def test_a_poll_ends_after_its_time() -> None:
    with EmbeddedSWF(poll_seconds=0.05) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        begun = time.monotonic()
        assert "taskToken" not in lab.poll()
        assert time.monotonic() - begun >= 0.05
        # The poll that has ended is not assigned this task.
        lab.start()
        assert lab.poll()["taskToken"]


def test_a_deadline_that_comes_while_a_poll_waits_wakes_it(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    lab.start()
    lab.decide(decisions.start_timer(timer_id="t", start_to_fire_timeout=3600))
    poll = threads.submit(lab.poll)
    waiting(engine, 1)
    lab.clock.advance(3600)
    assert [event["eventType"] for event in poll.result(SOON)["events"]][-3] == "TimerFired"


def test_a_task_list_has_at_most_a_thousand_polls(lab: Scenario, engine: EmbeddedSWF) -> None:
    task_list = engine._durable.state.task_list("decision_task", DOMAIN, "decisions")
    for _ in range(1000):
        task_list.add_poll(Poll(None))
    with pytest.raises(LimitExceededFault):
        task_list.add_poll(None)  # type: ignore[arg-type]
    task_list._polls.clear()


def test_many_threads_complete_many_tasks_once_each(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    handle = lab.start()
    lab.decide(*[activity(f"a{n}") for n in range(200)])
    done: list[str] = []

    def work() -> None:
        while len(done) < 200:
            task = lab.take()
            if "taskToken" in task:
                lab.complete(task, task["activityId"])
                done.append(task["activityId"])

    workers = [threads.submit(work) for _ in range(8)]
    until(lambda: len(done) == 200)
    while not all(worker.done() for worker in workers):
        engine.release_polls()
    assert sorted(done) == sorted(f"a{n}" for n in range(200))
    assert lab.types(handle).count("ActivityTaskCompleted") == 200
    assert lab.types(handle).count("DecisionTaskScheduled") == 2


# -- waiting for histories ---------------------------------------------------------------------------------------------


def test_waiting_for_a_history_ends_with_its_next_event(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    handle = lab.start()
    watch = {"domain": DOMAIN, "execution": handle.ids, "timeout": SOON}
    assert engine.wait_for_history(**watch, after_event_id=0) == 2
    future = threads.submit(engine.wait_for_history, **watch, after_event_id=2)
    until(lambda: bool(engine._durable.history_waiters))
    lab.signal()
    assert future.result(SOON) == 3


def test_waiting_for_the_end_of_an_execution_ends_with_nothing_else(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    handle = lab.start()
    watch = {"domain": DOMAIN, "execution": handle.ids, "timeout": SOON, "after_event_id": 0, "until_closed": True}
    future = threads.submit(engine.wait_for_history, **watch)
    until(lambda: bool(engine._durable.history_waiters))
    lab.signal()
    assert not future.done()
    lab.decide(decisions.complete_workflow_execution())
    assert future.result(SOON) == 6
    assert engine.wait_for_history(**watch) == 6


def test_waiting_for_a_history_ends_after_its_time_and_fails_for_an_unknown_run(
    lab: Scenario, engine: EmbeddedSWF
) -> None:
    handle = lab.start()
    assert engine.wait_for_history(domain=DOMAIN, execution=handle.ids, after_event_id=99, timeout=0.01) == 2
    assert not engine._durable.history_waiters
    with pytest.raises(UnknownResourceFault):
        engine.wait_for_history(domain=DOMAIN, execution={"workflowId": "w", "runId": "x"}, after_event_id=0, timeout=0)


def test_closing_the_engine_ends_waiting_for_a_history(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    handle = lab.start()
    watch = {"domain": DOMAIN, "execution": handle.ids, "timeout": SOON, "after_event_id": 9}
    future = threads.submit(engine.wait_for_history, **watch)
    until(lambda: bool(engine._durable.history_waiters))
    engine.close()
    with pytest.raises(StoreError, match="is closed"):
        future.result(SOON)


# -- time --------------------------------------------------------------------------------------------------------------


def test_real_timers_fire_by_themselves_and_never_early() -> None:
    with EmbeddedSWF(clock=SystemClock(), poll_seconds=SOON) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        handle = lab.start()
        lab.decide(decisions.start_timer(timer_id="t", start_to_fire_timeout=1))
        lab.poll()
        started, fired = (e for e in lab.events(handle) if e["eventType"].startswith("Timer"))
        assert (fired["eventTimestamp"] - started["eventTimestamp"]).total_seconds() >= 1


def test_a_clock_that_jumps_makes_two_days_pass_in_no_time(threads: ThreadPoolExecutor) -> None:
    with EmbeddedSWF(clock=ManualClock(jumps=True), poll_seconds=SOON) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        handle = lab.start(executionStartToCloseTimeout="1000000")
        lab.decide(decisions.start_timer(timer_id="t", start_to_fire_timeout=2 * 86_400))
        lab.decide(decisions.complete_workflow_execution())
        events = lab.events(handle)
        assert (events[-1]["eventTimestamp"] - events[0]["eventTimestamp"]).total_seconds() == 2 * 86_400


# -- interrupts --------------------------------------------------------------------------------------------------------

INTERRUPTED = """
import signal, sys, threading, time, random
from simpleflow_lab.engine.clock import SystemClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from tests.engine.invariants import violations
from tests.service.scenario import DOMAIN, Scenario

engine = EmbeddedSWF(sys.argv[1], poll_seconds=90)
lab = Scenario(engine, None)
lab.prepare()
handle = lab.start()
done = threading.Event()
ready = threading.Event()

def interrupt():
    while not done.is_set():
        ready.wait()
        ready.clear()
        time.sleep(random.random() / 300)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
interrupts = acknowledged = 0
for _ in range(150):
    try:
        ready.set()
        while True:
            lab.signal()
            acknowledged += 1
    except KeyboardInterrupt:
        interrupts += 1
begun = time.monotonic()
try:
    ready.set()
    lab.poll("nothing comes here")
except KeyboardInterrupt:
    assert time.monotonic() - begun < 60
    interrupts += 1
done.set()
signals = lab.types(handle).count("WorkflowExecutionSignaled")
assert acknowledged <= signals <= acknowledged + interrupts, (acknowledged, signals, interrupts)
assert violations(lab.events(handle)) == []
engine.close()
print(interrupts, "interrupts")
"""


def test_interrupts_of_the_main_thread_leave_state_and_store_consistent(tmp_path: Path) -> None:
    script = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "store.sqlite")]
    finished = subprocess.run(script, capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "151 interrupts\n"


def test_a_process_ends_although_its_engine_is_open_and_a_poll_waits(tmp_path: Path) -> None:
    code = (
        "import sys, threading, time\n"
        "from simpleflow_lab.engine.embedded import EmbeddedSWF\n"
        "from tests.service.scenario import Scenario\n"
        "engine = EmbeddedSWF(sys.argv[1], poll_seconds=50); lab = Scenario(engine, None); lab.prepare()\n"
        "threading.Thread(target=lab.poll, daemon=True).start()\n"
        "time.sleep(0.1)"
    )
    path = tmp_path / "store.sqlite"
    subprocess.run([sys.executable, "-c", code, str(path)], timeout=200, check=True)
    # It closed its store as it ended.
    assert sorted(file.name for file in tmp_path.iterdir()) == ["store.sqlite", "store.sqlite.lock"]


def test_no_thread_is_left_when_an_engine_is_closed(tmp_path: Path) -> None:
    def ours() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("simpleflow-lab")]

    before = set(ours())
    with EmbeddedSWF(tmp_path / "store.sqlite") as engine:
        engine.list_domains(registrationStatus="REGISTERED")
        assert all(thread.daemon for thread in ours())
    until(lambda: not set(ours()) - before)


def test_a_manual_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        ManualClock().advance(-1)


def test_changes_that_were_queued_before_the_store_was_closed_are_acknowledged(path: Path) -> None:
    """A caller that was told otherwise would make them again at the next engine."""
    store: Any = EmbeddedSWF(path)._durable.store
    held, release = threading.Event(), threading.Event()

    def hold(connection: object) -> None:
        held.set()
        release.wait(60)

    with ThreadPoolExecutor() as threads:
        holding = threads.submit(store._query, hold)
        assert held.wait(60)  # from here on the store's thread writes nothing
        ticket = store.append([], urgent=True)
        closing = threads.submit(store.close)
        while not store._closing:
            time.sleep(0.01)
        acknowledged = threads.submit(store.wait, ticket)
        release.set()
        for each in (holding, closing, acknowledged):
            each.result(60)
