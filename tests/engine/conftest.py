"""Engines on files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from tests.engine.invariants import violations
from tests.service.scenario import Scenario, this_process


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def opened(path: Path, clock: ManualClock) -> Iterator[Callable[..., Scenario]]:
    """Open the store at `path`, closing the engine that had it before. All histories must be right in the end."""
    engines: list[EmbeddedSWF] = []

    def open_again(**options: Any) -> Scenario:
        for engine in engines:
            engine.close()
        engine = EmbeddedSWF(path, **{"clock": clock, "poll_seconds": 0.0, **options})
        engines.append(engine)
        scenario = Scenario(engine, clock, this_process())
        if len(engines) == 1:
            scenario.prepare()
        return scenario

    yield open_again
    if engines:
        final = open_again()
        for handle in final.everything():
            assert violations(final.events(handle)) == [], handle
        engines[-1].close()
