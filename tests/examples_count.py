"""How often the same is tried: examples of a law, and values of a parameter that only trials use.

`HYPOTHESIS_PROFILE` chooses the number of examples: few, `quick` a quarter of them, `nightly` many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "")
NIGHTLY: Final = PROFILE == "nightly"
QUICK: Final = PROFILE == "quick"
TIMEOUT: Final = 6 * 3600 if NIGHTLY else 600
"""Seconds, for `pytest.mark.timeout`: what fails is made smaller for up to five minutes."""


def examples(few: int, many: int, *, steps: tuple[int, int] = (40, 100)) -> settings:
    """Settings for `few` examples, or `many` at night; and for machines of as many steps, likewise.

    The quick profile takes a quarter of the few, each time other ones.
    """
    return settings(
        max_examples=many if NIGHTLY else few // 4 if QUICK else few,
        stateful_step_count=steps[NIGHTLY],
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )


def trials(values: Iterable[Any], *marks: pytest.MarkDecorator) -> list[Any]:
    """These values of a parameter, or tuples of several, for trials: `["Light", *trials(["Dark"])]`."""
    sets = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*each, marks=[pytest.mark.trial, *marks]) for each in sets]


def repeats(values: Iterable[Any]) -> list[Any]:
    """The same for trials that try more often what a value before them tries: `[0, *repeats(range(1, 4))]`."""
    return trials(values, pytest.mark.repeat)
