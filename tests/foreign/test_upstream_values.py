"""Values, both ways: what upstream's encoder writes we read, and what we write its decoder reads as the same."""

from __future__ import annotations

import base64
import datetime
import json
import pickle
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab.data.codec import decode_or_text, encode
from simpleflow_lab.exceptions import EncodingError
from simpleflow_lab.replay.history_reader import RULES
from simpleflow_lab.replay.json_texts import same_json
from simpleflow_lab.replay.task_ids import TaskIds
from tests.examples_count import TIMEOUT, examples
from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]


class Upstream:
    """A process in which upstream's encoder and decoder run."""

    def __init__(self, python: Path):
        script = Path(__file__).parent / "upstream_values.py"
        self._process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def write(self, value: Any) -> tuple[str, str] | None:
        """The text that it writes for a value, and the hash of that as an only argument; `None` if it refuses."""
        answer = self._ask("write", base64.b64encode(pickle.dumps(value)).decode())
        return None if answer is None else (answer[0], answer[1])

    def read(self, text: str) -> Any:
        """The value that it reads."""
        return pickle.loads(base64.b64decode(self._ask("read", text)))

    def _ask(self, what: str, of: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps([what, of])}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@pytest.fixture(scope="module")
def upstream(simpleflow: str) -> Iterator[Upstream]:  # noqa: F811
    started = Upstream(Path(simpleflow).with_name("python"))
    yield started
    started.close()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
ZONES = st.none() | st.just(datetime.UTC) | st.timezones()
EXACT_TIMES = st.datetimes(timezones=ZONES).map(
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
) | st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
TIMES = st.datetimes(timezones=ZONES) | st.times(timezones=st.none() | st.just(datetime.UTC))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
KEYS = TEXT | st.integers() | st.floats() | st.booleans() | st.none()


def values_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.one_of(st.dictionaries(kind, inner, max_size=4) for kind in (TEXT, st.integers(), st.floats()))
            | st.dictionaries(KEYS, inner, max_size=4)
        ),
        max_leaves=10,
    )


LOSSLESS = values_of(
    SCALARS | EXACT_TIMES | st.dates() | st.uuids() | TEXT.map(str.encode) | st.just(uuid.UUID(int=1)),
)


def encoded(value: Any) -> str | None:
    """Our text; `None` if two keys would become one, which is refused here."""
    try:
        return encode(value)
    except EncodingError as error:
        if "become one" not in str(error):
            raise
        return None


@given(value=LOSSLESS)
@examples(few=300, many=20_000)
def test_what_upstream_writes_without_loss_is_what_we_write_and_both_read(upstream: Upstream, value: Any) -> None:
    written, ours = upstream.write(value), encoded(value)
    if ours is None:
        return
    assert repr(upstream.read(ours)) == repr(decode_or_text(ours))
    if written is None:
        return  # keys that upstream can't sort
    theirs, hash = written
    assert repr(decode_or_text(theirs)) == repr(upstream.read(theirs))
    assert same_json(theirs, ours)
    assert same_json(ours, theirs)
    assert TaskIds("w", "r").of_arguments("a", [value], {}, rules=RULES) == hash


@given(value=values_of(SCALARS | TIMES))
@examples(few=150, many=10_000)
def test_what_upstream_cuts_we_keep_and_the_ids_and_recorded_inputs_are_the_same(
    upstream: Upstream, value: Any
) -> None:
    written, ours = upstream.write(value), encoded(value)
    if written is None or ours is None:
        return
    theirs, hash = written
    assert same_json(theirs, ours)
    assert TaskIds("w", "r").of_arguments("a", [value], {}, rules=RULES) == hash


@pytest.mark.parametrize("value", [{3, 1, 2}, {"a", "b", "c"}, [{"x": frozenset(["y", "z"])}]])
def test_a_set_that_upstream_recorded_in_its_order_is_the_same(upstream: Upstream, value: Any) -> None:
    written = upstream.write(value)
    assert written is not None
    assert same_json(written[0], encode(value), value)


@pytest.mark.parametrize(
    "value", [b"\xff", "\ud800", {(1, 2): 3}, object, 10**5000], ids=lambda value: type(value).__name__
)
def test_what_would_lose_something_is_refused(value: Any) -> None:
    with pytest.raises(EncodingError):
        encode(value)
