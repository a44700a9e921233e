"""Which store a command opens, and what it says of one that is not there or must not be opened."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.exceptions import DamagedStoreWarning
from simpleflow_lab.http.client import connect_to_owner
from tests.cli.conftest import Command


class Pending(Workflow):
    """It waits for a signal."""

    name, version, task_list = "pending_in_a_store", "1", "pending_in_a_store"

    def run(self, number: int) -> int:
        self.submit(self.next_signal("go")).result
        return number


BASIC = "examples.basic.BasicWorkflow"
ON_A_STORE = (
    ["workflow.list"],
    ["workflow.info", "w"],
    ["workflow.tasks", "w"],
    ["workflow.history", "w"],
    ["workflow.signal", "go", "w"],
    ["workflow.cancel", "w"],
    ["workflow.terminate", "w"],
    ["workflow.logs", "w"],
    ["resume", "w"],
    ["resume"],
)


@pytest.mark.parametrize("words", ON_A_STORE, ids=lambda words: " ".join(words))
def test_a_mistyped_store_is_told_and_not_made(simpleflow: Command, tmp_path: Path, words: list[str]) -> None:
    missing = tmp_path / "lba.sqlite"
    there = sorted(tmp_path.iterdir())
    ended = simpleflow("--store", str(missing), *words)
    told = f"simpleflow: no store at {missing}: name yours with --store; workflow.start makes a new one\n"
    assert ended == (2, "", told)
    assert sorted(tmp_path.iterdir()) == there


def test_a_store_in_a_folder_that_may_not_be_searched_is_not_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "lab.sqlite"
    # root searches any folder, unless it gives that up
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    tmp_path.chmod(0)
    try:
        listed, looked_at = (
            subprocess.run(
                [*without, sys.executable, "-m", "simpleflow_lab.cli", "--store", str(path), command],
                capture_output=True, text=True, check=False, cwd="/",
            )
            for command in ("workflow.list", "doctor")
        )  # fmt: skip
    finally:
        tmp_path.chmod(0o700)
    told = f"simpleflow: the store {str(path)!r} can't be read: Permission denied\n"
    assert (listed.returncode, listed.stdout, listed.stderr) == (2, "", told)
    assert f"{path} can't be looked for: permission denied" in looked_at.stdout
    assert (looked_at.returncode, looked_at.stderr) == (1, "")


def test_an_address_that_is_none_is_not_that_of_your_own_store(simpleflow: Command) -> None:
    for address in ("", "a\0b"):
        told = f"simpleflow: {address!r} is no address: give the path of a file, ':memory:', or 'aws://REGION/DOMAIN'\n"
        assert simpleflow("--store", address, "workflow.list") == (2, "", told)


def test_a_store_in_a_folder_that_is_not_there_names_the_folder(simpleflow: Command, tmp_path: Path) -> None:
    path = tmp_path / "nodir" / "x.sqlite"
    told = f"simpleflow: no store at {path}: there is no folder {path.parent}; make it, or name another store\n"
    for words in (["workflow.list"], ["workflow.start", BASIC, "-i", "[1, 0]"]):
        assert simpleflow("--store", str(path), *words) == (2, "", told)


def test_an_open_execution_that_is_damaged_is_told_in_one_line_and_not_started_again(
    simpleflow: Command, tmp_path: Path
) -> None:
    store = tmp_path / "lab.sqlite"
    with Lab(store, serve="nothing") as lab:
        lab.start(Pending, 12345, workflow_id="bad")
        lab.start(Pending, 1, workflow_id="good")
    content = bytearray(store.read_bytes())
    content[content.index(b"12345")] ^= 1
    store.write_bytes(content)
    start = ["workflow.start", f"{__name__}.Pending", "-i", "[12345]", "--workflow-id", "bad"]
    for words, code in ((["workflow.list"], 0), (["workflow.info", "bad"], 2), (start, 2)):
        ended = simpleflow(*words)
        assert (ended.code, ended.err.count("\n")) == (code, 1)
        assert ended.err.startswith(f"simpleflow: the store {store} is damaged: execution bad ")
        assert ("good" in ended.out) == (code == 0)
        if code == 0:
            (row,) = (line for line in ended.out.splitlines() if line.lstrip().startswith("bad "))
            assert "DAMAGED" in row
            assert "is not what was written" in " ".join(ended.out.split())
    with pytest.warns(DamagedStoreWarning):
        lab = Lab(store, serve="nothing")
    with lab:
        table = lab.executions().set_index("workflow_id")["status"].to_dict()
        assert table == {"bad": "DAMAGED", "good": "OPEN"}
        told = connect_to_owner(str(store)).damaged_executions(domain=lab.domain)["executionInfos"]
        assert told == lab.service.damaged_executions(domain=lab.domain)["executionInfos"]
    connection = sqlite3.connect(store)
    assert connection.execute("SELECT workflow_id FROM execution").fetchall() == [("bad",), ("good",)]
    connection.close()


def test_a_command_that_starts_something_says_that_it_made_a_store(simpleflow: Command, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite"
    start = ["--store", str(new), "workflow.start", BASIC, "-i", "[1, 0]"]
    assert simpleflow(*start).err == f"simpleflow: a new store was made: {new}\n"
    assert simpleflow(*start).err == ""
    assert simpleflow("--store", str(new), "workflow.list").code == 0


def test_your_own_store_is_made_in_a_folder_of_your_own(
    simpleflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIMPLEFLOW_LAB_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    own = tmp_path / "data" / "simpleflow_lab" / "lab.sqlite"
    assert simpleflow("workflow.list").err.startswith(f"simpleflow: no store at {own}: ")
    assert not (tmp_path / "data").exists()
    assert simpleflow("workflow.start", BASIC, "-i", "[1, 0]").err == f"simpleflow: a new store was made: {own}\n"
    assert own.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, Path.touch], ids=["a FIFO", "a folder", "an empty file"])
@pytest.mark.parametrize("words", [["workflow.list"], ["workflow.start", BASIC, "-i", "[1, 0]"]])
def test_what_is_no_store_is_one_line(simpleflow: Command, tmp_path: Path, words: list[str], make: object) -> None:
    make(tmp_path / "it")  # type: ignore[operator]
    ended = simpleflow("--store", str(tmp_path / "it"), *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "is not a simpleflow_lab store (it is " in ended.err


def test_a_store_that_others_can_write_is_one_line_for_its_owner_and_for_others(
    simpleflow: Command, tmp_path: Path
) -> None:
    store = tmp_path / "lab.sqlite"
    for owned_elsewhere in (False, True):
        lab = Lab(store) if owned_elsewhere else None
        store.chmod(0o666)
        ended = simpleflow("--store", str(tmp_path / "." / "lab.sqlite"), "workflow.list")
        assert (ended.code, ended.out) == (2, "")
        told = f"simpleflow: the store was not opened: {store} has mode 0666: others may write it; chmod 600 {store}\n"
        assert ended.err == told
        store.chmod(0o600)
        if lab is not None:
            lab.close()


READS_A_DOMAIN = (["workflow.list"], ["workflow.info", "n1"], ["worker.list"], ["task_list.list"], ["resume"])


@pytest.mark.parametrize("words", READS_A_DOMAIN, ids=lambda words: words[0])
def test_a_mistyped_domain_is_told_and_not_registered(
    simpleflow: Command, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    told = (2, "", "simpleflow: no domain 'prodd' in this store: it has lab\n")
    if words[0] != "workflow.info":  # of which the words may name the domain
        assert simpleflow(*words, "--domain", "prodd") == told
    monkeypatch.setenv("SWF_DOMAIN", "prodd")
    assert simpleflow(*words) == told
    with Lab(registers_domain=False) as lab:
        assert (lab.domains(), lab.has_domain()) == (["lab"], False)


def test_what_is_started_registers_its_domain_and_the_doctor_says_that_it_is_not_there(
    simpleflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWF_DOMAIN", "two")
    doctor = simpleflow("doctor")
    assert (doctor.code, "no domain 'two' in this store: it has lab" in doctor.out) == (1, True)
    assert simpleflow("workflow.start", BASIC, "-i", "[1, 0]").code == 0
    assert simpleflow("workflow.list", "lab").code == 0
    assert simpleflow("doctor").code == 0


def test_a_new_domain_of_a_store_that_is_spelled_like_another_is_told(simpleflow: Command) -> None:
    told = {
        name: simpleflow("workflow.start", BASIC, "-i", "[1, 0]", "--domain", name).err
        for name in ("prod", "prodd", "etl")
    }
    assert told == {
        "prod": "",
        "prodd": "simpleflow: the new domain 'prodd' was registered: did you mean prod?\n",
        "etl": "",
    }


@pytest.mark.parametrize(
    "address", ["aws:arn:aws:swf:eu-west-1:1:/domain/etl", "aws://eu-west-1", "aws://eu-west-1/arn", "aws://x/y/z"]
)
@pytest.mark.parametrize("words", [["workflow.list"], ["worker.start", "-N", "1", "--module", "examples.basic"]])
def test_an_address_of_amazon_that_is_none_is_one_line(simpleflow: Command, address: str, words: list[str]) -> None:
    ended = simpleflow("--store", address, *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "aws://eu-west-1/etl" in ended.err or "aws://REGION/DOMAIN" in ended.err or "'arn'" in ended.err


def test_the_task_lists_and_workers_of_any_domain_are_listed(simpleflow: Command) -> None:
    with Lab(domain="two", serve="nothing") as two:
        two.start_workers(task_list="nightly")
        for words in (["task_list.list", "two"], ["task_list.list", "--domain", "two"], ["worker.list", "-d", "two"]):
            listed = simpleflow(*words)
            assert (listed.code, listed.err) == (0, "")
            assert "nightly" in listed.out
        assert "nightly" not in simpleflow("task_list.list").out


@pytest.mark.parametrize(
    "words",
    [
        ["standalone", BASIC, "-i", "[1, 0]", "--module", "nope"],
        ["worker.start", "-N", "1", "--module", "os"],
        ["decider.start", "-N", "1", "--module", "nope"],
    ],
    ids=lambda words: words[0],
)
def test_modules_are_looked_for_before_a_store_is_made(process: Command, tmp_path: Path, words: list[str]) -> None:
    ended = process("--store", str(tmp_path / "new.sqlite"), *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "module" in ended.err
    assert not list(tmp_path.glob("new.sqlite*"))


def test_a_current_directory_that_was_deleted_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    words = [sys.executable, "-m", "simpleflow_lab.cli", "workflow.list"]
    done = subprocess.run(
        ["sh", "-c", f"rmdir {shlex.quote(str(folder))} && exec {shlex.join(words)}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "the current directory can't be used" in done.stderr
