"""The size of a decision, beside SWF's limits."""

from __future__ import annotations

from typing import NamedTuple


class Budgets(NamedTuple):
    """The size of one decision, with the limits."""

    decisions: int
    """Decisions of its answer; SWF takes `max_decisions`."""
    max_decisions: int
    bytes: int
    """Bytes of these decisions in the request; SWF takes `max_bytes` for all of it."""
    max_bytes: int
    events: int
    """Events of the history once the decision is recorded; SWF ends an execution at `max_events`."""
    max_events: int
