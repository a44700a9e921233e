"""Commands that supervise processes, as processes of their own; whatever a test leaves behind is ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from simpleflow_lab import Lab
from tests.processes import is_alive, kill
from tests.waiting import until

LONG = 200


class Command:
    """`simpleflow …`, which goes on until it is told to stop."""

    def __init__(self, folder: Path, *words: str, environment: Mapping[str, str] | None = None):
        self._stderr = (folder / f"stderr-{time.monotonic_ns()}").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simpleflow_lab.cli", *words],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self._known: set[psutil.Process] = set()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        """What it and its processes have written to stderr."""
        return Path(self._stderr.name).read_text()

    def children(self) -> list[psutil.Process]:
        """The processes that it supervises now, but for those that have ended and that it has not noticed yet."""
        found = psutil.Process(self.pid).children() if self.process.poll() is None else []
        found = [each for each in found if is_alive(each.pid)]
        self._known.update(found)
        return found

    def send(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.children()
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; gives the exit code."""
        self.out = self.process.communicate(timeout=LONG)[0]
        return self.process.returncode

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for its end."""
        self.send(number)
        return self.wait()

    def close(self) -> None:
        self.children()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self._stderr.close()
        for each in self._known:
            kill(each)


@contextmanager
def starting(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Callable[..., Command]]:
    """Within this context a function starts commands in a folder with the module `supervised_flows`."""
    shutil.copy(Path(__file__).with_name("supervised_flows.py"), folder)
    root = Path(__file__).parents[2]
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    with ExitStack() as ends:

        def start(*words: str) -> Command:
            begun = Command(folder, *words, environment={"PYTHONPATH": paths, **(environment or {})})
            ends.callback(begun.close)
            return begun

        yield start


def running(folder: Path, works: Command) -> Iterator[tuple[int, int]]:
    """The numbers and processes of activities that run and were not killed yet."""
    alive = {each.pid for each in works.children()}
    for path in folder.glob("began-*"):
        _, number, pid = path.name.split("-")
        if int(pid) in alive and not (folder / f"killed-{number}").exists():
            yield int(number), int(pid)


def suspended(pid: int) -> psutil.Process:
    """Suspend a process; it does nothing any more when this returns."""
    process = psutil.Process(pid)
    process.suspend()
    until(lambda: process.status() == psutil.STATUS_STOPPED)
    return process


def kill_one_at_work(folder: Path, works: Command) -> None:
    """`kill -9` for a process that has an activity of `Killed`."""
    number, pid = until(lambda: next(running(folder, works), None))
    # Its next attempt returns; this one sees it when it is dead.
    victim = suspended(pid)
    (folder / f"killed-{number}").touch()
    victim.kill()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Command]]:
    """What starts commands in the folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with starting(tmp_path) as begin:
        yield begin


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The store of the commands, whose engine is in this process; it serves nothing."""
    with Lab(os.environ["SIMPLEFLOW_LAB_STORE"], serve="nothing") as opened:
        yield opened
