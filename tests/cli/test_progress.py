"""What a command that waits says without a terminal: each reason once, not again because it lasts longer."""

from __future__ import annotations

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
