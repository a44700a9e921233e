"""The checks of the fault suite see what they are for: here it is done by hand what no engine should do."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.integrity import next_chain
from simpleflow_lab.swf import decisions
from tests.faults.findings import Figures, check_store
from tests.service.scenario import Handle, Scenario


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def handle(path: Path) -> Handle:
    """An open execution in a store: activity "a" (event 5) is completed by event 7, and a decision task waits."""
    with EmbeddedSWF(path, clock=ManualClock(), poll_seconds=0) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        started = lab.start()
        lab.decide(decisions.schedule_activity_task(activity_id="a", name="activity", version="1"))
        lab.work()
        assert lab.types(started)[-3:] == ["ActivityTaskStarted", "ActivityTaskCompleted", "DecisionTaskScheduled"]
    return started


def add(path: Path, event_type: str, **attributes: Any) -> None:
    """One more event, with the right chain."""
    connection = sqlite3.connect(path)
    with connection:
        key, last, moment, chain = connection.execute(
            "SELECT execution, id, timestamp, chain FROM event ORDER BY id DESC LIMIT 1"
        ).fetchone()
        text = json.dumps(attributes)
        row = (key, last + 1, event_type, moment, text, next_chain(chain, last + 1, event_type, moment, text))
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()


def checked(path: Path, *reports: tuple[Any, ...]) -> Figures:
    figures = Figures()
    check_store(path, reports, figures)
    return figures


def test_a_store_as_the_engine_leaves_it_is_fine(path: Path, handle: Handle) -> None:
    reports = [("started", handle.run_id), ("decided", handle.run_id, 3), ("completed", handle.run_id, "a")]
    assert checked(path, *reports).good


def test_an_acknowledged_change_that_is_not_there_is_lost(path: Path, handle: Handle) -> None:
    reports = [("started", "another"), ("decided", handle.run_id, 4), ("completed", handle.run_id, "b")]
    assert checked(path, *reports).lost == 3


def test_a_second_completion_is_a_duplicate(path: Path, handle: Handle) -> None:
    add(path, "ActivityTaskCompleted", scheduledEventId=5, startedEventId=6)
    figures = checked(path)
    assert figures.duplicated
    assert any("closes what event 7 closed" in text for text in figures.wrong)


def test_a_start_after_the_completion_is_a_re_execution(path: Path, handle: Handle) -> None:
    add(path, "ActivityTaskStarted", scheduledEventId=5)
    assert checked(path).re_executed == 1


def test_a_changed_event_and_a_missing_one_are_wrong(path: Path, handle: Handle) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE event SET attributes = replace(attributes, 'done', 'gone') WHERE id = 7")
    assert any("the chain breaks at event 7" in text for text in checked(path).wrong)
    with connection:
        connection.execute("DELETE FROM event WHERE id = 2")
    connection.close()
    assert any("event 3 stands at 2" in text for text in checked(path).wrong)


def test_an_open_execution_on_which_nothing_works_is_wrong(path: Path, handle: Handle) -> None:
    add(path, "DecisionTaskStarted", scheduledEventId=8)
    assert checked(path).good
    add(path, "DecisionTaskCompleted", scheduledEventId=8, startedEventId=9)
    assert any("waits for nothing" in text for text in checked(path).wrong)
