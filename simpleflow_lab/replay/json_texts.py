"""Comparing JSON texts that different programs may have written.

A time may be spelled in several ways (`data.times`), NaN is equal to itself, and what was written of a set may stand in
any order. Numbers of different types are different: `true` is not `1`, and `1` is not `1.0`.
"""

from __future__ import annotations

from typing import Any

from simpleflow_lab.data.codec import canonical, parse
from simpleflow_lab.data.fields import PATHS_KEY, take_paths
from simpleflow_lab.data.references import is_reference, same_text
from simpleflow_lab.data.times import same_time


def same_json(recorded: str | None, commanded: str | None, given: Any = None) -> bool:
    """Both texts hold the same value, however they are spaced; a reference is compared with the text it stands for.

    The key `__extra`, which upstream adds to inputs, does not count. `given` is the value that the commanded text was
    made of, if it is known: if there is a set in it, arrays may be in another order.
    """
    if recorded == commanded:
        return True
    if recorded is not None and commanded is not None:
        if _holds_one_as_reference(recorded, commanded):
            return True  # the same, as far as can be told without reading
        if is_reference(recorded):
            return same_text(recorded, commanded)
    try:
        one = _value(recorded)
        if canonical(one) == commanded:
            return True  # it is spaced otherwise, as most are that differ
        other = _value(commanded)
    except ValueError:
        return False
    return _same(one, other) or (_has_set(given) and _same(_sorted(one), _sorted(other)))


def comparable_json(text: str | None) -> str | None:
    """One text of all those that hold this value, but for times, sets and references; a text that is no JSON itself."""
    try:
        return canonical(_value(text))
    except ValueError:
        return text


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one == other or same_time(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, bool | int | float) and type(one) is not type(other):
        return False  # 1, 1.0 and true are equal in Python, and other text for whoever gets them
    return bool(one == other or (one != one and other != other))


def _has_set(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_set, value.values()))
    return isinstance(value, set | frozenset) or (isinstance(value, list | tuple) and any(map(_has_set, value)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in value.items()}
    return sorted(map(_sorted, value), key=canonical) if isinstance(value, list) else value


def _value(text: str | None) -> Any:
    value = None if text is None else parse(text)
    if isinstance(value, dict):
        value.pop("__extra", None)
        paths = take_paths(value)
        if paths is not None:
            value[PATHS_KEY] = paths
    return value


def _holds_one_as_reference(recorded: str, commanded: str) -> bool:
    """One of these inputs is a reference as a whole, and the other holds references."""
    if is_reference(recorded) == is_reference(commanded):
        return False
    try:
        value = parse(commanded if is_reference(recorded) else recorded)
    except ValueError:
        return False
    return isinstance(value, dict) and PATHS_KEY in value
