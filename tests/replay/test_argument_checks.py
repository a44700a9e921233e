"""Whether a function takes some arguments, as Python would say."""

from __future__ import annotations

import inspect
import itertools

from simpleflow_lab.replay.commands.argument_checks import problem_of

FUNCTIONS = [
    lambda: 0,
    lambda a: 0,
    lambda a, b=1: 0,
    lambda a, /, b=2: 0,
    lambda *a: 0,
    lambda a, *b: 0,
    lambda *, k: 0,
    lambda a, *, k=1: 0,
    lambda a, *, k: 0,
    lambda a, *b, k: 0,
    lambda **k: 0,
]


def test_arguments_are_refused_exactly_where_python_refuses_them():
    keywords = [{}, {"k": 1}, {"a": 1}, {"z": 1}]
    for function, number, named in itertools.product(FUNCTIONS, range(4), keywords):
        try:
            inspect.signature(function).bind(*range(number), **named)
            takes = True
        except TypeError:
            takes = False
        problem = problem_of(function, list(range(number)), named)
        assert (problem is None) == takes, (inspect.signature(function), number, named)
