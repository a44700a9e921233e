"""Which workers are alive after an engine has died."""

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


def test_a_worker_of_another_running_process_is_alive():
    assert is_worker_alive(identity(pid=os.getppid()))


def test_a_worker_of_this_process_is_alive_if_this_process_takes_over():
    assert is_worker_alive(identity(pid=os.getpid()), in_this_process=True)
    assert not is_worker_alive(identity(pid=os.getpid()))


def test_a_worker_whose_process_has_ended_is_not_alive_even_before_the_process_is_reaped():
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # to its end
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_worker_alive(identity(pid=process.pid))
    process.communicate()
    assert not is_worker_alive(identity(pid=process.pid))


@pytest.mark.parametrize(
    "identity_text",
    [
        '{"pid": 1, "hostname": "elsewhere"}',
        json.dumps({"pid": -1, "hostname": socket.gethostname()}),
        json.dumps({"pid": 10**30, "hostname": socket.gethostname()}),
    ],
)
def test_a_process_that_can_not_be_on_this_machine_has_ended(identity_text):
    assert not is_worker_alive(identity_text, in_this_process=True)


@pytest.mark.parametrize(
    "identity_text",
    [
        None,
        "",
        "worker 7",
        "1234@host",
        "[]",
        "{}",
        '{"pid": 1}',
        '{"pid": "x", "hostname": "h"}',
        '{"pid": 1e999, "hostname": "h"}',
        "[" * 100_000,
    ],
)
def test_a_worker_whose_identity_names_no_process_may_still_answer(identity_text):
    assert is_worker_alive(identity_text)
