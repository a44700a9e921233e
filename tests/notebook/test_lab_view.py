"""A Lab displays itself: at a glance as text and HTML, and live, with what can be done about its workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.notebook.lab_overview import overview_of
from simpleflow_lab.notebook.lab_view import LabView
from tests.waiting import until

LIMIT = 200
EVIL = "<img src=x onerror=alert(1)>"


def waiting_workflow() -> type[Workflow]:
    @activity.with_attributes(name="glance.work", task_list="glance-work", version="1")
    def work(x):
        return x

    class Waiting(Workflow):
        name, version, task_list = "glance.waiting", "1", "glance"

        def run(self, x):
            self.submit(work, x).wait()
            self.submit(self.wait_signal("go")).wait()
            return x

    return Waiting


@pytest.fixture
def used(lab: Lab) -> Lab:
    """A Lab with an open execution and one that has completed."""
    workflow = waiting_workflow()
    for name in ("done", "open"):
        execution = lab.start(workflow, 1, workflow_id=name)
        until(lambda execution=execution: "signal go" in execution.waits_in_short())
    lab.execution("done").signal("go")
    lab.execution("done").result(LIMIT)
    return lab


@pytest.fixture
def view(used: Lab) -> Iterator[LabView]:
    shown = LabView(used)
    yield shown
    shown.close()


def receive(view: LabView, **message: Any) -> None:
    view._handle_custom_msg({"kind": "act", **message}, [])


def worker(view: LabView, kind: str, task_list: str) -> dict[str, Any]:
    found = [each for each in view.overview["workers"] if (each["kind"], each["task_list"]) == (kind, task_list)]
    return found[0] if found else {}


def test_it_is_seen_at_a_glance(used: Lab) -> None:
    overview = overview_of(used)

    assert [(each.workflow_id, each.status, each.waits) for each in overview.executions] == [
        ("open", "OPEN", "signal go"),
        ("done", "COMPLETED", ""),
    ]
    assert (overview.open_count, overview.closed_count) == ("1", "1")
    lists = {each.name: (each.decisions, each.activities, each.deciders, each.workers) for each in overview.task_lists}
    assert lists == {"glance": (0, 0, 1, 0), "glance-work": (0, 0, 0, 1)}
    text, html = repr(overview), overview._repr_html_()
    for words in ("embedded engine, in memory", "1 open, 1 closed", "signal go", "glance-work", "activity worker"):
        assert words in text
        assert words in html


def test_tasks_that_nobody_takes_are_counted(tmp_path: Path) -> None:
    with Lab(tmp_path / "store.sqlite", serve="decisions") as lab:
        execution = lab.start(waiting_workflow(), 1)
        until(lambda: execution.progress().waiting == 1)
        (found,) = [each for each in overview_of(lab).task_lists if each.name == "glance-work"]
        assert (found.activities, found.workers, found.running) == (1, 0, 0)
        assert str(tmp_path / "store.sqlite")[-30:] in overview_of(lab).service


def test_children_do_not_bury_what_started_them(lab: Lab) -> None:
    class Child(Workflow):
        name, version, task_list = "glance.child", "1", "glance"

        def run(self):
            self.submit(self.wait_signal("go")).wait()

    class Parent(Child):
        name = "glance.parent"
        child_policy = "TERMINATE"

        def run(self):
            futures.wait(*(self.submit(Child) for _ in range(101)))

    lab.start(Parent, workflow_id="the parent")
    until(lambda: overview_of(lab).open_count == "102")
    overview = overview_of(lab)
    assert [(each.workflow_id, each.is_child) for each in overview.executions[:1]] == [("the parent", False)]
    assert [each.is_child for each in overview.executions[1:]] == [True] * 99

    lab.execution("the parent").terminate()
    until(lambda: overview_of(lab).closed_count == "102")
    assert overview_of(lab).executions[0].workflow_id == "the parent"


def test_names_are_escaped_and_bounded(lab: Lab) -> None:
    execution = lab.start(waiting_workflow(), 1, workflow_id=EVIL + "x" * 200)
    html = overview_of(lab)._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html
    execution.terminate()


def test_workers_are_started_scaled_and_stopped_from_there(used: Lab, view: LabView) -> None:
    assert worker(view, "activity worker", "glance-work")["state"] in ("polling", "busy")
    receive(view, action="start", task_list="glance-work", count=3)
    until(lambda: worker(view, "activity worker", "glance-work")["at_once"] == 3)
    assert [each.at_once for each in used.workers.of("glance-work")] == [3]
    receive(view, action="stop", what="activity worker", task_list="glance-work")
    until(lambda: worker(view, "activity worker", "glance-work")["state"] == "stopped")
    receive(view, action="start", task_list="glance-work", count=2)
    until(lambda: worker(view, "activity worker", "glance-work")["state"] == "polling")
    receive(view, action="start", what="decider", task_list="another")
    until(lambda: worker(view, "decider", "another"))
    assert view.notice == "a decider of another takes tasks"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"action": "start", "task_list": "", "count": 2}, "needs the name of its task list"),
        ({"action": "start", "task_list": "a:b", "count": 2}, "is none that SWF takes"),
        ({"action": "start", "task_list": "fine", "count": -1}, "1 task or more"),
        ({"action": "stop", "what": "decider", "task_list": "none"}, "there is none any more"),
        ({"action": []}, "needs the name of its task list"),
    ],
)
def test_what_can_not_be_done_is_told_in_one_line(view: LabView, request_: dict[str, Any], told: str) -> None:
    receive(view, **request_)
    until(lambda: told in view.notice)
    assert "\n" not in view.notice


def test_its_thread_ends_with_the_view_and_with_the_lab(tmp_path: Path) -> None:
    def threads() -> int:
        return sum(thread.name == "simpleflow-lab lab view" for thread in threading.enumerate())

    until(lambda: threads() == 0)  # those of the tests before
    with Lab(tmp_path / "store.sqlite") as lab:
        views = [LabView(lab) for _ in range(5)]
        assert threads() == 5
        for one in views[:4]:
            one.close()
        until(lambda: threads() == 1)
    until(lambda: threads() == 0)
    assert "was closed" in views[4].notice
    views[4].close()


def test_in_a_terminal_it_is_text_but_a_line_where_it_is_connected(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("from simpleflow_lab import Lab\nlab = Lab(':memory:')", store_history=True).raise_error()
    shell.run_cell("lab", store_history=True).raise_error()
    assert "executions: 0 open, 0 closed" in capsys.readouterr().out
    shell.run_cell("%simpleflow connect lab", store_history=True).raise_error()
    assert "executions:" not in capsys.readouterr().out
    shell.run_cell("lab.close()\nlab", store_history=True).raise_error()
    assert "closed>" in capsys.readouterr().out
