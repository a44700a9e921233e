"""A lock on a file: one holder, until it releases the lock or ends, and forks at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simpleflow_lab.locking.file_lock import FileLock

HOLDS = """
import os, signal, sys, time
from simpleflow_lab.locking.file_lock import FileLock
lock = FileLock(sys.argv[1], byte=int(sys.argv[2]) if sys.argv[2] else None)
assert lock.acquire()
child = os.fork()
if child == 0:
    signal.pause()
print(child, flush=True)
signal.pause()
"""


def test_one_object_holds_it_and_the_next_one_once_it_is_released(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    assert (first.is_held, second.is_held) == (True, False)
    releasing = threading.Timer(0.05, first.release)
    releasing.start()
    assert second.acquire(seconds=60)
    releasing.join()
    second.release()
    second.release()
    assert first.acquire()
    first.release()


@pytest.mark.parametrize("byte", [None, 7])
def test_it_is_free_when_its_process_was_killed_though_a_process_that_it_forked_lives_on(
    tmp_path: Path, byte: int | None
) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "lock"), str(byte or "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert not FileLock(tmp_path / "lock", byte=byte).acquire()
            process.kill()
            process.wait()
            assert FileLock(tmp_path / "lock", byte=byte).acquire(seconds=60)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lock_on_a_byte_is_one_of_its_own_and_is_seen_without_being_taken(tmp_path: Path) -> None:
    whole, first, second = (FileLock(tmp_path / "lock", byte=byte) for byte in (None, 1 << 61, 3))
    assert not first.is_anybodys()
    assert whole.acquire()
    assert first.acquire()
    assert FileLock(tmp_path / "lock", byte=1 << 61).is_anybodys()
    assert not FileLock(tmp_path / "lock", byte=1 << 61).acquire()
    assert not second.is_anybodys()
    assert second.acquire()
    first.release()
    assert not first.is_anybodys()
    assert second.is_anybodys()
    assert not FileLock(tmp_path / "lock").acquire()
    assert (tmp_path / "lock").stat().st_size == 0


@pytest.mark.parametrize("byte", [None, 7])
def test_a_lock_whose_file_was_removed_is_restored_and_others_do_not_get_it(tmp_path: Path, byte: int | None) -> None:
    lock = FileLock(tmp_path / "lock", byte=byte)
    lock.restore()
    assert not (tmp_path / "lock").exists()
    assert lock.acquire()
    for _ in range(2):
        (tmp_path / "lock").unlink()
        lock.restore()
        lock.restore()
        assert not FileLock(tmp_path / "lock", byte=byte).acquire()
    (tmp_path / "lock").unlink()
    other = FileLock(tmp_path / "lock", byte=byte)
    assert other.acquire()
    lock.restore()
    assert lock.is_held
    other.release()
    lock.restore()
    assert not other.acquire()
    lock.release()
    assert other.acquire()
    other.release()


FORKS_AND_LOCKS = """
import os, sys, threading
from pathlib import Path
from simpleflow_lab.locking.file_lock import FileLock

errors = []

def fork():
    try:
        for _ in range(30):
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
    except BaseException as error:
        errors.append(error)

def lock():
    mine = FileLock(Path(sys.argv[1]) / str(threading.get_ident()))
    while any(each.is_alive() for each in forking):
        if not mine.acquire():
            errors.append("nobody else has it")
            return
        mine.release()

forking = [threading.Thread(target=fork) for _ in range(2)]
threads = [*forking, threading.Thread(target=lock)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(errors)
"""


def test_threads_that_fork_at_the_same_time_and_lock_meanwhile_are_refused_nothing(tmp_path: Path) -> None:
    """Locks that refuse forks while another thread forks, or locks, fail an author's activity that forks.

    In a process of its own: each fork copies the page tables of its process, and that of the tests is large.
    """
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS_AND_LOCKS, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
