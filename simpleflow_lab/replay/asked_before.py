"""What a workflow asked for before it was run again from its start.

A workflow that raises `ExecutionBlocked` by hand is run again from its start at the next decision, as upstream runs
every workflow at every decision. It then asks again for what it has asked for. That must be known for the same, and not
be asked of SWF a second time: an activity, a child or a timer by its id, and then its type and input must be the same
too; whatever has no id of its own by all that it says, the n-th of its kind for the n-th.

The request of the first time stands: events that come later belong to it. It gets the future of the latest time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from simpleflow_lab.exceptions import NondeterminismError
from simpleflow_lab.futures import Future, copy_outcome
from simpleflow_lab.replay import requests
from simpleflow_lab.replay.requests import Asked, Request, describe, line_text

_WITH_IDS: Final = frozenset({requests.ACTIVITY, requests.CHILD, requests.TIMER})

_Key = tuple[Any, ...]


class AskedBefore:
    """Every request of a run, by what makes it the same in each run from the start."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._first_run: list[tuple[Request, str | None]] = []
        """What the first run asked for, in order: most workflows run once, and nobody ever looks."""
        self._requests: dict[_Key, tuple[Request, str | None]] | None = None
        """With the input that it had at first: what fails may be asked for again with another one."""
        self._counts: Counter[_Key] = Counter()

    def stands(self, request: Request) -> Request:
        """The request that stands for this one: itself, or the one that asked for the same thing before.

        Raises `NondeterminismError` if that asked for something else under the same id.
        """
        if self._requests is None:
            self._first_run.append((request, request.input))
            return request
        key = self._key(request)
        found = self._requests.get(key)
        if found is None or not self._was_asked(found[0]):
            self._requests[key] = request, request.input
            return request
        first, first_input = found
        if first.type != request.type or first_input != request.input:
            raise NondeterminismError(
                event_id=None,
                recorded=describe(first.kind, first.id, first.type, first_input),
                requested=request.describe(),
                recorded_line=line_text(first.line) if first.line else None,
                requested_line=line_text(request.line) if request.line else None,
            )
        if first.future is not None and request.future is not None:
            _tell(first.future, request.future)
        first.future, first.task, first.line = request.future, request.task, request.line
        first.dependencies = request.dependencies
        return first

    def requests(self, kind: str) -> Iterator[Request]:
        """All requests of a kind, oldest first."""
        asked = self._first_run if self._requests is None else self._requests.values()
        return (request for request, _ in list(asked) if request.kind == kind)

    def _key(self, request: Request) -> _Key:
        if request.kind in _WITH_IDS:
            return request.kind, request.id
        members = tuple((name, str(value)) for name, value in sorted(request.members.items()))
        said = (request.kind, request.id, request.input, members)
        self._counts[said] += 1
        return (*said, self._counts[said])

    def _was_asked(self, request: Request) -> bool:
        """SWF knows of it, or will, or it was canceled with the execution: not if the author gave it up before."""
        return request.sent or request.given_up or request in self._asked

    def begin_again(self) -> None:
        """The workflow is about to run from its start: what waits for the futures it got so far is no more."""
        if self._requests is None:
            self._requests = {self._key(request): (request, given) for request, given in self._first_run}
            self._first_run.clear()
        self._counts.clear()
        for request, _ in self._requests.values():
            # Without a task of the author's it is not the author's code that waits for it.
            if request.future is not None and request.task is not None:
                alone = Future(task_id=request.future.task_id)
                _tell(request.future, alone)
                request.future = alone


def _tell(known: Future, future: Future) -> None:
    """Bring a future to where another one is."""
    if known.done:
        copy_outcome(known, future)
    elif known.running:
        future.set_running()
