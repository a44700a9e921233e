"""Ids of tasks: the same call gets the same id in every replay.

`activity-<name>-<n>`, with n counting the calls of that name **in the order they are submitted**, whether or not their
arguments are there yet. So a task keeps its number whatever finishes first. Upstream numbers a task when it schedules
it; where its ids are stable, ours are the same.

A workflow that is run again from its start submits again. Then the n-th call of a name *in the same fiber* keeps its
number, for fibers may come to run in another order; a new call gets the next number that was never given.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from simpleflow_lab.data.codec import encode
from simpleflow_lab.replay.fibers import Path
from simpleflow_lab.swf.limits import MAX_ID


class TaskIds:
    """Gives the tasks of one run their ids."""

    def __init__(self, workflow_id: str, run_id: str, fiber_path: Callable[[], Path] = tuple):
        """`fiber_path` gives the path of the fiber that runs now."""
        self._workflow_id = workflow_id
        # A child's workflow id must be unique in the domain, so it carries its parent's id and run.
        self._run = f"{zlib.adler32(run_id.encode()) & 0xFFFFFFFF:x}"
        self._fiber_path = fiber_path
        self._counts: Counter[str] = Counter()
        self._numbers: dict[tuple[str, Path], list[int]] = {}
        """The numbers that the calls of a name in a fiber have, in order."""
        self._given: Counter[tuple[str, Path]] | None = None
        """How many of them the rerun has got so far; `None` in the first run, in which all are new."""

    def next_number(self, name: str) -> str:
        """The number of the next call of this name."""
        place = (name, self._fiber_path())
        numbers = self._numbers.setdefault(place, [])
        if self._given is not None:
            self._given[place] += 1
            if self._given[place] <= len(numbers):
                return str(numbers[self._given[place] - 1])
        self._counts[name] += 1
        numbers.append(self._counts[name])
        return str(self._counts[name])

    def begin_rerun(self) -> None:
        """The code is about to run from its start, and makes its calls again."""
        self._given = Counter()

    def task_id(self, name: str, suffix: str) -> str:
        """The id of an activity task."""
        return within_limit(f"{name}-{suffix}")

    def child_id(self, name: str, suffix: str) -> str:
        """The workflow id of a child execution."""
        return within_limit(f"{name}-{self._workflow_id}--{self._run}--{suffix}")


def arguments_hash(args: Any, kwargs: Any) -> str:
    """The suffix of an idempotent task's id: a hash, equal for equal arguments."""
    return hashlib.md5(encode({"args": args, "kwargs": kwargs}).encode(), usedforsecurity=False).hexdigest()


def within_limit(task_id: str) -> str:
    """The id if SWF takes it; one of more than 256 characters is cut and ends in its hash."""
    if len(task_id) <= MAX_ID:
        return task_id
    return f"{task_id[:223]}-{hashlib.md5(task_id.encode(), usedforsecurity=False).hexdigest()}"
