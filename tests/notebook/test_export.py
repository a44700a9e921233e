"""`%simpleflow export`: the definitions of cells as a module, and `worker.start` with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import Lab, activity, workflow
from simpleflow_lab.runtime.fingerprints import fingerprint

CELLS = [
    "import os.path\nimport json as j; unused = 1",
    "RATE = 2\nTABLES = []\ncounter = 0",
    "TABLES.append('orders')\nfor counter in range(4):\n    pass",
    "import threading\nlock = threading.Lock()\nfor handle in [open(os.devnull)]:\n    handle.close()",
    "def helper(x):\n    return 'the first one'",
    """%%simpleflow
from simpleflow_lab import Workflow, activity

# What a table becomes.
def helper(x):
    with lock:
        return [os.path.join("a", x), RATE, TABLES, counter, j.dumps(1)]

@activity.with_attributes(task_list="exported")
def load(x):
    return helper(x)

@activity.with_attributes(name="named", task_list="exported")
def uses_a_handle():
    return handle

class Exported(Workflow):
    '''Loads a table.'''

    task_list = "exported-decisions"

    def run(self, x):
        return self.submit(load, x).result
""",
    "%simpleflow help\nprint('run again, this would be printed again')",
]

READS = """
import json
import exported_flows
from simpleflow_lab import Lab, activity, workflow
from simpleflow_lab.runtime.fingerprints import fingerprint
definitions = [*activity.registry.items(), *workflow.registry.items()]
print(json.dumps({name: fingerprint(each) for (name, version), each in definitions}))
print(json.dumps(exported_flows.load("x")))
"""


def test_a_module_has_what_the_definitions_need_and_means_the_same(shell: InteractiveShell, tmp_path: Path) -> None:
    for cell in CELLS:
        shell.run_cell(cell, store_history=True).raise_error()
    file = tmp_path / "exported_flows.py"
    exported = shell.run_line_magic("simpleflow", f"export {file}")
    assert exported.definitions == ("load", "uses_a_handle", "Exported")
    assert exported.left_out == ("handle, which uses_a_handle uses: a TextIOWrapper that no plain statement made",)
    text = file.read_text()
    assert "# What a table becomes.\ndef helper(x):\n    with lock:" in text
    assert "the first one" not in text
    assert "unused" not in text
    assert "run again" not in text
    assert "TABLES = ['orders']  # its value in the notebook" in text
    assert "counter = 3  # its value in the notebook" in text
    read = subprocess.run(
        [sys.executable, "-c", READS], cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=True
    )
    fingerprints, loaded = map(json.loads, read.stdout.splitlines())
    assert loaded == [os.path.join("a", "x"), 2, ["orders"], 3, "1"]
    here = [activity.registry["__main__.load", "default"], workflow.registry["__main__.Exported", "default"]]
    assert {name: fingerprints[name] for name in ("__main__.load", "__main__.Exported")} == {
        "__main__.load": fingerprint(here[0]),
        "__main__.Exported": fingerprint(here[1]),
    }


def imported(file: Path, expression: str) -> str:
    """What an expression is in another process, which has imported the module."""
    code = f"import {file.stem} as flows\nprint({expression})"
    done = subprocess.run([sys.executable, "-c", code], cwd=file.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LOADS = """%%simpleflow
from simpleflow_lab import activity

@activity.with_attributes(name="exported.load", retry=tries(LIMIT))
def load(x, by=STEP):
    return x
"""


def test_a_cell_that_was_run_again_after_those_that_need_it_stands_before_them(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    cells = [
        "MORE = 1\nLIMIT = 2\nSTEP = 1",
        "def tries(n):\n    return n + MORE",
        LOADS,
        "LIMIT = 5",
        "MORE = 2; STEP = 3",
    ]
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()
    file = tmp_path / "ordered_flows.py"
    shell.run_line_magic("simpleflow", f"export {file}")
    assert imported(file, "flows.load(1), flows.load.callable.__defaults__, flows.tries(flows.LIMIT)") == "1 (3,) 7"


def test_what_ipython_puts_in_the_place_of_pythons_own_is_no_loss_and_what_it_adds_is_told(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    shell.run_cell(
        "from simpleflow_lab import activity\n\n@activity.with_attributes()\ndef reads(x):\n"
        "    with open(x) as file:\n        display(file)\n        return len(file.read())",
        store_history=True,
    ).raise_error()
    exported = shell.run_line_magic("simpleflow", f"export {tmp_path / 'opening.py'}")
    assert exported.left_out == ("display, which reads uses: no cell that was run defines it",)
    shell.run_cell("def open(x):\n    return None", store_history=True).raise_error()
    exported = shell.run_line_magic("simpleflow", f"export {tmp_path / 'own_open.py'}")
    assert "def open(x):" in (tmp_path / "own_open.py").read_text()


def test_what_registers_types_of_values_is_taken_along(shell: InteractiveShell, tmp_path: Path) -> None:
    point = "class Point:\n    def __init__(self, x):\n        self.x = x"
    registered = "codec.register(Point, name='exported.Point', encode=lambda point: point.x, decode={})"
    cells = [
        "import simpleflow_lab.data.numpy_pandas\nfrom simpleflow_lab.data import codec",
        point,
        f"# of the first try\n{registered.format('Point')}",
        f"# how points are written\n{registered.format('lambda x: Point(x)')}",
        "%%simpleflow\nfrom simpleflow_lab import activity\n\n@activity.with_attributes()\ndef load(x):\n    return x",
        point,
    ]
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()
    file = tmp_path / "registering_flows.py"
    assert shell.run_line_magic("simpleflow", f"export {file}").left_out == ()
    assert (
        imported(file, "[flows.codec.encode(flows.Point(2))]")
        == """['{"__simpleflow__":"exported.Point","value":2}']"""
    )
    assert (
        imported(file, "flows.codec.decode(flows.codec.encode(__import__('pandas').DataFrame({'a': [1]}))).size") == "1"
    )
    assert file.read_text().count("codec.register(") == 1
    assert "# how points are written" in file.read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("export", "export takes the name of one file, not 0"),
        ("export a.py b.py", "export takes the name of one file, not 2"),
        ("export flows.txt", "'flows.txt' is no file of a module: give a name as flows.py"),
        ("export my-flows.py", "'my-flows.py' is no file of a module"),
        ("export /nowhere/flows.py", "no cell defines a workflow or an activity: run the cells that do"),
    ],
)
def test_what_can_not_be_exported_is_one_line(shell: InteractiveShell, line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        shell.run_line_magic("simpleflow", line)


def test_a_folder_that_is_not_there_is_one_line(shell: InteractiveShell) -> None:
    cell = "%%simpleflow\nfrom simpleflow_lab import activity\n\n@activity.with_attributes()\ndef f(): pass"
    shell.run_cell(cell, store_history=True)
    with pytest.raises(UsageError, match=r"/nowhere/flows\.py can't be written: No such file or directory"):
        shell.run_line_magic("simpleflow", "export /nowhere/flows.py")


def test_a_worker_of_the_module_runs_what_the_notebook_decides(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shell.run_cell("import os\nfrom simpleflow_lab import Lab, Workflow, activity", store_history=True).raise_error()
    shell.run_cell(
        """%%simpleflow
@activity.with_attributes(task_list="exported-away")
def where(x):
    return [x, os.getpid()]

class Away(Workflow):
    name = "exported-away"
    task_list = "exported-away-decisions"

    def run(self, x):
        return self.submit(where, x).result
""",
        store_history=True,
    ).raise_error()
    shell.run_line_magic("simpleflow", f"export {tmp_path / 'away_flows.py'}")
    store = tmp_path / "lab.sqlite"
    with Lab(store, serve="decisions") as lab:
        execution = lab.start("Away", 7)
        command = [sys.executable, "-m", "simpleflow_lab.cli", "--store", str(store), "worker.start"]
        process = subprocess.Popen(
            [*command, "--module", "away_flows", "-N", "1"], cwd=tmp_path, stderr=subprocess.PIPE
        )
        try:
            number, pid = execution.result(60)
            assert number == 7
            assert pid != os.getpid()
            assert lab.pollers().of("exported-away")[0].supervisor == process.pid
            process.terminate()
            said = process.communicate(timeout=200)[1].decode()
            assert process.returncode == 0
            assert "otherwise than this one" not in said  # the module's definitions are the cells'
        finally:
            process.kill()
            process.communicate()


def test_a_module_without_any_definition_is_not_written(shell: InteractiveShell, tmp_path: Path) -> None:
    shell.run_cell(CELLS[0]).raise_error()
    shell.run_cell("from simpleflow_lab import activity\n@activity.with_attributes()\ndef lost(): pass").raise_error()
    shell.history_manager.input_hist_raw.clear()
    file = tmp_path / "lost_flows.py"
    with pytest.raises(UsageError, match=r"was not written: the text of the cells that define lost is not known; run"):
        shell.run_line_magic("simpleflow", f"export {file}")
    assert not file.exists()
