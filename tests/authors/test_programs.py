"""Activities that are programs, and Python functions in another interpreter: real processes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

import simpleflow_lab.data.numpy_pandas
from simpleflow_lab import Workflow, activity, download, execute, settings
from simpleflow_lab.exceptions import (
    EncodingError,
    ExecutionError,
    ExecutionTimeoutError,
    UsageError,
    WorkflowExecutionFailed,
)
from tests.authors import program_functions as functions
from tests.processes import is_alive
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("interpreters_without_pandas")]

ROOT = Path(__file__).resolve().parents[2]


def is_gone(pid):
    return not is_alive(pid)


def pids_in(file):
    until(file.exists)
    return [int(word) for word in file.read_text().split()]


def pids_of_what_took_too_long(call, file, *, error=ExecutionTimeoutError, match=None):
    """Call it until it was ended while it ran: on a busy machine its time may be over before it has begun to."""
    while not file.exists():
        with pytest.raises(error, match=match):
            call()
    return pids_in(file)


def open_fds():
    return len(os.listdir("/proc/self/fd"))


# -- programs ----------------------------------------------------------------------------------------------------------


@activity.with_attributes(name="programs.echo", task_list="programs", version="1", raises_on_failure=True)
@execute.program(path="echo")
def say(*words, **options): ...


@activity.with_attributes(name="programs.ls", task_list="programs", version="1", raises_on_failure=True)
@execute.program()
def ls(path): ...


class Says(Workflow):
    name = "programs.says"

    def run(self):
        return self.submit(say, "a", "$HOME;true", c=1, val="x y").result


class Lists(Workflow):
    name = "programs.lists"

    def run(self, path):
        return self.submit(ls, path).result


def test_a_program_gets_its_arguments_as_they_are_and_gives_what_it_prints(lab):
    """PT-01: upstream passes literal quotes, and so prints `-c="1"`."""
    assert lab.start(Says).result(timeout=200) == "-c=1 --val=x y a $HOME;true\n"


def test_a_program_that_fails_fails_its_activity_with_what_it_said(lab):
    """PT-01."""
    with pytest.raises(WorkflowExecutionFailed, match=r"ls ended with return code \d+: .*no/such/place"):
        lab.start(Lists, "/no/such/place").result(timeout=200)


def test_a_failed_program_is_upstreams_error_too():
    with pytest.raises(subprocess.CalledProcessError) as failed:
        ls("/no/such/place")
    assert failed.value.returncode > 0
    assert failed.value.cmd == ["ls", "/no/such/place"]
    assert "/no/such/place" in failed.value.stderr
    assert isinstance(failed.value, ExecutionError)


def test_a_call_that_does_not_fit_the_functions_parameters_runs_nothing():
    with pytest.raises(TypeError):
        ls("/", "/")


def test_arguments_in_getopts_form():
    assert execute.separate_arguments("-rf", n=3, quiet=True, force=False, mode=None, width=80) == [
        "-n", "3", "--quiet", "--width=80", "--", "-rf"
    ]  # fmt: skip

    @execute.program(argument_format=execute.separate_arguments)
    def head(*files, **options): ...

    assert (
        head(__file__, n=1)
        == '"""Activities that are programs, and Python functions in another interpreter: real processes."""\n'
    )


@pytest.mark.parametrize("name", ["no-such-program-at-all", "/no/such/program", "/etc/passwd"])
def test_a_program_that_is_not_there_is_told_in_one_line(name):
    with pytest.raises(ExecutionError, match="no program") as failed:
        execute.program(path=name)(lambda: None)()
    assert "\n" not in str(failed.value)


def test_a_program_may_say_a_lot_and_what_it_complains_of_is_shown(capsys):
    call = execute.program(path="sh", argument_format=lambda: ["-c", "seq 200000; echo odd >&2; printf '\\303\\251'"])(
        lambda: None
    )
    text = call()
    assert (len(text.split()), text[-1]) == (200_001, "é")
    assert capsys.readouterr().err == "odd\n"


def test_a_program_that_prints_no_text_is_told():
    call = execute.program(path="printf", argument_format=lambda: ["\\377"])(lambda: None)
    with pytest.raises(ExecutionError, match="not UTF-8"):
        call()


@pytest.mark.parametrize("kill_children", [True, False])
def test_a_program_that_takes_too_long_is_ended_with_its_children_if_so_asked(tmp_path, kill_children):
    script = f"sleep 600 & echo $$ $! > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pids; wait"
    call = execute.program(path="sh", argument_format=lambda: ["-c", script], timeout=1.5, kill_children=kill_children)(
        lambda: None
    )
    program, child = pids_of_what_took_too_long(call, tmp_path / "pids", match=r"sh did not end within 1\.5 s")
    assert is_gone(program)
    try:
        assert is_gone(child) is kill_children
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


# -- Python functions --------------------------------------------------------------------------------------------------


class Sums(Workflow):
    name = "programs.sums"

    def run(self):
        first = self.submit(functions.remote_sum, 1, 2, start=3)
        return [first.result, self.submit(functions.Doubled, 21).result, self.submit(functions.who).result]


class Divides(Workflow):
    name = "programs.divides"

    def run(self, x, y):
        return self.submit(functions.divide, x, y).result


def test_a_function_runs_in_another_interpreter_and_knows_its_task(lab):
    """PT-02."""
    summed, doubled, known = lab.start(Sums).result(timeout=60)
    assert summed["sum"] == 6
    assert summed["pid"] != os.getpid()
    assert doubled == [42, "programs.class"]
    assert known == {
        "name": "programs.who",
        "activity_id": "activity-programs.who-1",
        "input": {"args": [], "kwargs": {}},
    }


def test_an_error_there_fails_the_activity_with_its_message_and_traceback(lab):
    """PT-04."""
    execution = lab.start(Divides, 1, 0)
    with pytest.raises(WorkflowExecutionFailed) as failed:
        execution.result(timeout=60)
    assert "ExecutionError: ZeroDivisionError: division by zero" in str(failed.value)
    assert "program_functions.py" in str(failed.value)
    assert "return x / y" in str(failed.value)


def test_the_error_has_upstreams_details():
    with pytest.raises(ExecutionError) as failed:
        functions.divide(1, 0)
    details = json.loads(failed.value.args[0])
    assert details == json.loads(failed.value.details)
    assert (details["error"], details["message"]) == ("ZeroDivisionError", "division by zero")
    assert details["traceback"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("exit", "SystemExit: 3"),
        ("_exit", "the interpreter of tests.authors.program_functions.dies ended with return code 3"),
        ("segfault", "was ended by SIGSEGV"),
        ("no json", "JSON can't hold a builtins.object"),
        ("long", "ValueError: xxx"),
    ],
)
def test_however_it_ends_its_cause_is_told(how, told):
    with pytest.raises(ExecutionError) as failed:
        functions.dies(how)
    assert told in str(failed.value)


def test_what_it_prints_is_printed_here(capsys):
    assert functions.talks(1000) == 1000
    printed = capsys.readouterr()
    assert printed.out == "".join(f"line {number}\n" for number in range(1000))
    assert printed.err == "a complaint\n"


def test_arguments_and_results_may_be_large_and_of_registered_types(monkeypatch):
    large = {"text": "é" * 3_000_000, "list": list(range(100_000))}
    assert functions.echo(large) == large
    monkeypatch.setitem(sys.modules, "simpleflow_lab.data.numpy_pandas", simpleflow_lab.data.numpy_pandas)
    frame = pd.DataFrame({"at": pd.date_range("2026", periods=2, tz="UTC")})
    pd.testing.assert_frame_equal(functions.echo(frame), frame)
    with pytest.raises(EncodingError):
        functions.echo(object())


def test_a_coroutine_function_and_an_environment_of_its_own():
    assert functions.later(1) == 2
    assert functions.environment() == {"ONLY": "this"}
    with pytest.raises(ExecutionError, match="no-such-python"):
        functions.nowhere()


def test_a_thousand_errors_leave_no_file_descriptor_open():
    """X6: upstream leaks two on each timeout."""
    before = open_fds()
    for _ in range(3):
        with pytest.raises(ExecutionError):
            functions.dies("_exit")
        with pytest.raises(ExecutionError):
            functions.nowhere()
    with pytest.raises(ExecutionTimeoutError):
        execute.program(path="sleep", timeout=0.1)(lambda seconds: None)(60)
    until(lambda: open_fds() <= before)


# -- what others on the machine can see --------------------------------------------------------------------------------


def test_nothing_of_arguments_results_or_context_is_on_a_command_line(lab, tmp_path):
    """X6: `ps` shows everybody's command lines."""
    seen: set[str] = set()
    done = threading.Event()

    def look():
        while not done.wait(0.02):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    seen.update(process.cmdline() or [""])

    looking = threading.Thread(target=look)
    looking.start()
    try:
        execution = lab.start(Canary, "s3cret-argument")
        assert execution.result(timeout=60) == "s3cret-argument s3cret-result"
    finally:
        done.set()
        looking.join()
    assert "simpleflow_lab.execute" in seen
    for secret in ("s3cret", execution.workflow_id, execution.run_id):
        assert not [word for word in seen if secret in word]
    words = functions.command_line()
    assert words[1:5] == ["-u", "-m", "simpleflow_lab.execute", "tests.authors.program_functions.command_line"]


@activity.with_attributes(name="programs.canary", task_list="programs", version="1", raises_on_failure=True)
@execute.python()
def canary(word):
    time.sleep(0.2)
    return f"{word} s3cret-result"


class Canary(Workflow):
    name = "programs.canary"

    def run(self, word):
        return self.submit(canary, word).result


# -- ending it ---------------------------------------------------------------------------------------------------------


class Hangs(Workflow):
    name = "programs.hangs"

    def run(self, pids):
        return self.submit(functions.hangs, pids, stubborn=False).result


def test_a_function_that_takes_too_long_is_ended_with_what_it_started(lab, tmp_path):
    """PT-04."""
    file = tmp_path / "pids"
    pids = pids_of_what_took_too_long(
        lambda: lab.start(Hangs, str(file)).result(timeout=60),
        file,
        error=WorkflowExecutionFailed,
        match=r"hangs did not end within 5 s",
    )
    assert all(map(is_gone, pids))


def test_a_function_that_does_not_mind_sigterm_is_killed(tmp_path):
    file = tmp_path / "pids"
    with settings.override(activity_sigterm_wait_sec=0.3):
        pids = pids_of_what_took_too_long(lambda: functions.hangs(str(file), stubborn=True), file)
    assert all(map(is_gone, pids))


def test_without_kill_children_only_the_interpreter_is_ended(tmp_path):
    file = tmp_path / "pids"
    interpreter, child = pids_of_what_took_too_long(lambda: functions.hangs_alone(str(file), stubborn=False), file)
    try:
        assert is_gone(interpreter)
        assert not is_gone(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_what_a_function_left_behind_is_ended_and_its_output_not_waited_for(tmp_path):
    assert functions.leaves_a_child(str(tmp_path / "pids")) == "done"
    assert all(map(is_gone, pids_in(tmp_path / "pids")))


@pytest.mark.parametrize("function", ["sleeps", "sleeps_with_children"])
def test_it_dies_with_its_parent(tmp_path, function):
    """P4."""
    pids = tmp_path / "pids"
    code = f"from tests.authors import program_functions as f; f.{function}({str(pids)!r})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as parent:
        interpreter, child = pids_in(pids)
        parent.kill()
    try:
        assert until(lambda: is_gone(interpreter))
        assert is_gone(child) or function == "sleeps" or until(lambda: is_gone(child))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_program_dies_with_its_parent(tmp_path):
    code = "from simpleflow_lab import execute; execute.program(path='sleep')(lambda s: 0)(600)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as parent:
        found = psutil.Process(parent.pid)
        until(lambda: [c for c in found.children() if c.name() == "sleep"])
        sleeping = found.children()[0].pid
        parent.kill()
    assert until(lambda: is_gone(sleeping))


def test_an_interrupt_at_the_terminal_is_not_meant_for_it(tmp_path):
    pids = tmp_path / "pids"
    code = textwrap.dedent(f"""
        from tests.authors import program_functions as f
        try:
            f.sleeps_with_children({str(pids)!r})
        except KeyboardInterrupt:
            print("interrupted")
    """)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, process_group=0
    ) as parent:
        interpreter, child = pids_in(pids)
        assert os.getpgid(interpreter) == interpreter
        os.killpg(parent.pid, signal.SIGINT)
        out, _ = parent.communicate(timeout=200)
    assert out == "interrupted\n"
    assert is_gone(interpreter)
    assert is_gone(child)


# -- functions of a notebook -------------------------------------------------------------------------------------------

CELLS = '''
import math as m
from dataclasses import dataclass
from pathlib import Path
from simpleflow_lab import Lab, Workflow, activity, execute

FACTOR = {"n": 3}

@dataclass
class Pair:
    x: int
    y: "Undefined" = 0

def scaled(x: Path) -> "anything":
    return FACTOR["n"] * x if x < 10 else scaled(x - 10)

@activity.with_attributes(name="cells.area", task_list="cells", version="1", raises_on_failure=True)
@execute.python()
def area(r, more=FACTOR["n"]):
    """Of a circle."""
    def square(x): return x * x
    import os
    return [m.floor(scaled(m.pi * square(r))), Pair(more).x, os.getpid(), Path("/a/b").name, __name__]

class Areas(Workflow):
    name = "cells.areas"
    def run(self, r):
        return self.submit(area, r).result
'''

RUNS = """
import os
with Lab(":memory:") as lab:
    first, second, pid, name, module = lab.start(Areas, 1).result(timeout=60)
print(first, second, name, pid != os.getpid(), module)
"""


def run_script(text, tmp_path, *words):
    (tmp_path / "script.py").write_text(text)
    return subprocess.run(
        [sys.executable, *words, str(tmp_path / "script.py")],
        capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_a_function_of_a_script_travels_with_what_it_uses(tmp_path):
    ended = run_script(CELLS + RUNS, tmp_path)
    assert (ended.stdout, ended.stderr) == ("9 3 b True __main__\n", "")


def test_a_function_of_a_notebooks_cell_travels_with_what_it_uses(tmp_path):
    """UB-21: upstream's can't be found by another interpreter."""
    cells = [*CELLS.strip().split("\n\n"), RUNS]
    code = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in {cells!r}:
    shell.run_cell(cell, store_history=True).raise_error()
"""
    ended = run_script(code, tmp_path)
    assert (ended.stdout, ended.returncode) == ("9 3 b True __main__\n", 0), ended.stderr


LOCAL = {"connection": threading.Lock()}


def uses_a_lock():
    def inner():
        return LOCAL

    return execute.python()(inner)


def uses_a_variable_around():
    outside = 1

    def inner():
        return outside

    return execute.python()(inner)


def is_wrapped():
    def inner(): ...

    return execute.python()(functools.cache(inner))


def has_no_source():
    namespace = {"__name__": "__main__"}
    exec("def inner(): return 1", namespace)
    return execute.python()(namespace["inner"])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (uses_a_lock, "it uses 'LOCAL', a dict, which can't be taken to another interpreter"),
        (uses_a_variable_around, "inner uses outside of the function around it: pass it as an argument"),
        (is_wrapped, "inner is wrapped by another decorator"),
        (has_no_source, "the source of inner is not to be had"),
        (lambda: execute.python()(lambda: 1), "the source of <lambda> is not to be had"),
    ],
)
def test_what_can_not_travel_is_told_in_one_line(make, told):
    with pytest.raises(UsageError) as refused:
        make()()
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_source_that_is_no_longer_what_runs_is_not_run(tmp_path):
    ended = run_script(
        CELLS + "import linecache\n"
        "text = open(__file__).read().replace('x * x', 'x + x + 1')\n"
        "open(__file__, 'w').write(text); linecache.clearcache()\n"
        "try:\n    area(1)\nexcept Exception as error:\n    print(type(error).__name__, error)\n",
        tmp_path,
    )
    assert ended.stdout == "UsageError the source of area is no longer what runs here: define it again\n"


# -- by hand -----------------------------------------------------------------------------------------------------------


def by_hand(*words, input=None):
    return subprocess.run(
        [sys.executable, "-m", "simpleflow_lab.execute", *words],
        input=input, capture_output=True, text=True, timeout=200, check=False, cwd=ROOT,
    )  # fmt: skip


def test_a_function_can_be_called_by_hand():
    """PT-03."""
    assert by_hand("os.path.exists", '{"args": ["/tmp"]}').stdout == "true\n"
    assert by_hand("os.path.join", input='{"args": ["a", "b"]}').stdout == '"a/b"\n'
    assert by_hand("tests.authors.program_functions.remote_sum", "[1, 2]").stdout.startswith('{"pid":')
    known = by_hand("tests.authors.program_functions.who", "[]", "--context", '{"name": "n", "activity_id": "a"}')
    assert json.loads(known.stdout)["activity_id"] == "a"


def test_arguments_and_results_by_file_descriptors():
    """PT-03."""
    (arguments, write), (read, result) = os.pipe(), os.pipe()
    os.write(write, b'{"args": ["/"]}')
    os.close(write)
    command = [
        sys.executable, "-m", "simpleflow_lab.execute", "os.path.isdir",
        f"--arguments-json-fd={arguments}", f"--result-fd={result}",
    ]  # fmt: skip
    done = subprocess.run(command, pass_fds=(arguments, result), capture_output=True, cwd=ROOT, check=True)
    for fd in (arguments, result):
        os.close(fd)
    with os.fdopen(read) as file:
        assert file.read() == "true"
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["os.nosuch", "[]"], "UsageError"),
        (["nosuch.module", "[]"], "no module of 'nosuch.module' can be imported"),
        (["os.path.exists", "{"], "the arguments is not JSON"),
        (["os.path.exists", "[]"], "TypeError"),
    ],
)
def test_what_goes_wrong_by_hand_is_told_as_json_on_stderr(words, told):
    done = by_hand(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["traceback"]


def test_children_are_ended_by_hand(tmp_path):
    pids = tmp_path / "pids"
    done = by_hand("tests.authors.program_functions.leaves_a_child", json.dumps([str(pids)]), "--kill-children")
    assert done.stdout == '"done"\n'
    assert is_gone(pids_in(pids)[1])


# -- what is not run ---------------------------------------------------------------------------------------------------


@activity.with_attributes(
    name="programs.binaries",
    task_list="programs",
    version="1",
    raises_on_failure=True,
    meta={"binaries": {"tool": "s3://bucket/tool"}},
)
def with_a_binary():
    return "was run"


class Binaries(Workflow):
    name = "programs.binaries"

    def run(self):
        return self.submit(with_a_binary).result


def test_a_task_that_names_programs_to_download_fails_with_an_explanation(lab):
    """PT-05, T4."""
    with pytest.raises(WorkflowExecutionFailed, match=r"programs are not downloaded and run for a task \(tool\)"):
        lab.start(Binaries).result(timeout=200)


@pytest.mark.parametrize(
    "use",
    [
        lambda: download.RemoteBinary("tool", "s3://bucket/tool"),
        lambda: download.download_binaries({"tool": "s3://bucket/tool"}),
        lambda: download.with_binaries({"tool": "s3://bucket/tool"}),
    ],
)
def test_upstreams_names_for_downloads_explain_themselves(use):
    with pytest.raises(UsageError, match="Install them on the workers' PATH"):
        use()


def test_they_run_from_an_event_loop_too():
    async def main():
        return await asyncio.gather(*(asyncio.to_thread(functions.echo, n) for n in range(3)))

    assert asyncio.run(main()) == [0, 1, 2]
