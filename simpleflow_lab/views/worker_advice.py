"""Advice where tasks are queued: the call that lets more activities of the task list run at once.

Rule: `start_workers` sets how many of this process run at once, also to fewer. So no number that is named is below
what polls the task list now, as far as that is known, nor below what ran there at once, nor below the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simpleflow_lab.constants import DEFAULT_ACTIVITY_THREADS
from simpleflow_lab.views.formatting import shortened


@dataclass(frozen=True, kw_only=True)
class Polling:
    """The pollers for activity tasks at present. By default nothing is known of it, as of a history from a file."""

    at_once: Mapping[str, int] = field(default_factory=dict)
    """By task list: how many activities run at once, or would if there were enough."""
    is_all: bool = False
    """Nobody polls but these."""
    default: int = DEFAULT_ACTIVITY_THREADS
    """As many does `start_workers` start that is given no number, at most."""

    def of(self, task_list: str | None) -> int:
        """The number that runs at once there, as far as is known."""
        return self.at_once.get(task_list or "", 0)

    def is_known_to_be_left(self, task_list: str | None) -> bool:
        """Whether it is known that nobody polls it."""
        return self.is_all and not self.of(task_list)


UNKNOWN = Polling()
"""Nothing is known of who polls."""


def start_more(task_list: str | None, *, ran_at_once: int, polling: Polling) -> str:
    """The call that lets more tasks of this list run at once; `ran_at_once` of one execution did at most."""
    name = repr(shortened(task_list, 60))
    if polling.is_known_to_be_left(task_list) or not (most := max(ran_at_once, polling.of(task_list))):
        return f"lab.start_workers(task_list={name})"
    return f"lab.start_workers({max(2 * most, polling.default)}, task_list={name})"
