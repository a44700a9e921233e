"""Which steps run: the rules, without anything that runs.

Names are levels with dots between: to force or skip "a.b" covers "a.b" and "a.b.c", and not "a.bc". "*" covers all. To
force beats to skip, and both beat what is done already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

EVERY_STEP = "*"
"""Covers every step."""

Reasons = Mapping[str, Iterable[str]]
"""From the name of a step, as it was forced or skipped, to why."""


def covers(said: str, step_name: str) -> bool:
    """Forcing or skipping `said` means this step."""
    return said in (EVERY_STEP, step_name) or step_name.startswith(f"{said}.")


def covered(step_name: str, said: Iterable[str]) -> bool:
    """One of these means this step."""
    return any(covers(one, step_name) for one in said)


def will_run(
    step_name: str, *, forced: Iterable[str], skipped: Iterable[str], done: Collection[str], force: bool = False
) -> bool:
    """The step's activities run."""
    if force or covered(step_name, forced):
        return True
    return not covered(step_name, skipped) and step_name not in done


def reasons_of(step_name: str, reasons: Reasons) -> list[str]:
    """Why this step is forced or skipped: in the order in which it was said, each once."""
    return list(dict.fromkeys(reason for said in reasons if covers(said, step_name) for reason in reasons[said]))
