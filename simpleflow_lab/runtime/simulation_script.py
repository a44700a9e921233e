"""The world outside in a simulation: a `Script`, and which of its attempts stands for one that the code submits.

An attempt is known by the id of its task and by its input. Where the code asks for an id with another input than was
recorded, as simpleflow's decider does that numbers its tasks anew in each decision, the task of that type is looked for
that was recorded with this input.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from simpleflow_lab.replay.json_texts import comparable_json, same_json

NANOSECONDS: Final = 1_000_000
"""Number of them in a millisecond, which is what the engine's clock shows. Between two of these, many things may
happen, one after the other."""
REFUSED: Final = "refused"
"""The state of an attempt that SWF did not schedule or start."""
SIGNAL: Final = "signal_workflow_execution"
"""The method by which a signal comes."""


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """The outcome of one attempt of an activity task or child execution."""

    name: str
    """The name of the type."""
    input: str | None = None
    state: str
    """`completed`, `failed`, `timed_out`, `canceled`, `terminated`, or `REFUSED`; any other is never answered."""
    running: int | None
    """Nanoseconds from its start to its close; `None` if nobody starts it, or it does not end."""
    delay: int = 0
    """Nanoseconds from when it could start to its start."""
    canceling: int = 0
    """Of an activity task that was canceled: nanoseconds from the request to its end."""
    result: str | None = None
    reason: str | None = None
    details: str | None = None
    timeout_type: str | None = None
    cause: str | None = None
    """Of one that SWF refused: why."""


class Incoming(NamedTuple):
    """A signal, a cancel request or a termination that came."""

    after: int
    """Nanoseconds after the start."""
    method: str
    """Of the service."""
    arguments: Mapping[str, Any]
    sender: Mapping[str, str] | None = None
    """The execution that sent the signal; `None` if none did."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """The world outside of one simulation: outcomes of attempts, times of decisions, signals and cancel requests."""

    attempts: Mapping[str, list[Attempted]]
    """By task id, the attempts in order; the last one that SWF did not refuse stands for further ones."""
    by_name: Mapping[str, Attempted] = field(default_factory=dict)
    """By the name of the type, for tasks of other ids."""
    slots: Mapping[str, int] = field(default_factory=dict)
    """By task list, how many activities run at once."""
    default_slots: int = 1
    decisions: list[tuple[int, int]] = field(default_factory=list)
    """For each decision, nanoseconds until a decider takes it, and then until it is made."""
    later_decisions: tuple[int, int] = (0, 0)
    """The same for further ones."""
    incoming: list[Incoming] = field(default_factory=list)
    not_signaled: frozenset[tuple[str, str]] = frozenset()
    """Of the signals to other executions that SWF could not deliver: their names, and the workflow ids."""
    is_by_ours: bool = True
    """It was decided by a decider of ours; else a replay follows the rules of simpleflow's."""
    runs_out: bool = False
    """It goes on until its time is over, if it does not close before."""


class NextAttempts:
    """The attempts of a script, each given once as long as others are left."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._taken: Counter[str] = Counter()
        self._given: set[int] = set()
        """The attempts that were given, by `id`."""
        self._by_input: dict[tuple[str, str | None], deque[Attempted]] | None = None

    def take(self, id: str, name: str, input: str | None) -> Attempted | None:
        """The outcome of the next attempt of this task, of a type of this name; `None` if nothing is known of it."""
        attempts = self._script.attempts.get(id, ())
        number = self._taken[id]
        self._taken[id] += 1
        found = self._recorded(attempts, name, input)
        if found is not None:
            self._given.add(_key(found))
            return found
        if number < len(attempts):
            return attempts[number]
        taken = [attempted for attempted in attempts if attempted.state != REFUSED]
        return taken[-1] if taken else self._script.by_name.get(name)

    def _recorded(self, attempts: Sequence[Attempted], name: str, input: str | None) -> Attempted | None:
        """The next attempt that was recorded with this input: of the task itself, or else of another of its type."""
        for attempted in attempts:
            # What SWF refused has no input in the history.
            is_same = attempted.state == REFUSED or same_json(attempted.input, input, frozenset())
            if is_same and _key(attempted) not in self._given:
                return attempted
        if self._by_input is None:
            self._by_input = defaultdict(deque)
            for attempted in itertools.chain.from_iterable(self._script.attempts.values()):
                if attempted.state != REFUSED:
                    self._by_input[attempted.name, comparable_json(attempted.input)].append(attempted)
        others = self._by_input.get((name, comparable_json(input)), ())
        while others and _key(others[0]) in self._given:
            others.popleft()
        return others[0] if others else None


def _key(attempted: Attempted) -> int:
    return id(attempted)
