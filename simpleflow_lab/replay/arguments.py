"""The arguments of a task, as they were when it was submitted.

Copied at once, so that what the author changes afterwards changes nothing; with the futures inside them, whose results
take their places when all are done.
"""

from __future__ import annotations

import copy
from types import NoneType
from typing import Any, Final

from simpleflow_lab.data.codec import is_registered
from simpleflow_lab.futures import Future, nested, resolved

_SCALARS: Final = frozenset({NoneType, bool, int, float, str})


class Given:
    """What was given to a task."""

    __slots__ = ("_copied", "futures")

    def __init__(self, value: Any):
        self.futures: list[Future] = []
        """Those inside it, in order."""
        self._copied = self._copy(value)

    @property
    def value(self) -> Any:
        """It, with the results of its futures, which must be done: of lists, dicts and what an author passes on."""
        return resolved(self._copied) if self.futures else self._copied

    def _copy(self, value: Any) -> Any:
        """The containers copied, as JSON has them: a tuple becomes a list."""
        if type(value) in _SCALARS:
            return value
        if isinstance(value, Future):
            self.futures.append(value)
            return value
        if is_registered(type(value)):
            return copy.deepcopy(value)  # a value of the author's own, whatever it derives from
        if isinstance(value, dict):
            return {key: self._copy(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._copy(item) for item in value]
        if isinstance(value, set | frozenset):
            self.futures.extend(nested(value))
        return value
