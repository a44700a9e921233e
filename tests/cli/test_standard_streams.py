"""Standard streams that are closed, on a full disk, or without a reader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START = "workflow.start --local examples.basic.BasicWorkflow --input '[1, 0]'"
LIST = "simpleflow --format csv --no-header workflow.list"
CLOSED = "simpleflow: the standard output is closed, and the answer goes there: >/dev/null drops it\n"
FULL = "simpleflow: the answer can't be written to the standard output: No space left on device\n"


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `simpleflow` is the command."""
    command = f'simpleflow() {{ "{sys.executable}" -m simpleflow_lab.cli "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">&- 2>&-"])
def test_without_a_standard_output_nothing_is_done_and_one_line_says_so(closed: str) -> None:
    done = in_shell(f"( simpleflow {START} --workflow-id closed {closed} ); code=$?; {LIST}; exit $code")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("" if "2>" in closed else CLOSED)


def test_a_command_needs_neither_standard_input_nor_standard_error() -> None:
    done = in_shell(f"simpleflow {START} --workflow-id quiet <&- 2>&-; {LIST}")
    assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (0, "", "quiet,basic,COMPLETED")


@pytest.mark.parametrize("closed", ["<&-", "</dev/null"])
def test_an_input_that_is_read_from_a_closed_standard_input_is_missing(closed: str) -> None:
    done = in_shell(f"simpleflow workflow.start --local examples.basic.BasicWorkflow {closed} --input -")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("simpleflow: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_answer_that_can_not_be_written_is_one_line() -> None:
    done = in_shell("simpleflow --help >/dev/full")
    assert (done.returncode, done.stderr) == (1, FULL)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_what_a_workflow_prints_and_nobody_can_take_fails_nothing() -> None:
    done = in_shell(
        f"simpleflow {START} --workflow-id full >/dev/full; simpleflow --format csv --no-header workflow.list"
    )
    assert (done.stderr, done.stdout.strip()) == (FULL, "full,basic,COMPLETED")


COMPLETING = {"_SIMPLEFLOW_COMPLETE": "fish_complete", "COMP_WORDS": "simpleflow inf", "COMP_CWORD": "inf"}


@pytest.mark.parametrize(
    ("words", "environment"),
    [(["info"], {}), (["info", "--watch", "0.1"], {}), (["--help"], {}), ([], COMPLETING)],
)
def test_what_lost_its_reader_ends_quietly_as_what_sigpipe_ended(words: list[str], environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "simpleflow_lab.cli", *words],
            env={**os.environ, **environment},
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_watched_answer_ends_with_its_reader() -> None:
    done = in_shell("simpleflow info --watch 0.1 | head -n 1; echo ${PIPESTATUS[0]}")
    assert (done.stderr, done.stdout.splitlines()[-1]) == ("", "141")


def test_a_reader_that_goes_early_is_no_error() -> None:
    done = in_shell(f"simpleflow {START} --workflow-id head | true; {LIST}")
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["head,basic,COMPLETED"]
