"""Every command of `%simpleflow`, in a real shell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR

from simpleflow_lab import Execution, History, Lab, RecordedExecution
from simpleflow_lab.commands.command_specs import describe
from simpleflow_lab.exceptions import WorkflowExecutionFailed
from simpleflow_lab.views.combined_tables import Part, combined
from simpleflow_lab.views.workflow_listings import workflow_profile
from tests.views.story import eventful
from tests.views.test_tables import many

pytestmark = pytest.mark.slow

DEFINITIONS = """%%simpleflow
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="work")
def double(x):
    return x * 2

@activity.with_attributes(task_list="work")
def fail(x):
    raise ValueError(f"no {x}")

class Doubling(Workflow):
    name = "doubling"
    task_list = "decisions"

    def run(self, x, y=1):
        return self.submit(double, x).result + y

class Failing(Workflow):
    def run(self):
        self.submit(fail, 1, ).result
        raise RuntimeError("on purpose")

class Waiting(Workflow):
    def run(self):
        self.submit(self.wait_signal("go")).result
"""


@pytest.fixture
def defined(shell: InteractiveShell, store: Path, capsys: pytest.CaptureFixture[str]) -> InteractiveShell:
    """A shell in which workflows are defined, and whose store exists."""
    Lab(str(store)).close()
    shell.run_cell(DEFINITIONS, store_history=True).raise_error()
    capsys.readouterr()
    return shell


def magic(shell: InteractiveShell, line: str) -> Any:
    """What the magic returns."""
    return shell.run_line_magic("simpleflow", line)


def tags(execution: Execution) -> list[str]:
    """The tags it was started with."""
    found: list[str] = execution.history()[0].attributes["tagList"]
    return found


def refused(shell: InteractiveShell, line: str) -> str:
    """The one line that a magic says instead of an answer."""
    with pytest.raises(UsageError) as caught:
        magic(shell, line)
    assert caught.type is UsageError  # a subclass would be shown with its traceback
    text = str(caught.value)
    assert "\n" not in text
    return text


# -- each command ------------------------------------------------------------------------------------------------------


def test_start_waits_and_gives_the_execution(defined: InteractiveShell) -> None:
    execution = magic(defined, "workflow.start Doubling --input '[4]' --workflow-id first --tags a,b")

    assert isinstance(execution, Execution)
    assert repr(execution) == "<Execution first of doubling: COMPLETED>"
    assert execution.result() == 9
    assert tags(execution) == ["a", "b"]


def test_start_detached_does_not_wait(defined: InteractiveShell) -> None:
    execution = magic(defined, "workflow.start Waiting --detach --workflow-id detached")

    assert execution.status == "OPEN"
    assert magic(defined, "workflow.signal detached go") is None
    assert execution.wait(60)


def test_a_failed_execution_ends_the_cell(defined: InteractiveShell) -> None:
    with pytest.raises(WorkflowExecutionFailed, match="on purpose"):
        magic(defined, "workflow.start Failing -o failed")
    assert defined.user_ns["failed"].status == "FAILED"


def test_a_failed_execution_is_given_like_any_other_if_that_is_asked_for(defined: InteractiveShell) -> None:
    execution = magic(defined, "workflow.start Failing --no-raise")

    assert execution.status == "FAILED"
    with pytest.raises(WorkflowExecutionFailed, match="on purpose"):
        execution.result()
    assert "no-raise" in refused(defined, "workflow.list --no-raise")


def test_two_executions_are_compared(defined: InteractiveShell) -> None:
    for number in (1, 2):
        magic(defined, f"workflow.start Doubling --input '[{number}]' --workflow-id run-{number}")

    comparison = magic(defined, "workflow.compare run-2")
    assert repr(comparison) == repr(magic(defined, "workflow.compare run-2 run-1"))
    assert "their inputs differ" in repr(comparison)
    assert "no execution of doubling completed before run-1" in refused(defined, "workflow.compare run-1")


def test_tables_and_figures_are_those_of_the_last_execution(defined: InteractiveShell) -> None:
    execution = magic(defined, "workflow.start Doubling -i '[4]'")

    tasks, profile, info = (magic(defined, f"workflow.{name}") for name in ("tasks", "profile", "info"))
    pd.testing.assert_frame_equal(pd.DataFrame(tasks), execution.tasks())
    # The same command is the same table as in a shell.
    shell_profile = workflow_profile(execution.history())
    assert tuple(profile.columns) == shell_profile.headers
    assert profile["Task"].tolist() == [row[0] for row in shell_profile.rows] == execution.tasks()["id"].tolist()
    assert info["workflow_id"].tolist() == [execution.workflow_id]
    history = magic(defined, "workflow.history")
    assert isinstance(history, History)
    assert history == execution.history()
    assert isinstance(magic(defined, "gantt"), go.Figure)


def test_a_fork_is_the_last_execution(defined: InteractiveShell) -> None:
    first = magic(defined, "workflow.start Doubling -i '[4]' --workflow-id first")
    fork = first.fork(at=1, workflow_id="fork")
    assert fork.wait(60)
    assert magic(defined, "workflow.info")["workflow_id"].tolist() == ["fork"]


def test_an_execution_may_be_named(defined: InteractiveShell) -> None:
    magic(defined, "workflow.start Doubling -i '[4]' --workflow-id first")
    magic(defined, "workflow.start Doubling -i '[5]' --workflow-id second")

    assert magic(defined, "workflow.tasks first")["result"].tolist() == ["8"]
    assert magic(defined, "workflow.tasks")["result"].tolist() == ["10"]
    assert magic(defined, "workflow.list")["workflow_id"].tolist() == ["second", "first"]
    assert "forked_from" not in repr(magic(defined, "workflow.list"))
    magic(defined, "workflow.fork second --at 2 --workflow-id third")
    assert "forked_from" in repr(magic(defined, "workflow.list"))


def test_a_table_shows_what_is_read_and_holds_everything(defined: InteractiveShell) -> None:
    magic(defined, "workflow.start Doubling -i '[4]'")
    tasks = magic(defined, "workflow.tasks")

    assert "scheduled_event_id" in tasks
    assert "scheduled_event_id" not in repr(tasks)
    assert "scheduled_event_id" not in tasks._repr_html_()
    assert type(tasks[["name", "scheduled_event_id"]]) is pd.DataFrame


def test_a_large_argument_is_shown_by_its_size(shell: InteractiveShell) -> None:
    shell.run_cell(
        """%%simpleflow
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="magics", version="example")
def text(length):
    return "x" * length

@activity.with_attributes(task_list="magics", version="example")
def length_of(text):
    return len(text)

class Large(Workflow):
    name = "large"
    task_list = "magics"

    def run(self):
        return self.submit(length_of, self.submit(text, 100_000)).result
"""
    ).raise_error()
    magic(shell, "workflow.start Large")
    shown = magic(shell, "workflow.tasks")._repr_html_()
    assert shown.count("97.7 kB in the store, not fetched") == 2
    assert "__jumbo" not in shown


def test_resume_goes_on_with_what_is_open(defined: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    magic(defined, "workflow.start Waiting --detach --workflow-id waits")
    defined.extension_manager.reload_extension("simpleflow_lab")  # the Lab is closed, and nobody decides any more
    magic(defined, "workflow.signal waits go")

    execution = magic(defined, "resume waits")
    assert repr(execution) == "<Execution waits of __main__.Waiting: COMPLETED>"
    capsys.readouterr()
    assert magic(defined, "resume") is None
    assert capsys.readouterr().out == "nothing to resume: no execution of this store is open\n"


def test_terminate_and_cancel_report_their_requests(
    defined: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    magic(defined, "workflow.start Waiting --detach --workflow-id waits")
    magic(defined, "workflow.terminate waits --reason enough")

    assert capsys.readouterr().out == "waits is terminated\n"
    assert "closed already" in refused(defined, "workflow.cancel waits")


def test_a_history_in_a_file_is_opened_and_inspected(shell: InteractiveShell) -> None:
    file = Path(__file__).parents[1] / "histories" / "with_replays.json"
    opened = magic(shell, f"open {file}")

    assert isinstance(opened, RecordedExecution)
    assert len(magic(shell, "workflow.tasks")) == len(opened.tasks())


def test_files_are_written_by_the_long_names_of_options(
    defined: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    magic(defined, "workflow.start Doubling -i '[4]'")
    magic(defined, f"gantt --output {tmp_path / 'run.html'}")
    magic(defined, f"workflow.history --of raw --output-file {tmp_path / 'run.json'}")

    assert capsys.readouterr().out.splitlines() == [
        f"written to {tmp_path / 'run.html'}",
        f"written to {tmp_path / 'run.json'}",
    ]
    assert len(json.loads((tmp_path / "run.json").read_text())["events"]) > 5


def test_help_is_a_table_of_commands(shell: InteractiveShell) -> None:
    for line in ("", "help"):
        assert "%simpleflow workflow.start" in repr(magic(shell, line))
        assert "<code>%simpleflow connect</code>" in magic(shell, line)._repr_html_()
    assert "--workflow-id" in repr(magic(shell, "help workflow.start"))
    assert "--workflow-id" in repr(magic(shell, "workflow.start --help"))
    for line in ("connect --help", "export --help", "live -h"):  # commands that only a notebook has
        assert "%simpleflow workflow.start" in repr(magic(shell, line))


def test_info_and_version(shell: InteractiveShell) -> None:
    assert set(magic(shell, "info")["section"]) == {"versions", "settings", "environment"}
    assert isinstance(magic(shell, "--version"), str)


# -- variables ---------------------------------------------------------------------------------------------------------


def test_a_result_is_kept_in_a_variable(defined: InteractiveShell) -> None:
    for option in ("-o run", "--out run", "--out=run"):
        execution = magic(defined, f"workflow.start Doubling {option} -i '[4]'")
        assert defined.user_ns.pop("run") is execution


def test_input_may_be_a_variable(defined: InteractiveShell) -> None:
    defined.user_ns["numbers"] = {"args": (4,), "kwargs": {"y": 3}}
    for option in ("--input numbers", "--input=numbers", "-i numbers"):
        assert magic(defined, f"workflow.start Doubling {option}").result() == 11


def test_input_may_be_a_local_variable(defined: InteractiveShell) -> None:
    defined.run_cell(
        "def call():\n    local = [7]\n    return get_ipython().run_line_magic('simpleflow', "
        "'workflow.start Doubling -i local')\nrun = call()"
    ).raise_error()

    assert defined.user_ns["run"].result() == 15


def test_an_id_may_be_a_variable_or_an_attribute_of_one(defined: InteractiveShell) -> None:
    defined.run_cell("run = %simpleflow workflow.start Doubling -i '[4]' --workflow-id first").raise_error()
    defined.run_cell("wid = run.workflow_id").raise_error()
    for word in ("$wid", "{wid}", "$run.workflow_id", "{run.workflow_id}"):
        defined.run_cell(f"found = %simpleflow workflow.info {word}").raise_error()
        assert list(defined.user_ns["found"]["workflow_id"]) == ["first"]
    result = defined.run_cell("%simpleflow workflow.info $nothing")
    assert "there is no variable nothing" in str(result.error_in_exec)


def test_json_is_json_whatever_variables_there_are(defined: InteractiveShell) -> None:
    defined.user_ns["true"] = 41

    execution = magic(defined, "workflow.start Doubling --input true")
    assert execution.history()[0].attributes["input"] == '{"args":[true],"kwargs":{}}'


# -- nothing in a line is evaluated (T1) -------------------------------------------------------------------------------


def test_every_magic_of_ours_leaves_its_line_alone(shell: InteractiveShell) -> None:
    ours = [
        function
        for functions in shell.magics_manager.magics.values()
        for function in functions.values()
        if getattr(function, "__module__", "").startswith("simpleflow_lab")
    ]
    assert len(ours) == 2
    assert all(getattr(function, MAGIC_NO_VAR_EXPAND_ATTR, False) for function in ours)


@pytest.mark.parametrize("text", ["{1/0}", "$x", "{x}", "$x{1/0}", "{__import__('os').getpid()}", "%x", "!x"])
def test_what_looks_like_code_arrives_unchanged(defined: InteractiveShell, text: str) -> None:
    defined.user_ns["x"] = "expanded"
    for cell in ("%simpleflow {}", "%%simpleflow {}\npass", "run = %simpleflow {}"):
        defined.run_cell(cell.format(f'workflow.start Doubling -i "[4]" --tags "{text}" -o run')).raise_error()
        assert tags(defined.user_ns.pop("run")) == [text]


# -- the Lab -----------------------------------------------------------------------------------------------------------


def test_without_a_word_it_is_the_users_own_store(defined: InteractiveShell, store: Path) -> None:
    magic(defined, "workflow.start Doubling -i '[4]'")

    assert store.exists()
    assert magic(defined, "connect").address == str(store)


def test_connect_takes_an_address_a_variable_or_a_lab(defined: InteractiveShell, tmp_path: Path) -> None:
    address = tmp_path / "other.sqlite"
    assert magic(defined, f"connect {address}").address == str(address)

    defined.user_ns["elsewhere"] = tmp_path / "third.sqlite"
    assert magic(defined, "connect elsewhere").address == str(tmp_path / "third.sqlite")

    with Lab(":memory:") as lab:
        defined.user_ns["mine"] = lab
        assert magic(defined, "connect mine") is lab
        magic(defined, "workflow.start Doubling -i '[4]' --workflow-id here")
        assert lab.execution("here").result() == 9
    assert magic(defined, f"connect {address}").address == str(address)


def test_a_lab_of_the_user_on_the_same_store_is_used(defined: InteractiveShell, store: Path) -> None:
    defined.run_cell("from simpleflow_lab import Lab\nlab = Lab()").raise_error()

    magic(defined, "workflow.start Doubling -i '[4]' --workflow-id here")
    assert defined.user_ns["lab"].execution("here").result() == 9
    defined.user_ns["lab"].close()


def test_a_store_is_opened_once_however_it_is_spelled(defined: InteractiveShell, tmp_path: Path) -> None:
    lab = magic(defined, f"connect {tmp_path / 'one.sqlite'}")

    assert magic(defined, f"connect {tmp_path / 'x' / '..' / 'one.sqlite'}") is lab
    magic(defined, f"--store {tmp_path / 'one.sqlite'} workflow.start Doubling -i '[4]' --workflow-id here")
    assert lab.execution("here").result() == 9


def test_a_lab_that_was_closed_is_opened_again(defined: InteractiveShell, tmp_path: Path) -> None:
    magic(defined, f"connect {tmp_path / 'one.sqlite'}").close()

    assert magic(defined, "workflow.start Doubling -i '[4]'").result() == 9


def test_a_wrong_setting_is_refused_and_does_no_harm(defined: InteractiveShell) -> None:
    defined.run_cell("%config SimpleflowMagics.refresh = 'often'")
    with pytest.warns(UserWarning, match="refresh"):
        defined.extension_manager.reload_extension("simpleflow_lab")

    assert "%simpleflow connect " in repr(magic(defined, "help"))


def test_the_store_may_be_configured(defined: InteractiveShell, tmp_path: Path) -> None:
    defined.run_cell(f"%config SimpleflowMagics.store = {str(tmp_path / 'configured.sqlite')!r}").raise_error()

    execution = magic(defined, "workflow.start Doubling -i '[4]'")
    assert execution.result() == 9
    assert (tmp_path / "configured.sqlite").exists()


# -- bad input ---------------------------------------------------------------------------------------------------------


BAD_INPUT = [
    ("workflow.strat Doubling", "did you mean workflow.start"),
    ("workflow.start Doublin", "no workflow 'Doublin'"),
    ("workflow.start", "WORKFLOW"),
    ("workflow.start Doubling --inptu 1", "did you mean --input"),
    ("workflow.start Doubling -i '[1'", "not JSON"),
    ("workflow.start Doubling -i '[1", "no closing quotation"),
    ("workflow.start Doubling -i '[1, 2, 3]'", "Doubling.run"),
    ("workflow.start Doubling -i nowhere", "no variable of this name"),
    ("workflow.start Doubling -i unfit", "JSON can't hold"),
    ("workflow.start Doubling -i '[1]' -o 1x", "name of a variable"),
    ("workflow.start Doubling -i '[1]' -o", "name of a variable"),
    ("gantt -o run.html", "--output FILE"),
    ("workflow.tasks", "which execution"),
    ("workflow.tasks nobody", "no execution 'nobody'"),
    ("resume nobody", "no execution 'nobody'"),
    ("open nowhere.json", "nowhere.json"),
    ("connect one two", "one address"),
    ("--format json workflow.list", "--format is for text in a shell"),
    ("workflow.start Doubling -i '[1]' --no-header", "--header is for text in a shell"),
    ("workflow.list --watch 2", "leave out --watch"),
    ("connect http://example.org", "http://example.org"),
    ("connect /dev/null/x.sqlite", "/dev/null"),
    ("help workflow.strat", "did you mean"),
]


def test_bad_input_is_one_line_and_what_comes_next_is_understood(defined: InteractiveShell) -> None:
    defined.user_ns["unfit"] = [object()]

    for line, reason in BAD_INPUT:
        assert reason in refused(defined, line), line

    assert magic(defined, "workflow.start Doubling -i '[4]'").result() == 9


def test_an_error_is_bounded_however_long_what_was_typed(defined: InteractiveShell) -> None:
    for line in ("x" * 1_000_000, "workflow.start " + "x" * 1_000_000, "workflow.list --columns " + "x" * 1_000_000):
        assert len(refused(defined, line)) <= 2_100


def test_a_file_of_somebody_else_is_left_alone(shell: InteractiveShell, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir or Madam, " * 20)

    assert "is not a simpleflow_lab store" in refused(shell, f"connect {file}")
    assert file.read_text().startswith("Dear Sir")


def test_commands_on_a_store_in_memory_act_on_the_same_one(
    defined: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMPLEFLOW_LAB_STORE", ":memory:")
    magic(defined, "workflow.start Doubling --input [4] --workflow-id in-memory")

    assert magic(defined, "workflow.list")["workflow_id"].tolist() == ["in-memory"]
    assert magic(defined, "workflow.tasks in-memory")["state"].tolist() == ["completed"]
    magic(defined, "connect :memory:")  # a new one, as each `Lab(":memory:")` is
    assert len(magic(defined, "workflow.list")) == 0


def test_an_execution_without_its_definition_is_reported_and_stays_open(shell: InteractiveShell, store: Path) -> None:
    shell.run_cell(DEFINITIONS, cell_id="a").raise_error()
    magic(shell, "workflow.start Waiting --detach --workflow-id waits")
    magic(shell, "connect :memory:")
    shell.run_cell("%%simpleflow\npass", cell_id="a").raise_error()  # the cell has lost its definitions
    shell.extension_manager.reload_extension("simpleflow_lab")
    magic(shell, "workflow.signal waits go")

    assert "waits stays open and can't go on for now: no workflow" in refused(shell, "resume")
    shell.run_cell(DEFINITIONS, cell_id="a").raise_error()
    execution = magic(shell, "connect").execution("waits")  # it goes on by itself
    assert execution.wait(60)
    assert execution.status == "COMPLETED"


# -- what is shown is escaped (T9) -------------------------------------------------------------------------------------


def test_values_are_escaped_wherever_they_are_shown(defined: InteractiveShell) -> None:
    evil = "<img src=x onerror=alert(1)>"
    defined.user_ns["evil"] = [evil]
    execution = magic(defined, f"workflow.start Doubling -i evil --workflow-id '{evil}' --tags '{evil}' --no-raise")
    defined.user_ns["wrong"] = {"kwargs": {"x": "", evil: 1}}
    shown = [
        *(magic(defined, f"workflow.{name}")._repr_html_() for name in ("tasks", "profile", "info", "list")),
        execution._repr_html_(),
        magic(defined, "help")._repr_html_(),
        magic(defined, "info")._repr_html_(),
    ]
    assert any("&lt;img" in text for text in shown)
    assert not any("<img" in text or "onerror=alert(1)>" in text for text in shown)
    assert "\n" not in refused(defined, "workflow.start Doubling -i wrong")


# -- the extension -----------------------------------------------------------------------------------------------------


def footprint(shell: Any) -> dict[str, Any]:
    """Everything that an extension may leave in a shell."""
    html = shell.display_formatter.formatters["text/html"]
    return {
        "magics": {kind: sorted(names) for kind, names in shell.magics_manager.magics.items()},
        "registry": sorted(shell.magics_manager.registry),
        "configurables": [type(one).__name__ for one in shell.configurables],
        "matchers": list(shell.Completer.custom_matchers),
        "callbacks": {name: list(those) for name, those in shell.events.callbacks.items()},
        "formatters": (sorted(map(str, html.type_printers)), sorted(map(str, html.deferred_printers))),
        "transformers": (list(shell.input_transformers_cleanup), list(shell.input_transformers_post)),
    }


def test_unloading_leaves_nothing_behind(bare_shell: InteractiveShell, store: Path) -> None:
    import inspect

    bare_shell.run_cell("%load_ext math")  # IPython's own magic for it, and what that brings
    before, getfile = footprint(bare_shell), inspect.getfile
    bare_shell.run_cell("%load_ext simpleflow_lab").raise_error()
    assert footprint(bare_shell) != before
    lab = magic(bare_shell, "connect")
    bare_shell.display_formatter.format(lab)  # type: ignore[union-attr]  its formatter is found by now
    bare_shell.run_cell("%reload_ext simpleflow_lab").raise_error()
    assert repr(lab).endswith("closed>")
    assert len(bare_shell.Completer.custom_matchers) == len(before["matchers"]) + 1
    bare_shell.run_cell("%unload_ext simpleflow_lab").raise_error()

    assert footprint(bare_shell) == before
    assert inspect.getfile is getfile


def test_our_objects_have_html(defined: InteractiveShell) -> None:
    execution = magic(defined, "workflow.start Doubling -i '[4]' --workflow-id first")
    future = defined.run_cell("from simpleflow_lab import Future\nFuture()").result
    for thing in (execution, execution.history(), magic(defined, "connect"), defined.user_ns["double"], future):
        data, _ = defined.display_formatter.format(thing)  # type: ignore[union-attr]
        assert data["text/html"].startswith("<style>"), thing
        assert "0x" not in data["text/plain"], thing


def test_a_reload_goes_on_with_the_lab_that_was_connected(shell: InteractiveShell, store: Path) -> None:
    with Lab(":memory:") as mine:
        shell.push({"mine": mine})
        magic(shell, "connect mine")
        shell.extension_manager.reload_extension("simpleflow_lab")
        magics = shell.magics_manager.registry["SimpleflowMagics"]
        assert magics.lab is mine
        shell.extension_manager.unload_extension("simpleflow_lab")
        assert not mine.closed
    shell.extension_manager.load_extension("simpleflow_lab")  # it is closed by now
    assert shell.magics_manager.registry["SimpleflowMagics"].connected is None


def test_a_long_table_of_tasks_shows_what_failed_first_and_stays_a_plain_frame(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    file = tmp_path / "many.json"
    file.write_text(many().to_json())
    frame = RecordedExecution(many()).tasks()
    shown = shell.display_formatter.formatters["text/html"]

    assert type(frame) is pd.DataFrame
    assert shown(frame).index("✗ failed") < shown(frame).index("✓ completed")
    assert "and 150 more rows" in shown(frame)
    assert "✗ failed" not in shown(frame.head(60))
    assert ">a-199</td>" in shown(frame.tail(3))
    backwards = {"by": "scheduled_event_id", "ascending": False}
    several = pd.concat([frame.assign(workflow_id=each, workflow_run_id="a-run") for each in ("one", "two")])
    for sorted_ in (frame.sort_values(**backwards), frame.sort_values(**backwards, ignore_index=True)):
        assert "✗ failed" not in shown(sorted_)
    several = pd.concat([several[["workflow_id", "workflow_run_id"]], several[list(frame.columns)]], axis=1)
    assert "✗ failed" in shown(several.reset_index(drop=True))
    assert "✗ failed" not in shown(several.sort_values(**backwards, ignore_index=True))
    assert shown(pd.DataFrame({"a": range(99)})) == pd.DataFrame({"a": range(99)})._repr_html_()
    table = magic(shell, f"workflow.tasks --file {file}")
    assert table["id"].tolist() == frame["id"].tolist()
    assert table._repr_html_().index("✗ failed") < table._repr_html_().index("✓ completed")
    assert "failed" in repr(table)


def test_tables_of_tasks_and_executions_show_what_is_read_most_in_a_cell(defined: InteractiveShell) -> None:
    shown = defined.display_formatter.formatters["text/html"]
    tasks = RecordedExecution(many(3, failed=1)).tasks()
    magic(defined, "workflow.start Doubling --input [4] --workflow-id an-id-with-hyphens")
    lab = magic(defined, "connect")
    executions, many_tasks = lab.executions(), lab.tasks()

    for frame in (tasks, tasks.head(2), tasks.sort_values("id", ascending=False), many_tasks, executions):
        assert type(frame) is pd.DataFrame
        assert re.search(rf"\b\d+ of {len(frame.columns)} columns; \.columns names them", shown(frame))
    assert "<th>workflow id</th>" in shown(many_tasks)
    assert '<td class="sfl-word">an-id-with-hyphens</td>' in shown(executions)
    assert "run id" not in shown(executions)
    assert shown(lab.select_executions()) == shown(lab.select_executions().executions())
    assert "an-id-with-hyphens" in shown(lab.select_executions())
    assert re.search(r"\d\d:\d\d:\d\d\.\d{3}\+09:00<", shown(lab.executions(timezone="Asia/Tokyo")))
    # What somebody chose or added is shown as pandas shows it.
    for frame in (tasks[["id", "state"]], tasks.assign(mine=1), executions.drop(columns="tags")):
        assert shown(frame) == frame._repr_html_()
    with pd.option_context("display.max_columns", None):
        assert shown(tasks) == tasks._repr_html_()
        assert "depends_on" in shown(tasks)


TABLES = ("events", "decisions", "point_events", "profile", "critical_path", "slack", "time_spent")
IN_WORDS = re.compile(r'class="(?:sfl-state|sfl-number)">(?:\d[\d.]* (?:m?s|min)\b|– |\d+)')


@pytest.mark.parametrize("name", [*TABLES, "unhandled_failures", "differences"])
def test_every_table_of_ours_says_durations_without_one_value_and_stays_a_plain_frame(
    shell: InteractiveShell, name: str
) -> None:
    shown = shell.display_formatter.formatters["text/html"]
    recorded, empty = RecordedExecution(eventful()), RecordedExecution(History([]))
    if name == "differences":
        frames = [recorded.compare(RecordedExecution(many(3, failed=1))).tasks(), recorded.compare(recorded).tasks()]
    else:
        frames = [getattr(each, name)() for each in (recorded, empty)]

    for frame in frames:
        assert type(frame) is pd.DataFrame
        assert 'class="sfl mathjax_ignore' in shown(frame)
    assert IN_WORDS.search(shown(frames[0]))
    assert "NaN" not in shown(frames[0])
    if name in TABLES[:-1]:  # the others are of one execution
        many_runs = combined([Part("a-workflow", "a-run", frames[0])], frames[1])
        assert "<th>workflow id</th>" in shown(many_runs)
    without_one = frames[0].drop(columns=frames[0].columns[-1])
    assert ("sfl" in shown(without_one)) is (name == "unhandled_failures")  # which is a table of tasks then


@pytest.mark.parametrize("name", ["tasks", *TABLES, "differences"])
def test_a_table_of_ours_that_holds_other_values_now_is_shown_as_pandas_shows_it(
    shell: InteractiveShell, name: str
) -> None:
    shown = shell.display_formatter.formatters["text/html"]
    recorded = RecordedExecution(eventful())
    frame = recorded.compare(recorded).tasks() if name == "differences" else getattr(recorded, name)()
    assert "sfl" in shown(frame)

    others = (frame.isna(), frame.astype(str), frame.describe(include="all"))
    twice = pd.concat([frame, frame], axis=1)  # each column
    without_one_value = frame.assign(
        **{column: ["-", *frame[column][1:]] for column in frame.select_dtypes(("float", "datetimetz"))}
    )
    endless = frame.assign(**{column: float("inf") for column in frame.select_dtypes("float")})
    changed = (
        [*others, twice, without_one_value, endless]
        if name != "point_events"
        else [*others[:1], twice, without_one_value]
    )
    for each in changed:
        assert shown(each) == each._repr_html_()


def test_a_table_of_a_command_that_is_changed_in_place_shows_the_change(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    file = tmp_path / "many.json"
    file.write_text(many(4, failed=1).to_json())
    renamed, longer, sorted_, shorter = (magic(shell, f"workflow.tasks --file {file}") for _ in range(4))

    renamed.columns = ["my own id", *renamed.columns[1:]]
    assert "my own id" in renamed._repr_html_()
    assert "my own id" in repr(renamed)
    longer["mine"] = "of my own"
    assert "of my own" in longer._repr_html_()
    sorted_["id"] = sorted_["id"].tolist()[::-1]
    assert sorted_._repr_html_().index("a-3") < sorted_._repr_html_().index("a-0")
    del shorter["id"]
    assert "a-0" not in repr(shorter)


def test_as_many_rows_are_shown_as_pandas_is_told_to_show(shell: InteractiveShell) -> None:
    shown = shell.display_formatter.formatters["text/html"]
    recorded = RecordedExecution(many(80, failed=1))
    for frame in (recorded.tasks(), recorded.events()):
        left_out = len(frame) - 50
        assert f"{left_out} more rows" in shown(frame)
        for told, left in ((None, 0), (1_000, 0), (70, len(frame) - 70), (6, len(frame) - 6), (60, left_out)):
            with pd.option_context("display.max_rows", told):
                assert re.findall(r"(\d+) more rows", shown(frame)) == ([str(left)] if left else [])


def test_of_a_table_in_the_order_of_time_the_first_and_the_last_rows_are_shown(shell: InteractiveShell) -> None:
    history = many(60, failed=1)
    text = shell.display_formatter.formatters["text/html"](RecordedExecution(history).events())
    left_out = len(history) - 50
    assert f'<td colspan="6" class="sfl-quiet">… {left_out} more rows</td>' in text
    assert [f">{number}</td>" in text for number in (1, 25, len(history) - 24, len(history))] == [True] * 4


def test_the_columns_that_a_table_of_tasks_shows_can_be_asked_for(shell: InteractiveShell, tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    file.write_text(many(3, failed=1).to_json())

    table = magic(shell, f"workflow.tasks --file {file} --columns id,state,running")
    assert list(table.columns) == ["id", "state", "running"]
    assert table["id"].tolist() == ["a-0", "a-1", "a-2"]


def test_a_table_that_is_sorted_or_filtered_is_the_same_table(shell: InteractiveShell, tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    file.write_text(many(4, failed=1).to_json())
    tasks = f"workflow.tasks --file {file}"
    plain = magic(shell, tasks)

    for words, ids in (
        ("--sort -id", ["a-3", "a-2", "a-1", "a-0"]),
        ("--sort -id --limit 1", ["a-3"]),
        ("--filter 'Last State=failed'", plain["id"][plain["state"] == "failed"].tolist()),
        ("--filter state!=failed --limit 2", plain["id"][plain["state"] != "failed"].tolist()[:2]),
        ("--sort Tasks", ["a-0", "a-1", "a-2", "a-3"]),
    ):
        table = magic(shell, f"{tasks} {words}")
        assert table["id"].tolist() == ids, words
        assert list(table.columns) == list(plain.columns)
        assert table._repr_html_().partition("<tbody>")[0] == plain._repr_html_().partition("<tbody>")[0]


def test_a_list_of_executions_that_is_sorted_or_filtered_is_the_same_table(defined: InteractiveShell) -> None:
    for id in ("first", "second", "third"):
        magic(defined, f"workflow.start Doubling -i '[1]' --workflow-id shaped-{id}")
    plain = magic(defined, "workflow.list")
    table = magic(defined, "workflow.list --filter 'Workflow ID=shaped-*' --sort workflow_id --limit 2")

    assert table["workflow_id"].tolist() == ["shaped-first", "shaped-second"]
    assert list(table.columns) == list(plain.columns)
    assert table._repr_html_().partition("<tbody>")[0] == plain._repr_html_().partition("<tbody>")[0]


EXPLAINS_A_FAILURE = """
from simpleflow_lab import Lab
mine = Lab(':memory:')
mine.start(Failing, workflow_id='fails').wait()
"""


def test_advice_names_the_variables_of_the_notebook_or_the_magic_and_never_what_is_not_there(
    defined: InteractiveShell,
) -> None:
    defined.run_cell(EXPLAINS_A_FAILURE).raise_error()

    def advice(code: str) -> str:
        result = defined.run_cell(code)
        result.raise_error()
        text = repr(result.result)
        assert " execution." not in text
        return text

    assert "→ mine.execution('fails').unhandled_failures()" in advice("mine.execution('fails').explain()")
    assert "→ run.unhandled_failures()" in advice("run = mine.execution('fails'); run.explain()")
    assert "<code>run.decisions()</code>" in defined.run_cell("run").result._repr_html_()
    # Neither the execution nor its Lab has a name: the magics can do it if the Lab is theirs.
    assert "unhandled" not in advice("views, labs = [run], [mine]; del run, mine; views[0].explain()").partition("→")[2]
    magic(defined, "workflow.start Failing --workflow-id magic --no-raise")
    assert "→ %simpleflow --filter 'Last State!=completed' workflow.tasks magic" in repr(
        magic(defined, "workflow.explain magic")
    )
    defined.run_cell("labs[0].close()")


def test_commands_that_name_none_are_about_what_a_cell_started_last(defined: InteractiveShell) -> None:
    lab = magic(defined, "connect")

    def shown() -> str:
        history: History = magic(defined, "workflow.history")
        return str(history[0].attributes["input"])

    lab.start("doubling", 11).wait()
    assert "11" in shown()
    magic(defined, "workflow.start Doubling --input '[12]'")
    assert "12" in shown()
    lab.start("doubling", 13).wait()
    assert "13" in shown()


def test_a_comparison_names_no_variable_that_is_not_there(defined: InteractiveShell) -> None:
    lab = magic(defined, "connect")
    for number in range(2):
        defined.user_ns[f"run_{number}"] = lab.start("doubling", number)
        defined.user_ns[f"run_{number}"].wait()
    defined.user_ns["run_2"] = lab.start("Failing")
    defined.user_ns["run_2"].wait()

    (line,) = [line for line in defined.ev("run_0.compare(run_2)") if line.to_do]

    assert line.to_do == "run_0.compare(run_2).tasks()"
    assert len(defined.ev(line.to_do))


HOSTILE = """%%simpleflow
from simpleflow_lab import Workflow

class Hostile(Workflow):
    def run(self):
        raise ValueError("\\x1b[31m red \\u202e backwards")
"""


def test_an_error_of_a_history_changes_neither_colours_nor_the_direction_of_writing(
    defined: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    defined.run_cell(HOSTILE, store_history=True)
    defined.run_cell("%simpleflow workflow.start Hostile", store_history=True)

    shown = capsys.readouterr().out

    assert "ValueError: \\x1b[31m red \\u202e backwards" in shown
    assert not {"\x1b", "\u202e"} & set(shown)


def test_what_is_refused_of_a_closed_execution_is_shown_by_the_line_of_the_cell_alone(
    defined: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    defined.user_ns["closed"] = magic(defined, "workflow.start Doubling --input '[1]'")
    capsys.readouterr()

    defined.run_cell("closed.signal('go')", store_history=True)

    shown = capsys.readouterr().out
    assert "is closed already" in shown
    assert "contextlib" not in shown


def test_short_options_mean_what_they_mean_in_the_magics_of_others(defined: InteractiveShell) -> None:
    """-o keeps the answer in a variable, also where a command of the shell writes a file by it; -i is the input, -h the
    help; and what others execute, build or write by (-x, -b, -w) nothing here does."""
    by_flag: dict[str, set[str]] = {}
    for command in describe():
        for parameter in command.parameters:
            for name in parameter.names:
                if parameter.is_option and name.startswith("-") and not name.startswith("--"):
                    by_flag.setdefault(name, set()).update(n for n in parameter.names if n.startswith("--"))
    assert by_flag["-i"] == {"--input"}
    assert by_flag["-t"] == {"--task-list"}
    assert by_flag["-f"] == {"--follow"}
    assert not by_flag.keys() & {"-x", "-b", "-w"}
    magic(defined, "workflow.start Doubling --input '[1]' --workflow-id short")
    magic(defined, "workflow.history short -o kept")
    assert isinstance(defined.user_ns["kept"], pd.DataFrame | History)
    assert str(magic(defined, "workflow.start -h")) == str(magic(defined, "workflow.start --help"))


def test_lsmagic_lists_it_and_its_first_line_says_what_it_does(defined: InteractiveShell) -> None:
    listed = str(defined.run_line_magic("lsmagic", ""))
    assert " %simpleflow " in f" {listed.partition('Available cell magics:')[0]} ".replace("\n", " ")
    assert "%%simpleflow" in listed
    for kind in ("line", "cell"):
        function = defined.find_magic("simpleflow", kind)
        assert str(function.__doc__).splitlines()[0] == "Run a command of simpleflow; `%simpleflow help` lists them."
    defined.run_cell("%simpleflow info", store_history=True).raise_error()
    assert defined.history_manager.input_hist_raw[-1] == "%simpleflow info"  # as it was typed


def test_an_execution_of_another_lab_of_the_notebook_is_named_with_the_way_to_it(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMPLEFLOW_LAB_STORE", str(tmp_path / "default.sqlite"))
    shell.run_cell(DEFINITIONS, store_history=True).raise_error()
    with Lab(tmp_path / "default.sqlite"), Lab(":memory:") as own:
        own.start(shell.user_ns["Waiting"], workflow_id="here-1")
        shell.user_ns.update(_own=own)
        assert refused(shell, "debug here-1") == "no execution 'here-1' in domain 'lab': workflow.list lists them"
        shell.user_ns.update(own=own)
        assert refused(shell, "debug here-1") == (
            "no execution 'here-1' in domain 'lab': "
            "the Lab own has one, and %simpleflow connect own makes commands act on it"
        )
        assert refused(shell, "live here-1") == refused(shell, "debug here-1")
        assert "workflow.list lists them" in refused(shell, "workflow.tasks nosuch")
        magic(shell, "connect own")
        assert magic(shell, "workflow.info here-1") is not None


def test_where_there_is_no_store_the_lab_of_the_notebook_is_named(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing.sqlite"
    monkeypatch.setenv("SIMPLEFLOW_LAB_STORE", str(missing))
    assert refused(shell, "workflow.list") == (
        f"no store at {missing}: name yours with --store; workflow.start makes a new one"
    )
    with Lab(tmp_path / "here.sqlite") as lab:
        shell.user_ns.update(_=lab, here=lab)
        assert refused(shell, "workflow.list") == (
            f"no store at {missing}: %simpleflow connect here makes commands act on that Lab"
        )
        assert "name yours with --store" in refused(shell, f"--store {tmp_path / 'hree.sqlite'} workflow.list")
        magic(shell, "connect here")
        assert len(magic(shell, "workflow.list")) == 0
    assert not missing.exists()
