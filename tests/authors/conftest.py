"""What an author writes, on the embedded engine directly and through boto3 over the wire: the same tests, twice.

A call through boto3 takes ten times the engine's own time. So of each file only the first test goes over the wire in
every run, and the others do when trials run. What boto3 and the wire do to each operation is tested in `tests/service`.

Over the wire a Lab believes that it talks to Amazon SWF: an engine of this process answers, found through the
environment as every AWS SDK finds an endpoint.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.data.codec import MODULES_OF_TYPES
from simpleflow_lab.data.objects import MemoryObjects, NoObjects
from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.runtime.connection import virtual_clock
from simpleflow_lab.runtime.replay_cache import REPLAY_CACHE_SIZE
from tests.authors.replayed import replay_everything

OpenLab = Callable[..., Any]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tried: set[Path] = set()
    for item in items:
        row = getattr(item, "callspec", None)
        if (
            not isinstance(item, pytest.Function)
            or row is None
            or not any(isinstance(value, str) and value == "wire" for value in row.params.values())
        ):
            continue
        if item.path in tried or item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.trial)
        else:
            tried.add(item.path)


@contextmanager
def here(patch: pytest.MonkeyPatch, *, clock: Any = None, replays: int = REPLAY_CACHE_SIZE) -> Iterator[Lab]:
    with Lab(":memory:", activity_threads=4, clock=clock, replay_cache_size=replays) as opened:
        yield opened


@contextmanager
def over_the_wire(
    patch: pytest.MonkeyPatch, *, clock: Any = None, objects: bool = True, replays: int = REPLAY_CACHE_SIZE
) -> Iterator[Lab]:
    engine = EmbeddedSWF(":memory:", poll_seconds=1.0, clock=virtual_clock() if clock == "virtual" else clock)
    with engine:
        endpoint = Endpoint(engine, poll_seconds=1.0)
        nobody = {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_CONFIG_FILE": "/dev/null", "NO_PROXY": "127.0.0.1"}
        for name, value in {**endpoint.environment, **nobody}.items():
            patch.setenv(name, str(value))
        try:
            with Lab(
                "aws://us-east-1/lab",
                activity_threads=4,
                replay_cache_size=replays,
                registers_domain=True,
                notice=lambda _: None,
            ) as opened:
                if objects and isinstance(opened.storage.default, NoObjects):
                    opened.storage.default = MemoryObjects()  # instead of a bucket
                opened.service.release_polls = engine.release_polls  # or closing waits a moment for them, each time
                yield opened
        finally:
            endpoint.close()


_WAYS = {"engine": here, "wire": over_the_wire}


@pytest.fixture
def replay_cache_size() -> int:
    """How many replays the deciders of these Labs cache; a test may be parametrized with this name."""
    return REPLAY_CACHE_SIZE


@pytest.fixture(params=sorted(_WAYS))
def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, replay_cache_size: int) -> Iterator[Lab]:
    """A Lab on the embedded engine, and one over the wire."""
    with _WAYS[request.param](monkeypatch, replays=replay_cache_size) as opened:
        yield opened


@pytest.fixture(params=sorted(_WAYS))
def virtual_lab(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, replay_cache_size: int
) -> Iterator[Lab]:
    """The same with a clock that jumps: hours of timers and timeouts take milliseconds."""
    with _WAYS[request.param](monkeypatch, clock="virtual", replays=replay_cache_size) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    """The clock of `clocked_lab`."""
    return ManualClock()


@pytest.fixture(params=sorted(_WAYS))
def clocked_lab(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, clock: ManualClock, replay_cache_size: int
) -> Iterator[Lab]:
    """The same with a clock that the test moves: what happens first does not depend on who is fast."""
    with _WAYS[request.param](monkeypatch, clock=clock, replays=replay_cache_size) as opened:
        yield opened


@pytest.fixture(params=sorted(_WAYS))
def lab_for_large(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, replay_cache_size: int
) -> Iterator[Lab]:
    """The same with a place for large fields: beside the engine's store, and over the wire in a bucket."""
    if request.param == "wire":
        monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", request.getfixturevalue("bucket").name)
        monkeypatch.setenv("SIMPLEFLOW_LAB_INPUTS_BY_REFERENCE", "true")
    with _WAYS[request.param](monkeypatch, replays=replay_cache_size) as opened:
        yield opened


@pytest.fixture
def interpreters_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that runs a function imports numpy and pandas only if the values of both are registered here: of
    its start that is the longest part by far."""
    for module in MODULES_OF_TYPES.values():
        monkeypatch.delitem(sys.modules, module, raising=False)


@pytest.fixture
def replays_anew(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever the test did, a decider that starts now decides as those that kept going did."""
    names = [name for name in ("lab", "virtual_lab", "clocked_lab") if name in request.fixturenames]
    labs = [request.getfixturevalue(name) for name in names]
    yield
    for opened in labs:
        replay_everything(opened)


@pytest.fixture(scope="module", params=sorted(_WAYS))
def shared_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The same, one for all tests of a module; an activity may push its `clock` on, and so overrun its timeouts."""
    clock = ManualClock(jumps=True)
    with pytest.MonkeyPatch.context() as patch, _WAYS[request.param](patch, clock=clock) as opened:
        opened.clock = clock
        yield opened
