"""Histories of executions that are simulated, with deciders of either package and what SWF refused them."""

from __future__ import annotations

from typing import Any

from tests.views import story


class Story(story.Story):
    """A story told in the order of its events."""

    def __init__(self, name: str, *, identity: str, **more: Any) -> None:
        super().__init__(name, **{"input": '{"args":[],"kwargs":{}}', **more})
        self._identity = identity

    def after(self, seconds: float) -> Story:
        """So much later."""
        self._now += seconds
        return self

    def decide(self, seconds: float = 0.1, *, context: str | None = None) -> int:
        """As of the class above, by a decider with the identity of this story."""
        found = super().decide(seconds, context=context)
        started = self._events[-2]
        self._events[-2] = started._replace(attributes={**started.attributes, "identity": self._identity})
        return found

    def schedule(self, *args: Any, **more: Any) -> int:
        """As of the class above; an activity may be named by its attributes alone."""
        return super().schedule(*(args or (more.pop("activityId"),)), **more)

    def refuse(self, type: str, cause: str, **attributes: Any) -> int:
        """SWF refuses what the latest decision asked for."""
        return self.add(type, cause=cause, decisionTaskCompletedEventId=self.decided, **attributes)

    def pause(self, timer_id: str, seconds: int) -> None:
        """A timer that the latest decision started fires."""
        started = self.add(
            "TimerStarted",
            timerId=timer_id,
            startToFireTimeout=str(seconds),
            decisionTaskCompletedEventId=self.decided,
        )
        self.after(seconds).add("TimerFired", timerId=timer_id, startedEventId=started)

    def run_child(self, child: dict[str, Any], *, seconds: float, result: str) -> None:
        """The child with these attributes is started, which is seen in a decision, and completes."""
        given = {"taskList": {"name": "deciders"}, "childPolicy": "TERMINATE", "input": '{"args":["nap"],"kwargs":{}}'}
        initiated = self.add(
            "StartChildWorkflowExecutionInitiated", decisionTaskCompletedEventId=self.decided, **given, **child
        )
        execution = {"workflowId": child["workflowId"], "runId": "a run of the child"}
        about = {
            "workflowExecution": execution,
            "workflowType": child["workflowType"],
            "initiatedEventId": initiated,
        }
        started = self.add("ChildWorkflowExecutionStarted", **about)
        self.decide(0.1)
        self.after(seconds).add("ChildWorkflowExecutionCompleted", startedEventId=started, result=result, **about)
