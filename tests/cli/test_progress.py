"""What a command that waits says without a terminal: each reason once, not again because it lasts longer."""

from __future__ import annotations

import gc
import io
import sys
import weakref
from types import SimpleNamespace
from typing import Any, cast

import pytest

from simpleflow_lab.cli.progress import watch


class Waits:
    """An execution that waits for one reason after the other, and closes then."""

    workflow_id = "nightly"

    def __init__(self, reasons: list[str]) -> None:
        self._reasons = iter(reasons)
        self._reason: str | None = None

    def wait(self, timeout: float) -> bool:
        """Whether it has closed, without waiting."""
        self._reason = next(self._reasons, None)
        return self._reason is None

    def progress(self) -> Any:
        """As far as `watch` needs it."""
        return SimpleNamespace(waits=self._reason)


def test_a_reason_is_said_once_however_long_it_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    slow = "a decision: run has not come back for {}: process 17, slow.py:6, time.sleep(14)"
    reasons = [
        slow.format("6.0 s"),
        slow.format("7.5 s"),
        slow.format("1 min 2 s"),
        "",
        "signal go",
        slow.format("2 h"),
    ]
    watch(cast("Any", Waits(reasons)))
    assert capsys.readouterr().err.splitlines() == [
        f"nightly waits for {slow.format('6.0 s')}",
        "nightly waits for signal go",
        f"nightly waits for {slow.format('2 h')}",
    ]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_print_of_another_thread_may_outlive_the_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """`print` writes the text and the end of the line to a stream that it does not hold."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())
    before, above = sys.stdout, None

    class Watched(Waits):
        def wait(self, timeout: float) -> bool:
            nonlocal above
            above = weakref.ref(sys.stdout)
            return True

        def progress(self) -> Any:
            return SimpleNamespace(failed=0, unfinished=0, total=1, status="COMPLETED", seconds=1.0)

    watch(cast("Any", Watched([])))
    gc.collect()
    assert sys.stdout is before
    assert above is not None
    assert above() is not None
    assert above() is not before
