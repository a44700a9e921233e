"""Activity tasks that run alone, so that it shows which one kills its process.

When a process dies, any of the tasks that it had may be the cause. One that was lost beside others for the second time
is isolated: it goes to a process that has no other activity task, and that gets none until it is closed.

Rule: what is isolated comes to its turn. A process that could take such a task, were it not for others, gets no more of
those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simpleflow_lab.engine.client_sessions import ClientSession, HeldTask
from simpleflow_lab.swf.event_types import ACTIVITY

ISOLATED_AFTER: Final = 2
"""Number of times in a row that a task was lost beside others before it runs alone."""


class Isolation:
    """The processes that have, or wait for, an isolated activity task."""

    def __init__(self, is_held: Callable[[HeldTask], bool]) -> None:
        """`is_held` says whether a task that a process was given is still open."""
        self._is_held = is_held
        self._alone: set[tuple[int, int]] = set()
        self._reserved: tuple[ClientSession, Callable[[], bool]] | None = None
        self.is_used = False
        """Whether a task was ever isolated: else nothing here has an effect."""

    def allows(self, session: ClientSession, *, isolated: bool, is_pending: Callable[[], bool]) -> bool:
        """Whether the process may take an activity task, beside those that it has.

        `isolated` says whether it is to run alone, `is_pending` whether it still waits.
        """
        held = [task for task in session.held.values() if task.kind == ACTIVITY and self._is_held(task)]
        if isolated:
            if held and not self._is_reserved():
                self._reserved = session, is_pending
            return not held
        if self._is_reserved() and self._reserved is not None and self._reserved[0] is session:
            return False
        return not any((task.key, task.scheduled_id) in self._alone for task in held)

    def _is_reserved(self) -> bool:
        if self._reserved is None:
            return False
        session, is_pending = self._reserved
        return not session.ended and is_pending()

    def started(self, task: HeldTask) -> None:
        """An isolated task was given to a process."""
        self._alone.add((task.key, task.scheduled_id))

    def closed(self, key: int, scheduled_id: int) -> None:
        """An activity task has closed."""
        self._alone.discard((key, scheduled_id))
