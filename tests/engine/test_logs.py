"""The logs of executions: kept with the store, bounded, and deleted with their execution."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import UnknownResourceFault, ValidationException
from simpleflow_lab.service.execution_logs import (
    MAX_BYTES,
    MAX_RECORDS,
    MAX_TEXT,
    PAGE_RECORDS,
    LogRecord,
    NumberedRecord,
    page_from_json,
    record_to_json,
)
from tests.service.scenario import DOMAIN, Scenario

Open = Callable[..., Scenario]


def record(text: str, *, at: int = 1, task: str | None = "a", started: int | None = 6) -> LogRecord:
    return LogRecord(at, task, started, "stdout", text)


@pytest.fixture(params=["file", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedSWF]:
    with EmbeddedSWF(":memory:" if request.param == "memory" else tmp_path / "store.sqlite") as engine:
        yield engine


@pytest.fixture
def execution(engine: EmbeddedSWF) -> dict[str, str]:
    return started(engine)


def started(engine: EmbeddedSWF) -> dict[str, str]:
    """An open execution."""
    engine.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
    kind = {"name": "workflow", "version": "1"}
    engine.register_workflow_type(domain=DOMAIN, **kind)
    run_id = engine.start_workflow_execution(
        domain=DOMAIN,
        workflowId="logs",
        workflowType=kind,
        taskList={"name": "list"},
        childPolicy="TERMINATE",
        executionStartToCloseTimeout="60",
        taskStartToCloseTimeout="60",
    )["runId"]
    return {"workflowId": "logs", "runId": run_id}


def append(engine: EmbeddedSWF, execution: dict[str, str], records: list[LogRecord], dropped: int = 0) -> None:
    objects = [record_to_json(record) for record in records]
    assert engine.append_log(domain=DOMAIN, execution=execution, records=objects, dropped=dropped) == {}


def all_of(engine: EmbeddedSWF, execution: dict[str, str]) -> list[NumberedRecord]:
    """Every record that is kept."""
    found: list[NumberedRecord] = []
    while page := page_from_json(
        engine.read_log(domain=DOMAIN, execution=execution, after=found[-1].number if found else 0)
    ):
        found.extend(page)
    return found


def test_records_come_back_in_order_as_they_were(engine, execution):
    records = [
        record("first", at=1_790_000_000_123),
        record("é \x00 \x1b[31m \u202e", task=None, started=None),
        record("", task="b"),
    ]
    append(engine, execution, records[:2])
    append(engine, execution, records[2:])
    assert all_of(engine, execution) == [NumberedRecord(n, each) for n, each in enumerate(records, start=1)]


def test_half_a_surrogate_pair_is_replaced(engine, execution):
    append(engine, execution, [record("\ud800 half")])
    assert [each.record.text for each in all_of(engine, execution)] == ["� half"]


def test_those_that_never_came_leave_a_gap(engine, execution):
    append(engine, execution, [record("one")])
    append(engine, execution, [record("two")], dropped=7)
    assert [(each.number, each.record.text) for each in all_of(engine, execution)] == [(1, "one"), (9, "two")]


def test_the_oldest_go_where_there_are_too_many(engine, execution):
    total = 3 * MAX_RECORDS
    for first in range(0, total, PAGE_RECORDS):
        records = [record(str(n)) for n in range(first + 1, first + PAGE_RECORDS + 1)]
        append(engine, execution, records)
    kept = all_of(engine, execution)
    assert MAX_RECORDS // 2 < len(kept) <= MAX_RECORDS
    assert [each.number for each in kept] == list(range(total - len(kept) + 1, total + 1))
    assert [each.record.text for each in kept] == [str(each.number) for each in kept]


def test_the_oldest_go_where_their_texts_are_too_long(engine, execution):
    text = "é" * MAX_TEXT
    for _ in range(3 * MAX_BYTES // (8 * 2 * MAX_TEXT)):
        append(engine, execution, [record(text) for _ in range(8)])
    size = sum(each.record.size for each in all_of(engine, execution))
    assert MAX_BYTES // 2 < size <= MAX_BYTES


@pytest.mark.parametrize(
    "wrong",
    [
        record("x" * (MAX_TEXT + 1)),
        record("x", at=-1),
        record("x", task="t" * 257),
        record("x", started=0),
        LogRecord(1, None, None, "", "x"),
        LogRecord(1, None, None, "stdout", 3),  # type: ignore[arg-type]
        LogRecord("now", None, None, "stdout", "x"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_record_is_refused_whole(engine, execution, wrong):
    with pytest.raises(ValidationException):
        append(engine, execution, [record("right"), wrong])
    assert all_of(engine, execution) == []


def test_too_many_at_once_are_refused(engine, execution):
    with pytest.raises(ValidationException):
        append(engine, execution, [record("x")] * (PAGE_RECORDS + 1))
    with pytest.raises(ValidationException):
        append(engine, execution, [record("x")], dropped=-1)


def test_an_execution_that_is_not_there_has_no_log(engine, execution):
    unknown = {**execution, "runId": "other"}
    with pytest.raises(UnknownResourceFault):
        append(engine, unknown, [record("x")])
    with pytest.raises(UnknownResourceFault):
        engine.read_log(domain=DOMAIN, execution=unknown)


def test_a_closed_execution_keeps_its_log_and_still_takes_records(engine, execution):
    append(engine, execution, [record("open")])
    engine.terminate_workflow_execution(domain=DOMAIN, workflowId="logs")
    append(engine, execution, [record("closed")])
    assert [each.record.text for each in all_of(engine, execution)] == ["open", "closed"]


def test_a_log_is_there_when_the_store_is_opened_again(tmp_path):
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path) as engine:
        execution = started(engine)
        append(engine, execution, [record("before")])
    with EmbeddedSWF(path) as engine:
        append(engine, execution, [record("after")])
        texts = [(each.number, each.record.text) for each in all_of(engine, execution)]
        assert texts == [(1, "before"), (2, "after")]


def test_a_log_is_deleted_with_its_execution(opened: Open, path: Path, clock):
    lab = opened()
    handle = lab.start()
    execution = handle.ids
    append(lab.service, execution, [record("x")])
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId=handle.workflow_id)
    clock.advance(400 * 86_400)
    lab.service.list_domains(registrationStatus="REGISTERED")
    lab.service.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM execution").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM log").fetchone() == (0,)


def test_a_store_of_version_1_gets_logs(tmp_path):
    path = tmp_path / "store.sqlite"
    with EmbeddedSWF(path) as engine:
        execution = started(engine)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TABLE log; DROP TABLE process; DROP TABLE request;"
            "ALTER TABLE execution DROP COLUMN seal; ALTER TABLE execution DROP COLUMN origin;"
            "PRAGMA user_version = 1"
        )
    with EmbeddedSWF(path) as engine:
        append(engine, execution, [record("migrated")])
        assert [each.record.text for each in all_of(engine, execution)] == ["migrated"]
    with closing(sqlite3.connect(tmp_path / "new.sqlite")) as fresh, closing(sqlite3.connect(path)) as migrated:
        fresh.executescript(Path("simpleflow_lab/engine/schema.sql").read_text())
        columns = "SELECT name, type, \"notnull\", pk FROM pragma_table_info('log')"
        assert migrated.execute(columns).fetchall() == fresh.execute(columns).fetchall()
