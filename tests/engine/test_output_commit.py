"""What waits for the disk: an acknowledgement, and an activity that begins; and what does not: what our own workers
answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.sqlite_store import SQLiteStore
from simpleflow_lab.swf import decisions
from tests.engine.test_threads import SOON, waiting
from tests.engine.test_threads import lab as lab  # its fixture, on the engine of this file
from tests.engine.test_threads import threads as threads  # its fixture
from tests.service.scenario import DOMAIN, Handle, Scenario
from tests.waiting import until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedSWF]:
    with EmbeddedSWF(tmp_path / "store.sqlite", clock=ManualClock(), poll_seconds=SOON) as opened:
        yield opened


def store_of(engine: EmbeddedSWF) -> SQLiteStore:
    store = engine._durable.store
    assert isinstance(store, SQLiteStore)
    return store


@contextlib.contextmanager
def slow_disk(engine: EmbeddedSWF) -> Iterator[None]:
    """Nothing is written meanwhile."""
    reached, gate = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        reached.set()
        assert gate.wait(SOON)

    thread = threading.Thread(target=store_of(engine)._query, args=(hold,))
    thread.start()
    assert reached.wait(SOON)
    try:
        yield
    finally:
        gate.set()
        thread.join()


def activities(*ids: str) -> list[Any]:
    return [decisions.schedule_activity_task(activity_id=each, name="activity", version="1") for each in ids]


def assert_waits(future: Future[Any]) -> None:
    """Its transaction has ended, and it would return in no time."""
    with pytest.raises(TimeoutError):
        future.result(0.05)


def on_disk(engine: EmbeddedSWF, handle: Handle) -> list[str]:
    """The types of the events of an execution that are on disk now."""
    run = engine._durable.state.open_by_id[DOMAIN, handle.workflow_id].run
    found = store_of(engine).written_history(run.key)
    return [] if found is None else [event.type for event in found[1]]


def test_an_answer_of_our_worker_does_not_wait_and_neither_does_a_task_that_was_scheduled_before(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    handle = lab.start()
    lab.decide(*activities("a", "b"))
    with slow_disk(engine):
        engine.answer_activity_task(taskToken=lab.take()["taskToken"], result="1")
        second = lab.take()
        assert second["activityId"] == "b"
        acknowledged = threads.submit(lab.complete, second, "2")
        until(lambda: engine._durable.state.open_by_id[DOMAIN, "w"].events[-1].type == "ActivityTaskCompleted")
        assert_waits(acknowledged)
    acknowledged.result(SOON)
    assert on_disk(engine, handle).count("ActivityTaskCompleted") == 2


def test_an_activity_begins_when_the_decision_that_schedules_it_is_on_disk(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    handle = lab.start()
    lab.decide(*activities("a"))
    with slow_disk(engine):
        engine.answer_activity_task(taskToken=lab.take()["taskToken"], result="1")
        engine.answer_decision_task(taskToken=lab.poll()["taskToken"], decisions=activities("b"))
        taken = threads.submit(lab.take)
        until(lambda: engine._durable.state.open_by_id[DOMAIN, "w"].events[-1].type == "ActivityTaskStarted")
        assert_waits(taken)
    assert taken.result(SOON)["activityId"] == "b"
    assert on_disk(engine, handle).count("ActivityTaskScheduled") == 2


def test_an_answer_that_nobody_waits_for_is_written_when_its_worker_polls_again(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    store_of(engine).uptime_seconds = 1e6  # with which it would be written, too
    lab.start()
    lab.decide(*activities("a"))
    task = lab.take()
    deciding = threads.submit(lab.poll)
    waiting(engine, 1)
    engine.answer_activity_task(taskToken=task["taskToken"], result="1")
    assert deciding.result(SOON)["taskToken"]  # and its decider thinks
    threads.submit(lab.take)
    until(lambda: store_of(engine).is_flushed(engine._durable.last_ticket))
    engine.release_polls()


def test_the_start_of_an_activity_is_written_at_once_and_nobody_waits_for_it(
    lab: Scenario, engine: EmbeddedSWF
) -> None:
    store_of(engine).uptime_seconds = 1e6  # with which it would be written, too
    handle = lab.start()
    lab.decide(*activities("a"))
    assert lab.take()["activityId"] == "a"
    until(lambda: store_of(engine).is_flushed(engine._durable.last_ticket))
    assert on_disk(engine, handle)[-1] == "ActivityTaskStarted"


def test_no_activity_begins_while_the_disk_is_full(
    lab: Scenario, engine: EmbeddedSWF, threads: ThreadPoolExecutor
) -> None:
    store = store_of(engine)

    def allow(pages: int) -> None:
        store._query(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())

    lab.start()
    lab.decide(*activities("a", "b"))
    first = lab.take()
    allow(1)
    try:
        engine.answer_activity_task(taskToken=first["taskToken"], result="x" * 30_000)
        until(lambda: store.paused is not None)
        second = threads.submit(lab.take)
        until(lambda: engine._durable.state.open_by_id[DOMAIN, "w"].events[-1].type == "ActivityTaskStarted")
        assert_waits(second)
    finally:
        allow(1 << 30)
    assert second.result(SOON)["activityId"] == "b"
