"""What a failure leaves in a history, and what is read of it."""

import json
import sys
import types

import pytest

from simpleflow_lab.constants import MAX_DETAILS_LENGTH
from simpleflow_lab.data.failure_details import details_of, loaded_error_class, read_details, reason_of, same_reason
from simpleflow_lab.exceptions import TaskFailed


class Odd(ConnectionError):
    class Inner(Exception):
        pass


def test_details_have_upstreams_keys_and_what_the_class_derives_from():
    """EH-02."""
    record = json.loads(details_of(Odd("x")))
    assert (record["error"], record["message"]) == ("Odd", "x")
    assert record["error_type"].endswith("test_failure_details.Odd")
    assert record["error_bases"] == [
        "builtins.ConnectionError",
        "builtins.OSError",
        "builtins.Exception",
        "builtins.BaseException",
    ]
    assert read_details(details_of(Odd("x"))).bases == tuple(record["error_bases"])


@pytest.mark.parametrize("message", ["x" * 100_000, "\U0001f600" * 100_000, "\n" * 100_000, '"' * 100_000])
def test_details_fit_whatever_the_message(message):
    """T27's kind of edge: JSON writes an emoji with twelve characters."""
    text = details_of(ValueError(message))
    assert len(text) <= MAX_DETAILS_LENGTH
    assert json.loads(text)["error"] == "ValueError"


def test_details_fit_whatever_the_class_is_called():
    kind = type("E" * 100_000, (ValueError,), {})
    text = details_of(kind("x"))
    assert len(text) <= MAX_DETAILS_LENGTH
    assert json.loads(text)["message"] == "x"


@pytest.mark.parametrize("bases", ["x", 7, None, {"a": 1}, [["x"], None, 1]])
def test_details_of_a_foreign_worker_are_read_whatever_they_are(bases):
    assert read_details(json.dumps({"message": "x", "error": ["?"], "error_bases": bases})).message == "x"


def test_an_error_class_is_found_only_if_it_is_loaded():
    """T4: a history names classes, and must not make this process import anything."""
    assert loaded_error_class("builtins.ValueError") is ValueError
    assert loaded_error_class(f"{Odd.__module__}.Odd.Inner") is Odd.Inner
    before = set(sys.modules)
    for name in (
        "",
        "ValueError",
        "builtins.int",
        "builtins.nothing",
        "builtins",
        "os.path",
        "nowhere.Error",
        "..",
        "a..b",
    ):
        assert loaded_error_class(name) is None
    assert loaded_error_class("antigravity.Error") is None
    assert set(sys.modules) == before


def test_a_module_that_imports_lazily_imports_nothing(monkeypatch):
    asked = []
    lazy = types.ModuleType("lazy_of_failures")
    lazy.__getattr__ = asked.append
    monkeypatch.setitem(sys.modules, "lazy_of_failures", lazy)
    assert loaded_error_class("lazy_of_failures.Error") is None
    assert asked == []


def test_a_reason_that_is_too_long_leaves_out_the_children_between():
    long = TaskFailed("a" * 100, f"TaskFailed: {'b' * 100}: TaskFailed: {'c' * 100}: ValueError: no")
    assert reason_of(long) == f"TaskFailed: {'a' * 100}: ... ValueError: no"
    longer = TaskFailed("d" * 100, f"{reason_of(long)} {'x' * 90}")
    assert reason_of(longer) == f"TaskFailed: {'d' * 100}: ... ValueError: no {'x' * 90}"
    assert len(reason_of(TaskFailed("d" * 100, f"{reason_of(long)} {'x' * 900}"))) == 256
    assert reason_of(TaskFailed("e" * 256, "ValueError: no")) == f"TaskFailed: {'e' * 225}...: ValueError: no"
    short = TaskFailed("a", "TaskFailed: b: ValueError: no")
    assert reason_of(short) == "TaskFailed: a: TaskFailed: b: ValueError: no"


def test_a_reason_whose_end_an_earlier_decider_cut_is_the_same():
    now = f"TaskFailed: {'a' * 100}: ... ValueError: no"
    assert same_reason(f"TaskFailed: {'a' * 100}: TaskFailed: {'b' * 128} ...", now)
    assert not same_reason(f"TaskFailed: {'z' * 100}: TaskFailed: {'b' * 128} ...", now)
    assert not same_reason(f"TaskFailed: {'a' * 100}: ... KeyError: no", now)
    assert not same_reason("ValueError: no ...", "ValueError: ... no")
