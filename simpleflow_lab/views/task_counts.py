"""The number of tasks in each state: the progress of an execution, for whoever shows it.

All attempts of a task count as one, in the state of the latest.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.views.attempts import UNFINISHED, Attempt, is_failure

_TASK: Final = operator.attrgetter("kind", "id")
_KIND_AND_STATE: Final = operator.attrgetter("kind", "state")


@dataclass(frozen=True, kw_only=True)
class TaskCounts:
    """Numbers of activity tasks, child executions, lambdas and timers."""

    by_kind_and_state: Mapping[tuple[str, str], int]
    """By the kind and the state of the latest attempt; only numbers above 0."""
    running_names: tuple[str, ...]
    """Names of the types of what runs, without repetition."""

    @classmethod
    def of(cls, attempts: Sequence[Attempt]) -> TaskCounts:
        """Those of the tasks with these attempts."""
        latest = dict(zip(map(_TASK, attempts), attempts, strict=True)).values()
        running = [one for one in latest if one.open and one.started is not None and one.state != UNFINISHED]
        return cls(
            by_kind_and_state=Counter(map(_KIND_AND_STATE, latest)),
            running_names=tuple(dict.fromkeys(one.name for one in running)),
        )

    @property
    def waiting(self) -> int:
        """Scheduled or initiated, and not started."""
        return sum(n for (_, state), n in self.by_kind_and_state.items() if state in ("scheduled", "initiated"))

    @property
    def running(self) -> int:
        """Started, and not closed."""
        return sum(n for (_, state), n in self.by_kind_and_state.items() if state == "started")

    @property
    def failed(self) -> int:
        """Failed, timed out, canceled, terminated or refused."""
        return sum(n for (kind, state), n in self.by_kind_and_state.items() if is_failure(kind, state))

    @property
    def unfinished(self) -> int:
        """Scheduled or started, and not closed when the execution closed."""
        return sum(n for (_, state), n in self.by_kind_and_state.items() if state == UNFINISHED)

    @property
    def completed(self) -> int:
        """All others. A timer that is canceled, such as a deadline that was met, is no failure."""
        return sum(self.by_kind_and_state.values()) - self.waiting - self.running - self.failed - self.unfinished

    def by_state(self, kinds: Collection[str]) -> Counter[str]:
        """Numbers by state, of these kinds."""
        states: Counter[str] = Counter()
        for (kind, state), number in self.by_kind_and_state.items():
            if kind in kinds:
                states[state] += number
        return states
