"""The rules that say which steps run, without anything that runs.

Names are levels with dots between: to force or skip "a.b" covers "a.b" and "a.b.c", and not "a.bc". "*" covers all. To
force beats to skip, and both beat what is done already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

EVERY_STEP = "*"
"""Covers every step."""

Reasons = Mapping[str, Iterable[str]]
"""The reasons, by the name with which a step was forced or skipped."""


def covers(name: str, step_name: str) -> bool:
    """Whether forcing or skipping `name` covers this step."""
    return name in (EVERY_STEP, step_name) or step_name.startswith(f"{name}.")


def covered(step_name: str, names: Iterable[str]) -> bool:
    """Whether one of these names covers this step."""
    return any(covers(name, step_name) for name in names)


def will_run(
    step_name: str, *, forced: Iterable[str], skipped: Iterable[str], done: Collection[str], force: bool = False
) -> bool:
    """Whether the step's activities run."""
    if force or covered(step_name, forced):
        return True
    return not covered(step_name, skipped) and step_name not in done


def reasons_of(step_name: str, reasons: Reasons) -> list[str]:
    """The reasons why this step is forced or skipped, oldest first, each once."""
    return list(dict.fromkeys(reason for name in reasons if covers(name, step_name) for reason in reasons[name]))
