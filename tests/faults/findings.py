"""What a store holds, read by SQLite alone from a copy, and what is wrong with it.

Rule: nothing of the engine that wrote it is used, and the store is not touched: it is read as the kill left it.
`check_store` knows the invariants I1 to I5, I7, I8 and I9 of our notes on reliability; `replays` knows I6.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simpleflow_lab.engine.execution_state import to_datetime
from simpleflow_lab.engine.integrity import first_chain, next_chain
from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, DECISION_TASK, TIMER
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.swf.history_entities import Entities
from simpleflow_lab.workflow import registry
from tests.engine.invariants import violations
from tests.faults import programs

Reports = Iterable[tuple[Any, ...]]


@dataclasses.dataclass
class Figures:
    """What a trial, or all of them, came to."""

    kills: int = 0
    crashes: Counter[str] = dataclasses.field(default_factory=Counter)
    """By point."""
    faults: Counter[str] = dataclasses.field(default_factory=Counter)
    """Injected otherwise, by kind."""
    executions: int = 0
    """Closed in the end."""
    lost: int = 0
    """Acknowledged and not in the history."""
    duplicated: int = 0
    """Completions of what was completed already."""
    re_executed: int = 0
    """Activities handed out after their completion was recorded."""
    wrong: list[str] = dataclasses.field(default_factory=list)
    """Every other violation, in words."""
    worst_wait_ms: int = 0
    """Between a write and its acknowledgement."""
    waits: list[float] = dataclasses.field(default_factory=list)
    """All of them, in seconds."""
    worst_move_ms: int = 0
    """Between the death of an owner and the first answer of the next."""
    worst_recovery_ms: int = 0
    """Between the last kill and the end of all executions: most of it is the work that was left."""
    worst_standstill_ms: int = 0
    """In which nothing was recorded between the first and the last event, whoever was killed then."""
    timed_out: int = 0
    """Tasks that ended by a timeout, though their workers lived or their loss was known."""
    locked: int = 0
    """How often a process reported that the database is locked."""
    seeds: list[int] = dataclasses.field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Another trial's."""
        for field in dataclasses.fields(self):
            mine, its = getattr(self, field.name), getattr(other, field.name)
            if isinstance(mine, Counter):
                mine.update(its)
            elif isinstance(mine, list):
                mine.extend(its)
            elif field.name.startswith("worst"):
                setattr(self, field.name, max(mine, its))
            else:
                setattr(self, field.name, mine + its)

    def add_reports(self, reports: Reports) -> None:
        """Add what a process reported about waits, its log and its end."""
        reports = list(reports)
        waits = [words[1] for words in reports if words[0] == "waited"]
        self.waits += waits
        self.worst_wait_ms = max([self.worst_wait_ms, *(round(1000 * wait) for wait in waits)])
        self.locked += sum(" is locked" in words[1] for words in reports if words[0] in ("log", "error"))
        self.wrong += [words[1] for words in reports if words[0] == "error"]

    @property
    def good(self) -> bool:
        """Nothing was lost, nothing happened twice, nothing is wrong."""
        return not (self.lost or self.duplicated or self.re_executed or self.timed_out or self.locked or self.wrong)


@dataclasses.dataclass(frozen=True)
class Found:
    """An execution in a store."""

    workflow_id: str
    run_id: str
    type_name: str
    close_status: str | None
    history: History

    def activity_of(self, event: HistoryEvent) -> str:
        """The activity id that an event of an activity is about."""
        return str(self.history.event(event.attributes["scheduledEventId"]).attributes["activityId"])

    @property
    def completed(self) -> Counter[str]:
        """How often each activity was completed, by its id."""
        return Counter(self.activity_of(event) for event in self.history if event.type == "ActivityTaskCompleted")

    @property
    def result(self) -> Any:
        """What the execution gave."""
        return json.loads(self.history[-1].attributes.get("result", "null"))


def check_store(path: Path, reports: Reports, figures: Figures) -> dict[str, Found]:
    """What is in the store, by run id; what is wrong with it goes into the figures."""
    found = _read(path, figures)
    for run_id, each in found.items():
        wire = [event.to_wire() for event in each.history]
        for violation in violations(wire):
            if "closes what event" in violation:
                figures.duplicated += 1
            figures.wrong.append(f"{run_id}: {violation}")
        figures.duplicated += sum(count - 1 for count in each.completed.values())
        figures.re_executed += sum(_begun_again(each))
        figures.timed_out += sum(_timed_out(each.history))
        if each.close_status is None and _idle(each.history):
            figures.wrong.append(f"{run_id}: it is open and waits for nothing")
        if (each.close_status is None) != (each.history.close_status is None):
            figures.wrong.append(f"{run_id}: {each.close_status} in the list, {each.history.close_status} by history")
    figures.lost += sum(not there for there in _acknowledged(reports, found))
    return found


def check_results(found: dict[str, Found], figures: Figures) -> None:
    """All executions are closed, with the results that plain Python gives; and every prefix of them replays."""
    for each in found.values():
        if each.close_status != "COMPLETED":
            if each.close_status != "CONTINUED_AS_NEW":
                figures.wrong.append(f"{each.workflow_id}: {each.close_status}")
            continue
        figures.executions += 1
        arguments = json.loads(each.history[0].attributes["input"])["args"]
        wanted: Any = {
            "faults.sum": lambda arguments=arguments: programs.sum_of(*arguments),
            "faults.everything": lambda: programs.EVERYTHING,
            "faults.child": lambda arguments=arguments: arguments[0] ** 2,
            "faults.batch": lambda arguments=arguments: programs.sum_of(*arguments),
            "faults.brief-batch": lambda arguments=arguments: programs.sum_of(*arguments),
            "faults.loop": lambda: 50,
        }[each.type_name]()
        if each.result != wanted:
            figures.wrong.append(f"{each.workflow_id}: {each.result} instead of {wanted}")
        figures.wrong += replays(each)


def replays(each: Found) -> list[str]:
    """I6: where the decisions that a replay of a prefix makes are not the recorded ones."""
    wrong = []
    for completed in each.history:
        if completed.type != "DecisionTaskCompleted":
            continue
        started = completed.attributes["startedEventId"]
        replay = Replay(registry[each.type_name, "default"], workflow_id=each.workflow_id, run_id=each.run_id)
        try:
            replay.feed(each.history[:started])
            replayed = [
                (attributes.get("activityId"), attributes.get("input"))
                for attributes in map(decisions.attributes, replay.decide(started).decisions)
            ]
        except SimpleflowLabError as error:
            wrong.append(f"{each.workflow_id}: event {completed.id} can't be decided again: {error}")
            continue
        finally:
            replay.close()
        recorded = [
            (event.attributes.get("activityId"), event.attributes.get("input"))
            for event in each.history[completed.id :]
            if event.attributes.get("decisionTaskCompletedEventId") == completed.id
            and event.decision is not None
            and not event.attributes.get("initiatedEventId")  # what became of a decision later
        ]
        if replayed != recorded:
            wrong.append(f"{each.workflow_id}: event {completed.id} decided {recorded}, its replay {replayed}")
    return wrong


def _begun_again(each: Found) -> Iterable[bool]:
    """I5: for each start of an activity, whether it is after its completion."""
    completed: set[str] = set()
    for event in each.history:
        if event.type == "ActivityTaskStarted":
            yield each.activity_of(event) in completed
        elif event.type == "ActivityTaskCompleted":
            completed.add(each.activity_of(event))


def _timed_out(history: History) -> Iterable[bool]:
    """For each task that timed out, whether its time was over: a lost worker's task ends before that."""
    for event in history:
        if event.type not in ("ActivityTaskTimedOut", "DecisionTaskTimedOut"):
            continue
        scheduled = history.event(event.attributes["scheduledEventId"])
        started = history.event(event.attributes["startedEventId"]) if event.attributes["startedEventId"] else None
        kind = event.attributes["timeoutType"]
        since = started if kind in ("START_TO_CLOSE", "HEARTBEAT") and started is not None else scheduled
        member = "heartbeatTimeout" if kind == "HEARTBEAT" else _TIMEOUTS[kind]
        timeout = scheduled.attributes.get(member, "NONE")
        yield timeout != "NONE" and (event.timestamp - since.timestamp).total_seconds() >= float(timeout)


_TIMEOUTS = {
    "START_TO_CLOSE": "startToCloseTimeout",
    "SCHEDULE_TO_START": "scheduleToStartTimeout",
    "SCHEDULE_TO_CLOSE": "scheduleToCloseTimeout",
}


def _idle(history: History) -> bool:
    """I9: nothing works on it, and nothing will begin to."""
    entities = Entities()
    for event in history:
        entities.apply(event)
    return all(entity.closed for kind in (ACTIVITY, TIMER, CHILD, DECISION_TASK) for entity in entities.of(kind))


def _acknowledged(reports: Reports, found: dict[str, Found]) -> Iterable[bool]:
    """I1: for each acknowledgement, whether it is recorded."""
    completed = {run_id: set(each.completed) for run_id, each in found.items()}
    for word, *values in reports:
        if word == "started":
            yield values[0] in found
        elif word == "completed":
            yield values[1] in completed.get(values[0], ())
        elif word == "decided":
            run_id, started = values
            yield run_id in found and any(
                event.type == "DecisionTaskCompleted" and event.attributes["startedEventId"] == started
                for event in found[run_id].history[started:]
            )


def _read(path: Path, figures: Figures) -> dict[str, Found]:
    """The executions of a copy of the store. I3: the chain, and what SQLite says of the file."""
    found: dict[str, Found] = {}
    if not path.exists():
        return found
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        shutil.copy(path, copy)
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(f"{path}-wal", f"{copy}-wal")
        connection = sqlite3.connect(copy)
        try:
            if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                figures.wrong.append("integrity_check")
            if connection.execute("PRAGMA foreign_key_check").fetchall():
                figures.wrong.append("foreign_key_check")
            rows = connection.execute(
                "SELECT key, workflow_id, run_id, type_name, close_status, event_count FROM execution"
            ).fetchall()
            for key, workflow_id, run_id, type_name, close_status, count in rows:
                chain, events = first_chain(run_id), []
                for event_id, event_type, timestamp, attributes, recorded in connection.execute(
                    "SELECT id, type, timestamp, attributes, chain FROM event WHERE execution = ? ORDER BY id", (key,)
                ):
                    chain = next_chain(chain, event_id, event_type, timestamp, attributes)
                    if chain != recorded:
                        figures.wrong.append(f"{run_id}: the chain breaks at event {event_id}")
                    if event_id != len(events) + 1:
                        figures.wrong.append(f"{run_id}: event {event_id} stands at {len(events) + 1}")
                        break
                    events.append(HistoryEvent(event_id, event_type, to_datetime(timestamp), json.loads(attributes)))
                if not events or (close_status is not None and len(events) != count):
                    figures.wrong.append(f"{run_id}: {len(events)} events of {count}")
                found[run_id] = Found(workflow_id, run_id, type_name, close_status, History(events))
        finally:
            connection.close()
    return found
