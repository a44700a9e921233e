"""How much of SWF's limits one decision takes."""

from __future__ import annotations

from typing import NamedTuple


class Budgets(NamedTuple):
    """How much of SWF's limits a decision takes."""

    decisions: int
    """Decisions of its answer; SWF takes `max_decisions`."""
    max_decisions: int
    bytes: int
    """Bytes of these decisions in the request; SWF takes `max_bytes` for all of it."""
    max_bytes: int
    events: int
    """Events of the history once the decision is recorded; SWF ends an execution at `max_events`."""
    max_events: int
