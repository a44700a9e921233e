"""The tasks on which a task depends: those whose futures are among its arguments.

A group or chain among the arguments stands for its members, for it is no task of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.futures import Future


def task_ids(futures: Iterable[Future]) -> list[str]:
    """The ids of the tasks behind these futures, in order, each once; those that have no id yet are left out."""
    found: dict[str, None] = {}
    left = list(futures)[::-1]
    while left:
        future = left.pop()
        if isinstance(future, GroupFuture):
            left.extend(reversed(future.futures))
        elif future.task_id:
            found[future.task_id] = None
    return list(found)
