"""Python's debugger on a replay, typed into as people do: in a shell's process, and in a kernel."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.notebook.kernel import ROOT, TIMEOUT_S, Kernel

pytestmark = pytest.mark.slow

PROGRAM = """
import pdb, sys
from simpleflow_lab import Lab, Workflow, activity

ran = []

@activity.with_attributes(name="pdb.add", task_list="pdb", version="1")
def add(number):
    ran.append(number)
    if "activity" in sys.argv:
        breakpoint()
    return number + 1

class Sums(Workflow):
    name, version, task_list = "pdb.sums", "1", "pdb"

    def look_up(self, total):
        rows = {"a": total}
        return rows["missing"]

    def run(self, count):
        total = 0
        for number in range(count):
            if number == 1 and "breakpoint" in sys.argv:
                breakpoint()
            if number == 2 and "breakpoint" in sys.argv: pdb.set_trace()
            future = self.submit(add, number)
            total += future.result
            print("total is", total)
        if "fails" in sys.argv:
            return self.look_up(total)
        if "waits" in sys.argv:
            self.submit(self.wait_signal("go")).wait()
        return total

lab = Lab(":memory:")
execution = lab.start(Sums, 3)
if "waits" in sys.argv:
    while len(ran) < 3 or execution.history()[-1].type != "DecisionTaskCompleted":
        execution.wait(0.01)
else:
    execution.wait()
events = len(execution.history())
print("status", execution.status)
steps = execution.replay()
print("---")
eval(sys.argv[1])
print("---")
print("events added", len(execution.history()) - events, "activities run", len(ran))
lab.close()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "sums.py"
    path.write_text(PROGRAM)
    return path


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(PROGRAM.splitlines(), 1) if text in line)


def typed(program: Path, call: str, keys: str, *words: str) -> str:
    """What the program shows between its two rules, while these lines are typed into it."""
    ended = subprocess.run(
        [sys.executable, program, call, *words],
        input="".join(f"{key}\n" for key in keys.split(";")) if keys else "",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=os.environ | {"PYTHONPATH": os.fspath(ROOT), "PYTHONBREAKPOINT": ""},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    before, shown, after = ended.stdout.split("---\n")
    assert after == "events added 0 activities run 3\n"
    return f"{before}{shown}{ended.stderr}"


def test_it_stands_where_run_waits_and_looks_around(program: Path) -> None:
    shown = typed(program, "steps[2].pdb()", "p total, number;pp self.__class__.__name__;w;l;up;q")
    assert f"sums.py({line_of('total += future.result')})run()\n-> total += future.result" in shown
    assert "(1, 1)" in shown
    assert "'Sums'" in shown
    assert "for number in range(count):" in shown
    assert "Oldest frame" in shown  # only the author's frames are there


def test_next_lets_the_history_go_on(program: Path) -> None:
    shown = typed(program, "steps[1].pdb()", "n;n;n;n;n;p total, number;q")
    assert "total is 1" in shown  # what is stepped over prints
    assert "-> future = self.submit(add, number)" in shown
    assert "(1, 1)" in shown
    assert "total is 3" not in shown.rpartition("total is 1")[2]


def test_a_future_that_is_not_done_is_not_waited_for(program: Path) -> None:
    shown = typed(program, "steps[1].pdb()", "p future.result;p future.done;q")
    assert "*** RuntimeError: a future was read while no fiber of the workflow runs" in shown
    assert "(Pdb) False" in shown


def test_a_breakpoint_by_line_is_reached_and_an_error_is_stood_on(program: Path) -> None:
    line = line_of('rows["missing"]')
    shown = typed(program, "steps[1].pdb()", f"b {line};c;p rows;up;p total;c", "fails")
    assert f"sums.py({line})look_up()" in shown
    assert "{'a': 6}" in shown
    assert "*** run has ended in step 4, by FailWorkflowExecution" in shown
    shown = typed(program, "steps[-1].pdb()", "p rows;up;p total;q", "fails")
    assert "*** run ended in step 4 with KeyError('missing')" in shown
    assert "{'a': 6}" in shown


def test_breakpoint_and_set_trace_stop_in_a_replay_and_nowhere_else(program: Path) -> None:
    shown = typed(program, "steps.run_to(event=17)", "p number;c;p number;c;p number + 5;q", "breakpoint")
    passed = re.findall(r"((?:breakpoint|pdb.set_trace)\(\)) passed over at sums.py:(\d+), .*: a decider", shown)
    assert [call for call, _ in passed] == ["breakpoint()", "pdb.set_trace()"]  # by the decider, and not by looking
    assert PROGRAM.splitlines()[int(passed[0][1]) - 1].strip() == "breakpoint()"
    assert "status COMPLETED" in shown
    assert [shown.count(f"(Pdb) {number}") for number in (1, 2, 7)] == [1, 1, 1]  # the last where run waits at the end


def test_breakpoint_in_an_activity_stops_no_worker(program: Path) -> None:
    shown = typed(program, "steps[1].pdb()", "q", "activity")
    assert shown.count("a worker does not stop there") == 3
    assert "status COMPLETED" in shown


def test_restart_and_jump_are_told_and_change_nothing(program: Path) -> None:
    shown = typed(program, "steps[2].pdb()", "p total;restart;run;jump 3;p total;q")
    assert shown.count("call pdb() again to restart") == 2
    assert shown.count("it can't jump") == 1
    assert shown.count("(Pdb) 1") == 2


def test_the_debug_command_steps_through_a_call_and_comes_back(program: Path) -> None:
    shown = typed(program, "steps[2].pdb()", "debug self.look_up(7);s;n;n;p rows;q;p total, number;n;n;p total;q")
    assert "{'a': 7}" in shown
    assert "LEAVING RECURSIVE DEBUGGER" in shown
    assert "(1, 1)" in shown
    assert "(Pdb) total is 3" in shown, "the replay goes on behind it"


def test_the_end_of_an_open_history_is_stood_on(program: Path) -> None:
    shown = typed(program, "steps[3].pdb()", "n;n;n;n;n;n;p total;q", "waits")
    assert "*** the history ends with step 4: the code waits there for what comes next" in shown
    assert "(Pdb) 6" in shown


def test_input_that_ends_leaves_it(program: Path) -> None:
    assert "-> total += future.result" in typed(program, "steps[1].pdb()", "")


def test_where_nothing_waits_a_line_says_so(program: Path) -> None:
    call = "exec('try: steps[-1].pdb()\\nexcept Exception as error: print(type(error).__name__, error)')"
    shown = typed(program, call, "q")
    assert "UsageError run has ended in step 4, by CompleteWorkflowExecution: steps[3].pdb() stands before it" in shown
    shown = typed(program, call.replace("steps[-1].pdb()", "steps[1].pdb(fiber=7)"), "q")
    assert "UsageError no fiber 7 waits at the end of step 1: 1" in shown


class TypedInto(Kernel):
    """A kernel whose cells ask for input, and get these lines."""

    def debug(self, code: str, keys: list[str]) -> str:
        left = iter(keys)
        request = self.client.execute(code, allow_stdin=True)
        shown, deadline = "", time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                message = self.client.get_stdin_msg(timeout=0.02)
            except queue.Empty:
                pass
            else:
                shown += message["content"]["prompt"]
                self.client.input(next(left))
            try:
                message = self.client.get_iopub_msg(timeout=0.02)
            except queue.Empty:
                continue
            content = message["content"]
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "stream":
                shown += content["text"]
            elif message["msg_type"] == "error":
                shown += f"{content['ename']}: {content['evalue']}"
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return re.sub(r"\x1b\[[0-9;]*m", "", shown)
        raise TimeoutError(shown)


def test_in_a_kernel_it_is_ipythons_debugger(tmp_path: Path) -> None:
    cell = textwrap.dedent(PROGRAM.partition("events = ")[0])
    with TypedInto(tmp_path / "store.sqlite") as kernel:
        assert kernel.run(f"%%simpleflow\n{cell}").error is None
        assert kernel.run("steps = execution.replay()").error is None
        shown = kernel.debug("steps[2].pdb()", ["p total, number", "n", "n", "p total", "q"])
        assert "ipdb>" in shown
        assert "(1, 1)" in shown
        assert "total is 3" in shown
        keys = ["debug self.look_up(7)", "n", "n", "p rows", "q", "p total, number", "n", "n", "p total", "q"]
        shown = kernel.debug("steps[2].pdb()", keys)
        assert "{'a': 7}" in shown
        assert "LEAVING RECURSIVE DEBUGGER" in shown
        assert "(1, 1)" in shown
        assert "total is 3" in shown, "the replay goes on behind it"
        shown = kernel.debug("%simpleflow connect lab\n%simpleflow debug --at 2 --pdb", ["p number", "q"])
        assert "ipdb>" in shown
        assert "left step 2 of 4: nothing of the execution has changed" in shown
        # A front end without input, as nbval's, is told so in one line.
        refused = kernel.run("steps[2].pdb()")
        assert refused.error is not None
        assert "this front end passes on no input" in refused.error
        after = kernel.run("print(execution.status, ran, 'x' if __import__('sys').gettrace() else 'untraced')")
        assert after.stdout == "COMPLETED [0, 1, 2] untraced\n"
        # The debugpy that ipykernel starts takes over breakpoint(), and does nothing as long as no IDE is connected.
        hook = kernel.run("print(sys.breakpointhook.__module__); sys.argv.append('breakpoint')").stdout
        shown = kernel.debug("execution.replay().run_to(event=17)", ["p number, total", "c", "p number, total", "q"])
        assert [shown.count(told) for told in ("(1, 1)", "(2, 3)")] == [1, 1], (hook, shown)
        passed = kernel.run("again = lab.start(Sums, 3)\nagain.wait(60)\nprint(again.logs())").stdout
        assert passed.count("breakpoint() passed over at cell line") == 1
