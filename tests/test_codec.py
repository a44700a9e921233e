"""Values to SWF's strings and back."""

import datetime
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab.codec import MAX_DEPTH, arguments_of, decode, decode_input, decode_or_text, encode
from simpleflow_lab.exceptions import EncodingError, UsageError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
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
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC), "2026-01-02T03:04:05.678901+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_common_types_become_what_the_table_says(value, becomes):
    assert decode(encode(value)) == becomes


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (float("nan"), "NaN|nan"),
        ({"a": [1, float("inf")]}, r"\['a'\]\[1\]"),
        ({1: "a"}, "only strings"),
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
