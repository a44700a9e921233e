"""What the import contracts of pyproject.toml can't say: names finer than modules, and what an import brings along."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "simpleflow_lab"

# Pure parts of modules that otherwise give entropy: a seeded generator, a parsed id.
PURE_NAMES = {"random": {"Random"}, "uuid": {"UUID", "uuid3", "uuid5"}}

# Calls that read a clock, a file or a person.
IMPURE_METHODS = {"now", "utcnow", "today"}
IMPURE_FUNCTIONS = {"open", "input"}
CLOCKS = {"datetime", "date"}

# What `import simpleflow_lab` must not load: each costs a tenth of a second and more, or is an optional dependency.
LATE_PACKAGES = {"boto3", "botocore", "pandas", "plotly", "ipywidgets", "IPython", "jupyterlab", "diskcache"}


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of everything in a module that could give another value the next time."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for name in names:
                    if name.name in PURE_NAMES:
                        yield node.lineno, f"import {name.name}: import the pure names from it"
            case ast.ImportFrom(module=str(module), names=names) if module in PURE_NAMES:
                for name in names:
                    if name.name not in PURE_NAMES[module]:
                        yield node.lineno, f"from {module} import {name.name}"
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_FUNCTIONS:
                yield node.lineno, f"{name}()"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=method)) if (
                owner in CLOCKS and method in IMPURE_METHODS
            ):
                yield node.lineno, f"{owner}.{method}()"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from random import Random\nRandom(7)", []),
        ("from uuid import UUID", []),
        ("import random", ["import random: import the pure names from it"]),
        ("from uuid import uuid4", ["from uuid import uuid4"]),
        ("import datetime\ndatetime.datetime.now()", ["datetime.now()"]),
        ("from datetime import date\ndate.today()", ["date.today()"]),
        ("open('x')", ["open()"]),
        ("workflow.now()", []),
    ],
)
def test_impurities_are_recognised(source: str, found: list[str]) -> None:
    assert [what for _, what in impurities(ast.parse(source))] == found


def test_replay_reads_no_clock_no_entropy_and_no_file() -> None:
    files = sorted((PACKAGE / "replay").rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {what}"
        for path in files
        for line, what in impurities(ast.parse(path.read_text()))
    ]
    assert found == []


def imported(tree: ast.AST) -> Iterator[str]:
    """The packages that a module imports when it runs, by their first names."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
        yield from imported(node)


def test_numpy_and_pandas_are_imported_where_no_interrupt_can_break_that() -> None:
    sources = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
    found = {
        path.relative_to(PACKAGE).as_posix(): names
        for path, source in sources.items()
        if re.search("numpy|pandas", source)  # to parse all modules takes seconds
        if (names := {"numpy", "pandas"} & set(imported(ast.parse(source))))
    }
    assert found == {"data/numpy_library.py": {"numpy"}, "data/pandas_library.py": {"pandas"}}


def in_a_new_process(code: str) -> object:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_importing_the_package_loads_no_heavy_dependency() -> None:
    loaded = in_a_new_process("import json, sys, simpleflow_lab; print(json.dumps(sorted(sys.modules)))")
    assert isinstance(loaded, list)
    assert "simpleflow_lab" in loaded
    assert LATE_PACKAGES & set(loaded) == set()


def test_importing_the_package_loads_what_is_asked_for() -> None:
    loaded = in_a_new_process("import json, sys, simpleflow_lab; print(json.dumps(sorted(sys.modules)))")
    assert isinstance(loaded, list)
    assert {name for name in loaded if name.startswith("simpleflow_lab")} == {
        "simpleflow_lab",
        "simpleflow_lab.upstream",
    }


# What a list of commands does without: each is some tens of modules.
LATE_MODULES = {"simpleflow_lab.lab", "simpleflow_lab.execution", "simpleflow_lab.engine", "simpleflow_lab.replay"}


def test_the_help_of_the_commands_loads_neither_engine_nor_replay_nor_lab() -> None:
    loaded = in_a_new_process(
        """
import contextlib, io, json, sys
from simpleflow_lab.cli.main import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    assert main(["--help"]) == 0
assert "workflow.start" in out.getvalue()
print(json.dumps(sorted(sys.modules)))
"""
    )
    assert isinstance(loaded, list)
    assert "simpleflow_lab.commands.workflow" in loaded
    assert (LATE_MODULES | LATE_PACKAGES | {"sqlite3", "asyncio"}) & set(loaded) == set()


def test_a_command_loads_the_module_of_no_other_command() -> None:
    loaded = in_a_new_process(
        """
import contextlib, io, json, sys
from simpleflow_lab.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main(["workflow.start", "--help"]) == 0
print(json.dumps(sorted(sys.modules)))
"""
    )
    assert isinstance(loaded, list)
    assert "simpleflow_lab.commands.workflow" in loaded
    assert not {"simpleflow_lab.commands.inspection", "simpleflow_lab.commands.doctor"} & set(loaded)


def test_the_extension_loads_no_heavy_dependency_and_a_cell_that_starts_an_execution_no_pandas(tmp_path: Path) -> None:
    after_load, after_start = in_a_new_process(
        f"""
import contextlib, io, json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
with contextlib.redirect_stdout(io.StringIO()):
    shell.run_line_magic("load_ext", "simpleflow_lab")
    after_load = sorted(sys.modules)
    shell.run_line_magic("simpleflow", "connect " + {str(tmp_path / "store.sqlite")!r})
    started = shell.run_line_magic("simpleflow", "workflow.start examples.basic.BasicWorkflow --input '[1, 0]'")
    assert started.status == "COMPLETED", started
    started._repr_html_()
print(json.dumps([after_load, sorted(sys.modules)]))
shell.run_line_magic("unload_ext", "simpleflow_lab")
"""
    )
    assert "simpleflow_lab.notebook.magics" in after_load
    assert LATE_PACKAGES & set(after_load) == {"IPython"}
    assert "pandas" not in after_start


@pytest.mark.parametrize("has_threads", [True, False])
def test_a_chart_has_pandas_imported_before_it_where_other_threads_could_import_it_meanwhile(has_threads: bool) -> None:
    found = in_a_new_process(
        f"""
import json, sys, threading
ended = threading.Event()
if {has_threads}:
    threading.Thread(target=ended.wait).start()
from simpleflow_lab.views.gantt import gantt
ended.set()
print(json.dumps("pandas" in sys.modules))
"""
    )
    assert found is has_threads


def test_plotly_is_imported_in_one_place() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import plotly|from plotly)\b", path.read_text("utf-8"), re.MULTILINE)
    }
    assert found == {"views/plotly_library.py"}


# What a start whose execution completes does without: the views of its history, and forks.
LATE_FOR_A_START = {
    "simpleflow_lab.views.history_fold",
    "simpleflow_lab.views.waiting",
    "simpleflow_lab.views.explanation_lines",
    "simpleflow_lab.runtime.forked.parent",
    "simpleflow_lab.debugger",
    "simpleflow_lab.executions.waits_below",
}


def test_a_start_loads_neither_views_of_histories_nor_what_forks_activities(tmp_path: Path) -> None:
    loaded = in_a_new_process(
        f"""
import contextlib, io, json, sys
from simpleflow_lab.cli.main import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    words = ["--store", {str(tmp_path / "store.sqlite")!r}, "workflow.start", "examples.basic.BasicWorkflow"]
    assert main([*words, "--input", "[1, 0]"]) == 0
assert out.getvalue().endswith("4\\n"), out.getvalue()
print(json.dumps(sorted(sys.modules)))
"""
    )
    assert isinstance(loaded, list)
    late = LATE_FOR_A_START | LATE_PACKAGES | {"asyncio", "subprocess", "platformdirs", "ctypes", "decimal"}
    assert late & set(loaded) == set()


def test_importing_the_package_configures_no_logging() -> None:
    state = in_a_new_process(
        """
import json, logging
def state():
    loggers = [logging.getLogger(), *(x for x in logging.root.manager.loggerDict.values() if hasattr(x, "handlers"))]
    loggers = [x for x in loggers if x.name.partition(".")[0] in ("root", "simpleflow_lab")]
    return [[x.name, x.level, [type(h).__name__ for h in x.handlers]] for x in loggers]
import simpleflow_lab
print(json.dumps(state()))
"""
    )
    assert isinstance(state, list)
    for name, level, handlers in state:
        assert (level, handlers) in ((30 if name == "root" else 0, []), (0, ["NullHandler"])), name


def without_reason(text: str) -> list[int]:
    """The lines that catch every error, or every exit too, and don't say why."""
    broad = re.compile(r"\s*except\s*(\(?.*\b(Base)?Exception\b.*)?:\s*$")
    return [number for number, line in enumerate(text.splitlines(), 1) if broad.match(line)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("    except:", [1]),
        ("except Exception:", [1]),
        ("except (KeyError, BaseException) as error:", [1]),
        ("except Exception:  # a condition is any code", []),
        ("except StoreException:", []),
        ("except KeyError:", []),
    ],
)
def test_broad_excepts_are_recognised(line: str, found: list[int]) -> None:
    assert without_reason(line) == found


def test_what_catches_every_error_says_why_in_its_line() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line}" for path in files for line in without_reason(path.read_text())
    ]
    assert found == []
