"""A cell that defines a workflow again says at once whether recorded executions are safe."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.error import UsageError as MagicUsageError
from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import Lab
from simpleflow_lab.exceptions import UsageError
from tests.notebook.kernel import Kernel

pytestmark = pytest.mark.slow

CELL = """%%simpleflow
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="checks", version="1")
def plus(x, y=1):
    return x + y

class Nightly(Workflow):
    name, version, task_list = "nightly", "1", "checks"

    def run(self, x):
        y = self.submit(plus, x).result
        self.submit(self.wait_signal("go")).wait()
        return y
"""


@pytest.fixture
def lab(shell: InteractiveShell) -> Iterator[Lab]:
    with Lab(":memory:") as lab:
        shell.push({"lab": lab})
        yield lab


def run(shell: InteractiveShell, cell: str, cell_id: str = "this cell") -> None:
    shell.run_cell(cell, store_history=True, cell_id=cell_id).raise_error()


def shown(
    shell: InteractiveShell, cell: str, capsys: pytest.CaptureFixture[str], cell_id: str = "this cell"
) -> list[str]:
    """The lines that the checks show below this cell."""
    capsys.readouterr()
    run(shell, cell, cell_id)
    lines = capsys.readouterr().out.splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith(("Nightly:", "Nightly in"))), len(lines))
    return lines[first:]


def record(shell: InteractiveShell, lab: Lab) -> None:
    """One execution that has completed, and one that is open."""
    run(shell, CELL)
    done = lab.start("Nightly", 1, workflow_id="nightly-done")
    done.signal("go")
    assert done.result(200) == 2
    waiting = lab.start("Nightly", 1, workflow_id="nightly-open")
    while "go" not in str(waiting.describe().get("latestExecutionContext")):
        next(iter(waiting.watch(timeout=200)))


def test_a_first_definition_is_checked_with_nothing_and_says_nothing(
    shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(shell, CELL, capsys) == []
    assert shown(shell, "1 + 1", capsys) == []


def test_an_edit_is_safe_or_differs_with_both_sources_and_the_way_out(
    shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    record(shell, lab)
    assert shown(shell, CELL, capsys) == ["Nightly: safe with 2 of 2 recorded executions"]
    assert shown(shell, CELL.replace("return y", "return y * 1"), capsys)[0].startswith("Nightly: safe with 2 of 2")
    lines = shown(shell, CELL.replace("plus, x)", "plus, x, 2)"), capsys)
    assert lines[0].startswith("Nightly: differs in nightly-open (open) at decision 1, event 5: recorded activity")
    assert "from cell line 12, y = self.submit(plus, x).result; now" in lines[0]
    text = "\n".join(lines)
    assert "→   12         y = self.submit(plus, x).result" in text
    assert "→   12         y = self.submit(plus, x, 2).result" in text
    assert "self.patched(" in text
    assert shown(shell, "1 + 1", capsys) == []
    # Back to what it was: safe again.
    assert shown(shell, CELL, capsys) == ["Nightly: safe with 2 of 2 recorded executions"]


def test_checks_of_two_domains_say_of_which_they_are(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "store.sqlite"
    with Lab(path, domain="one") as one, Lab(path, domain="two") as two:
        shell.push({"one": one, "two": two})
        record(shell, one)
        assert shown(shell, CELL, capsys) == ["Nightly: safe with 2 of 2 recorded executions"]
        record(shell, two)
        safe = "safe with 2 of 2 recorded executions"
        assert sorted(shown(shell, CELL, capsys)) == [
            f"Nightly in domain {lab.domain} of {lab.address}: {safe}" for lab in (one, two)
        ]


def test_what_was_recorded_is_shown_and_no_edit_that_never_ran(
    shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    record(shell, lab)
    waits = '        self.submit(self.wait_signal("go")).wait()\n'
    early = CELL.replace(waits, "        return 1\n")
    assert "differs in nightly-" in shown(shell, early, capsys)[0]
    edited = CELL.replace("plus, x)", "plus, x, 3)").replace(waits, "        x = 3\n")
    text = "\n".join(shown(shell, edited, capsys))
    recorded, _, now = text.partition("now:\n")
    assert 'self.submit(self.wait_signal("go")).wait()' in recorded
    assert "return 1" not in recorded
    assert "x = 3" in now
    assert "\n".join(shown(shell, "print(repr(lab.check(Nightly)))", capsys)) == text


def test_a_plain_cell_that_defines_it_again_is_checked_too(
    shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    record(shell, lab)
    plain = CELL.removeprefix("%%simpleflow\n")
    assert shown(shell, plain, capsys) == ["Nightly: safe with 2 of 2 recorded executions"]
    (first, *_) = shown(shell, plain.replace("plus, x)", "plus, x, 2)"), capsys)
    assert first.startswith("Nightly: differs in nightly-open")


def test_an_activity_is_checked_if_more_than_its_code_changed(
    shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    record(shell, lab)
    head, _, _ = CELL.removeprefix("%%simpleflow\n").partition("class Nightly")
    assert shown(shell, head.replace("x + y", "x + y + 0"), capsys) == []
    (first, *_) = shown(shell, head.replace('version="1"', 'version="1", idempotent=True'), capsys)
    assert first.startswith("Nightly: differs in nightly-open (open) at decision 1")


USES = CELL.replace("class Nightly", "RATE = 1\n\n\ndef bill(x):\n    return x * RATE\n\n\nclass Nightly").replace(
    "plus, x)", "plus, bill(x))"
)


@pytest.mark.parametrize("magic", ["%%simpleflow\n", ""])
def test_a_function_or_a_constant_that_its_code_uses_is_edited(
    magic: str, shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, USES)
    done = lab.start("Nightly", 1, workflow_id="nightly-done")
    done.signal("go")
    assert done.result(200) == 2
    bill = magic + "def bill(x):\n    return x * RATE\n"
    differs = r"Nightly: differs in nightly-done at decision 1, event \d: recorded activity .* with \{\"args\":\[1\]"
    assert shown(shell, bill, capsys, "helpers") == []
    first, second, *_ = shown(shell, bill.replace("x *", "x + 1 *"), capsys, "helpers")
    assert re.match(differs, first)
    assert second == "checked because it uses what was edited: bill"
    assert shown(shell, magic + "unused = 5", capsys, "other") == []
    assert shown(shell, bill, capsys, "helpers") == ["Nightly: safe with 1 of 1 recorded execution", second]
    first, second, *_ = shown(shell, magic + "RATE = 2", capsys, "constants")
    assert re.match(differs, first)
    assert second == "checked because it uses what was edited: RATE"


MODULE = """
from simpleflow_lab import Workflow, activity

def factor(x):
    return x * 2

@activity.with_attributes(task_list="checks", version="1")
def plus(x):
    return x + 1

class Nightly(Workflow):
    name, version, task_list = "nightly", "1", "checks"

    def run(self, x):
        y = self.submit(plus, factor(x)).result
        self.submit(self.wait_signal("go")).wait()
        return y
"""


def test_an_edited_module_that_autoreload_takes_up_is_checked_in_the_same_cell(
    shell: InteractiveShell,
    lab: Lab,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "reloaded_flows.py"
    path.write_text(MODULE)
    times = itertools.count(int(time.time()) + 10)
    run(shell, "%load_ext autoreload\n%autoreload 2\nimport reloaded_flows")
    flows = sys.modules["reloaded_flows"]
    waiting = lab.start(flows.Nightly, 1, workflow_id="nightly-open")
    while "go" not in str(waiting.describe().get("latestExecutionContext")):
        next(iter(waiting.watch(timeout=200)))
    steps = waiting.replay()
    assert steps[1].number == 1
    assert shown(shell, "1 + 1", capsys) == []
    for before, after, edited in (
        ("x * 2", "x * 3", "factor"),
        ("plus, factor(x)", "plus, factor(x + 1)", "Nightly.run"),
    ):
        path.write_text(MODULE.replace(before, after))
        os.utime(path, (next(times), next(times)))  # it looks at the time of the file
        first, second, *_ = shown(shell, "1 + 1", capsys)
        assert first.startswith("Nightly: differs in nightly-open (open) at decision 1, event 5: recorded activity")
        assert second.startswith("checked because it uses what was edited: ")
        assert edited in second
        with pytest.raises(UsageError, match="was edited since these steps were made"):
            steps[1].locals
    assert waiting.replay()[1].is_of_other_code
    path.write_text(MODULE)
    os.utime(path, (next(times), next(times)))
    assert shown(shell, "1 + 1", capsys)[0] == "Nightly: safe with 1 of 1 recorded execution"
    run(shell, "%autoreload 0")
    del sys.modules["reloaded_flows"]


def test_the_setting_limits_the_time_and_0_checks_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMPLEFLOW_LAB_CHECK_SECONDS", "0")
    with Lab(":memory:") as lab:
        shell.push({"lab": lab})
        record(shell, lab)
        assert shown(shell, CELL, capsys) == []
    monkeypatch.setenv("SIMPLEFLOW_LAB_CHECK_SECONDS", "2")
    with Lab(":memory:") as lab:
        shell.push({"lab": lab})
        record(shell, lab)
        began = time.monotonic()
        (line,) = shown(shell, CELL.replace("        y = ", "        while True: pass\n        y = "), capsys)
        assert "2 executions not checked within 2 s" in line
        assert time.monotonic() - began < 100


def test_a_kernel_shows_it_below_the_cell_as_html(tmp_path: Path) -> None:
    with Kernel(tmp_path / "store.sqlite") as kernel:
        assert kernel.run(CELL, cell_id="flow").error is None
        waits = (
            "import time; from simpleflow_lab import Lab; lab = Lab()\n"
            "execution = lab.start(Nightly, 1, workflow_id='nightly-1')\n"
            "while 'go' not in str(execution.describe().get('latestExecutionContext')): time.sleep(0.02)"
        )
        assert kernel.run(waits, cell_id="wait").error is None
        for cell in (CELL, CELL.removeprefix("%%simpleflow\n")):
            reply = kernel.run(cell.replace("plus, x)", "plus, x, 2)"), cell_id="flow")
            assert reply.error is None
            (html,) = [each for each in map(str, reply.messages) if "differs in nightly-1" in each]
            assert "text/html" in html
            assert "self.patched(" in html


def test_to_test_writes_the_cells_as_a_module_for_it(
    shell: InteractiveShell, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(shell, lab)
    run(shell, "%simpleflow connect lab")
    run(shell, f"%simpleflow to-test nightly-done --output {tmp_path}")
    made = sum(event.type == "DecisionTaskCompleted" for event in lab.execution("nightly-done").history())
    assert f"checks the {made} decisions of nightly-done" in capsys.readouterr().out
    assert {path.name for path in tmp_path.glob("*night*")} == {
        "nightly_cells.py",
        "nightly_nightly_done_history.json",
        "test_nightly_nightly_done.py",
    }

    before = {path.name: path.read_text() for path in tmp_path.glob("*night*")}
    shell.run_cell(CELL.replace("plus, x)", "plus, x, 2)")).raise_error()
    for words in (f"nightly-done --out {tmp_path}", f"--force --out={tmp_path} nightly-done"):
        with pytest.raises(MagicUsageError):  # it is there already; it is not decided so
            run(shell, f"%simpleflow to-test {words}")
        assert {path.name: path.read_text() for path in tmp_path.glob("*night*")} == before

    def outcome() -> tuple[int, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_nightly_nightly_done.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        return ended.returncode, ended.stdout

    assert outcome()[0] == 0, outcome()
    module = tmp_path / "nightly_cells.py"
    module.write_text(module.read_text().replace("plus, x)", "plus, x, 2)"))
    code, text = outcome()
    assert code == 1
    assert "y = self.submit(plus, x, 2).result" in text


def test_two_labs_on_one_store_are_asked_once(
    shell: InteractiveShell, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Lab(str(store)) as first:
        record(shell, first)
        with Lab(str(store)) as second:  # as the first cell makes it, when all cells run again
            shell.push({"first": first, "second": second})
            assert shown(shell, CELL, capsys) == ["Nightly: safe with 2 of 2 recorded executions"]
            assert second.check("Nightly").summary == "safe with 2 of 2 recorded executions"


def test_what_the_code_counts_in_attributes_of_classes_is_no_edit(
    shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = CELL.replace("    return x + y", "    Nightly.days = getattr(Nightly, 'days', 0) + 1\n    return x + y")
    cell = cell.replace('"1", "checks"\n', '"1", "checks"\n    runs = 0\n')
    cell = cell.replace("        y = ", "        type(self).runs += 1\n        y = ")
    run(shell, cell)
    execution = lab.start("Nightly", 1)
    execution.signal("go")
    assert execution.result(200) == 2
    assert shown(shell, "Nightly.runs, Nightly.days", capsys) == []
    assert shown(shell, cell, capsys) == ["Nightly: safe with 1 of 1 recorded execution"]


def test_loading_the_extension_again_checks_nothing_and_the_next_edit_is_checked(
    shell: InteractiveShell, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    record(shell, lab)
    assert shown(shell, "%reload_ext simpleflow_lab", capsys, "another") == []
    assert shown(shell, CELL.replace("plus, x", "plus, x, 2"), capsys) != []
