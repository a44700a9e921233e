"""Ids of tasks: the same call gets the same id in every replay.

`activity-<name>-<n>`, with n counting the calls of that name **in the order they are submitted**, whether or not their
arguments are there yet. So a task keeps its number whatever finishes first. Upstream numbers a task when it schedules
it; where its ids are stable, ours are the same.

The id of an idempotent task is made of its arguments as upstream writes them, so that it is the same task on both
sides. That text may have lost a part of a value, such as microseconds: calls that differ in such a part alone are told
apart by what is added to the id of all but the first.

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
from simpleflow_lab.data.text_for_ids import text_with_times
from simpleflow_lab.data.times import upstream_text_of
from simpleflow_lab.replay.fibers import Path
from simpleflow_lab.replay.history_reader import UPSTREAM_IDS
from simpleflow_lab.swf.limits import MAX_ID


class TaskIds:
    """Gives the tasks of one run their ids."""

    def __init__(self, workflow_id: str, run_id: str, fiber_path: Callable[[], Path] = tuple) -> None:
        """`fiber_path` gives the path of the fiber that runs now."""
        self.identify(workflow_id, run_id)
        self.children: dict[str, tuple[str, str]] | None = None
        """Of a fork: by the id that a child has, what that was made of."""
        self._of_child: dict[tuple[str, str], str] = {}
        """Of a fork: the id that was made of a name and a suffix, and stays in a rerun."""
        self._fiber_path = fiber_path
        self._counts: Counter[str] = Counter()
        self._numbers: dict[tuple[str, Path], list[int]] = {}
        """The numbers that the calls of a name in a fiber have, in order."""
        self._given: Counter[tuple[str, Path]] | None = None
        """Number of them that the rerun has got so far; `None` in the first run, in which all are new."""
        self._of_arguments: dict[tuple[str, str], str] = {}
        """By name and upstream's hash of the arguments: the exact hash of the arguments that got it first."""

    def identify(self, workflow_id: str, run_id: str) -> None:
        """From now on the ids of children are made of these; the numbers go on."""
        self._workflow_id = workflow_id
        # A child's workflow id must be unique in the domain, so it carries its parent's id and run.
        self._run = run_hash(run_id)

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

    def of_arguments(self, name: str, args: Any, kwargs: Any, *, rules: int) -> str:
        """The suffix of an idempotent task's id: a hash, the same for the same arguments.

        `rules` are those of the decider that decides. Raises `EncodingError`.
        """
        given = {"args": args, "kwargs": kwargs}
        if 0 < rules < UPSTREAM_IDS:
            return _md5(text_with_times(given, lambda time: time.isoformat()))
        exact, shared = _md5(encode(given)), _md5(text_with_times(given, upstream_text_of))
        first = self._of_arguments.setdefault((name, shared), exact)
        return shared if first == exact else f"{shared}-{exact}"

    def task_id(self, name: str, suffix: str) -> str:
        """The id of an activity task."""
        return within_limit(f"{name}-{suffix}")

    def child_id(self, name: str, suffix: str) -> str:
        """The workflow id of a child execution."""
        if self.children is None:
            return self._child_id(name, suffix)
        found = self._of_child.setdefault((name, suffix), self._child_id(name, suffix))
        self.children[found] = name, suffix
        return found

    def new_child_id(self, child_id: str) -> str:
        """The id by which a child that has none of its own is started anew; another one is kept."""
        made_of = None if self.children is None else self.children.pop(child_id, None)
        if made_of is None:
            return child_id
        del self._of_child[made_of]
        return self.child_id(*made_of)

    def _child_id(self, name: str, suffix: str) -> str:
        return within_limit(f"{name}-{self._workflow_id}--{self._run}--{suffix}")


def run_hash(run_id: str) -> str:
    """The part of children's ids that is made of the run of their parent."""
    return f"{zlib.adler32(run_id.encode()) & 0xFFFFFFFF:x}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def within_limit(task_id: str) -> str:
    """The id if SWF takes it; one of more than 256 characters is cut and ends in its hash."""
    if len(task_id) <= MAX_ID:
        return task_id
    return f"{task_id[:223]}-{_md5(task_id)}"
