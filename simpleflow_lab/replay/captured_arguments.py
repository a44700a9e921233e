"""The arguments of a task, captured when it is submitted.

They are copied at once, so that what the author changes afterwards changes nothing. The futures inside them are kept,
and replaced by their results when all of them are done.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import GeneratorType
from typing import Any

from simpleflow_lab.data.codec import is_registered
from simpleflow_lab.exceptions import EncodingError, StoreError
from simpleflow_lab.futures import CONTAINERS, SCALARS, Future, nested, resolved
from simpleflow_lab.replay.run import ReplayedRun


class CapturedArguments:
    """A copy of what was passed to a task."""

    __slots__ = ("_copied", "futures")

    def __init__(self, value: Any) -> None:
        """Raises `EncodingError` for a value that contains itself, or whose levels Python can't go down."""
        self.futures: list[Future] = []
        """The futures inside it, in order."""
        try:
            self._copied = self._copy(value)
        except RecursionError:
            raise EncodingError(
                "an argument contains itself, or has more levels than JSON can hold: pass what it is made of"
            ) from None

    @property
    def value(self) -> Any:
        """The copy, with the results of its futures, which must be done, in their places."""
        return resolved(self._copied) if self.futures else self._copied

    def when_ready(self, run: ReplayedRun, future: Future, proceed: Callable[[], None]) -> None:
        """Call `proceed` when every future in the arguments is done; at once if all are.

        `future` is the task's. A failed argument whose failure raises closes it, and `proceed` is not called. An error
        of `proceed` is raised if it is called at once, for it is the submitting line's; later it closes the future.
        """
        if self.futures and run.observer is not None:
            run.observer.arguments_captured(future, self.futures)
        waiting = [dependency for dependency in self.futures if not dependency.done]
        if not waiting:
            self._proceed(future, proceed)
            return
        left = len(waiting)

        def proceed_later() -> None:
            try:
                self._proceed(future, proceed)
            except StoreError:
                raise  # an infrastructure error fails the decision, and not the task
            except Exception as error:  # the submitting line has passed: the future reports the error
                future.set_exception(error, raises=True)

        def one_done(_: Future) -> None:
            nonlocal left
            left -= 1
            if not left:
                run.fibers.call_soon(proceed_later)

        for dependency in waiting:
            dependency.add_done_callback(one_done)

    def _proceed(self, future: Future, proceed: Callable[[], None]) -> None:
        if future.done:
            return  # the author canceled it meanwhile
        for dependency in self.futures:
            error = dependency.peek_exception()
            if error is not None and dependency.raises:
                dependency.mark_handled()
                future.set_exception(error, raises=True)
                return
        proceed()

    def _copy(self, value: Any) -> Any:
        """The value with all copied that could change; a tuple or a generator becomes a list, as in JSON."""
        kind = type(value)
        if kind in SCALARS:
            return value
        if kind is tuple or kind is list:
            return [self._copy(item) for item in value]
        if isinstance(value, Future):
            self.futures.append(value)
            return value
        if kind not in CONTAINERS and is_registered(kind):
            return copy.deepcopy(value)  # a value of the author's own, whatever it derives from
        if isinstance(value, Mapping):
            return {key: self._copy(item) for key, item in value.items()}
        if isinstance(value, list | tuple | GeneratorType):  # a generator gives what it has once, and is read often
            return [self._copy(item) for item in value]
        if isinstance(value, set | frozenset):
            self.futures.extend(nested(value))
            return frozenset(value)
        if isinstance(value, bytearray):
            return bytes(value)
        return value
