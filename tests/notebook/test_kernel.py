"""What only a real kernel shows: where output goes, interrupts, sudden death, two kernels on one store, completion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.kernel import Kernel

pytestmark = pytest.mark.slow

DEFINITIONS = """%%simpleflow
import os, time
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="work", raises_on_failure=True)
def step(path, number, wait_for=None):
    with open(path, "a") as notes:
        notes.write(f"{number}\\n")
    print(f"step {number}")
    while wait_for is not None and not os.path.exists(wait_for):
        time.sleep(0.02)
    return os.getpid()

class Steps(Workflow):
    name = "steps"
    version = "test"

    def run(self, path, gate):
        first = self.submit(step, path, 1).result
        print("between")
        second = self.submit(step, path, 2, gate).result
        print("done")
        return [first, second]
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel for tests that leave it as it was."""
    with Kernel(tmp_path_factory.mktemp("store") / "store.sqlite") as kernel:
        assert kernel.run(DEFINITIONS, cell_id="definitions").error is None
        assert kernel.run("_ = %simpleflow connect").error is None  # says that it makes the store
        yield kernel


def start(folder: Path, workflow_id: str, options: str = "") -> str:
    """The line that starts `Steps`; it ends when there is a file `gate` in the folder."""
    return (
        f"%simpleflow workflow.start Steps --workflow-id {workflow_id} {options} "
        f"""--input '["{folder / "notes"}", "{folder / "gate"}"]'"""
    )


def last_status(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The last summary of a live view, nothing if there was none yet."""
    states = [
        message["content"]["data"].get("state", {})
        for message in messages
        if message["msg_type"] in ("comm_open", "comm_msg")
    ]
    return next((state["summary"] for state in reversed(states) if "summary" in state), {})


def counts(messages: list[dict[str, Any]]) -> dict[str, int]:
    """The numbers of tasks by state in the last summary."""
    return {of["word"]: of["number"] for of in last_status(messages).get("counts", [])}


def test_output_of_workflow_and_activities_lands_in_the_cell_that_started_them(kernel: Kernel, tmp_path: Path) -> None:
    begun = kernel.send(start(tmp_path, "prints"))
    kernel.wait(begun, until=lambda reply: "step 2" in reply.stdout)
    (tmp_path / "gate").touch()
    reply = kernel.wait(begun)

    assert reply.error is None
    assert reply.result is not None
    assert reply.result["text/plain"] == "<Execution prints of steps: COMPLETED>"


def test_each_line_is_printed_once_and_in_the_cell(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    reply = kernel.run(start(tmp_path, "prints-once"))

    assert sorted(reply.stdout.split("\n")) == ["", "between", "done", "step 1", "step 2"]


def test_what_is_printed_later_still_lands_in_the_cell_that_started_it(kernel: Kernel, tmp_path: Path) -> None:
    begun = kernel.send(start(tmp_path, "later", "--detach"))
    assert kernel.wait(begun).error is None
    other = kernel.run("print('here')")
    (tmp_path / "gate").touch()
    late = kernel.wait(begun, until=lambda reply: "done\n" in reply.stdout, ended=True)

    assert other.stdout == "here\n"
    assert late.stdout.endswith("done\n")


def updates(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What displays were changed to."""
    return [each["content"]["data"] for each in messages if each["msg_type"] == "update_display_data"]


def own_updates(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What displays of the same cell were changed to: a cell also renews the pictures of others before it."""
    contents = [each["content"] for each in messages if each["msg_type"] in ("display_data", "update_display_data")]
    ids = [content.get("transient", {}).get("display_id") for content in contents]
    return [content["data"] for place, content in enumerate(contents) if ids[place] and ids[place] in ids[:place]]


def test_a_slow_run_shows_its_status_and_its_view_stays_before_its_value(kernel: Kernel, tmp_path: Path) -> None:
    begun = kernel.send(start(tmp_path, "slow"))
    early = kernel.wait(
        begun,
        until=lambda reply: (
            counts(reply.messages) == {"completed": 1, "running": 1}
            and any(WIDGET in bundle for bundle in reply.bundles)
        ),
    )
    status = last_status(early.messages)
    (tmp_path / "gate").touch()
    late = kernel.wait(begun)

    (shown,) = (bundle for bundle in early.bundles if WIDGET in bundle)
    assert set(shown) == {WIDGET}
    messages = [*early.messages, *late.messages]
    assert status["title"]["workflow_id"] == "slow"
    assert status["running"] == ["__main__.step"]
    assert late.result is not None
    assert late.result["text/plain"] == "<Execution slow of steps: COMPLETED>"
    # Where no widgets are drawn, and in a saved notebook:
    assert late.result["text/html"].startswith('<section class="sfl-still"')
    assert "image/svg+xml;base64" in late.result["text/html"]
    assert late.bundles == [late.result]  # it is shown once
    assert not any(message["msg_type"] == "comm_close" for message in messages)
    assert [(set(data), data["text/plain"]) for data in own_updates(messages)] == [({WIDGET, "text/plain"}, "")]


def test_a_long_run_has_a_still_picture_before_it_ends(kernel: Kernel, tmp_path: Path) -> None:
    begun = kernel.send(
        "from simpleflow_lab.notebook import live_display\nlive_display.STILL_EVERY = 0.1\n" + start(tmp_path, "long")
    )
    early = kernel.wait(begun, until=lambda reply: any("text/html" in bundle for bundle in reply.bundles))
    (tmp_path / "gate").touch()
    late = kernel.wait(begun)
    kernel.run("live_display.STILL_EVERY = 10.0")

    still = early.bundles[-1]
    assert "as it was at" in still["text/html"]
    assert "OPEN" in still["text/plain"]
    assert late.result is not None
    assert "COMPLETED" in late.result["text/plain"]
    left = [data for data in own_updates([*early.messages, *late.messages]) if WIDGET not in data][-1]
    assert left == {"text/plain": "", "text/html": '<section class="sfl-still"></section>'}  # the value shows it


def test_an_open_execution_is_live_and_its_still_picture_follows_it_until_it_has_closed(
    kernel: Kernel, tmp_path: Path
) -> None:
    kernel.run(start(tmp_path, "lives", "--detach"))
    shown = kernel.send("%simpleflow live lives")
    first = kernel.wait(shown)
    still, view = first.bundles
    assert (set(still), set(view)) == ({"text/plain", "text/html"}, {"text/plain", WIDGET})
    assert "while it was open" in still["text/html"]
    (tmp_path / "gate").touch()
    last = kernel.wait(
        shown,
        until=lambda reply: any("COMPLETED" in data["text/plain"] for data in updates(reply.messages)),
        ended=True,
    )
    summary = updates(last.messages)[-1]
    assert set(summary) == {"text/plain", "text/html"}
    assert "COMPLETED" in summary["text/plain"]
    assert "image/svg+xml;base64" in summary["text/html"]
    refused = kernel.run("%simpleflow live one two")
    assert refused.error is not None
    assert "one workflow id" in refused.error


def test_a_notebook_without_a_page_keeps_the_last_state_of_what_it_showed(kernel: Kernel, tmp_path: Path) -> None:
    """As papermill executes one: it takes in what is sent while a cell runs, and no page ever shows the view."""
    kernel.run(start(tmp_path, "unseen", "--detach"))
    assert "OPEN" in kernel.run("%simpleflow live unseen").bundles[0]["text/plain"]
    (tmp_path / "gate").touch()

    later = kernel.run("%simpleflow resume unseen")

    sent = updates(later.messages)
    summary = next(data for data in sent if "unseen" in data.get("text/plain", ""))
    assert "COMPLETED" in summary["text/plain"]
    assert "image/svg+xml;base64" in summary["text/html"]
    assert not any("unseen" in data.get("text/plain", "") for data in updates(kernel.run("pass").messages))


def test_a_kernel_keeps_so_many_views_and_the_still_pictures_of_older_ones(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    kernel.run(start(tmp_path, "closed"))
    (tmp_path / "gate").unlink()
    kernel.run(start(tmp_path, "kept-open", "--detach"))

    kernel.run("from simpleflow_lab.notebook import live_display\nlive_display.MAX_VIEWS = 1")  # not those before it
    shown = [kernel.run("%simpleflow live kept-open")]
    kernel.run("live_display.MAX_VIEWS = 3")
    shown += [kernel.run(f"%simpleflow live {name}") for name in ("closed", *["kept-open"] * 3)]

    kernel.run("live_display.MAX_VIEWS = 40")
    (tmp_path / "gate").touch()
    opened, closed = (
        [message["content"]["comm_id"] for reply in shown for message in reply.messages if message["msg_type"] == kind]
        for kind in ("comm_open", "comm_close")
    )
    views = [bundle[WIDGET]["model_id"] for reply in shown for bundle in reply.bundles if WIDGET in bundle]
    assert set(views) <= set(opened)
    assert [view for view in closed if view in views] == [views[1], views[0]]  # first what had closed
    assert all("text/html" in reply.bundles[0] for reply in shown)


def test_a_quick_run_shows_none(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    kernel.run("from simpleflow_lab.notebook import live_display\nlive_display.DELAY = 60")  # this machine may be slow
    reply = kernel.run(start(tmp_path, "quick"))
    kernel.run("live_display.DELAY = 0.4")

    assert [set(bundle) for bundle in reply.bundles] == [{"text/plain", "text/html"}]


def test_an_interrupt_leaves_it_running_and_says_how_to_come_back(kernel: Kernel, tmp_path: Path) -> None:
    begun = kernel.send(start(tmp_path, "interrupted", "-o run"))
    kernel.wait(begun, until=lambda reply: "step 2" in reply.stdout)
    kernel.interrupt()
    reply = kernel.wait(begun)

    line = (
        "interrupted goes on in this kernel: %simpleflow resume interrupted waits for it again, "
        "%simpleflow live interrupted shows it"
    )
    assert reply.traceback == line
    assert reply.error == f"StillRunning: {line}"
    open_now = kernel.run("found = %simpleflow connect\nprint(found.execution('interrupted').status)")
    assert open_now.stdout == "OPEN\n"
    again = kernel.send("%simpleflow resume interrupted")
    kernel.wait(again, until=lambda reply: any(WIDGET in bundle for bundle in reply.bundles))
    (tmp_path / "gate").touch()
    resumed = kernel.wait(again)
    assert resumed.error is None
    assert resumed.result is not None
    assert resumed.result["text/plain"] == "<Execution interrupted of steps: COMPLETED>"
    assert (tmp_path / "notes").read_text().split() == ["1", "2"]


def test_an_error_in_a_cell_is_its_only_error(kernel: Kernel) -> None:
    reply = kernel.run("%%simpleflow\ndef broken():\n    1 / 0\nbroken()", cell_id="broken")

    assert reply.error == "ZeroDivisionError: division by zero"
    assert len([message for message in reply.messages if message["msg_type"] == "error"]) == 1
    assert "run_cell_magic" not in reply.traceback
    assert "cells.py" not in reply.traceback


def test_bad_input_is_one_line(kernel: Kernel) -> None:
    reply = kernel.run("%simpleflow workflow.start Nobody")

    assert reply.traceback == ""
    assert reply.stderr.startswith("UsageError: no workflow 'Nobody': defined here: Steps")
    assert reply.stderr.count("\n") == 1
    assert reply.error is not None  # and the run of all cells ends here


def test_sources_are_found_in_a_kernel(kernel: Kernel) -> None:
    reply = kernel.run("import inspect\nprint(inspect.getsource(Steps), inspect.getsource(step))")

    assert reply.stdout.startswith("class Steps(Workflow):\n")
    assert '@activity.with_attributes(task_list="work"' in reply.stdout


def test_a_cell_is_known_by_the_id_that_the_front_end_gives(kernel: Kernel) -> None:
    cell = "%%simpleflow\nclass Passing(Workflow):\n    def run(self): pass"
    assert "+ new" in kernel.run(cell, cell_id="passing").shown
    assert "= unchanged" in kernel.run(cell, cell_id="passing").shown
    assert "− removed" in kernel.run("%%simpleflow\npass", cell_id="passing").shown


def test_figures_are_data_for_the_front_end(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    kernel.run(start(tmp_path, "drawn"))
    reply = kernel.run("%simpleflow gantt")

    assert reply.error is None
    assert [set(bundle) for bundle in reply.bundles] == [
        {"application/vnd.plotly.v1+json", "image/svg+xml", "text/plain"}
    ]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%simpleflow res", ["%simpleflow resume"]),
        ("%simpleflow conn", ["%simpleflow connect"]),
        ("x = %simpleflow gan", ["x = %simpleflow gantt"]),
        ("%%simpleflow workflow.star", ["%%simpleflow workflow.start"]),
        ("%simpleflow workflow.start Ste", ["%simpleflow workflow.start Steps"]),
        (
            "%simpleflow workflow.start Steps --workf",
            ["%simpleflow workflow.start Steps --workflow-id"],
        ),
        (
            "%simpleflow workflow.start Steps --input x --inp",
            [f"%simpleflow workflow.start Steps --input x --{option}" for option in ("input", "input-file")],
        ),
        ("%simpleflow workflow.history --of r", ["%simpleflow workflow.history --of raw"]),
        ("%simpleflow workflow.tasks offe", ["%simpleflow workflow.tasks offered"]),
        ("%simpleflow help gan", ["%simpleflow help gantt"]),
        ("%simpleflow --lim", ["%simpleflow --limit"]),
        ("%simpleflow workflow.list --wat", []),
        ("%simpleflow live offe", ["%simpleflow live offered"]),
        ("%simpleflow open offe", ["%simpleflow open offered.json"]),
        ("%simpleflow workflow.tasks --file ./offe", ["%simpleflow workflow.tasks --file ./offered.json"]),
        ("%simpleflow workflow.start Steps --aw", ["%simpleflow workflow.start Steps --await"]),
        ("%simpleflow resume --no-ra", ["%simpleflow resume --no-raise"]),
        ("%simpleflow workflow.list --domain la", ["%simpleflow workflow.list --domain lab"]),
    ],
)
def test_tab_offers_what_may_stand_there(kernel: Kernel, tmp_path: Path, typed: str, offered: list[str]) -> None:
    (tmp_path / "gate").touch()
    kernel.run(start(tmp_path, "offered"))
    kernel.run("open('offered.json', 'w').close(); open('.offered', 'w').close()")

    assert kernel.complete(typed) == offered


def test_the_body_of_a_cell_is_completed_as_python(kernel: Kernel) -> None:
    assert "%%simpleflow\nimport itertools\nSteps.type_version" in kernel.complete(
        "%%simpleflow\nimport itertools\nSteps.type_v"
    )


def test_a_killed_kernel_loses_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    with Kernel(store) as first:
        first.run(DEFINITIONS)
        begun = first.send(start(tmp_path, "trip"))
        first.wait(begun, until=lambda reply: "step 2" in reply.stdout)
        first.kill()
    (tmp_path / "gate").touch()
    with Kernel(store) as second:
        assert "trip" in second.run("%simpleflow workflow.list").shown
        second.run(DEFINITIONS)
        reply = second.run("%simpleflow resume")

        assert reply.error is None
        assert reply.result is not None
        assert reply.result["text/plain"] == "<Execution trip of steps: COMPLETED>"
        assert second.run("len(set(_.result()))").shown.split() == ["2"]
    assert (tmp_path / "notes").read_text().split() == ["1", "2", "2"]


@pytest.mark.trial
def test_running_the_cell_again_with_the_same_id_takes_the_execution_up(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    with Kernel(store) as first:
        first.run(DEFINITIONS)
        begun = first.send(start(tmp_path, "trip"))
        first.wait(begun, until=lambda reply: "step 2" in reply.stdout)
        first.kill()
    (tmp_path / "gate").touch()
    with Kernel(store) as second:
        second.run(DEFINITIONS)
        reply = second.run(start(tmp_path, "trip"))

        assert reply.result is not None
        assert reply.result["text/plain"] == "<Execution trip of steps: COMPLETED>"
    assert (tmp_path / "notes").read_text().split() == ["1", "2", "2"]


def test_a_second_kernel_on_the_same_store_sees_the_same_executions(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    kernel.run(start(tmp_path, "shared"))
    address = kernel.run("found = %simpleflow connect\nprint(found.address)").stdout.strip()
    with Kernel(address) as second:
        reply = second.run("%simpleflow workflow.info shared -o info\nprint(info.workflow_id[0])")

    assert reply.error is None
    assert reply.stderr == ""
    assert reply.stdout == "shared\n"


DIFFERS = """
from simpleflow_lab import Workflow, activity

@activity.with_attributes(name="differs.edition", task_list="differs", version="1")
def edition():
    return {edition}

class Differs(Workflow):
    name, task_list = "differs", "differs"

    def run(self):
        return self.submit(edition).result
"""


def test_what_another_kernel_defines_otherwise_is_reported_in_the_cell_that_starts_something(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    with Kernel(store, extension=False) as first, Kernel(store, extension=False) as second:
        for edition, kernel in enumerate((first, second)):
            assert kernel.run("from simpleflow_lab import Lab\nlab = Lab()").error is None
            assert kernel.run(DIFFERS.format(edition=edition)).error is None
            started = kernel.run("print(lab.start(Differs).result(60))")
            assert started.stdout.splitlines()[-1] == str(edition)
    assert "defines differs.edition 1 otherwise than this one" in started.shown
