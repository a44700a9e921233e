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

    # -- what deciders report, so that every process sees it; see `service.reports` --

    def report_decision_error(self, *, domain: str, execution: Structure, error: Structure) -> Answer:
        """Say why a decision can't be made for now, until the execution's next decision task.

        `error` has `startedEventId` (of the decision task), `error` (the name of its class), `message`, `endsWait`
        (waiting would not help) and `pid`. Without `error` decisions are not blocked any more. A report about a
        decision task that is not open is not kept.
        """
        ...

    def report_warning(self, *, domain: str, execution: Structure, message: str) -> Answer:
        """Keep a warning for the author of an execution's workflow until the execution closes."""
        ...

    def describe_reports(self, *, domain: str, execution: Structure) -> Answer:
        """What deciders reported of an open execution and of those below it: `decisionErrors` and `warnings`.

        Each of `decisionErrors` has `execution`, `error`, `message`, `endsWait` and `pid`; that of the execution itself
        comes first, then those of its children, of their children, …; `warnings` are its own texts.
        """
        ...

    def close(self) -> None:
        """Release what the service holds. Every later call is refused."""
        ...
