"""The link of a supervised process to its supervisor, with real signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.examples_count import repeats

COUNTS_SIGNALS = """
import sys

from simpleflow_lab.runtime.supervised.link import SupervisorLink

link = SupervisorLink(int(sys.argv[1]))
link.handle_signals()
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    link.wait(0.0001)
print(link.stop, flush=True)
"""


@pytest.mark.parametrize("waits", [10_000, *repeats([30_000])])
def test_a_signal_that_comes_while_the_main_thread_begins_to_wait_holds_it_up_no_longer_than_another(
    waits: int,
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", COUNTS_SIGNALS, str(theirs.fileno()), str(waits)],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            sent = 0
            while process.poll() is None and sent < 2 * waits:
                os.kill(process.pid, signal.SIGTERM)
                sent += 1
            out, _ = process.communicate(timeout=200)
            assert process.returncode == 0
            assert 1 <= int(out) <= sent
        finally:
            process.kill()
            process.communicate()


OFFERS = """
import sys

from simpleflow_lab.runtime.supervised.link import SupervisorLink

link = SupervisorLink(int(sys.argv[1]))
link.handle_signals()
offered = 0
while link.offer({"serves": [{"kind": "activity worker", "taskList": "x" * 1000}]}):
    offered += 1
print(offered, flush=True)
while not link.stop:
    link.wait(1)
"""


def test_a_process_whose_supervisor_takes_nothing_still_ends_when_it_is_told_to() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", OFFERS, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert int(process.stdout.readline()) > 0
            process.terminate()
            process.communicate(timeout=200)
            assert process.returncode == 0
        finally:
            process.kill()
            process.communicate()
