"""The kernel's side of the debugger's view: what it sends, what it does when it is told to, and that it ends."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.notebook.debugger_view import DebuggerView
from simpleflow_lab.settings import override
from tests.notebook.kernel import Kernel
from tests.waiting import until

LIMIT = 200
SPINS = False
"""The workflow below does not wait any more from its fourth decision on."""
CELL = """
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(name="view.add", task_list="view", version="1")
def add(number):
    return number + 1

class Sums(Workflow):
    name, version, task_list = "view.sums", "1", "view"

    def run(self, count):
        total = 0
        for number in range(count):
            total += self.submit(add, number).result
        return total

lab = Lab(":memory:")
execution = lab.start(Sums, 5, workflow_id="nightly")
execution.wait()
"""


@pytest.fixture
def execution(lab: Lab) -> Any:
    @activity.with_attributes(name="view.add", task_list="view", version="1")
    def add(number):
        return number + 1

    class Sums(Workflow):
        name, version, task_list = "view.sums", "1", "view"

        def run(self, count):
            total = 0
            for number in range(count):
                total += self.submit(add, number).result
                while SPINS and number == 2:
                    pass
            return total

    started = lab.start(Sums, 5, workflow_id="nightly")
    started.wait()
    return started


@pytest.fixture
def view(execution: Any) -> Any:
    found = DebuggerView(execution.debug())
    yield found
    found.close()


def say(view: DebuggerView, **message: Any) -> None:
    """What the page does: a message."""
    view._handle_custom_msg(message, [])


def variables(view: DebuggerView) -> dict[str, str]:
    until(lambda: view.details.get("number") == view.shown["number"])
    return dict(view.details["fibers"][0]["frames"][0]["locals"]) if view.details["fibers"] else {}


def test_it_shows_the_step_and_moves_as_it_is_told(view: DebuggerView) -> None:
    assert (view.overview["total"], view.shown["number"], len(view.overview["bars"])) == (6, 5, 5)
    assert (view.opened, view.overview["open"]) == ("opened at the last step in which the code waits", False)
    say(view, kind="go", to=3, id=1)
    until(lambda: view.shown["number"] == 3)
    assert (view.debugger.step.number, view.opened) == (3, "")
    assert variables(view)["total"] == "3"
    assert [row["number"] for row in view.futures["rows"]] == [2, 3]  # those that changed
    say(view, kind="futures", which="all", words="add", first=0)
    until(lambda: view.futures["which"] == "all")
    assert (view.futures["found"], view.futures["all"]) == (3, 3)
    say(view, kind="event", event=5, id=2)
    until(lambda: view.shown["number"] == 1)
    say(view, kind="condition", text="total > 9", backwards=False, id=3)
    until(lambda: view.shown["number"] == 5)
    (source,) = view.sources.values()
    assert source["name"] == "test_debugger_view.py"


def test_a_view_of_an_open_execution_says_that_it_went_on_and_stays_where_it_is(lab: Lab) -> None:
    class Asks(Workflow):
        name, version, task_list = "view.asks", "1", "view"

        def run(self):
            for number in range(3):
                self.submit(self.wait_signal(f"go-{number}")).wait()

    execution = lab.start(Asks)
    until(lambda: execution.history()[-1].type == "DecisionTaskCompleted")
    view = DebuggerView(execution.debug())
    assert (view.opened, view.overview["open"]) == ("opened where it waits now", True)
    execution.signal("go-0")
    until(lambda: sum(event.type == "DecisionTaskCompleted" for event in execution.history()) == 2)
    say(view, kind="news")
    until(lambda: view.news == 1)
    assert (view.shown["number"], view.overview["total"]) == (1, 1)
    say(view, kind="reload", id=1)
    until(lambda: view.overview["total"] == 2)
    until(lambda: view.news == 0)
    view.close()
    execution.terminate()


def test_a_move_that_leads_nowhere_is_told_in_one_line(view: DebuggerView) -> None:
    say(view, kind="condition", text="total >", backwards=False, id=1)
    assert "is no Python expression" in until(lambda: view.notice)
    say(view, kind="event", event=999, id=2)
    until(lambda: "no event 999" in view.notice)
    say(view, kind="event", event="abc", id=2)
    until(lambda: "an event is found by its number, as 12, and not by 'abc'" in view.notice)
    say(view, kind="parting", other="other", id=3)
    until(lambda: "debugger.to_parting(other)" in view.notice)
    say(view, kind="go", to=2, id=4)
    until(lambda: view.shown["number"] == 2)
    assert until(lambda: view.notice == "")
    view._find_other = {}.__getitem__  # raises KeyError: the view goes on
    say(view, kind="parting", other="other", id=4)
    until(lambda: "this failed with KeyError" in view.notice)
    say(view, kind="reload", id=5)
    until(lambda: view.notice == "")
    say(view, kind="unknown")
    say(view, kind="go", to="2; import os", id=5)  # no number: nothing happens
    say(view, kind="go", to=4, id=6)
    until(lambda: view.shown["number"] == 4)


def test_a_cell_moves_every_view_of_a_debugger(view: DebuggerView) -> None:
    other = DebuggerView(view.debugger)
    view.debugger.step = 2
    assert view.shown["number"] == other.shown["number"] == 2
    other.close()
    view.debugger.forward()
    assert (view.shown["number"], variables(view)["total"]) == (3, "3")


def test_a_search_is_given_up_when_the_reader_says_so(view: DebuggerView) -> None:
    reached, goes_on = threading.Event(), threading.Event()

    def slow(step: Any) -> bool:
        reached.set()
        goes_on.wait(LIMIT)
        return False

    view.debugger.first()
    view.debugger.steps.workflow.run.__globals__["slow"] = slow
    try:
        say(view, kind="condition", text="slow(step)", backwards=False, id=1)
        assert reached.wait(LIMIT)
        assert view.busy == "looks for slow(step)"
        say(view, kind="stop")
        goes_on.set()
        until(lambda: "stopped at step" in view.notice)
    finally:
        del view.debugger.steps.workflow.run.__globals__["slow"]
    assert (view.shown["number"], view.busy) == (1, "")


def test_an_endless_condition_is_interrupted_by_the_reader_and_after_a_while(view: DebuggerView) -> None:
    view.debugger.first()
    say(view, kind="condition", text="[each for each in iter(int, 1)]", backwards=False, id=1)
    until(lambda: view.busy and view.debugger._searching is not None)
    say(view, kind="stop")
    until(lambda: "stopped" in view.notice)
    with override(SIMPLEFLOW_LAB_STEP_SECONDS=0.3):
        say(view, kind="condition", text="[each for each in iter(int, 1)]", backwards=False, id=2)
        until(lambda: "ran for 0.3 s in step 2" in view.notice)
    say(view, kind="go", to=4, id=3)
    until(lambda: view.shown["number"] == 4)
    until(lambda: not any("search" in thread.name for thread in threading.enumerate()))


def test_an_endless_run_is_interrupted_by_the_reader_and_after_a_while(view: DebuggerView) -> None:
    names = view.debugger.steps.workflow.run.__globals__
    until(lambda: view.details.get("number") == 5)
    threads = {thread.ident for thread in threading.enumerate()}
    names["SPINS"] = True
    try:
        say(view, kind="reload", id=1)
        until(lambda: view.busy and view.debugger._replaying is not None)
        say(view, kind="stop")
        until(lambda: "stopped" in view.notice)
        with override(SIMPLEFLOW_LAB_STEP_SECONDS=0.3):
            say(view, kind="reload", id=2)
            until(lambda: "the code ran for 0.3 s without waiting, at test_debugger_view.py:" in view.notice)
    finally:
        names["SPINS"] = False
    say(view, kind="go", to=4, id=3)
    until(lambda: view.shown["number"] == 4)

    def left() -> set[int | None]:
        gc.collect()
        return {thread.ident for thread in threading.enumerate() if thread.name == "replay steps"} - threads

    until(lambda: not left())


def test_closing_ends_its_thread_and_its_replay(execution: Any) -> None:
    def of_ours() -> list[str]:
        names = ("simpleflow-lab debugger view", "replay steps")
        return [thread.name for thread in threading.enumerate() if thread.name in names]

    before = of_ours()
    view = DebuggerView(execution.debug())
    debugger = view.debugger
    variables(view)
    assert len(of_ours()) > len(before)
    view.close()
    until(lambda: len(of_ours()) == len(before))
    assert debugger.step.number == 5  # and goes on where it was


def test_in_a_kernel_it_is_the_value_of_a_cell_and_cells_see_its_step(tmp_path: Path) -> None:
    with Kernel(tmp_path / "store.sqlite") as kernel:
        assert kernel.run(f"%%simpleflow\n{CELL}").error is None
        shown = kernel.run("debugger = execution.debug()\ndebugger", cell_id="view")
        still, widget = shown.bundles
        assert "application/vnd.jupyter.widget-view+json" in widget
        assert still["text/plain"].startswith("step 5 of nightly")
        assert 'class="sfl-still"' in still["text/html"]
        moved = kernel.send("debugger.step = 3")
        assert kernel.wait(moved).error is None
        assert kernel.run("print(debugger.step.locals['total'] + 1)").stdout == "4\n"
        assert "step 4 of nightly" in kernel.run("debugger.forward()").shown
        assert "no step 40" in str(kernel.run("debugger.step = 40").error)

        named = kernel.run("%simpleflow connect lab\n%simpleflow debug nightly --at 2 -o second", cell_id="magic")
        assert named.error is None
        assert any("widget-view" in "".join(bundle) for bundle in named.bundles)
        assert kernel.run("print(second.step.number)").stdout == "2\n"
        latest = kernel.run("%simpleflow debug")
        assert latest.error is None
        assert "step 5 of nightly" in latest.shown
        assert "no workflow 'Nothing'" in str(kernel.run("%simpleflow debug nightly --workflow Nothing").error)


def test_a_cell_that_runs_again_leaves_no_thread_no_widget_and_no_replay(tmp_path: Path) -> None:
    count = (
        "import gc, threading, ipywidgets; gc.collect()\n"
        "names = [thread.name for thread in threading.enumerate()]\n"
        "print(sum('debugger view' in name for name in names), names.count('replay steps'), "
        "len(ipywidgets.widgets.widget._instances))"
    )
    with Kernel(tmp_path / "store.sqlite") as kernel:
        assert kernel.run(f"%%simpleflow\n{CELL}").error is None
        kernel.run("debugger = execution.debug()\ndebugger", cell_id="view")
        until(lambda: kernel.run("print(debugger.step.is_detailed)").stdout == "True\n")
        first = kernel.run(count).stdout.split()
        for _ in range(50):
            assert kernel.run("debugger = execution.debug()\ndebugger", cell_id="view").error is None
        until(lambda: kernel.run(count).stdout.split() == first)
        kernel.run("%unload_ext simpleflow_lab")
        until(lambda: kernel.run(count).stdout.split()[0] == "0")
