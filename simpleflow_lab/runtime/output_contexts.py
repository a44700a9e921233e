"""The cell, or the caller, to which the output of each execution belongs.

An execution's output goes where the output of the call goes that started it or resumed it last. A `contextvars.Context`
says where that is: in a notebook, the cell. A child's output goes where its parent's does.

Rule: this is known to the process, for each store, and not to one of its Labs: whichever of them runs the task, the
output goes to the same place.
"""

from __future__ import annotations

import contextvars
import time
import weakref
from typing import Final

from simpleflow_lab.locking.process_lock import process_lock
from simpleflow_lab.runtime.bounded import LatestUsed

MAX_OUTPUT_CONTEXTS: Final = 10_000
"""Executions of which a process remembers the output context; the output of others is treated as that of executions
which another process started."""


class OutputContexts:
    """The output contexts of the executions that this process started or resumed on one service."""

    def __init__(self) -> None:
        self._contexts: LatestUsed[tuple[str, str], contextvars.Context] = LatestUsed(MAX_OUTPUT_CONTEXTS)
        self._since: LatestUsed[tuple[str, str], int] = LatestUsed(MAX_OUTPUT_CONTEXTS)

    @classmethod
    def of(cls, place: str | None) -> OutputContexts:
        """Those of the service at this place, shared by all of the process that use it; `None` is shared by nobody."""
        if place is None:
            return cls()
        with _lock:
            found = _by_place.get(place)
            if found is None:
                found = _by_place[place] = cls()
            return found

    def put(self, domain: str, workflow_id: str, context: contextvars.Context | None) -> None:
        """The output of this execution belongs where the output of this context does; `None` forgets the execution."""
        if context is None:
            self._contexts.drop((domain, workflow_id))
        else:
            self._contexts.put((domain, workflow_id), context)
            self._since.put((domain, workflow_id), time.time_ns() // 1_000_000)

    def since(self, domain: str, workflow_id: str) -> int:
        """The time since which the output of this execution has its context, in milliseconds since 1970; 0 if it has
        none."""
        return self._since.get((domain, workflow_id)) or 0

    def get(self, domain: str, workflow_id: str) -> contextvars.Context | None:
        """The context of this execution; `None` if this process neither started nor resumed it."""
        return self._contexts.get((domain, workflow_id))

    def inherit(self, domain: str, child: str, parent: str) -> None:
        """The output of a child belongs where its parent's does, unless the child itself was started or resumed."""
        if self.get(domain, child) is None and (context := self.get(domain, parent)) is not None:
            self.put(domain, child, context)


_lock: Final = process_lock()
_by_place: Final[weakref.WeakValueDictionary[str, OutputContexts]] = weakref.WeakValueDictionary()
