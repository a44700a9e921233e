"""A decider and a worker without threads that do one step at a time; the test chooses which.

So every order in which tasks may complete, decisions be late and results come in together can be tried, and tried
again. Each decision is made twice, by a cached replay and by one made anew from the whole history: they must be the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simpleflow_lab import activity
from simpleflow_lab import workflow as workflows
from simpleflow_lab.data.codec import arguments_of, decode, encode
from simpleflow_lab.data.failure_details import details_of, reason_of
from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.runtime.type_registration import TypeRegistration
from simpleflow_lab.swf.history import History, event_from_wire
from simpleflow_lab.workflow import Workflow
from tests.running import task_of

DOMAIN = "step-by-step"
HOUR = 3600
MAX_MOVES = 5000


class StepByStep:
    """An engine on which nothing happens by itself."""

    def __init__(self, task_list: str, choices: Sequence[int]):
        """`choices` choose, one after the other and then again, which of the possible steps is next."""
        self._list = {"domain": DOMAIN, "taskList": {"name": task_list}}
        self._choices = choices or [0]
        self._moves = 0
        self._clock = ManualClock()
        self.engine = EmbeddedSWF(":memory:", clock=self._clock, poll_seconds=0)
        self._registration = TypeRegistration(self.engine, DOMAIN)
        self._registration.register_domain()
        self._cached: dict[str, Replay] = {}
        self._decisions: list[Mapping[str, Any]] = []
        self._activities: list[Mapping[str, Any]] = []
        self.executions: dict[str, tuple[type[Workflow], str]] = {}
        """Workflow and workflow id of every execution that was decided for, by run id."""

    def __enter__(self) -> StepByStep:
        return self

    def __exit__(self, *error: object) -> None:
        for replay in self._cached.values():
            replay.close()
        self.engine.close()

    def run(self, workflow: type[Workflow], *args: Any) -> Any:
        """Start the workflow and do one step after the other until it is closed; gives its result."""
        kind = {"name": workflow.type_name(), "version": workflow.type_version()}
        self._registration.register_workflow_type(**kind)
        run_id = self.engine.start_workflow_execution(
            domain=DOMAIN,
            workflowId="the-one",
            workflowType=kind,
            taskList=self._list["taskList"],
            input=encode({"args": list(args), "kwargs": {}}),
            executionStartToCloseTimeout=str(10_000 * HOUR),
        )["runId"]
        while True:
            last = self.history("the-one", run_id)[-1]
            if last.type.startswith("WorkflowExecution") and last.row.closes and last.row.entity == "execution":
                assert last.type == "WorkflowExecutionCompleted", last
                return decode(last.attributes["result"])
            self._move()

    def history(self, workflow_id: str, run_id: str) -> History:
        """The history of an execution."""
        named = {"workflowId": workflow_id, "runId": run_id}
        return History.from_wire(self.engine.get_workflow_execution_history(domain=DOMAIN, execution=named)["events"])

    def _move(self) -> None:
        self._moves += 1
        assert self._moves < MAX_MOVES, "it does not come to an end"
        self._take(self.engine.poll_for_decision_task, self._decisions)
        self._take(self.engine.poll_for_activity_task, self._activities)
        number = len(self._decisions) + len(self._activities)
        if not number:
            self._clock.advance(HOUR)  # only timers are left
            return
        chosen = self._choices[self._moves % len(self._choices)] % number
        if chosen < len(self._decisions):
            self._decide(self._decisions.pop(chosen))
        else:
            self._work(self._activities.pop(chosen - len(self._decisions)))

    def _take(self, poll: Any, tasks: list[Mapping[str, Any]]) -> None:
        while True:
            task = poll(**self._list)
            if not task.get("taskToken"):
                return
            tasks.append(task)

    def _decide(self, task: Mapping[str, Any]) -> None:
        execution, kind = task["workflowExecution"], task["workflowType"]
        run_id, started = execution["runId"], task["startedEventId"]
        events = [event_from_wire(event) for event in task["events"]]
        assert "nextPageToken" not in task
        workflow = workflows.defined(kind["name"], kind["version"], decode(events[0].attributes["input"]))
        assert workflow is not None
        self.executions[run_id] = workflow, execution["workflowId"]
        names = {"domain": DOMAIN, "workflow_id": execution["workflowId"], "run_id": run_id}
        cached = self._cached.setdefault(run_id, Replay(workflow, **names))
        cached.feed(events)
        answer = cached.decide(started)
        anew = Replay(workflow, **names)
        anew.feed(events)
        assert anew.decide(started) == answer
        anew.close()
        self._registration.register_types_of(answer.decisions)
        context = {} if answer.execution_context is None else {"executionContext": answer.execution_context}
        self.engine.respond_decision_task_completed(taskToken=task["taskToken"], decisions=answer.decisions, **context)

    def _work(self, task: Mapping[str, Any]) -> None:
        kind, execution = task["activityType"], task["workflowExecution"]
        registered = activity.registry[kind["name"], kind["version"]]
        args, kwargs = arguments_of(decode(task["input"]), where="input")
        context = {"run_id": execution["runId"], "activity_id": task["activityId"]}
        token = task["taskToken"]
        try:
            result = registered.execute(args, kwargs, task_of(context))
        except Exception as error:
            self.engine.respond_activity_task_failed(
                taskToken=token, reason=reason_of(error), details=details_of(error)
            )
        else:
            self.engine.respond_activity_task_completed(taskToken=token, result=encode(result))
