"""kill -9 of a process that decides for a fork: nothing that the fork inherits runs again."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.killing import killed_until_it_ends

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("forked_program.py")
LENGTH = 12


def started(store, notes):
    command = [sys.executable, str(PROGRAM), str(store), str(notes), str(LENGTH)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROGRAM.parents[2])


def test_a_killed_fork_goes_on_in_another_process(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS", "1000")
    store, notes = tmp_path / "lab.sqlite", tmp_path / "notes"
    result = f"result {sum(range(LENGTH))}\n"
    out, err = started(store, notes).communicate(timeout=120)
    assert out == result, err
    ran = notes.read_text().split()
    assert ran == [str(number) for number in range(LENGTH)]
    ended = killed_until_it_ends(lambda: started(store, notes), random.Random(0), kills=4, longest=0.15)
    assert ended.out == result
    assert ended.kills >= 1
    again = Counter(notes.read_text().split()[LENGTH:])
    assert not any(again[str(number)] for number in range(LENGTH // 2)), again
    assert all(again[str(number)] for number in range(LENGTH // 2, LENGTH)), again
