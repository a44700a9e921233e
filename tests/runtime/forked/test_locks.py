"""Forks of a process whose other threads write logs and import modules at that moment."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

import pytest

from simpleflow_lab import Lab, Workflow, activity
from tests.examples_count import repeats

pytestmark = pytest.mark.forks


class Maps(Workflow):
    name = "forks.maps"
    task_list = "forks"

    def run(self, name, number):
        return sum(future.result for future in self.map(activity.registry[name, "1"], range(number)))


def made(function):
    options = {"task_list": "forks", "version": "1", "executor": "processes", "raises_on_failure": True}
    return activity.with_attributes(name=f"forks.{function.__name__}", **options)(function)


@pytest.mark.parametrize("tasks", [12, *repeats([40])])
def test_a_log_that_is_written_all_the_time_locks_no_child(tmp_path, tasks):
    """The lock of the file behind a handler is not one that Python mends."""
    logger = logging.getLogger("forks.busy")
    handler = logging.FileHandler(tmp_path / "log")
    logger.addHandler(handler)
    logger.propagate = False
    stop = threading.Event()

    def write():
        while not stop.is_set():
            logger.warning("busy " * 100)

    def logs(number):
        logger.warning("from a child")
        return number

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        with Lab(":memory:", activity_threads=4) as lab:
            assert lab.start(Maps, made(logs).name, tasks).result(60) == sum(range(tasks))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
        logger.removeHandler(handler)
        handler.close()
    assert (tmp_path / "log").read_text().count("from a child") == tasks


def test_forks_of_other_threads_and_those_of_activities_do_not_wait_for_each_other():
    """Each takes the locks that modules have registered for forks, in their order, and holds no other one."""
    stop = threading.Event()

    def forks():
        while not stop.is_set():
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)

    def counts(number):
        return number

    forking = threading.Thread(target=forks, daemon=True)
    forking.start()
    try:
        with Lab(":memory:", activity_threads=4) as lab:
            assert lab.start(Maps, made(counts).name, 20).result(60) == sum(range(20))
    finally:
        stop.set()
    forking.join(200)
    assert not forking.is_alive()


def test_a_module_that_another_thread_is_importing_is_imported_anew_in_the_child(tmp_path, monkeypatch):
    (tmp_path / "forks_slow.py").write_text(
        "import os, pathlib, time\n"
        "here = pathlib.Path(__file__).parent\n"
        "(here / 'begun').touch()\n"
        f"while os.getpid() == {os.getpid()} and not (here / 'gate').exists():\n"
        "    time.sleep(0.01)\n"
        "answer = 42\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def imports(number):
        import forks_slow

        return forks_slow.answer

    importer = threading.Thread(target=__import__, args=("forks_slow",))
    importer.start()
    try:
        deadline = time.monotonic() + 200
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        with Lab(":memory:", activity_threads=1) as lab:
            assert lab.start(Maps, made(imports).name, 1).result(200) == 42
    finally:
        (tmp_path / "gate").touch()
        importer.join()
        sys.modules.pop("forks_slow", None)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="older Pythons warn of no fork")
def test_no_warning_is_shown_for_what_is_known(recwarn):
    with Lab(":memory:", activity_threads=1) as lab:
        lab.start(Maps, made(lambda number: number).name, 1).result(200)
    assert [str(warning.message) for warning in recwarn] == []
