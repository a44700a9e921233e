"""The command in this process, and as a process of its own."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "lab.sqlite"
    Lab(path).close()
    return path


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> None:
    """A store of this test's own, in which nothing has run yet, and a folder of states: by that of the user, processes
    of this machine that serve Amazon SWF would be listed."""
    shutil.copy(empty_store, tmp_path / "lab.sqlite")
    for name in ("SWF_DOMAIN", "SIMPLEFLOW_FORMAT", "LOG_LEVEL", "NO_COLOR", "SIMPLEFLOW_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIMPLEFLOW_LAB_STORE", str(tmp_path / "lab.sqlite"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def simpleflow(capsys: pytest.CaptureFixture[str]) -> Command:
    """`simpleflow …` in this process; `input` is what is piped into it."""

    def run(*words: str, input: str | None = None) -> Ended:
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            if input is not None:
                patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(input.encode())))
            code = main(words)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def process() -> Command:
    """`simpleflow …` as a process, from the root of the clone."""

    def run(*words: str, environment: Mapping[str, str] | None = None, **options: Any) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "simpleflow_lab.cli", *words],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=200,
            **{"cwd": ROOT, **options},
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run
