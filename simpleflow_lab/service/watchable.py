"""What runtime needs of a service beside SWF's operations: to wait for a history, to release polls, to be closed.

Rule: every service that a Lab may use has these methods: the embedded engine by itself, any other through
`service.history_polling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, Protocol, TypedDict, Unpack

from simpleflow_lab.service.protocol import Answer, Structure, SWFService


class DecisionAnswer(TypedDict):
    """The arguments of `respond_decision_task_completed` that our deciders use."""

    taskToken: str
    decisions: NotRequired[Sequence[Structure]]
    executionContext: NotRequired[str]


class WatchableService(SWFService, Protocol):
    """SWF's operations, and what deciders, workers and people who wait for an execution need beside them."""

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """Wait until the execution has an event after `after_event_id`, at most `timeout` seconds.

        Gives the id of the execution's last event; only events that are on disk count. With `until_closed` it waits
        for the execution to close, whatever else happens to it. Raises `UnknownResourceFault`.
        """
        ...

    def answer_decision_task(self, **request: Unpack[DecisionAnswer]) -> Answer:
        """Complete a decision task like `respond_decision_task_completed`, for a decider in the service's process.

        It may return before the decisions are on disk. Nothing that follows from them begins before they are, and if
        they are lost with the process, the next decider makes the same ones again.
        """
        ...

    def release_polls(self) -> None:
        """End the polls that wait, without a task, so that pollers can stop."""
        ...

    def close(self) -> None:
        """Release what the service holds. Every later call is refused."""
        ...
