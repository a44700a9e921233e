"""Values to SWF's strings and back."""

import datetime
import decimal
import enum
import json
import math
import uuid
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.data import codec
from simpleflow_lab.data.codec import MAX_DEPTH, TAG, arguments_of, decode, decode_input, decode_or_text, encode, parse
from simpleflow_lab.exceptions import (
    DecisionTaskError,
    EncodingError,
    UnreadableValueError,
    UsageError,
    WorkflowExecutionFailed,
)


class Level(enum.IntEnum):
    HIGH = 3


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(json_values)
def test_what_json_can_hold_comes_back_as_it_was(value):
    assert decode(encode(value)) == value


@given(json_values)
def test_text_is_ascii_and_canonical(value):
    text = encode(value)
    assert text.isascii()
    assert encode(decode(text)) == text


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        ((n for n in (1, 2)), [1, 2]),
        (b"caf\xc3\xa9", "café"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC), "2026-01-02T03:04:05.678901Z"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), "2026-01-02T03:04:05.678"),
        (datetime.time(3, 4, 5), "03:04:05"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        ({1: "a", 1.5: [{None: 0}]}, {"1": "a", "1.5": [{"null": 0}]}),
        ({True: 1, False: 0}, {"true": 1, "false": 0}),
        (Level.HIGH, 3),
        ({Level.HIGH: 1}, {"3": 1}),
    ],
)
def test_common_types_become_what_the_table_says(value, becomes):
    assert decode(encode(value)) == becomes


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [{(1, 2): "a"}]}, r"the key \(1, 2\).* at \['a'\]\[0\]"),
        ({1: "a", "1": "b"}, "both of the keys 1 and '1', which become one"),
        ([{None: 1, "null": 2}], r"both of the keys None and 'null', which become one at \[0\]"),
        (b"\xff", "UTF-8"),
        ("\ud800", "surrogate"),
        (object(), "builtins.object"),
        ([[lambda: None]], r"\[0\]\[0\]"),
    ],
)
def test_what_would_change_or_get_lost_is_refused_with_its_place(value, place):
    with pytest.raises(EncodingError, match=place):
        encode(value)


def test_nesting_has_a_limit_both_ways():
    deep = current = []
    for _ in range(MAX_DEPTH + 5):
        current.append([])
        current = current[0]
    with pytest.raises(EncodingError, match="levels"):
        encode(deep)
    with pytest.raises(ValueError, match="deeper"):
        decode("[" * 120 + "]" * 120)
    with pytest.raises(ValueError, match="deeper"):
        decode("[" * 100_000)


def test_a_field_of_a_foreign_worker_is_its_text_if_it_is_not_json():
    assert decode_or_text("plain words") == "plain words"
    assert decode_or_text("[1]") == [1]
    assert decode_or_text("") == ""
    assert decode_or_text(None) is None


@pytest.mark.parametrize(
    ("text", "args", "kwargs"),
    [
        ("[1, 5]", [1, 5], {}),
        ('{"args": [1], "kwargs": {"t": 5}}', [1], {"t": 5}),
        ('{"kwargs": {"x": 1}}', [], {"x": 1}),
        ('{"x": 1}', [{"x": 1}], {}),
        ("7", [7], {}),
        ("{}", [{}], {}),
    ],
)
def test_an_input_is_read_by_upstreams_rule(text, args, kwargs):
    assert decode_input(text, where="--input") == (args, kwargs)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,", "{'a': 1}", "[1,]", "NaN", "[1e999, Infinity]", '{"a": 1, "a": 2}', "[" * 100_000, "bare"],
)
def test_an_input_that_is_no_json_is_refused_in_one_line(text):
    with pytest.raises(UsageError) as refused:
        decode_input(text, where="--input")
    assert "\n" not in str(refused.value)
    assert "--input" in str(refused.value)


@pytest.mark.parametrize("value", [{"args": 5}, {"kwargs": []}, {"args": [1], "extra": 1}])
def test_an_input_with_args_and_kwargs_of_the_wrong_shape_is_refused(value):
    with pytest.raises(UsageError):
        arguments_of(json.loads(json.dumps(value)), where="input")


# -- what JSON reads differently ---------------------------------------------------------------------------------------

odd_text = st.text(st.characters() | st.sampled_from(["\x00", "\ud800", "\udfff", "\u2028", "\x7f"]))
odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**64, 10**400, -0.0, 5e-324, 1.7976931348623157e308])
    | st.floats()
    | odd_text
    | st.binary(max_size=4)
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.sets(st.integers(), max_size=3)
    | st.tuples(st.integers()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(odd_text | st.sampled_from([TAG, "value"]) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(odd_values)
def test_a_value_comes_back_as_what_the_table_says_or_is_refused(value):
    """H7: what went in as JSON's own comes back equal, and its text is the only one."""
    try:
        text = encode(value)
    except EncodingError:
        return
    assert text.isascii()
    back = decode(text)
    assert encode(back) == text
    if json_is_exact(value):
        assert repr(back) == repr(value)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_come_back_and_are_told(number):
    """As Python, and so upstream, writes and reads them."""
    changes = {}
    text = encode({"x": [number]}, changes)
    assert text == json.dumps({"x": [number]}, separators=(",", ":"))
    assert repr(decode(text)) == repr({"x": [number]})
    assert list(changes) == ["numbers"]
    assert "at ['x'][0]" in changes["numbers"]


def test_keys_that_become_text_are_told_once_and_text_is_not():
    changes = {}
    assert encode({"rows": [{7: 1, 8: 2}, {True: 3}]}, changes) == '{"rows":[{"7":1,"8":2},{"true":3}]}'
    assert changes == {"keys": "the key 7 is written as the text '7', and read as that, as in JSON (at ['rows'][0])"}
    changes.clear()
    encode({"a": [1.5, None, {"b": "NaN"}]}, changes)
    assert changes == {}


def json_is_exact(value):
    if isinstance(value, list):
        return all(map(json_is_exact, value))
    if isinstance(value, dict):
        # Keys come back in their order.
        is_text = all(isinstance(key, str) for key in value)
        return is_text and list(value) == sorted(value) and all(map(json_is_exact, value.values()))
    return value is None or type(value) in (bool, int, float, str)


def test_a_whole_number_of_too_many_digits_is_refused_when_it_is_written():
    assert decode(encode(10**4000)) == 10**4000
    with pytest.raises(EncodingError, match="digits"):
        encode([10**5000])


@pytest.mark.parametrize("text", ["1e400", "[-1e400]", "1" * 5000])
def test_a_number_that_python_can_not_hold_is_refused_when_it_is_read(text):
    with pytest.raises(ValueError, match=r"."):
        decode(text)
    assert decode_or_text(text) == text


# -- registered types --------------------------------------------------------------------------------------------------


class Point(NamedTuple):
    x: int
    y: int


class Money:
    def __init__(self, amount, currency):
        self.amount, self.currency = decimal.Decimal(amount), currency

    def __eq__(self, other):
        return type(other) is type(self) and vars(self) == vars(other)

    __hash__ = None


codec.register(Point, name="codec.Point", encode=lambda point: [point.x, point.y], decode=lambda xy: Point(*xy))
codec.register(
    Money,
    name="codec.Money",
    encode=lambda money: {"amount": str(money.amount), "currency": money.currency},
    decode=lambda written: Money(**written),
)


def test_a_registered_type_comes_back_as_it_was_at_any_depth():
    value = {"at": [Point(1, 2), {"price": Money("1.10", "EUR")}], "plain": (1, 2)}
    text = encode(value)
    assert parse(text)["at"][0] == {TAG: "codec.Point", "value": [1, 2]}
    back = decode(text)
    assert back == {"at": [Point(1, 2), {"price": Money("1.10", "EUR")}], "plain": [1, 2]}
    assert type(back["at"][0]) is Point
    assert encode(back) == text


@pytest.mark.parametrize(
    "value",
    [
        {TAG: "codec.Point", "value": [1, 2]},
        {TAG: 1},
        {TAG: "object", "value": {TAG: "object", "value": {}}},
        [{TAG: Point(1, 2), "x": {TAG: None}}],
    ],
)
def test_an_authors_own_mapping_with_the_reserved_key_comes_back_as_it_was(value):
    back = decode(encode(value))
    assert back == value
    assert encode(back) == encode(value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({TAG: "os.system", "value": "true"}, "'os.system' can't be read: nobody registered it"),
        ({TAG: "codec.Point", "value": [1]}, "TypeError: Point.__new__"),
        ({TAG: "codec.Point"}, "is not written as"),
        ({TAG: "codec.Point", "value": [1, 2], "more": 1}, "is not written as"),
        ({TAG: ["codec.Point"], "value": 1}, "is not written as"),
        ({TAG: "object", "value": []}, "is no object"),
    ],
)
def test_a_recorded_value_that_can_not_be_read_is_an_error_and_not_a_text(written, message):
    text = json.dumps([written])
    for read in (decode, decode_or_text):
        with pytest.raises(UnreadableValueError, match="a recorded value of type") as refused:
            read(text)
        assert message in str(refused.value)
    with pytest.raises(UsageError, match="--input"):
        decode_input(text, where="--input")
    assert parse(text) == [written]
    assert decode_input(json.dumps([{TAG: "codec.Point", "value": [1, 2]}]), where="") == ([Point(1, 2)], {})


def test_the_tag_is_read_however_it_is_spelled():
    assert decode('{"\\u005f_simpleflow__": "codec.Point", "value": [1, 2]}') == Point(1, 2)


def test_a_subclass_is_not_taken_for_what_it_derives_from():
    class Special(Money):
        pass

    with pytest.raises(EncodingError, match="Special"):
        encode(Special("1", "EUR"))


def test_a_type_registered_without_a_name_becomes_what_its_function_says_and_so_do_its_subclasses():
    class Celsius:
        degrees = 20.5

    class Precise(Celsius):
        degrees = 20.25

    codec.register(Celsius, encode=lambda value: value.degrees)
    assert decode(encode([Celsius(), Precise()])) == [20.5, 20.25]


def test_an_encode_function_that_raises_or_never_ends_is_refused_with_the_place():
    class Broken:
        pass

    class Endless:
        pass

    codec.register(Broken, encode=lambda value: 1 / 0)
    codec.register(Endless, encode=lambda value: [Endless()])
    with pytest.raises(EncodingError, match=r"ZeroDivisionError.* at \['a'\]\[1\]"):
        encode({"a": [1, Broken()]})
    with pytest.raises(EncodingError, match="levels"):
        encode(Endless())


@pytest.mark.parametrize(
    ("type", "given"),
    [
        (dict, {"name": "codec.dict", "decode": dict}),
        (decimal.Decimal, {"name": "codec.Point", "decode": decimal.Decimal}),
        (decimal.Decimal, {"name": "object", "decode": decimal.Decimal}),
        (decimal.Decimal, {"name": "../x y", "decode": decimal.Decimal}),
        (decimal.Decimal, {"name": "codec.Decimal"}),
        (decimal.Decimal, {"decode": decimal.Decimal}),
    ],
)
def test_a_registration_that_is_refused_is_an_error_in_one_line(type, given):
    with pytest.raises(UsageError) as refused:
        codec.register(type, encode=str, **given)
    assert "\n" not in str(refused.value)
    assert not codec.is_registered(type)


def test_a_class_defined_again_takes_its_name_over():
    def define():
        class Again:
            pass

        codec.register(Again, name="codec.Again", encode=lambda _: None, decode=lambda _: Again())
        return Again

    first, second = define(), define()
    assert type(decode(encode(first()))) is second


@activity.with_attributes(name="codec.move", task_list="codec", version="1")
def move(point, by):
    assert type(point) is Point
    return Point(point.x + by, point.y)


class Moves(Workflow):
    name = "codec.moves"

    def run(self, point):
        return self.submit(move, self.submit(move, point, 1), by=2).result


def test_registered_values_travel_through_activities_and_workflows():
    with Lab(":memory:") as lab:
        execution = lab.start(Moves, Point(1, 1))
        assert execution.result(timeout=200) == Point(4, 1)
        assert type(execution.result()) is Point


class Reads(Workflow):
    name = "codec.reads"

    def run(self, value):
        return encode(value)


def test_a_decision_that_waits_for_a_type_goes_on_as_soon_as_it_is_registered():
    class Late:
        pass

    text = json.dumps({"args": [{TAG: "codec.Late", "value": 7}], "kwargs": {}})
    with Lab(":memory:") as lab:
        assert lab.start(Reads, 1).result(timeout=200) == "1"  # registers the workflow type, decides its list
        lab.service.start_workflow_execution(
            domain=lab.domain,
            workflowId="late",
            workflowType={"name": "codec.reads", "version": "default"},
            taskList={"name": "default"},
            input=text,
            executionStartToCloseTimeout="300",
            taskStartToCloseTimeout="300",
            childPolicy="TERMINATE",
        )
        execution = lab.resume("late")[0]
        with pytest.raises(DecisionTaskError, match=r"codec\.Late.*nobody registered"):
            execution.result(timeout=200)
        assert execution.status == "OPEN"
        codec.register(Late, name="codec.Late", encode=lambda _: 7, decode=lambda _: Late())
        assert execution.wait(timeout=200)
        assert execution.result() == encode(Late())


@activity.with_attributes(name="codec.opaque", task_list="codec", version="1", raises_on_failure=True)
def opaque():
    return object()


class ReturnsAnObject(Workflow):
    name = "codec.opaque"

    def run(self):
        return self.submit(opaque).result


def test_a_result_that_json_can_not_hold_fails_its_activity_with_the_way_out():
    """TO-17."""
    with (
        Lab(":memory:") as lab,
        pytest.raises(WorkflowExecutionFailed, match=r"JSON can't hold a builtins\.object: convert it first"),
    ):
        lab.start(ReturnsAnObject).result(timeout=200)
