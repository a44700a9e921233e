"""Retry policies: which failed attempts of a task are retried, and after how long.

    @activity.with_attributes(retry=Retry(maximum_attempts=5, initial_interval=2, not_on=[ValueError]))
    def fetch(url): ...

    class Import(Workflow):
        retry = Retry(timeouts={"START_TO_CLOSE": 0, "HEARTBEAT": 5})

A number is the short form: `retry=2` is up to three attempts, one right after the other, whatever the error. A policy
waits with an SWF timer, so the wait survives restarts. Asking a policy is a pure function of what the history recorded:
it gives the same in every replay, jitter included.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from simpleflow_lab.exceptions import UsageError

TIMEOUT_TYPES: Final = ("START_TO_CLOSE", "SCHEDULE_TO_START", "SCHEDULE_TO_CLOSE", "HEARTBEAT")
"""SWF's names of the four timeouts. A child workflow execution has only the first."""

_MAX_WAIT: Final = 31_536_000
"""SWF's longest timer: one year."""

_ANY_ERROR: Final = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"})

ErrorKind = type[BaseException] | str
"""An exception class, or its name: `package.module.Class`, or `Class` alone for one of that name anywhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAttempt:
    """An attempt that failed, and the counts of those before it."""

    error_names: frozenset[str] = frozenset()
    """Names of the error's class and of those it derives from, as far as they were recorded."""
    timeout_type: str | None = None
    """Which timeout ended it, if one did."""
    failures: Mapping[str, int]
    """Failed attempts so far, this one included: by timeout type, and under "" those that no timeout ended."""
    elapsed: float = 0.0
    """Seconds from when the first attempt was scheduled to when this one ended."""
    seed: str = ""
    """The seed of the jitter: the same in every replay, another for each run, task and attempt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """A retry policy.

    The wait before attempt n+1 is `initial_interval * backoff_coefficient ** (n - 1)` seconds, at most
    `maximum_interval`, give or take `jitter`; SWF's timers count whole seconds, so it is rounded up.
    """

    maximum_attempts: int | None = 3
    """Attempts in all, the first one included; `None` for no limit. Those that ended in a timeout which `timeouts`
    names don't count here."""
    initial_interval: float = 1.0
    """Seconds before the second attempt; 0 tries again at once, always."""
    backoff_coefficient: float = 2.0
    """Factor by which each wait is longer than the one before; 1 for equal waits."""
    maximum_interval: float | None = None
    """Longest wait, in seconds; by default a hundred times the first."""
    jitter: float = 0.0
    """Part of the wait, 0 to 1, that is random: 0.1 makes it up to a tenth shorter or longer."""
    expiration: float | None = None
    """Seconds after the task was first scheduled in which the last attempt must begin; `None` for no limit."""
    on: Iterable[ErrorKind] = ()
    """Only these errors are retried, and those that derive from them; empty for all."""
    not_on: Iterable[ErrorKind] = ()
    """These errors are not retried, even if `on` names them."""
    timeouts: Mapping[str, int] = field(default_factory=dict)
    """Retries after each type of timeout, counted apart from all else: `{"HEARTBEAT": 5, "START_TO_CLOSE": 0}`.
    A type that is not named is an error like any other."""

    def __post_init__(self) -> None:
        """Raise `UsageError` for values that contradict each other."""
        _check(
            self.maximum_attempts is None or _is_count(self.maximum_attempts, at_least=1),
            f"maximum_attempts must be a whole number, 1 or more, or None, not {self.maximum_attempts!r}",
        )
        for name, least in (("initial_interval", 0), ("backoff_coefficient", 1), ("jitter", 0)):
            value = getattr(self, name)
            _check(_is_number(value, at_least=least), f"{name} must be a number, {least} or more, not {value!r}")
        _check(self.jitter <= 1, f"jitter is a part of the interval, 0 to 1, not {self.jitter!r}")
        for name in ("maximum_interval", "expiration"):
            value = getattr(self, name)
            _check(
                value is None or _is_number(value, at_least=0),
                f"{name} must be seconds, 0 or more, or None, not {value!r}",
            )
        object.__setattr__(self, "on", _kinds("on", self.on))
        object.__setattr__(self, "not_on", _kinds("not_on", self.not_on))
        for kind, retries in self.timeouts.items():
            _check(kind in TIMEOUT_TYPES, f"timeouts has {kind!r}: SWF's types are {', '.join(TIMEOUT_TYPES)}")
            _check(
                _is_count(retries, at_least=0),
                f"timeouts[{kind!r}] must be a number of retries, 0 or more: {retries!r}",
            )
        object.__setattr__(self, "timeouts", dict(self.timeouts))

    def wait_after(self, failed: FailedAttempt) -> int | None:
        """Whole seconds to wait before the next attempt, 0 for none; `None` if there is to be no other."""
        if not self._is_allowed(failed):
            return None
        wait = self._interval(sum(failed.failures.values()), failed.seed)
        if self.expiration is not None and failed.elapsed + wait > self.expiration:
            return None
        return wait

    def _is_allowed(self, failed: FailedAttempt) -> bool:
        if failed.timeout_type in self.timeouts:
            kind = failed.timeout_type or ""
            return failed.failures.get(kind, 0) <= self.timeouts[kind]
        if _matches(self.not_on, failed.error_names) or (self.on and not _matches(self.on, failed.error_names)):
            return False
        counted = sum(number for kind, number in failed.failures.items() if kind not in self.timeouts)
        return self.maximum_attempts is None or counted < self.maximum_attempts

    def _interval(self, failures: int, seed: str) -> int:
        if not self.initial_interval:
            return 0
        longest = 100 * self.initial_interval if self.maximum_interval is None else self.maximum_interval
        try:
            wait = min(self.initial_interval * self.backoff_coefficient ** (failures - 1), longest)
        except OverflowError:
            wait = longest
        if self.jitter:
            wait *= 1 + self.jitter * (2 * _chance(seed) - 1)
        return min(math.ceil(wait), _MAX_WAIT)


def policy_of(retry: Retry | int) -> Retry:
    """The policy of a `retry=` argument: a number means that many retries, at once, whatever the error."""
    if isinstance(retry, Retry):
        return retry
    return Retry(maximum_attempts=retry + 1, initial_interval=0)


def check_retry(retry: object, of: str) -> None:
    """Raise `UsageError` unless this is a valid `retry=` argument."""
    _check(
        isinstance(retry, Retry) or _is_count(retry, at_least=0),
        f"{of}: retry must be a number of retries, 0 or more, or a Retry(...), not {retry!r}",
    )


def back_off(times: int, *, longest: int = 60) -> int:
    """Seconds to wait after so many refusals in a row: 1, 2, 4, … `longest`."""
    return min(1 << min(times - 1, 20), longest)


def _matches(kinds: Iterable[ErrorKind], names: frozenset[str]) -> bool:
    return any(str(kind) in _ANY_ERROR or any(_is_same(str(kind), name) for name in names) for kind in kinds)


def _is_same(named: str, recorded: str) -> bool:
    """Two names of a class; where one of them has no module, the class's own name decides."""
    if "." in named and "." in recorded:
        return named == recorded
    return named.rpartition(".")[2] == recorded.rpartition(".")[2]


def _kinds(name: str, kinds: object) -> tuple[str, ...]:
    """Names of exception classes; one alone is a list of one."""
    listed = [kinds] if isinstance(kinds, str | type) else list(kinds) if isinstance(kinds, Iterable) else [kinds]
    found = []
    for kind in listed:
        if isinstance(kind, type) and issubclass(kind, BaseException):
            found.append(f"{kind.__module__}.{kind.__qualname__}")
        else:
            _check(isinstance(kind, str) and bool(kind), f"{name} takes exception classes or their names, not {kind!r}")
            found.append(str(kind))
    return tuple(found)


def _chance(seed: str) -> float:
    """A pseudo-random number from 0 to 1, the same for the same seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") / 2**64


def _is_count(value: object, *, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _is_number(value: object, *, at_least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and at_least <= value < math.inf


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)
