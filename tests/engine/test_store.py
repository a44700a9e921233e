"""The file of a store: its contents, its owner, files that are no stores, and damage."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import (
    DamagedStoreWarning,
    NotAStoreError,
    StoreError,
    StoreInUseError,
    StorePausedError,
    StoreVersionError,
    TypeAlreadyExistsFault,
)
from simpleflow_lab.executions.execution_infos import latest_run
from simpleflow_lab.http.client import connect_to_owner
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.swf import decisions
from tests.service.scenario import DOMAIN, Scenario

pytestmark = pytest.mark.slow

Open = Callable[..., Scenario]


def sql(path: Path, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    """Run a statement on a store that no process owns."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


# -- contents ----------------------------------------------------------------------------------------------------------


def test_acknowledged_changes_are_there_when_the_store_is_opened_again(opened: Open) -> None:
    lab = opened()
    handle = lab.start(input="[1]", tagList=["x"], taskPriority="1")
    lab.decide(
        decisions.schedule_activity_task(activity_id="a", name="activity", version="1", input="é \ud800 \x00"),
        executionContext="context",
    )
    lab.work("done")
    events, description = lab.events(handle), lab.describe(handle)
    again = opened()
    assert again.events(handle) == events
    assert again.describe(handle) == description


def test_closed_executions_beyond_the_cache_size_are_read_from_the_store(opened: Open) -> None:
    lab = opened(cached_events=10)
    known = {}
    for n in range(8):
        handle = lab.start(f"w{n}")
        lab.decide(decisions.complete_workflow_execution(result=str(n)))
        known[handle] = (lab.events(handle), lab.describe(handle))
    assert len(lab.service._durable.state.closed) < 8
    for handle, seen in known.items():
        assert (lab.events(handle), lab.describe(handle)) == seen
    again = opened(cached_events=10)
    for handle, seen in known.items():
        assert (again.events(handle), again.describe(handle)) == seen


def test_domains_types_and_tags_are_stored(opened: Open) -> None:
    lab = opened()
    lab.service.tag_resource(resourceArn="arn:aws:swf:us-east-1:000000000000:/domain/lab", tags=[{"key": "k"}])
    lab.service.deprecate_activity_type(domain=DOMAIN, activityType={"name": "activity", "version": "1"})
    lab.workflow_type("gone")
    lab.service.deprecate_workflow_type(domain=DOMAIN, workflowType={"name": "gone", "version": "1"})
    lab.service.delete_workflow_type(domain=DOMAIN, workflowType={"name": "gone", "version": "1"})

    def registered(lab: Scenario) -> list[object]:
        return [
            lab.service.describe_domain(name=DOMAIN),
            lab.service.list_tags_for_resource(resourceArn="arn:aws:swf:us-east-1:000000000000:/domain/lab"),
            lab.service.describe_activity_type(domain=DOMAIN, activityType={"name": "activity", "version": "1"}),
            lab.service.list_workflow_types(domain=DOMAIN, registrationStatus="REGISTERED"),
            lab.service.list_workflow_types(domain=DOMAIN, registrationStatus="DEPRECATED"),
        ]

    before = registered(lab)
    assert registered(opened()) == before


def test_deleted_executions_stay_deleted(opened: Open, path: Path) -> None:
    lab = opened()
    lab.start()
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    lab.clock.advance(91 * 86_400)
    assert lab.everything() == []
    assert opened().everything() == []
    opened().service.close()
    assert sql(path, "SELECT count(*) FROM event") == [(0,)]


def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "store.sqlite"
    path.parent.mkdir()
    with EmbeddedSWF(path) as engine:
        engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        for file in path.parent.iterdir():
            assert mode(file) == 0o600, file
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.sqlite", "store.sqlite.lock"]


def test_an_engine_in_memory_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with EmbeddedSWF() as engine:
        engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_engine_refuses_calls(path: Path) -> None:
    engine = EmbeddedSWF(path)
    engine.close()
    engine.close()
    with pytest.raises(StoreError, match="is closed"):
        engine.list_domains(registrationStatus="REGISTERED")


# -- its owner ---------------------------------------------------------------------------------------------------------


def test_one_store_has_one_owner_and_the_error_names_it(path: Path) -> None:
    with EmbeddedSWF(path):
        with pytest.raises(StoreInUseError, match="in use by this process"):
            EmbeddedSWF(path)
        link = path.with_name("link.sqlite")
        link.symlink_to(path)
        with pytest.raises(StoreInUseError):
            EmbeddedSWF(link)
    EmbeddedSWF(path).close()


def test_another_process_is_named_by_its_id(path: Path) -> None:
    code = (
        "import sys, simpleflow_lab.engine.embedded as e\n"
        f"engine = e.EmbeddedSWF({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreInUseError, match=rf"in use by process {other.pid} on "):
            EmbeddedSWF(path)
        other.kill()
    # The operating system lets the lock of a killed process go.
    EmbeddedSWF(path).close()


def test_a_forked_process_can_not_use_the_engine_of_its_parent(path: Path) -> None:
    with EmbeddedSWF(path) as engine:
        engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        child = os.fork()
        if child == 0:
            try:
                engine.list_domains(registrationStatus="REGISTERED")
                os._exit(1)
            except StoreError:
                engine.close()
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert engine.list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"] == "d"


# -- files that are no stores ------------------------------------------------------------------------------------------


def untouched(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


@pytest.mark.parametrize("content", [b"hello", b"x" * 5000, b"SQLite format 3\x00"])
def test_a_file_of_another_program_is_refused_and_not_touched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    before = untouched(path)
    with pytest.raises(NotAStoreError, match="it is no SQLite database"):
        EmbeddedSWF(path)
    assert untouched(path) == before


def test_a_database_of_another_program_is_refused_and_not_touched(path: Path) -> None:
    sql(path, "CREATE TABLE mine (x)")
    before = untouched(path)
    with pytest.raises(NotAStoreError, match="SQLite database of another program"):
        EmbeddedSWF(path)
    assert untouched(path) == before


@pytest.mark.parametrize("version", [0, -1])
def test_a_store_of_no_version_is_refused_and_not_touched(path: Path, version: int) -> None:
    EmbeddedSWF(path).close()
    sql(path, f"PRAGMA user_version = {version}")
    before = untouched(path)
    with pytest.raises(NotAStoreError, match=f"user_version is {version}"):
        EmbeddedSWF(path)
    assert untouched(path) == before


def test_a_newer_store_is_refused_and_not_touched(path: Path) -> None:
    EmbeddedSWF(path).close()
    sql(path, "PRAGMA user_version = 99")
    before = untouched(path)
    with pytest.raises(StoreVersionError, match="schema version 99"):
        EmbeddedSWF(path)
    assert untouched(path) == before


# -- damage ------------------------------------------------------------------------------------------------------------


def flip(path: Path, workflow_id: str, event_id: int) -> None:
    """Change one character of an event's attributes, as a bad disk would."""
    (key,) = sql(path, "SELECT key FROM execution WHERE workflow_id = ?", workflow_id)[0]
    where = "WHERE execution = ? AND id = ?"
    (text,) = sql(path, f"SELECT attributes FROM event {where}", key, event_id)[0]
    changed = str(text).replace("[1]", "[3]")
    assert changed != text
    sql(path, f"UPDATE event SET attributes = ? {where}", changed, key, event_id)


def test_a_flipped_bit_in_a_closed_history_is_found_and_the_others_stay_readable(opened: Open, path: Path) -> None:
    lab = opened()
    bad, good = lab.start("bad", input="[1]"), lab.start("good", input="[1]")
    for workflow_id in ("bad", "good"):
        lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId=workflow_id)
    lab.service.close()
    flip(path, "bad", 1)
    again = opened()
    with pytest.raises(StoreError, match=r"execution bad .*event 1 is not what was written"):
        again.events(bad)
    assert again.events(good)[0]["workflowExecutionStartedEventAttributes"]["input"] == "[1]"
    again.service.close()
    sql(path, "DELETE FROM event")
    sql(path, "DELETE FROM execution")


def test_a_flipped_bit_in_an_open_history_stops_that_execution_and_no_other(opened: Open, path: Path) -> None:
    lab = opened()
    bad, good = lab.start("bad", input="[1]"), lab.start("good", input="[1]")
    lab.service.close()
    flip(path, "bad", 1)
    with pytest.warns(DamagedStoreWarning, match=r"damaged: execution bad .*event 1 is not what was written"):
        again = opened()
    for call in (again.events, again.describe):
        with pytest.raises(StoreError, match=r"damaged: execution bad"):
            call(bad)
    for call in (again.signal, again.start):
        with pytest.raises(StoreError, match=r"damaged: execution bad"):
            call("bad")
    for executions, shown in (("bad", ()), ("good", [good.ids])):
        asked = {
            "domain": DOMAIN,
            "startTimeFilter": {"oldestDate": 0},
            "executionFilter": {"workflowId": executions},
        }
        if shown:
            listed = again.service.list_open_workflow_executions(**asked)["executionInfos"]
            assert [info["execution"] for info in listed] == shown
        else:
            with pytest.raises(StoreError, match=r"damaged: execution bad"):
                again.service.list_open_workflow_executions(**asked)
    assert again.everything() == [good]
    assert again.poll()["workflowExecution"] == good.ids
    assert "taskToken" not in again.poll()
    again.service.close()
    sql(path, "DELETE FROM event")
    sql(path, "DELETE FROM execution")


COLUMNS = {
    "domain": "other",
    "workflow_id": "goon",
    "run_id": "r",
    "type_name": "t",
    "started_at": 5,
    "parent": '["p", "q"]',
    "tags": '["t"]',
    "close_status": "FAILED",
    "closed_at": 5,
    "event_count": 1,
    "origin": "{}",
}


@pytest.mark.parametrize("is_open", [True, False])
def test_whatever_is_changed_in_the_record_of_an_execution_is_named_and_the_others_go_on(
    opened: Open, path: Path, is_open: bool
) -> None:
    lab = opened()
    lab.service.register_domain(name="other", workflowExecutionRetentionPeriodInDays="1")
    bad, good = lab.start("bad"), lab.start("good")
    if not is_open:
        lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="bad")
    lab.service.close()
    whole = path.read_bytes()
    for column, value in COLUMNS.items():
        sql(path, f"UPDATE execution SET {column} = ? WHERE run_id = ?", value, bad.ids["runId"])
        changed = {"domain": DOMAIN, "workflow_id": "bad", "run_id": bad.ids["runId"], column: value}
        with pytest.warns(DamagedStoreWarning, match=r"damaged: execution .*, its record is not what was w"):
            again = opened()
        with pytest.raises(StoreError, match=r"its record is not what was written"):
            again.service.get_workflow_execution_history(
                domain=changed["domain"],
                execution={"workflowId": changed["workflow_id"], "runId": changed["run_id"]},
            )
        assert again.poll()["workflowExecution"] == good.ids
        again.service.close()
        path.write_bytes(whole)
    assert len(opened().events(bad)) == (2 if is_open else 3)


def test_events_that_are_missing_at_the_end_of_an_open_history_are_found_out(opened: Open, path: Path) -> None:
    lab = opened()
    handle = lab.start("bad")
    lab.signal("bad")
    events = lab.events(handle)
    lab.service.close()
    whole = path.read_bytes()
    sql(path, "DELETE FROM event WHERE id = ?", len(events))
    with pytest.warns(DamagedStoreWarning, match=rf"only {len(events) - 1} of at least {len(events)} events are there"):
        opened().service.close()
    path.write_bytes(whole)
    assert opened().events(handle) == events


def test_no_child_takes_the_id_of_a_damaged_execution(opened: Open, path: Path) -> None:
    lab = opened()
    bad, parent = lab.start("bad", input="[1]"), lab.start("parent")
    lab.service.close()
    flip(path, "bad", 1)
    with pytest.warns(DamagedStoreWarning):
        again = opened()
    again.decide(decisions.start_child_workflow_execution(workflow_id="bad", name="workflow", version="1"))
    failed = [event for event in again.events(parent) if event["eventType"] == "StartChildWorkflowExecutionFailed"]
    (attributes,) = [event["startChildWorkflowExecutionFailedEventAttributes"] for event in failed]
    assert (attributes["workflowId"], attributes["cause"]) == ("bad", "WORKFLOW_ALREADY_RUNNING")
    again.service.close()
    sql(path, "DELETE FROM event WHERE execution = (SELECT key FROM execution WHERE run_id = ?)", bad.ids["runId"])
    sql(path, "DELETE FROM execution WHERE run_id = ?", bad.ids["runId"])


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM meta",
        "UPDATE meta SET value = 'short' WHERE name = 'secret'",
        "DELETE FROM execution",
        "UPDATE execution SET parent = '{'",
        "UPDATE execution SET started_at = 'x'",
        "UPDATE execution SET workflow_id = x'00'",
    ],
)
def test_a_store_with_a_damaged_row_is_not_opened(path: Path, damage: str, opened: Open) -> None:
    lab = opened()
    lab.start()
    lab.service.close()
    whole = path.read_bytes()
    sql(path, damage)
    with pytest.raises(StoreError, match=rf"^the store {path} is damaged: .*; restore the file from a copy$"):
        EmbeddedSWF(path)
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM domain", "domain 'lab' is missing: its executions are kept"),
        ("UPDATE domain SET tags = '{'", "domain 'lab' is not what was written: its executions are kept"),
        ("UPDATE domain SET retention = 'x'", "domain 'lab' is not what was written: its executions are kept"),
        (
            "UPDATE type SET defaults = 'x' WHERE name = 'activity'",
            "'ActivityType' 'activity' '1' of domain 'lab' is",
        ),
        ("UPDATE type SET defaults = '[]' WHERE name = 'activity'", "'ActivityType' 'activity' '1' of domain"),
        ("UPDATE type SET created_at = x'00' WHERE name = 'activity'", "'ActivityType' 'activity' '1' of domain"),
        ("UPDATE uptime SET last_alive = 'x'", "the time at which an engine ran (row 1 of its table) is not what was"),
        ("UPDATE uptime SET opened_at = x'00'", "the time at which an engine ran (row 1 of its table) is not what was"),
        ("INSERT INTO process VALUES (1, 'x', '{')", "the record of process 'x' is not what was written"),
    ],
)
def test_a_store_with_a_damaged_row_that_can_be_left_out_is_opened_and_says_which(
    path: Path, damage: str, told: str, opened: Open
) -> None:
    lab = opened()
    handle = lab.start()
    events = lab.events(handle)
    lab.service.close()
    whole = path.read_bytes()
    sql(path, damage)
    with pytest.warns(DamagedStoreWarning, match=rf"^the store {path} is damaged: {re.escape(told)}.*; restore the "):
        again = opened()
    assert again.events(handle) == events
    with contextlib.suppress(TypeAlreadyExistsFault):
        again.activity_type()
    again.decide(decisions.schedule_activity_task(activity_id="a", name="activity", version="1"))
    assert again.events(handle)[-1]["eventType"] == "ActivityTaskScheduled"
    again.service.close()
    path.write_bytes(whole)


def test_a_damaged_page_of_a_store_is_told_or_changes_nothing(path: Path, opened: Open) -> None:
    lab = opened()
    handle = lab.start("a", input="[1]")
    events = lab.events(handle)
    lab.service.close()
    whole = path.read_bytes()
    refused = 0
    for page in range(4096, len(whole), 4096):
        changed = bytearray(whole)
        changed[page + 4] ^= 1  # how many rows it has
        path.write_bytes(changed)
        try:
            again = opened()
            assert again.events(handle) == events
        except (StoreError, DamagedStoreWarning) as error:
            assert str(error).startswith(f"the store {path} is damaged: ")  # noqa: PT017
            refused += 1
    assert refused > 3
    path.write_bytes(whole)
    assert opened().events(handle) == events


def test_missing_events_of_a_closed_execution_are_found_out(opened: Open, path: Path) -> None:
    lab = opened()
    handle = lab.start()
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    lab.service.close()
    sql(path, "DELETE FROM event WHERE id = 3")
    with pytest.raises(StoreError, match="2 events instead of 3"):
        opened().events(handle)
    opened().service.close()
    sql(path, "DELETE FROM event")
    sql(path, "DELETE FROM execution")


def test_every_call_raises_when_the_store_can_not_be_written_any_more(path: Path) -> None:
    engine = EmbeddedSWF(path)
    engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
    # The next insert fails in the store's own thread, as it would on a full disk.
    engine._durable.store._query(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
    engine._durable.store._query(lambda connection: connection.execute("DROP TABLE type"))
    register = {"domain": "d", "name": "t", "version": "1"}
    with pytest.raises(StoreError, match="what was acknowledged is safe"):
        engine.register_activity_type(**register)
    for call in (
        lambda: engine.register_activity_type(**register),
        lambda: engine.list_domains(registrationStatus="REGISTERED"),
    ):
        with pytest.raises(StoreError, match="close it and open it again"):
            call()
    engine.close()


def no_more_than(pages: int) -> Callable[[sqlite3.Connection], None]:
    """So many more pages than it has are what the store may have, as on a disk that is full."""

    def limit(connection: sqlite3.Connection) -> None:
        (there,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {there + pages}")

    return limit


@pytest.mark.parametrize("is_client", [False, True])
def test_what_a_person_asks_for_while_the_disk_is_full_is_refused_in_a_moment_and_not_done(
    opened: Open, path: Path, is_client: bool
) -> None:
    lab = opened()
    handle = lab.start("a")
    store = lab.service._durable.store
    endpoint = Endpoint(lab.service, connection_file=connection_file_path(str(path)))
    service = connect_to_owner(str(path)) if is_client else lab.service
    asked = {"domain": DOMAIN, "workflowId": "a"}
    large = "x" * 30_000
    store._query(no_more_than(0))
    with pytest.raises(
        StorePausedError, match=r"make room on its disk.*; what was asked counts as soon as there is room"
    ):
        service.signal_workflow_execution(**asked, signalName="recorded", input=large)
    for call in (
        lambda: service.signal_workflow_execution(**asked, signalName="refused"),
        lambda: service.request_cancel_workflow_execution(**asked),
        lambda: service.terminate_workflow_execution(**asked),
        lambda: service.start_workflow_execution(
            domain=DOMAIN, workflowId="b", workflowType={"name": "workflow", "version": "1"}
        ),
        lambda: service.register_workflow_type(domain=DOMAIN, name="another", version="1"),
    ):
        with pytest.raises(StorePausedError, match=r"make room on its disk.*; what was asked was not done: ask again"):
            call()
    store._query(no_more_than(1_000))
    lab.signal("a")
    signals = [event for event in lab.events(handle) if event["eventType"] == "WorkflowExecutionSignaled"]
    assert [each["workflowExecutionSignaledEventAttributes"].get("input") for each in signals] == [large, None]
    assert lab.everything() == [handle]
    endpoint.close()
    if is_client:
        service.close()


@pytest.mark.parametrize("is_client", [False, True])
def test_an_execution_that_begins_when_there_is_room_is_not_said_to_be_missing(
    opened: Open, path: Path, is_client: bool
) -> None:
    lab = opened()
    store = lab.service._durable.store
    endpoint = Endpoint(lab.service, connection_file=connection_file_path(str(path)))
    service = connect_to_owner(str(path)) if is_client else lab.service
    store._query(no_more_than(0))
    with pytest.raises(StorePausedError, match="what was asked counts as soon as there is room"):
        lab.start("b", input="x" * 30_000)
    with pytest.raises(StorePausedError, match="execution b counts as soon as there is room"):
        latest_run(service, "b", domain=DOMAIN)
    assert latest_run(service, "c", domain=DOMAIN) is None
    ever = {"domain": DOMAIN, "startTimeFilter": {"oldestDate": 0}}
    assert service.list_open_workflow_executions(**ever)["executionInfos"] == []
    store._query(no_more_than(1_000))
    deadline = time.monotonic() + 200
    while store.paused is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert latest_run(service, "b", domain=DOMAIN) is not None
    endpoint.close()
    if is_client:
        service.close()


def test_a_store_that_is_closed_without_room_says_that_what_waited_for_it_is_not_recorded(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    lab = opened()
    handle = lab.start("a")
    lab.service._durable.store._query(no_more_than(0))
    with pytest.raises(StorePausedError, match="counts as soon as there is room, if the store stays open until then"):
        lab.start("b", input="x" * 30_000)
    lab.service.close()
    assert caplog.messages[-1].endswith("what was asked, and waited for room, is not recorded; ask again")
    again = opened()
    assert again.everything() == [handle]
    again.service.close()
    assert len([text for text in caplog.messages if "is not recorded" in text]) == 1


def test_the_owner_file_names_the_process(path: Path) -> None:
    with EmbeddedSWF(path):
        owner = json.loads(Path(f"{path}.owner").read_text())
        assert owner["pid"] == os.getpid()
