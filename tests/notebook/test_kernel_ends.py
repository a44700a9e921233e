"""A kernel is shut down while everything of it is at work: it ends, and the workers of the store go on without it."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest

from simpleflow_lab import Lab
from tests.cli.supervised import LONG, starting
from tests.notebook.kernel import Kernel
from tests.waiting import until

BUSY = """%%simpleflow
import os, socket, sys, time
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="kernel", start_to_close_timeout=600)
def sleeps(folder, number):
    open(f"{folder}/sleeps-{number}", "w").close()
    time.sleep(600)

@activity.with_attributes(task_list="kernel", start_to_close_timeout=600)
def returns_a_large_value():
    return "x" * 100_000

class Busy(Workflow):
    name = "busy"
    task_list = "kernel"

    def run(self, folder):
        large = self.submit(returns_a_large_value)
        for each in [self.submit(sleeps, folder, number) for number in range(3)]:
            each.wait()
        return large.result
"""


@pytest.mark.slow
def test_f22_a_kernel_with_busy_threads_and_a_hung_read_of_s3_ends_and_four_workers_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "store.sqlite")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.socket() as hung, starting(tmp_path, {"SIMPLEFLOW_LAB_STORE": store}) as start:
        hung.bind(("127.0.0.1", 0))
        hung.listen()  # connections are taken by the system, and nobody answers
        for name, value in {
            "SIMPLEFLOW_JUMBO_FIELDS_BUCKET": "fields-of-jumbo/kernel",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{hung.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        with Kernel(store) as kernel:
            assert kernel.run(BUSY).error is None
            begun = kernel.run(f"%simpleflow workflow.start Busy --detach --input '[\"{tmp_path}\"]'")
            assert begun.error is None
            until(lambda: len(list(tmp_path.glob("sleeps-*"))) == 3)
            hung.settimeout(LONG)
            reading, _ = hung.accept()  # of the large value
            works = start("worker.start", "-N", "4", "--module", "supervised_flows")
            pids = until(lambda: listed(store))
            process = psutil.Process(kernel.pid)
            kernel.ask_to_shut_down()
            assert process.wait(LONG) == 0
            reading.close()
        assert {each.pid for each in works.children()} == pids
        start("decider.start", "-N", "1", "--module", "supervised_flows")
        from tests.cli import supervised_flows as flows

        for name in ("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.delenv(name)
        with Lab(store, serve="nothing") as lab:
            assert set(lab.start(flows.Pids, 8).result(LONG)) <= pids
        assert works.stop() == 0


def listed(store: str) -> set[int]:
    """The processes of the four activity workers, once all serve."""
    with Lab(store, serve="nothing") as lab:
        found = {each.pid for each in lab.pollers() if each.task_list == "supervised-activities"}
    return found if len(found) == 4 else set()
