"""What may be at a store's address and beside it, and what becomes of a store whose `-wal` is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.engine import store_files
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.store_files import exists
from simpleflow_lab.exceptions import NotAStoreError, StoreError, StoreInUseError, StoreNotPrivateError
from tests.service.scenario import DOMAIN

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# -- the address -------------------------------------------------------------------------------------------------------


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as it:
        it.bind(str(path))


THINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a FIFO": (os.mkfifo, "it is a FIFO"),
    "a socket": (_bind, "it is a socket"),
    "a folder": (Path.mkdir, "it is a folder"),
    "an empty file": (Path.touch, "it is empty"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "symbolic link to nowhere, which does not exist"),
    "a link to a device": (lambda path: path.symlink_to("/dev/null"), "it is a device"),
}


@pytest.mark.parametrize("through_a_link", [False, True], ids=["itself", "through a link"])
@pytest.mark.parametrize("thing", THINGS)
def test_what_is_no_store_is_refused_and_nothing_is_made(tmp_path: Path, thing: str, through_a_link: bool) -> None:
    make, found = THINGS[thing]
    make(tmp_path / "it")
    address = tmp_path / "it"
    if through_a_link:
        address = tmp_path / "link"
        address.symlink_to("it")
        found = "it is a symbolic link to it" if "nothing" in thing else found
    before = os.lstat(tmp_path / "it")
    there = names(tmp_path)
    with pytest.raises(NotAStoreError, match=found):
        EmbeddedSWF(address)
    assert names(tmp_path) == there
    after = os.lstat(tmp_path / "it")
    assert (after.st_ino, after.st_mode, after.st_size) == (before.st_ino, before.st_mode, before.st_size)


def test_a_file_that_has_lost_its_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with open(path, "w") as file:
        path.unlink()
        with pytest.raises(NotAStoreError, match="a file without a name"):
            EmbeddedSWF(f"/proc/self/fd/{file.fileno()}")
    assert names(tmp_path) == []


def test_a_file_that_gives_an_error_when_it_is_read_is_told_in_one_line() -> None:
    with pytest.raises(StoreError, match=r"^the store /proc/self/mem can't be read: Input/output error$"):
        store_files.check("/proc/self/mem")


def test_a_store_is_not_made_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*missing; make it, or name another store"):
        EmbeddedSWF(tmp_path / "missing" / "store.sqlite")
    assert names(tmp_path) == []


def test_no_file_but_the_stores_own_is_replaced_when_it_is_made(path: Path) -> None:
    others = [path.with_name(name) for name in ("store.sqlite.new", "store.new", "store.sqlite.bak")]
    for other in others:
        other.write_text("somebody's")
    EmbeddedSWF(path).close()
    assert [other.read_text() for other in others] == ["somebody's"] * 3


@pytest.mark.parametrize("suffix", [".lock", ".owner", ".serving", ".open", "-wal", ".objects", ".keys", ".endpoint"])
def test_links_beside_the_address_are_refused(path: Path, suffix: str) -> None:
    target = path.with_name("precious")
    target.write_text("precious")
    Path(f"{path}{suffix}").symlink_to(target)
    says = r"objects is a symbolic link, and its large values are kept in a folder" if suffix == ".objects" else "no"
    with pytest.raises(StoreError, match=says):
        EmbeddedSWF(path)
    assert target.read_text() == "precious"
    assert Path(f"{path}{suffix}").is_symlink()
    assert not exists(str(path))


def test_a_store_with_two_names_is_refused_for_each_would_have_a_wal_of_its_own(path: Path, killed: Path) -> None:
    other = path.with_name("other.sqlite")
    os.link(path, other)
    for name in (path, other):
        with pytest.raises(StoreError, match=r"its file has 2 names \(hard links\)"):
            EmbeddedSWF(name)
    assert not exists(f"{other}-wal")
    other.unlink()
    EmbeddedSWF(path).close()


def test_a_process_that_was_killed_while_it_made_the_store_leaves_one_that_opens(path: Path) -> None:
    EmbeddedSWF(path).close()
    os.link(path, f"{path}.0123456789abcdef.new")
    EmbeddedSWF(path).close()


# -- whose they are ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o644, 0o604])
@pytest.mark.parametrize("suffix", ["", ".lock", ".objects", ".owner"])
def test_a_store_that_others_can_read_or_write_is_not_opened(path: Path, suffix: str, mode: int) -> None:
    EmbeddedSWF(path).close()
    it = Path(f"{path}{suffix}")
    if suffix == ".objects":
        it.mkdir()
        mode |= 0o100
    elif suffix == ".owner":
        it.touch()
    it.chmod(mode)
    with pytest.raises(StoreNotPrivateError, match=f"{mode:04o}: others may (read|write) it; chmod ") as refused:
        EmbeddedSWF(path)
    subprocess.run(str(refused.value).rpartition("; ")[2], shell=True, check=True)
    EmbeddedSWF(path).close()


def test_keys_that_others_could_read_are_replaced_and_not_made_private(path: Path) -> None:
    """The store opens: `http.store_keys` makes new ones."""
    EmbeddedSWF(path).close()
    keys = Path(f"{path}.keys")
    keys.write_text("{}")
    keys.chmod(0o644)
    with Lab(path) as lab:
        lab.domains()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


def test_a_folder_in_which_others_could_replace_the_store_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(StoreNotPrivateError, match="others could replace the store in it; chmod o-w"):
        EmbeddedSWF(folder / "store.sqlite")
    assert names(folder) == []
    folder.chmod(0o1777)  # as /tmp: everybody's, but only the owner of a file can rename it
    EmbeddedSWF(folder / "store.sqlite").close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("suffix", ["", ".lock", ".objects"])
def test_a_store_of_another_user_is_not_opened(path: Path, suffix: str) -> None:
    EmbeddedSWF(path).close()
    it = Path(f"{path}{suffix}")
    if suffix == ".objects":
        it.mkdir(0o700)
    os.chown(it, 12345, -1)
    with pytest.raises(StoreNotPrivateError, match="belongs to user 12345; open a store of your own"):
        EmbeddedSWF(path)


def test_every_file_is_private_while_the_store_is_open_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with EmbeddedSWF(path) as engine:
            engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
            assert names(path.parent) == [
                f"store.sqlite{suffix}" for suffix in ("", "-wal", ".lock", ".open", ".owner")
            ]
            assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)


# -- whether they are all there ----------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from simpleflow_lab.engine.embedded import EmbeddedSWF
EmbeddedSWF(sys.argv[1]).register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", KILLED, folder / "store.sqlite"], check=False)
    return folder


@pytest.fixture
def killed(path: Path, killed_once: Path) -> Path:
    """The `-wal` of a store whose process was killed after a domain was registered."""
    for file in killed_once.iterdir():
        shutil.copy(file, path.parent)
    return Path(f"{path}-wal")


def domains(path: Path) -> list[str]:
    with EmbeddedSWF(path) as engine:
        return [info["name"] for info in engine.list_domains(registrationStatus="REGISTERED")["domainInfos"]]


def test_a_store_without_the_wal_of_a_killed_process_is_damaged_until_it_is_back(path: Path, killed: Path) -> None:
    away = killed.with_name("away")
    killed.rename(away)
    before = path.read_bytes()
    for content in (None, b"", b"x" * 9000, bytes(9000)):
        if content is not None:
            killed.write_bytes(content)
            killed.chmod(0o600)
        with pytest.raises(
            StoreError, match=r"is damaged: .*-wal, with what was written last, is (missing|not what was)"
        ):
            EmbeddedSWF(path)
        assert path.read_bytes() == before
        assert content is None or killed.read_bytes() == content
    away.rename(killed)
    assert domains(path) == ["d"]
    assert domains(path) == ["d"]


@pytest.mark.parametrize("says", [b"", b"garbage", bytes(120)])
def test_a_store_without_its_wal_is_damaged_even_if_the_mark_beside_it_is_damaged_too(path, killed, says):
    mark = Path(f"{path}.open")
    mark.write_bytes(says)
    away = killed.rename(killed.with_name("away"))
    with pytest.raises(StoreError, match=r"is damaged: .*-wal, with what was written last, is missing; put it back"):
        EmbeddedSWF(path)
    away.rename(killed)
    assert domains(path) == ["d"]


def test_a_mark_that_may_not_be_read_is_told_as_that_and_not_as_damage(path: Path, killed: Path) -> None:
    Path(f"{path}.open").chmod(0)
    code = f"from simpleflow_lab.engine.embedded import EmbeddedSWF; EmbeddedSWF({str(path)!r})"
    command = [sys.executable, "-c", code]
    if os.getuid() == 0:  # root reads anything, unless it gives that up
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{path}.open can't be read (Permission denied); let it be read and written by you" in ended.stderr
    assert "damaged" not in ended.stderr
    Path(f"{path}.open").chmod(0o600)
    assert domains(path) == ["d"]


def test_a_store_whose_lock_was_removed_while_it_was_open_is_locked_again(path: Path) -> None:
    lock = Path(f"{path}.lock")
    with EmbeddedSWF(path):
        lock.unlink()
        while not lock.exists():
            time.sleep(0.05)
        with pytest.raises(StoreInUseError):
            EmbeddedSWF(path)


def test_who_gives_up_what_is_lost_says_so_by_deleting_the_file_that_is_named(path: Path, killed: Path) -> None:
    killed.unlink()
    with pytest.raises(StoreError, match=r"or delete .*store.sqlite.open to go on without what is lost"):
        EmbeddedSWF(path)
    Path(f"{path}.open").unlink()
    assert domains(path) == []


STARTED = """
import os, signal, sys
from simpleflow_lab.engine.embedded import EmbeddedSWF
from tests.service.scenario import Scenario
lab = Scenario(EmbeddedSWF(sys.argv[1]), None)
lab.prepare()
for number in range(3):
    lab.start(f"w{number}")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_flipped_bit_in_the_wal_of_a_killed_process_is_told_and_loses_nothing_silently(path: Path) -> None:
    """SQLite itself reads a `-wal` up to the first wrong checksum, and takes what follows for unfinished."""
    subprocess.run([sys.executable, "-c", STARTED, path], check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
    wal, mark = Path(f"{path}-wal"), Path(f"{path}.open")
    whole = {file: file.read_bytes() for file in (path, wal, mark)}

    def open_workflow_ids() -> list[str]:
        with EmbeddedSWF(path) as engine:
            listed = engine.list_open_workflow_executions(domain=DOMAIN, startTimeFilter={"oldestDate": 0})
        return sorted(info["execution"]["workflowId"] for info in listed["executionInfos"])

    frame = 24 + 4096
    frames = range(32, len(whole[wal]), frame)
    for at in [*frames, *(each + 24 + 100 for each in frames)]:
        damaged = bytearray(whole[wal])
        damaged[at] ^= 1
        wal.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"is damaged: .*-wal, with what was written last, is damaged; put"):
            EmbeddedSWF(path)
        assert (path.read_bytes(), wal.read_bytes(), mark.read_bytes()) == (whole[path], damaged, whole[mark])
    wal.write_bytes(whole[wal])
    assert open_workflow_ids() == ["w0", "w1", "w2"]
    for file, content in whole.items():
        file.write_bytes(content)
        file.chmod(0o600)
    damaged = bytearray(whole[wal])
    damaged[frames[-1]] ^= 1
    wal.write_bytes(damaged)
    mark.unlink()  # as the line says, of one who gives up what is lost
    assert open_workflow_ids() == ["w0", "w1"]


def ask(engine: EmbeddedSWF) -> None:
    """Ask it until it refuses, for longer than that takes."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        engine.list_domains(registrationStatus="REGISTERED")


@pytest.mark.parametrize("what", ["removed or renamed", "replaced by another file"])
def test_a_store_whose_file_goes_while_it_is_open_says_so_and_leaves_what_is_there_now(path: Path, what: str) -> None:
    wal = Path(f"{path}-wal")
    with EmbeddedSWF(path) as engine:
        for file in path.parent.iterdir():
            file.unlink()
        if what.startswith("replaced"):
            path.write_bytes(b"another")
        wal.write_bytes(b"of another")
        with pytest.raises(StoreError, match=f"was {what} while it was open: nothing more is written"):
            ask(engine)
    assert wal.read_bytes() == b"of another"


def test_a_wal_whose_store_is_gone_is_damage_and_no_new_store(path: Path, killed: Path) -> None:
    wal = killed.read_bytes()
    path.unlink()
    with pytest.raises(StoreError, match=r"it is gone, but .*-wal is there; restore it from a copy, or move"):
        EmbeddedSWF(path)
    assert (killed.read_bytes(), path.exists()) == (wal, False)


def test_a_store_that_was_closed_is_complete_in_one_file(path: Path, tmp_path: Path) -> None:
    with EmbeddedSWF(path) as engine:
        engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
    copy = tmp_path / "copy.sqlite"
    shutil.copy(path, copy)
    assert domains(copy) == ["d"]


def test_another_program_may_have_completed_the_store(path: Path, killed: Path) -> None:
    """SQLite's own tools move the `-wal` into the store when they look at it, and remove it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM domain").fetchall() == [("d",)]
    assert not killed.exists()
    assert domains(path) == ["d"]


def test_a_copy_without_what_was_written_last_is_told(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    with EmbeddedSWF(path) as engine:
        engine.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        for suffix in ("", ".open"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    with pytest.raises(StoreError, match=r"is damaged: .*-wal, with what was written last, is missing"):
        EmbeddedSWF(copy)


def test_a_store_is_complete_however_often_it_is_opened_and_killed(path: Path, killed: Path) -> None:
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", KILLED.partition(".register")[0] + KILLED[KILLED.index("\nos.kill") :], path]
        )
        assert killed.exists()
    assert domains(path) == ["d"]
