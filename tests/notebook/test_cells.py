"""The body of a `%%simpleflow` cell runs as the user's own, and what it defined is known."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import simpleflow_lab.step.tasks  # noqa: F401  there to be imported again
from simpleflow_lab import Lab, activity, step, workflow

pytestmark = pytest.mark.slow

BODY = """%%simpleflow
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="quickstart", version="example")
def increment(x):
    # one more
    return x + 1

class Basic(Workflow):
    name = "basic"
    version = "example"
    task_list = "decisions"

    def run(self, x):
        return self.submit(increment, x).result
"""


def run(shell: InteractiveShell, cell: str, cell_id: str | None = "this cell") -> object:
    """Run a cell that goes well; gives its value."""
    result = shell.run_cell(cell, store_history=True, cell_id=cell_id)
    result.raise_error()
    return result.result


def failing(shell: InteractiveShell, cell: str, cell_id: str | None = "this cell") -> BaseException:
    """Run a cell that doesn't; gives its error."""
    error = shell.run_cell(cell, store_history=True, cell_id=cell_id).error_in_exec
    assert error is not None
    return error


def report(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The rows of the report that was displayed last, without its headers."""
    lines = capsys.readouterr().out.splitlines()
    return [line.split() for line in lines[1:]]


def test_a_cell_says_what_it_defined(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, BODY)

    assert report(capsys) == [
        ["+", "new", "increment", "__main__.increment", "example", "quickstart", "activity"],
        ["+", "new", "Basic", "basic", "example", "decisions", "workflow"],
    ]
    assert shell.user_ns["increment"](1) == 2


def test_a_cell_that_runs_again_says_what_it_changed(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, BODY)
    capsys.readouterr()
    run(shell, BODY.replace("x + 1", "x + 2"))

    assert [row[1:3] for row in report(capsys)] == [["replaced", "increment"], ["unchanged", "Basic"]]
    assert activity.registry["__main__.increment", "example"](1) == 3
    assert workflow.registry["basic", "example"] is shell.user_ns["Basic"]


def test_other_attributes_make_another_activity(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, BODY)
    capsys.readouterr()
    run(shell, "%%simpleflow\nincrement = activity.with_attributes(version='example', retry=2)(increment)", "another")

    assert [row[1:3] for row in report(capsys)] == [["replaced", "increment"]]


def test_what_a_cell_no_longer_defines_is_unregistered(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, BODY)
    capsys.readouterr()
    run(shell, BODY.partition("class Basic")[0])

    assert [row[1:3] for row in report(capsys)] == [["unchanged", "increment"], ["removed", "Basic"]]
    assert ("basic", "example") not in workflow.registry


def test_another_cell_may_take_a_definition_over(shell: InteractiveShell) -> None:
    run(shell, BODY, "first")
    run(shell, BODY, "second")
    run(shell, "%%simpleflow\npass", "first")

    assert workflow.registry["basic", "example"] is shell.user_ns["Basic"]


def test_without_a_cell_id_nothing_is_unregistered(shell: InteractiveShell) -> None:
    run(shell, BODY, None)
    run(shell, "%%simpleflow\npass", None)

    assert ("basic", "example") in workflow.registry


def test_what_an_imported_module_defines_outlives_the_cell(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run again, the cell imports nothing anew: its definitions are still needed."""
    (tmp_path / "definitions_of_a_module.py").write_text(BODY.partition("\n")[2])
    monkeypatch.syspath_prepend(tmp_path)
    for change in ("new", None):
        run(shell, "%%simpleflow\nimport definitions_of_a_module")
        assert [row[1] for row in report(capsys)] == ([change, change] if change else [])

    assert ("basic", "example") in workflow.registry
    assert ("definitions_of_a_module.increment", "example") in activity.registry


def test_activities_of_this_package_are_not_the_cells(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "tasks", step.tasks)  # put back afterwards, as is what `delitem` takes out
    monkeypatch.delitem(sys.modules, "simpleflow_lab.step.tasks")
    run(shell, "%%simpleflow\nimport simpleflow_lab.step.tasks")

    assert report(capsys) == []
    assert len(activity.registry) == 2


def test_the_source_of_functions_and_classes_is_found(shell: InteractiveShell) -> None:
    run(shell, BODY)
    first = shell.user_ns["Basic"]
    run(shell, BODY.replace("x).result", "x + 10).result"))

    assert inspect.getsource(shell.user_ns["increment"]) == BODY[BODY.index("@activity") : BODY.index("\nclass")]
    assert "x + 10" in inspect.getsource(shell.user_ns["Basic"])
    assert inspect.getsource(first) == BODY[BODY.index("class Basic") :]


def test_a_class_of_an_ordinary_cell_has_its_source_too(shell: InteractiveShell) -> None:
    run(shell, "class Plain:\n    def method(self):\n        return 1\n")

    assert inspect.getsource(shell.user_ns["Plain"]).startswith("class Plain:")


def test_magics_work_in_the_body_and_its_last_expression_is_its_value(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%simpleflow\nhere = %pwd\nlen(here) > 0")

    assert "True" in capsys.readouterr().out
    assert shell.user_ns["_"] is True


def test_a_directive_for_the_compiler_is_not_forgotten(shell: InteractiveShell) -> None:
    run(shell, "%%simpleflow\nfrom __future__ import annotations\ndef f(x: Nowhere): pass")

    assert shell.user_ns["f"].__annotations__ == {"x": "Nowhere"}


def test_an_error_is_shown_once_and_from_the_lines_of_the_cell(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failing(shell, f"{BODY}\ndef broken():\n    1 / 0\nbroken()\nlater = 1\n")

    assert isinstance(error, ZeroDivisionError)
    shown = capsys.readouterr().out
    assert shown.count("ZeroDivisionError: division by zero") == 1
    assert "defined" not in shown
    assert "simpleflow_lab" not in shown.partition("Traceback")[2]
    lines = BODY.splitlines()
    assert f"Cell In[1], line {len(lines) + 4}" in shown
    assert f"Cell In[1], line {len(lines) + 3} in broken" in shown


def test_definitions_above_an_error_stay_as_in_any_cell(shell: InteractiveShell) -> None:
    run(shell, BODY)
    failing(shell, BODY.partition("class Basic")[0].replace("x + 1", "x + 5") + "\n1 / 0\n")

    assert activity.registry["__main__.increment", "example"](1) == 6
    assert ("basic", "example") in workflow.registry
    run(shell, "%%simpleflow\npass")
    assert ("basic", "example") not in workflow.registry


@pytest.mark.parametrize("body", ["def f(:\n    pass", "return 1", "await f()"])
def test_text_that_is_not_python_is_a_syntax_error(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    failing(shell, f"%%simpleflow\n\n{body}\n")

    shown = capsys.readouterr().out
    assert "Cell In[1], line 3" in shown
    assert "SyntaxError: " in shown
    assert "run_cell_magic" not in shown


def test_a_cell_without_definitions_says_so(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%%simpleflow\nx = 1")

    assert capsys.readouterr().out == "this cell defines no workflow and no activity\n"


def test_names_that_cells_give_are_escaped(shell: InteractiveShell) -> None:
    from simpleflow_lab.notebook.cell_definitions import Definition
    from simpleflow_lab.notebook.cell_values import CellDefinitions

    evil = "<script>alert(1)</script>"
    shown = CellDefinitions(
        [Definition(kind="workflow", label=evil, name=evil, version=evil, task_list=evil, change="new")]
    )._repr_html_()
    assert "<script>" not in shown
    assert shown.count("&lt;script&gt;") == 4


ONE_TYPE = """%%simpleflow
from simpleflow_lab import Workflow

class {name}(Workflow):
    name = "cells.renamed"
    task_list = "cells.renamed"

    def run(self):
        self.submit(self.wait_signal("go on")).wait()
        return "{name}"
"""


def test_a_class_that_got_another_name_runs_nothing_any_more(shell: InteractiveShell) -> None:
    run(shell, ONE_TYPE.format(name="First"))
    run(shell, ONE_TYPE.format(name="Another"), cell_id="another cell")
    with Lab(":memory:") as lab:
        # Two classes of one type: the input says which.
        executions = [lab.start(shell.user_ns[name]) for name in ("First", "Another")]
        run(shell, ONE_TYPE.format(name="Second"))
        executions += [lab.start(shell.user_ns[name]) for name in ("Second", "Another")]
        for execution in executions:
            execution.signal("go on")
        assert [execution.result(200) for execution in executions] == ["Second", "Another", "Second", "Another"]
        run(shell, "%%simpleflow\npass", cell_id="another cell")
        alone = lab.start("cells.renamed")
        alone.signal("go on")
        assert alone.result(200) == "Second"


def test_two_classes_of_one_type_in_one_cell_both_run(shell: InteractiveShell) -> None:
    first = ONE_TYPE.format(name="First")
    both = first + ONE_TYPE.format(name="Second").partition("Workflow\n")[2]
    for _ in range(2):
        run(shell, both)
        with Lab(":memory:") as lab:
            executions = [lab.start(shell.user_ns[name]) for name in ("First", "Second")]
            for execution in executions:
                execution.signal("go on")
            assert [execution.result(200) for execution in executions] == ["First", "Second"]


def test_a_class_that_a_cell_imports_stays_when_the_cell_runs_again(shell: InteractiveShell) -> None:
    for _ in range(2):
        run(shell, "%%simpleflow\nfrom tests.authors.programs.children import OneOfAType, OtherOfAType")
        same = workflow.same_type["programs-of-one-type", "example"].values()  # other tests may import the file, too
        here = [each.__name__ for each in same if each.__module__ == "tests.authors.programs.children"]
        assert here == ["OneOfAType", "OtherOfAType"]
