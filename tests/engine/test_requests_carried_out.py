"""A request with an id takes effect once, as long as the store remembers it: some of them, for some time."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import Any

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.requests_carried_out import (
    REMEMBERED_MILLISECONDS,
    REMEMBERED_REQUESTS,
    CarriedOut,
    CarriedOutRequests,
    RequestsForgotten,
)
from simpleflow_lab.exceptions import DamagedStoreWarning, UnknownResourceFault, ValidationException
from tests.service.scenario import DOMAIN, WORKFLOW_TYPE, Handle, Scenario


def signal(engine: EmbeddedSWF, request_id: str, name: str = "s") -> dict[str, Any]:
    return engine.once(
        request_id, lambda: engine.signal_workflow_execution(domain=DOMAIN, workflowId="w", signalName=name)
    )


def start(engine: EmbeddedSWF, request_id: str) -> dict[str, Any]:
    return engine.once(
        request_id,
        lambda: engine.start_workflow_execution(domain=DOMAIN, workflowId="w", workflowType=WORKFLOW_TYPE),
    )


def signals(engine: EmbeddedSWF, handle: Handle) -> list[str]:
    lab = Scenario(engine, ManualClock())
    return [
        event["workflowExecutionSignaledEventAttributes"]["signalName"]
        for event in lab.events(handle)
        if event["eventType"] == "WorkflowExecutionSignaled"
    ]


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_request_that_comes_again_has_its_answer_of_then(tmp_path, kind):
    with EmbeddedSWF(":memory:" if kind == "memory" else tmp_path / "store.sqlite") as engine:
        Scenario(engine, ManualClock()).prepare()
        started = start(engine, "one")
        assert start(engine, "one") == started
        assert [signal(engine, each) for each in ("two", "two", "three")] == [{}, {}, {}]
        assert signals(engine, Handle("w", started["runId"])) == ["s", "s"]


def test_the_next_engine_of_the_store_knows_it_too(tmp_path):
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path) as engine:
        Scenario(engine, ManualClock()).prepare()
        started = start(engine, "one")
        signal(engine, "two")
    with EmbeddedSWF(path) as engine:
        assert start(engine, "one") == started
        signal(engine, "two")
        signal(engine, "three")
        assert signals(engine, Handle("w", started["runId"])) == ["s", "s"]
    with EmbeddedSWF(path) as engine:
        signal(engine, "three")
        assert signals(engine, Handle("w", started["runId"])) == ["s", "s"]


def test_a_refusal_has_no_effect_and_is_not_remembered():
    with EmbeddedSWF() as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        with pytest.raises(UnknownResourceFault):
            signal(engine, "one")
        handle = lab.start("w")
        signal(engine, "one")
        assert signals(engine, handle) == ["s"]


def test_a_request_that_comes_again_while_the_first_is_carried_out_takes_effect_once(tmp_path):
    with EmbeddedSWF(tmp_path / "store.sqlite") as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        handle = lab.start("w")
        together = threading.Barrier(8)

        def ask() -> None:
            together.wait()
            signal(engine, "one")

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert signals(engine, handle) == ["s"]


@pytest.mark.parametrize("request_id", ["", "a b", "é", "x" * 65, "a\n"])
def test_what_is_no_id_is_refused(request_id):
    with EmbeddedSWF() as engine, pytest.raises(ValidationException):
        engine.once(request_id, lambda: engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1"))


def test_the_oldest_are_forgotten_when_there_are_many():
    requests = CarriedOutRequests()
    forgotten = []
    for number in range(1, 2 * REMEMBERED_REQUESTS):
        requests.add(str(number), 0, {})
        forgotten.append(requests.forget(0))
        assert requests.get(str(max(1, number - REMEMBERED_REQUESTS + 1))) is not None
    changes = [each for each in forgotten if each is not None]
    assert 1 < len(changes) < REMEMBERED_REQUESTS / 100
    assert requests.get(str(changes[-1].last)) is None
    assert requests.get(str(changes[-1].last + 1)) is not None


def test_those_of_long_ago_are_forgotten():
    requests = CarriedOutRequests()
    requests.put(CarriedOut(7, "old", 1000, {}))
    assert requests.add("new", 2000, {"runId": "r"}).number == 8
    assert requests.forget(1000 + REMEMBERED_MILLISECONDS - 1) is None
    assert requests.forget(1000 + REMEMBERED_MILLISECONDS) == RequestsForgotten(7)
    assert requests.get("old") is None
    assert requests.get("new") == CarriedOut(8, "new", 2000, {"runId": "r"})


def rows(path: object) -> list[str]:
    with contextlib.closing(sqlite3.connect(str(path))) as connection:
        return [each for (each,) in connection.execute("SELECT id FROM request ORDER BY number")]


def test_the_store_keeps_what_is_remembered_and_no_more(tmp_path):
    path = tmp_path / "store.sqlite"
    clock = ManualClock()
    with EmbeddedSWF(path, clock=clock) as engine:
        lab = Scenario(engine, clock)
        lab.prepare()
        lab.start("w")
        signal(engine, "one")
        clock.advance(REMEMBERED_MILLISECONDS / 2000)
        signal(engine, "two")
    assert rows(path) == ["one", "two"]
    clock.advance(REMEMBERED_MILLISECONDS / 2000 + 1)
    with EmbeddedSWF(path, clock=clock):
        pass
    assert rows(path) == ["two"]


def test_a_row_that_is_not_what_was_written_is_named_and_left_out(tmp_path):
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path) as engine:
        lab = Scenario(engine, ManualClock())
        lab.prepare()
        handle = lab.start("w")
        signal(engine, "one")
        signal(engine, "two")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE request SET answer = '{' WHERE id = 'one'")
    with pytest.warns(DamagedStoreWarning, match="request 1 of a client is not what was written"):
        engine = EmbeddedSWF(path)
    with engine:
        signal(engine, "two")
        assert signals(engine, handle) == ["s", "s"]
