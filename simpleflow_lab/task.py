"""Tasks: what a workflow asks for. Each is a request with its arguments; submitting it gives a future.

Authors rarely make them by hand: `workflow.submit(double, x)` makes an `ActivityTask`, `workflow.submit(Child, x)` a
`ChildWorkflowTask`, `workflow.start_timer(…)` a `TimerTask`. Nothing here knows SWF: the replay turns requests into
decisions.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from simpleflow_lab.activity import PRIORITY_NOT_SET, Activity, NotSet
from simpleflow_lab.exceptions import UsageError

WorkflowClass = type[Any]
"""A subclass of `workflow.Workflow`; that module imports this one."""


class Task:
    """Root of all tasks."""

    name: str
    """What it is called in ids and messages."""


class ActivityTask(Task):
    """One call of an activity."""

    def __init__(self, activity: Activity, *args: Any, **kwargs: Any):
        if not isinstance(activity, Activity):
            raise TypeError(f"{activity!r} is no activity: decorate it with @activity.with_attributes(...)")
        self.activity = activity
        self.task_priority: int | str | NotSet | None = kwargs.pop("__priority", PRIORITY_NOT_SET)
        """Overrides the activity's and the workflow's priority; given as `__priority=` at submit."""
        self.raises_on_failure = activity.raises_on_failure
        self.args = args
        self.kwargs = kwargs
        self.name = f"activity-{activity.name}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.activity.name}>"

    def input_of(self, args: Any, kwargs: Any) -> Any:
        """What is recorded as the task's input, from its arguments with their futures resolved."""
        given = {"args": args, "kwargs": kwargs}
        return {**given, "meta": self.activity.meta} if self.activity.meta else given


class NonPythonicActivityTask(ActivityTask):
    """A call of an activity that is not run by Python: its input is the arguments themselves, by position or by name.

    The worker, in whatever language, reads a JSON array of the positional arguments, or an object of the named ones.
    """

    def __init__(self, activity: Activity, *args: Any, **kwargs: Any):
        super().__init__(activity, *args, **kwargs)
        if self.args and self.kwargs:
            raise UsageError(
                f"{activity.name}: a task that Python does not run takes positional arguments or named ones"
            )

    def input_of(self, args: Any, kwargs: Any) -> Any:
        return kwargs or args


class WorkflowTask(Task):
    """One child workflow execution."""

    def __init__(
        self,
        executor: object,
        workflow: WorkflowClass,
        *args: Any,
        workflow_task_list: str | None = None,
        **kwargs: Any,
    ):
        """`executor` is there for programs written for upstream and is not used."""
        self.workflow = workflow
        self.task_priority: int | str | NotSet | None = kwargs.pop("__priority", PRIORITY_NOT_SET)
        """Overrides the class's priority; given as `__priority=` at submit."""
        self.args = args
        self.kwargs = kwargs
        self.raises_on_failure = workflow.raises_on_failure
        self.idempotent = bool(workflow.idempotent)
        self.name = f"workflow-{workflow.type_name()}"
        self.workflow_task_list = workflow_task_list
        """Task list of the child's decision tasks, whatever its class says. It is no argument of `run`."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.workflow.type_name()}>"

    def workflow_id(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """What the class's `get_workflow_id` says for these arguments, or `None`."""
        found: str | None = _asked(self.workflow, "get_workflow_id", args, kwargs)
        return found

    def task_list(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """The task list given, that of the class's `get_task_list` for these arguments, or the class's own."""
        asked = self.workflow_task_list or _asked(self.workflow, "get_task_list", args, kwargs)
        found: str | None = asked or self.workflow.task_list
        return found

    def tag_list(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The tags of the class's `get_tag_list` for these arguments, or the class's own."""
        return _asked(self.workflow, "get_tag_list", args, kwargs) or self.workflow.tag_list


class ChildWorkflowTask(WorkflowTask):
    """`WorkflowTask` without the argument that nobody needs."""

    def __init__(self, workflow: WorkflowClass, *args: Any, **kwargs: Any):
        super().__init__(None, workflow, *args, **kwargs)


class SignalTask(Task):
    """A signal to another execution, or to this one. Its future is done when it was delivered.

    If no such execution is open, the future's exception is a `TaskFailed` that says so.
    """

    def __init__(
        self,
        name: str,
        *args: Any,
        workflow_id: str | None = None,
        run_id: str | None = None,
        propagate: bool = True,
        **kwargs: Any,
    ):
        self.name = name
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.propagate = propagate
        self.args = args
        self.kwargs = kwargs


class MarkerTask(Task):
    """A marker: a note in the history."""

    def __init__(self, name: str, details: Any = None):
        self.name = name
        self.details = details


class TimerTask(Task):
    """A timer, in whole seconds.

    An id is one timer for the whole run: starting it again gives the future of the first start, fired, canceled or
    still running, whatever the second timeout says. For a timer in a loop make a new id each time.
    """

    def __init__(self, timer_id: str, timeout: int | str, control: Any = None):
        try:
            self.timeout = int(timeout)
            if self.timeout < 0:
                raise ValueError
        except (TypeError, ValueError):
            raise UsageError(
                f"timer {timer_id}: the timeout must be whole seconds, 0 or more, not {timeout!r}"
            ) from None
        self.name = timer_id
        self.timer_id = timer_id
        self.control = control


class CancelTimerTask(Task):
    """Cancels a timer. One that was never started, has fired or is canceled is left as it is."""

    def __init__(self, timer_id: str):
        self.name = timer_id
        self.timer_id = timer_id


class ContinueAsNewWorkflowTask(Task):
    """Ends this run and starts the next one, with an empty history and these arguments."""

    def __init__(self, workflow: WorkflowClass, *args: Any, **kwargs: Any):
        self.workflow = workflow
        self.args = args
        self.kwargs = kwargs
        self.name = workflow.type_name()


def _asked(workflow: WorkflowClass, hook: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What `get_task_list`, `get_tag_list` or `get_workflow_id` of a child's class says of these arguments, or `None`.

    A class method gets the task's arguments; a static method or plain function gets the class first, as upstream does.
    """
    found = inspect.getattr_static(workflow, hook, None)
    if found is None:
        return None
    bound = getattr(workflow, hook)
    return bound(*args, **kwargs) if isinstance(found, classmethod) else bound(workflow, *args, **kwargs)
