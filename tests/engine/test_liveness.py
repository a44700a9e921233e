"""Which workers outlive an engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from simpleflow_lab.engine.liveness import is_worker_alive


def identity(**record: object) -> str:
    return json.dumps({"hostname": socket.gethostname(), **record})


def test_a_worker_of_another_living_process_does():
    assert is_worker_alive(identity(pid=os.getppid()))


def test_a_worker_of_this_process_does_if_this_process_goes_on_with_it():
    assert is_worker_alive(identity(pid=os.getpid()), in_this_process=True)
    assert not is_worker_alive(identity(pid=os.getpid()))


def test_a_worker_whose_process_has_ended_does_not_even_before_its_parent_looked():
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # to its end
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_worker_alive(identity(pid=process.pid))
    process.communicate()
    assert not is_worker_alive(identity(pid=process.pid))


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "worker 7",
        "[]",
        "{}",
        '{"pid": 1}',
        '{"pid": "x", "hostname": "h"}',
        '{"pid": 1, "hostname": "elsewhere"}',
        json.dumps({"pid": -1, "hostname": socket.gethostname()}),
    ],
)
def test_who_can_not_be_told_from_the_dead_does_not(said):
    assert not is_worker_alive(said, in_this_process=True)
