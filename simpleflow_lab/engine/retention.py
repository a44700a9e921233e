"""How long closed executions are kept.

Rule: pure. SWF deletes an execution that many days after it closed; where a domain retains none it does so at once,
and we after a grace, so that whoever closed it can still read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from simpleflow_lab.engine.domains_and_types import Domain
from simpleflow_lab.engine.execution_state import Run
from simpleflow_lab.engine.open_questions import UNRETAINED_GRACE_SECONDS

SWEEP_MILLISECONDS: Final = 600_000
"""How often the engine looks for what to delete."""
_DAY_MILLISECONDS: Final = 86_400_000


def expired(runs: Iterable[Run], domains: Mapping[str, Domain], now: int) -> list[Run]:
    """Closed executions that are to be deleted."""
    kept_for = {name: _milliseconds(domain.retention) for name, domain in domains.items()}
    return [run for run in runs if run.closed_at is not None and run.closed_at + kept_for[run.domain] <= now]


def _milliseconds(retention: str) -> int:
    days = 0 if retention == "NONE" else int(retention)
    return days * _DAY_MILLISECONDS if days else UNRETAINED_GRACE_SECONDS * 1000
