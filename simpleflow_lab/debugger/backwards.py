"""The last step of which something holds.

Values of local variables come from a replay from the start. So the steps are searched in parts of the history, each
from its first step to its last in one replay, and each several times as long as the one behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from simpleflow_lab.exceptions import DecisionTaskError, UsageError

_LONGER: Final = 4

_S = TypeVar("_S")


def last_step(step: Callable[[int], _S], condition: Callable[[_S], object], *, until: int, part: int) -> _S | None:
    """The last step up to number `until` of which the condition holds, or `None`; the first part has `part` steps.

    What the condition raises is raised if it holds of no later step.
    """
    length = part
    while until > 0:
        found: _S | None = None
        error: Exception | None = None
        first = max(until - length, 0) // part * part + 1
        for number in range(first, until + 1):
            at = step(number)
            try:
                holds = condition(at)
            except (UsageError, DecisionTaskError):
                raise  # stopped, or the code can't be replayed
            except Exception as raised:  # a condition is any code; it counts if no later step holds
                found, error = None, raised
            else:
                found, error = (at, None) if holds else (found, error)
        if error is not None:
            raise error
        if found is not None:
            return found
        until, length = first - 1, length * _LONGER
    return None
