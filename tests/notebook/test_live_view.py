"""The kernel's side of the live view: what it sends, what it does when it is told to, and that it ends."""

from __future__ import annotations

import datetime
import gc
import threading
import time
import weakref
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import StoreError
from simpleflow_lab.notebook.debugger_view import DebuggerView
from simpleflow_lab.notebook.lab_view import LabView
from simpleflow_lab.notebook.live_view import LastingWaits, LiveView
from simpleflow_lab.views.live_rows import ROW
from simpleflow_lab.views.waiting import DECISION, SIGNAL, Wait
from tests.waiting import until

LIMIT = 200


def batches() -> type[Workflow]:
    """A workflow of one task at once and a second one after the signal; defined anew, for tests forget definitions."""

    @activity.with_attributes(name="live.work", task_list="live", version="1")
    def work(number):
        return number

    class Batches(Workflow):
        name, version, task_list = "live.batches", "1", "live"

        def run(self):
            self.submit(work, 1).wait()
            self.submit(self.wait_signal("more")).wait()
            return self.submit(work, 2).result

    return Batches


@pytest.fixture
def execution(lab: Lab) -> Any:
    started = lab.start(batches())
    until(lambda: started.progress().completed == 1)
    return started


@pytest.fixture
def view(execution: Any) -> Any:
    shown = LiveView(execution)
    yield shown
    shown.close()


def rows_by_id(rows: list[list[Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in (dict(zip(ROW, values, strict=True)) for values in rows)}


def receive(view: LiveView, message: dict[str, Any]) -> None:
    """What the page says, as ipywidgets passes it on."""
    view._handle_custom_msg(message, [])


def test_only_the_tasks_that_have_changed_are_sent(execution: Any, view: LiveView) -> None:
    sent: list[Any] = []
    view.observe(lambda change: sent.append(change["new"]), "changes")
    whole = view.get_state()["rows"]
    first = rows_by_id(whole["rows"])["activity-live.work-1"]
    assert (first["state"], first["label"]) == ("completed", "work-1")

    execution.signal("more")
    execution.result(LIMIT)
    until(lambda: not view.is_open)

    sent = [change for change in sent if change["since"] >= whole["mark"]]
    marks = [whole["mark"], *(change["mark"] for change in sent)]
    assert [change["since"] for change in sent] == marks[:-1]  # one joins the other
    assert all("activity-live.work-1" not in rows_by_id(change["rows"]) for change in sent)
    assert rows_by_id(sent[-1]["rows"])["activity-live.work-2"]["state"] == "completed"


def test_a_page_that_is_loaded_again_gets_all_tasks_as_they_are_now(execution: Any, view: LiveView) -> None:
    execution.signal("more")
    execution.result(LIMIT)
    until(lambda: not view.is_open)

    rows = rows_by_id(view.get_state()["rows"]["rows"])
    assert {name: rows[f"activity-live.{name}"]["state"] for name in ("work-1", "work-2")} == {
        "work-1": "completed",
        "work-2": "completed",
    }


def test_what_was_open_at_the_close_does_not_run_any_more(lab: Lab) -> None:
    """Neither in the rows that are sent, nor in the counts, nor where the execution is shown otherwise."""

    @activity.with_attributes(name="live.stays", task_list="live", version="1")
    def stays():
        released.wait(LIMIT)

    class Left(Workflow):
        name, version, task_list = "live.left", "1", "live"

        def run(self):
            self.submit(stays)
            self.submit(self.wait_signal("never")).wait()

    released = threading.Event()
    execution = lab.start(Left)
    until(lambda: execution.progress().running == 1)
    view = LiveView(execution)
    sent: list[Any] = []
    view.observe(lambda change: sent.extend(change["new"]["rows"]), "changes")
    execution.terminate()
    until(lambda: not view.is_open)
    released.set()

    assert rows_by_id(sent)["activity-live.stays-1"]["state"] == "unfinished"
    assert [(of["word"], of["number"]) for of in view.summary["counts"]] == [("not finished", 1)]
    assert view.summary["running"] == []
    assert execution.tasks()["state"].tolist() == ["unfinished"]
    assert "⊟ 1 not finished" in execution._repr_html_()
    view.close()


def test_a_decision_that_is_about_to_be_made_is_not_said_to_be_waited_for() -> None:
    """Each decision waits for some milliseconds: a line that comes and goes at once says nothing."""
    now = datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)
    lasting = LastingWaits()
    signal = Wait(workflow_id="w", kind=SIGNAL, id="go", what="signal go", since=now)

    def decision(seconds: float) -> Wait:
        since = now - datetime.timedelta(seconds=seconds)
        return Wait(workflow_id="w", kind=DECISION, what="a decision: no decider has taken it", since=since)

    fresh, old = decision(0.05), decision(1.5)
    assert lasting.of([fresh, signal], now) == [signal]
    assert lasting.of([old, signal], now) == [old, signal]
    # A virtual clock stands still while nobody decides: then the real one counts.
    assert lasting.of([fresh], now) == []
    until(lambda: lasting.of([fresh], now) == [fresh])


def test_it_names_the_signal_and_sends_it(execution: Any, view: LiveView) -> None:
    until(lambda: view.summary["waits"]["signals"] == ["more"])
    receive(view, {"kind": "act", "action": "signal", "name": "more", "input": ""})

    assert execution.result(LIMIT) == 2
    until(lambda: view.notice == "signal more was sent")


def test_a_blocked_decision_is_retried_at_once_when_its_cause_was_mended(lab: Lab) -> None:
    broken = [True]

    class Blocks(Workflow):
        name, version, task_list = "live.blocks", "1", "live"

        def run(self):
            if broken:
                raise StoreError("the disk is away")
            return "made"

    class Above(Workflow):
        name, version, task_list = "live.above_blocks", "1", "live"

        def run(self):
            return self.submit(Blocks).result

    execution = lab.start(Above)
    view = LiveView(execution)
    until(lambda: view.summary["waits"]["blocked"])
    assert any("execution.retry_decision()" in wait.to_do for wait in execution.waiting_for())
    broken.clear()
    receive(view, {"kind": "act", "action": "retry"})

    until(lambda: view.notice == "the blocked decision is retried")
    assert execution.result(LIMIT) == "made"
    receive(view, {"kind": "act", "action": "retry"})
    until(lambda: "no decision of" in view.notice)
    view.close()


@pytest.mark.trial
def test_whatever_is_asked_of_a_closed_executions_view_is_answered_at_whichever_moment_it_comes(lab: Lab) -> None:
    class Adds(Workflow):
        name, version, task_list = "live.one", "1", "live"

        def run(self):
            return 1

    execution = lab.start(Adds)
    assert execution.result(LIMIT) == 1
    view = LiveView(execution)
    until(lambda: not view.is_open)
    answers: list[Any] = []
    view.send = lambda content, buffers=None: answers.append(content)
    for number in range(1, 1001):  # each comes just when the thread that answered the one before has nothing more to do
        receive(view, {"kind": "rows"})
        deadline = time.monotonic() + LIMIT
        while len(answers) < number:
            assert time.monotonic() < deadline


def test_the_lineage_of_a_task_is_told_when_it_is_selected(lab: Lab) -> None:
    @activity.with_attributes(name="live.add", task_list="live", version="1")
    def add(*numbers):
        return sum(numbers)

    class Adds(Workflow):
        name, version, task_list = "live.adds", "1", "live"

        def run(self):
            first, second, aside = (self.submit(add, number) for number in (1, 2, 3))
            third = self.submit(add, first, second)
            return self.submit(add, third).result + aside.result

    execution = lab.start(Adds)
    assert execution.result(LIMIT) == 6
    view = LiveView(execution)
    until(lambda: not view.is_open)
    sent: list[Any] = []
    view.send = lambda content, buffers=None: sent.append(content)
    event = {id: row["event"] for id, row in rows_by_id(view.all_rows()["rows"]).items()}
    receive(view, {"kind": "lineage", "event": event["activity-live.add-4"]})

    (told,) = until(lambda: sent)
    named = {number: id.removeprefix("activity-live.") for id, number in event.items()}
    assert [named[one] for one in told["before"]] == ["add-1", "add-2"]
    assert [named[one] for one in told["after"]] == ["add-5"]
    assert not told["likely"]
    receive(view, {"kind": "lineage", "event": -7})  # of none that there is
    assert until(lambda: sent[1:])[0]["before"] == []
    view.close()


def test_what_is_refused_is_told_in_one_line(execution: Any, view: LiveView) -> None:
    receive(view, {"kind": "act", "action": "signal", "name": "", "input": ""})
    until(lambda: view.notice == "a signal needs its name")
    receive(view, {"kind": "act", "action": "terminate"})
    until(lambda: not view.is_open)
    receive(view, {"kind": "act", "action": "terminate"})
    until(lambda: "is closed already" in view.notice)
    assert "\n" not in view.notice


@pytest.mark.parametrize(
    "message", [None, "shown", {}, {"kind": "act"}, {"kind": "log"}, {"kind": "act", "action": []}]
)
def test_a_message_that_means_nothing_does_nothing(execution: Any, view: LiveView, message: Any) -> None:
    receive(view, message)
    receive(view, {"kind": "act", "action": "signal", "name": "more", "input": ""})
    assert execution.result(LIMIT) == 2


def test_runs_that_continue_it_as_new_are_followed(lab: Lab) -> None:
    class Rounds(Workflow):
        name, version, task_list = "live.rounds", "1", "live"

        def run(self, left):
            self.submit(self.wait_signal("next")).wait()
            if left:
                self.submit(self.continue_as_new(left - 1)).wait()
            return "done"

    first = lab.start(Rounds, 1)
    shown = LiveView(first)
    closed: list[str] = []
    shown.when_closed(lambda: closed.append(shown.execution.run_id))
    first.signal("next")
    until(lambda: shown.execution.run_id != first.run_id and shown.summary["run"] == 2)
    assert shown.is_open
    assert closed == []
    receive(shown, {"kind": "act", "action": "signal", "name": "next", "input": ""})
    assert first.result(LIMIT) == "done"
    until(lambda: closed)
    assert closed == [shown.execution.run_id]
    assert shown.execution.run_id != first.run_id
    shown.close()


def test_it_explains_itself_while_it_is_open_and_when_it_has_closed(execution: Any, view: LiveView) -> None:
    assert until(lambda: view.summary["explained"])
    execution.terminate("enough")
    until(lambda: not view.is_open)
    assert "TERMINATED" in view.summary["explained"][0]
    assert view.summary["explained"] == [str(line) for line in execution.explain()]


def test_it_is_started_again(execution: Any, view: LiveView) -> None:
    receive(view, {"kind": "act", "action": "restart"})
    until(lambda: view.execution.run_id != execution.run_id)
    assert execution.status == "TERMINATED"
    again = view.execution
    assert again.workflow_id == execution.workflow_id
    until(lambda: view.summary["counts"] and view.summary["counts"][0]["word"] == "completed")
    again.signal("more")
    assert again.result(LIMIT) == 2
    until(lambda: not view.is_open)
    receive(view, {"kind": "act", "action": "restart"})  # one that has closed
    until(lambda: view.execution.run_id != again.run_id)
    view.execution.terminate()


def test_a_failed_one_goes_on_from_its_first_failure(lab: Lab) -> None:
    ran: list[str] = []

    @activity.with_attributes(name="live.first", task_list="live", version="1", raises_on_failure=True)
    def first():
        ran.append("first")
        return 1

    @activity.with_attributes(name="live.second", task_list="live", version="1", raises_on_failure=True)
    def second(number):
        ran.append("second")
        if ran.count("second") == 1:
            raise OSError("away")
        return number + 1

    class Two(Workflow):
        name, version, task_list = "live.two", "1", "live"

        def run(self):
            return self.submit(second, self.submit(first).result).result

    failed = lab.start(Two, workflow_id="fails")
    failed.wait(LIMIT)
    shown = LiveView(failed)
    until(lambda: not shown.is_open)
    receive(shown, {"kind": "act", "action": "fork"})
    until(lambda: shown.execution.workflow_id != "fails")
    assert shown.execution.result(LIMIT) == 2
    until(lambda: "goes on from its first failure" in shown.notice)
    assert ran == ["first", "second", "second"]
    until(lambda: not shown.is_open)
    rows = rows_by_id(shown.all_rows()["rows"])
    assert [row["state"] for row in rows.values()] == ["reused", "completed"]
    task = next(iter(rows.values()))
    assert (task["event"], task["label"], task["closed"]) == (-1, "first-1", 0.0)
    assert "of fails, run" in task["outcome"]
    assert (sum(of["number"] for of in shown.summary["counts"]), shown.summary["reused"]) == (1, 1)
    shown.close()


def test_a_task_that_a_fork_runs_itself_after_all_is_not_shown_as_reused(lab: Lab) -> None:
    given = [1]

    @activity.with_attributes(name="live.load", task_list="live", version="1")
    def load(number):
        return number

    class Loads(Workflow):
        name, version, task_list = "live.loads", "1", "live"

        def run(self):
            found = [self.submit(load, 0).result]
            if given[0] != 1:
                self.submit(self.wait_signal("go")).wait()
            found.append(self.submit(load, given[0]).result)
            self.submit(self.wait_signal("end")).wait()
            return found

    origin = lab.start(Loads)
    until(lambda: origin.progress().completed == 2)
    given[0] = 5
    fork = origin.fork()
    shown = LiveView(fork)

    def states() -> list[tuple[str, str]]:
        rows = [dict(zip(ROW, row, strict=True)) for row in shown.all_rows()["rows"]]
        return sorted((row["label"], row["state"]) for row in rows if row["state"] in ("reused", "completed"))

    assert states() == [("load-1", "reused"), ("load-2", "reused")]
    fork.signal("go")
    until(lambda: ("load-2", "completed") in states())
    assert states() == [("load-1", "reused"), ("load-2", "completed")]
    for each in (origin, fork):
        each.signal("end")
    assert fork.result(LIMIT) == [0, 5]
    shown.close()


def test_its_thread_ends_with_its_lab(tmp_path: Any) -> None:
    with Lab(tmp_path / "store.sqlite") as lab:
        shown = LiveView(lab.start(batches()))
        thread = shown._thread
        assert thread is not None
    until(lambda: not thread.is_alive())
    assert "Lab was closed" in shown.notice
    shown.close()


def test_its_thread_ends_with_the_execution_and_when_it_is_closed(execution: Any) -> None:
    def threads() -> int:
        return sum(thread.name == "simpleflow-lab live view" for thread in threading.enumerate())

    until(lambda: threads() == 0)  # those of the tests before
    views = [LiveView(execution) for _ in range(5)]
    assert threads() == 5
    for one in views[:4]:
        one.close()
    until(lambda: threads() == 1)
    execution.terminate()
    until(lambda: threads() == 0)
    assert views[4].summary["status"]["word"] == "TERMINATED"
    views[4].close()


def test_the_explanation_of_one_in_which_no_task_changes_goes_on_with_the_time(execution: Any, view: LiveView) -> None:
    until(lambda: view.summary["waits"]["signals"] == ["more"])
    first = until(lambda: view.summary["explained_at"])
    receive(view, {"kind": "shown"})

    until(lambda: view.summary["explained_at"] > first)
    until(lambda: any("waiting for signal more" in line for line in view.summary["explained"]))


def test_the_signal_that_a_child_waits_for_is_sent_to_the_child(lab: Lab) -> None:
    class Below(Workflow):
        name, version, task_list = "live.below", "1", "live"

        def run(self):
            return self.submit(self.wait_signal("go")).result

    class Above(Workflow):
        name, version, task_list = "live.above", "1", "live"

        def run(self):
            self.submit(Below).wait()
            return "done"

    above = lab.start(Above)
    shown = LiveView(above)
    ((child, name),) = until(lambda: shown.summary["waits"]["below"])
    assert shown.summary["waits"]["signals"] == []
    receive(shown, {"kind": "act", "action": "signal", "name": name, "input": "", "to": child})

    assert above.result(LIMIT) == "done"
    until(lambda: shown.notice == f"signal go was sent to {child}")
    shown.close()


def test_of_a_view_that_is_closed_nothing_stays(lab: Lab, execution: Any) -> None:
    views: list[Any] = [LiveView(execution), LabView(lab), DebuggerView(execution.debug())]
    left = [weakref.ref(each) for each in views]
    while views:
        views.pop().close()

    def stays() -> list[Any]:
        gc.collect()
        return [each for each in left if each() is not None]

    until(lambda: not stays())
