"""The time for which closed executions are retained.

Rule: pure. SWF deletes an execution a number of days after it closed, which its domain says. Where that number is 0,
SWF deletes at once; this engine does after a grace period, so that the history can still be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simpleflow_lab.engine.domains_and_types import Domain
from simpleflow_lab.engine.execution_state import Run
from simpleflow_lab.engine.open_questions import UNRETAINED_GRACE_SECONDS
from simpleflow_lab.engine.run_index import RunIndex

SWEEP_MILLISECONDS: Final = 600_000
"""Milliseconds between two times that the engine deletes expired executions."""
_DAY_MILLISECONDS: Final = 86_400_000


def expired(runs: RunIndex, domains: Mapping[str, Domain], now: int) -> list[Run]:
    """The closed executions whose retention period is over at `now`, in milliseconds since 1970."""
    return [
        run
        for name, domain in domains.items()
        for run in runs.closed(name).between(0, now - _milliseconds(domain.retention))
    ]


def _milliseconds(retention: str) -> int:
    days = 0 if retention == "NONE" else int(retention)
    return days * _DAY_MILLISECONDS if days else UNRETAINED_GRACE_SECONDS * 1000
