"""The `control` of a decision, written and read."""

import json

import pytest

from simpleflow_lab.swf.control import MAX_DEPENDENCIES_LENGTH, Control, read_control, write_control
from simpleflow_lab.swf.limits import MAX_DATA


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("basic.py:25, z = self.submit(double, y)", ["activity-double-1"]),
        ("é:1", ["ü", "a"]),
        (None, ["a"]),
        ("x:1", []),
    ],
)
def test_what_is_written_is_read(line: str | None, ids: list[str]) -> None:
    assert read_control(write_control(line, ids)) == Control(line=line, depends_on=tuple(ids))


def test_nothing_to_say_is_no_control() -> None:
    assert write_control(None) is None
    assert read_control(None) == read_control("") == Control()


def test_each_id_is_named_once() -> None:
    assert read_control(write_control("x:1", ["b", "a", "b"])).depends_on == ("b", "a")


def test_the_control_of_older_histories_is_read() -> None:
    assert read_control('{"at": "basic.py:25, pass"}') == Control(line="basic.py:25, pass")


def test_of_many_ids_the_first_are_named_and_the_rest_counted() -> None:
    control = read_control(write_control("x:1", [f"a-{n}" for n in range(1_000)]))
    assert control.depends_on == tuple(f"a-{n}" for n in range(100))
    assert control.left_out == 900


@pytest.mark.parametrize("letter", ["a", "é", "😀", '"'])
def test_long_ids_fit_in_what_swf_takes(letter: str) -> None:
    ids = [f"{number:03}" + letter * 253 for number in range(200)]
    text = write_control("x:1", ids)
    assert text is not None
    assert len(text) < MAX_DEPENDENCIES_LENGTH + 100 < MAX_DATA
    control = read_control(text)
    assert control.depends_on == tuple(ids[: len(control.depends_on)])
    assert len(control.depends_on) + control.left_out == 200


@pytest.mark.parametrize(
    "text",
    [
        *(
            "c",
            "[1]",
            "7",
            "null",
            '"at"',
            "{}",
            "{",
            "[" * 30_000,
            '{"at": 7}',
            '{"after": "abc"}',
            '{"after": [1, null]}',
        ),
        *('{"after": {"a": 1}, "more": 3}', '{"more": 3}', '{"at": ["x"], "more": -1}', "1" * 20_000),
    ],
)
def test_the_control_of_others_is_empty(text: str) -> None:
    assert read_control(text) == Control()


def test_ids_of_a_hostile_history_are_bounded() -> None:
    found = read_control(json.dumps({"at": "x:1", "after": ["a", 1, *map(str, range(10_000))], "more": "many"}))
    assert len(found.depends_on) <= 100
    assert found.left_out == 0
