"""Why an execution waits: each reason, from an engine that runs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Execution, Group, Lab, Workflow, activity, futures, open_history
from simpleflow_lab.cli.progress import live_text
from simpleflow_lab.exceptions import DecisionBlockedError, ImpureWorkflowError, StorePausedError, ValidationException
from simpleflow_lab.notebook.live_view import LiveView
from simpleflow_lab.retry import Retry
from simpleflow_lab.runtime.shared_store import SharedStore
from simpleflow_lab.views.waiting import Wait, Waits

LIMIT = 200.0
"""Seconds after which a test gives up; nothing here takes long."""

_release = threading.Event()


@activity.with_attributes(name="waits.hold", task_list="waits", version="1")
def hold(n: int = 0) -> int:
    assert _release.wait(LIMIT)
    return n


class Base(Workflow):
    version = "1"
    task_list = "waits"


@pytest.fixture
def lab() -> Iterator[Lab]:
    _release.clear()
    with Lab(":memory:", activity_threads=4) as opened:
        yield opened
        _release.set()


def until(execution: Execution, condition: Callable[[Waits], Any]) -> Waits:
    """What it waits for, once that is so."""
    deadline = time.monotonic() + LIMIT
    while not condition(waits := execution.waiting_for()):
        assert time.monotonic() < deadline, waits
        time.sleep(0.02)
    return waits


def kinds(waits: Waits) -> list[tuple[int, str]]:
    return [(wait.depth, wait.kind) for wait in waits]


def of(waits: Waits, kind: str) -> list[Wait]:
    return [wait for wait in waits if wait.kind == kind]


class Signals(Base):
    name = "waits.signals"

    def run(self) -> Any:
        return futures.wait(self.submit(self.wait_signal("go")), self.submit(self.start_timer("patience", 3600)))


class Parent(Base):
    name = "waits.parent"

    def run(self, depth: int) -> Any:
        return self.submit(Parent, depth - 1).result if depth else self.submit(self.wait_signal("go")).result


def test_a_signal_and_a_timer(lab: Lab) -> None:
    execution = lab.start(Signals, workflow_id="order-1")
    waits = until(execution, lambda waits: kinds(waits) == [(0, "signal"), (0, "timer")])

    assert "workflow.signal order-1 go" in waits[0].to_do
    assert waits[1].until is not None
    assert waits[1].since is not None
    assert (waits[1].until - waits[1].since).total_seconds() == 3600
    assert waits.in_words() == "signal go, timer patience"
    with pytest.raises(
        TimeoutError, match=r"still open after 0\.1 s and waits for signal go, timer patience: it goes on"
    ):
        execution.result(0.1)


def test_the_same_is_seen_without_a_decider(lab: Lab, tmp_path: Any) -> None:
    """What the code waits for is in the history: it outlives every process, and a file shows it."""
    execution = lab.start(Signals, workflow_id="order-2")
    waits = until(execution, lambda waits: len(waits) == 2 and waits[0].kind == "signal")
    file = tmp_path / "order-2.json"
    file.write_text(execution.history().to_json())

    assert [wait.what for wait in open_history(file).waiting_for()] == [wait.what for wait in waits]


def test_nothing_once_it_has_closed(lab: Lab) -> None:
    execution = lab.start(Parent, 0)
    until(execution, lambda waits: of(waits, "signal"))
    execution.signal("go")
    execution.result(LIMIT)

    assert len(execution.waiting_for()) == 0


def test_children_three_levels_deep_tell_what_they_wait_for(lab: Lab) -> None:
    execution = lab.start(Parent, 3)
    waits = until(execution, lambda waits: of(waits, "signal") and not of(waits, "decision"))

    assert kinds(waits) == [(0, "child"), (1, "child"), (2, "child"), (3, "signal")]
    (signal,) = of(waits, "signal")
    assert f"lab.execution({signal.workflow_id!r}).signal('go')" in signal.to_do
    assert len(repr(waits).splitlines()) == 5

    exec(signal.to_do.partition(", or ")[0], {"lab": lab})
    execution.result(LIMIT)


def test_activities_that_run_and_what_max_parallel_holds_back(lab: Lab) -> None:
    class Few(Base):
        name = "waits.few"

        def run(self) -> Any:
            return self.submit(Group(*[(hold, n) for n in range(9)], max_parallel=2)).result

    execution = lab.start(Few)
    waits = until(execution, lambda waits: of(waits, "limit") and " runs in " in waits[1].what)

    assert kinds(waits) == [(0, "activity"), (0, "activity"), (0, "limit")]
    assert "7 deferred members of a group with max_parallel=2" in waits[2].what
    _release.set()
    assert execution.result(LIMIT) == list(range(9))
    assert "latestExecutionContext" not in execution.describe() or not execution.describe()["latestExecutionContext"]


def test_activity_tasks_that_wait_until_fewer_are_open(lab: Lab) -> None:
    class Bounded(Base):
        name = "waits.bounded"
        max_open_activity_count = 3

        def run(self) -> Any:
            return [future.result for future in [self.submit(hold, n) for n in range(8)]]

    execution = lab.start(Bounded)
    waits = until(execution, lambda waits: of(waits, "limit"))

    assert of(waits, "limit")[0].what == "5 deferred activity tasks, until fewer are open"
    _release.set()
    assert execution.result(LIMIT) == list(range(8))


def test_the_pause_of_a_retry(lab: Lab) -> None:
    @activity.with_attributes(name="waits.backoff", task_list="waits", version="1", retry=Retry(initial_interval=600))
    def backoff() -> None:
        raise ValueError("later")

    class Again(Base):
        name = "waits.again"

        def run(self) -> Any:
            return self.submit(backoff).result

    waits = until(lab.start(Again), lambda waits: of(waits, "retry"))
    assert waits[0].what == "the pause before the next attempt of activity-waits.backoff-1, after ValueError: later"
    assert waits[0].until is not None


pytestmark = pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DeterminismWarning")


class Grandchild(Base):
    name = "waits.grandchild"
    determinism = "raise"

    def run(self) -> Any:
        return time.time()


class Child(Base):
    name = "waits.child"

    def run(self) -> Any:
        return self.submit(Grandchild).result


class Top(Base):
    name = "waits.top"

    def run(self) -> Any:
        return self.submit(Child).result


def test_a_blocked_decision_ends_the_wait_for_those_above_it(lab: Lab) -> None:
    execution = lab.start(Top)
    with pytest.raises(DecisionBlockedError, match=r"time\.time") as raised:
        execution.result(LIMIT)

    assert raised.value.error == "ImpureWorkflowError"
    assert isinstance(raised.value.__cause__, ImpureWorkflowError)
    assert raised.value.blocked in str(raised.value)
    waits = execution.waiting_for()
    blocked = of(waits, "blocked decision")[0]
    assert (blocked.depth, blocked.workflow_id) == (2, raised.value.blocked)
    assert blocked.since is not None
    assert lab.execution(blocked.workflow_id).history()[0].timestamp <= blocked.since <= lab.now()
    assert "ImpureWorkflowError" in waits.in_words()
    assert execution.decision_error is None  # of the execution itself

    stuck = lab.execution(raised.value.blocked)
    assert isinstance(stuck.decision_error, ImpureWorkflowError)
    with pytest.raises(ImpureWorkflowError):
        stuck.result(LIMIT)


def test_a_decision_that_is_blocked_no_longer_is_reported_no_longer(lab: Lab) -> None:
    class Blocked(Base):
        name = "waits.blocked"
        determinism = "raise"

        def run(self) -> Any:
            return time.time()

    execution = lab.start(Blocked)
    with pytest.raises(ImpureWorkflowError):
        execution.result(LIMIT)

    class Mended(Base):
        name = "waits.blocked"

        def run(self) -> Any:
            return "mended"

    deadline = time.monotonic() + LIMIT
    while execution.status == "OPEN":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert execution.result(LIMIT) == "mended"
    assert execution.decision_error is None
    assert len(execution.waiting_for()) == 0


def test_a_child_that_continued_as_new_is_followed_to_the_run_that_is_open(lab: Lab) -> None:
    class Again(Base):
        name = "waits.rounds"

        def run(self, rounds: int) -> Any:
            if rounds:
                self.continue_as_new(rounds - 1)
            return self.submit(self.wait_signal("go")).result

    class Above(Base):
        name = "waits.above"

        def run(self) -> Any:
            return self.submit(Again, 2).result

    execution = lab.start(Above)
    waits = until(execution, lambda waits: of(waits, "signal") and not of(waits, "decision"))
    assert kinds(waits) == [(0, "child"), (1, "signal")]
    lab.execution(waits[1].workflow_id).signal("go")
    execution.result(LIMIT)


def test_a_heartbeat_is_told_with_the_task_that_sends_it(lab: Lab) -> None:
    @activity.with_attributes(name="waits.beats", task_list="waits", version="1", heartbeat_timeout=60)
    def beats() -> None:
        activity.heartbeat(0.5)
        assert _release.wait(LIMIT)

    class Beating(Base):
        name = "waits.beating"

        def run(self) -> Any:
            return self.submit(beats).result

    execution = lab.start(Beating)
    until(execution, lambda waits: waits and "last heartbeat" in waits[0].what)
    _release.set()
    execution.result(LIMIT)


def test_a_disk_that_is_full_is_told_at_once(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab.sqlite") as opened:
        assert isinstance(opened.service, SharedStore)
        assert opened.service.engine is not None
        store = opened.service.engine._durable.store

        def allow(pages: int) -> None:
            store._query(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())

        execution = opened.start(Signals)
        until(execution, lambda waits: of(waits, "signal"))
        start = {
            "domain": "lab",
            "workflowId": "new",
            "workflowType": {"name": Signals.type_name(), "version": Signals.type_version()},
            "taskList": {"name": "waits"},
        }
        durable, told = opened.service.engine._durable, []
        is_full, gate = threading.Event(), threading.Event()

        def fill(connection: Any) -> None:
            connection.execute("PRAGMA max_page_count = 1").fetchall()
            is_full.set()
            assert gate.wait(LIMIT)

        try:
            # Two calls are recorded before the store finds that there is no room.

            def ask(call: Callable[..., Any], *args: Any, **named: Any) -> None:
                with pytest.raises(StorePausedError) as refused:
                    call(*args, **named)
                told.append(str(refused.value).rpartition("; ")[2])

            asking = [
                threading.Thread(target=store._query, args=(fill,)),
                threading.Thread(target=ask, args=(execution.signal, "go", f'"{"x" * 30_000}"')),
                threading.Thread(target=ask, args=(opened.service.start_workflow_execution,), kwargs=start),
            ]
            asking[0].start()
            assert is_full.wait(LIMIT)
            for each in asking[1:]:
                each.start()
            opened_by_id = durable.state.open_by_id
            of_execution = opened_by_id["lab", execution.workflow_id]
            deadline = time.monotonic() + LIMIT
            while ("lab", "new") not in opened_by_id or "WorkflowExecutionSignaled" not in {
                event.type for event in of_execution.events
            }:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            gate.set()
            for each in asking:
                each.join(LIMIT)
            assert told == ["what was asked counts as soon as there is room, if the store stays open until then"] * 2
            with pytest.raises(StorePausedError, match="what was asked was not done: ask again"):
                execution.terminate()
            waits = execution.waiting_for()
            assert [wait.kind for wait in waits][:2] == ["disk", "signal"]
            assert execution.waits_in_short().startswith("room on the disk, ")  # as `workflow.list` says it
            assert "waits for the disk" in repr(execution)
            began = time.monotonic()
            with pytest.raises(TimeoutError, match="waits for the disk"):
                execution.result(timeout=0.3)
            assert not execution.wait(0.3)
            assert list(execution.watch(timeout=0.3)) == []
            assert time.monotonic() - began < LIMIT / 2
            # What was read before is shown; what was not, is not.
            assert (execution.status, execution.progress().status, len(execution.tasks())) == ("OPEN", "OPEN", 1)
            assert not [event for event in execution.history() if event.type == "WorkflowExecutionSignaled"]
            # Of what was not read before, as by a command, what is on disk is shown.
            assert list(opened.executions()["workflow_id"]) == [execution.workflow_id]
            with Lab(store.path) as unread:
                assert repr(unread.execution(execution.workflow_id)).startswith(repr(execution).partition(": OPEN")[0])
                assert unread.execution(execution.workflow_id).history().to_json() == execution.history().to_json()
                assert unread.execution(execution.workflow_id).describe()["openCounts"]["openDecisionTasks"] == 0
                with pytest.raises(StorePausedError, match="make room on its disk, and it goes on by itself"):
                    Execution(unread._pool, "new", opened_by_id["lab", "new"].run.run_id).history()
                new = Execution(unread._pool, "new", opened_by_id["lab", "new"].run.run_id)
                assert repr(new).startswith("<Execution new: OPEN, waits for the disk: ")
                with pytest.raises(ValidationException, match="make room on its disk"):  # who takes over can't open it
                    opened.service.give_away()
        finally:
            allow(1 << 30)
        while store.paused is not None:
            assert time.monotonic() < deadline + LIMIT
            time.sleep(0.02)
        assert len(opened.executions()) == 2
        assert not of(until(execution, lambda waits: not of(waits, "signal")), "disk")


def test_a_queued_activity_says_that_all_workers_are_busy() -> None:
    class Two(Base):
        name = "waits.two"

        def run(self) -> Any:
            return [future.result for future in [self.submit(hold, n) for n in range(2)]]

    _release.clear()
    with Lab(":memory:", activity_threads=1) as lab:
        try:
            execution = lab.start(Two)
            waits = until(execution, lambda waits: len(waits) == 2 and "busy" in waits[0].what)
            assert waits[0].what.endswith("is queued in task list waits: 1 poller busy")
            assert " runs in " in waits[1].what
            assert "busy" in repr(execution)
        finally:
            _release.set()
        assert execution.result(LIMIT) == [0, 1]


def test_the_live_status_says_why_nothing_goes_on() -> None:
    evil = "<b>go<i>"

    class Evil(Base):
        name = "waits.evil"

        def run(self) -> Any:
            return self.submit(self.wait_signal(evil)).result

    with Lab(":memory:") as lab:
        execution = lab.start(Evil, workflow_id="evil-1")
        deadline = time.monotonic() + LIMIT
        while not (progress := execution.progress()).waits:  # it is told when it has lasted a second
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert progress.waits == f"signal {evil}"
        assert f"waits for signal {evil}" in live_text("evil-1", progress)
        view = LiveView(execution)
        (line,) = view.summary["waits"]["lines"]
        assert line.startswith(f"signal {evil}")
        assert view.summary["waits"]["signals"] == [evil]
        view.close()
        assert ">waits for signal &lt;b&gt;go" in execution._repr_html_()
        assert evil not in execution._repr_html_()
        execution.signal(evil)
        execution.result(LIMIT)
        assert execution.progress().waits == ""


class Holds(Base):
    name = "waits.holds"

    def run(self, number: int) -> Any:
        futures.wait([self.submit(hold, n) for n in range(number)])


def test_what_is_advised_for_queued_tasks_raises_what_runs_at_once(lab: Lab) -> None:
    first = lab.start(Holds, 4)
    until(first, lambda waits: [wait.goes_on for wait in of(waits, "activity")] == [True] * 4)
    second = lab.start(Holds, 1)
    (queued,) = of(until(second, lambda waits: of(waits, "activity")), "activity")

    assert queued.to_do == "start more workers: lab.start_workers(8, task_list='waits')"
    _release.set()
    second.wait(LIMIT)
