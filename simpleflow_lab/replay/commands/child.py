"""Child workflow executions."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.data.codec import encode
from simpleflow_lab.data.references import all_loaded
from simpleflow_lab.exceptions import SameChildError, TaskCanceled, TaskTerminated
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.captured_arguments import CapturedArguments
from simpleflow_lab.replay.command import Command, CommandKind
from simpleflow_lab.replay.commands.attempted import AttemptedTasks, Members
from simpleflow_lab.replay.commands.refusals import retry_refused
from simpleflow_lab.replay.commands.refused_cancels import warn_of_refused_cancel
from simpleflow_lab.replay.lines import Line, line_text
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.decisions import Decision, seconds
from simpleflow_lab.swf.fork_start import forked_from, tags_of_fork, tags_of_run
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.names import check_execution_options, check_name
from simpleflow_lab.task import WorkflowTask
from simpleflow_lab.workflow import (
    Workflow,
    check_runnable,
    define_renamed_workflow,
    input_of,
    is_replaced_workflow,
    priority_of,
)


def _start(command: Command) -> Decision:
    assert command.type is not None
    return decisions.start_child_workflow_execution(
        workflow_id=command.id,
        name=command.type[0],
        version=command.type[1],
        input=command.input,
        control=command.control,
        **command.options,
    )


CHILD: Final = CommandKind(
    name="child workflow",
    build=_start,
    id_attribute="workflowId",
    has_unique_ids=True,
    is_followed=True,
)
CANCEL_CHILD: Final = CommandKind(
    name="cancel of child workflow",
    build=lambda command: decisions.request_cancel_external_workflow_execution(
        workflow_id=command.id, control=command.control
    ),
    id_attribute="workflowId",
    input_attribute=None,
    is_followed=True,
)


_WRITTEN_AS: Final = {
    "execution_start_to_close_timeout": "execution_timeout",
    "task_start_to_close_timeout": "decision_tasks_timeout",
}
"""Options by the names of the attributes of a workflow, where they differ from SWF's."""
_INHERITED: Final = {
    "execution_start_to_close_timeout": "executionStartToCloseTimeout",
    "task_start_to_close_timeout": "taskStartToCloseTimeout",
    "child_policy": "childPolicy",
}
"""Options that a child has of its parent, by the attributes with which that was started, if its class says nothing."""


def _text_of(arguments: tuple[list[Any], dict[str, Any]]) -> str:
    """The whole arguments as JSON, to compare them."""
    args, kwargs = arguments
    return encode([all_loaded(args), all_loaded(kwargs)])


class Children(AttemptedTasks):
    """The child workflow executions of one run."""

    kind = CHILD

    def __init__(self, run: ReplayedRun) -> None:
        super().__init__(run)
        self._submitted: dict[Command, tuple[Any, Any]] = {}
        """The type and the arguments with which a child was submitted that is retried as another task."""

    # -- what the author's code does --

    def submit(self, task: WorkflowTask, line: Line | None) -> Future:
        """Take a child workflow. Its number is reserved now, though its arguments may be ready later."""
        run, workflow = self._run, task.workflow
        if is_replaced_workflow(workflow):
            self.refuse_replaced("workflow", workflow.type_name(), workflow.type_version(), line)
        check_runnable(workflow)
        define_renamed_workflow(workflow)
        check_name(task.workflow.type_name(), "Name", "the name of a workflow")
        check_name(task.workflow.type_version(), "Version", f"workflow {task.workflow.type_name()}: the version")
        if isinstance(inspect.getattr_static(workflow, "run"), types.FunctionType):  # else `self` may not be its first
            self.check_arguments(workflow.type_name(), workflow.run, (None, *task.args), task.kwargs, line)
        captured = CapturedArguments((task.args, task.kwargs))
        future = run.new_future("", raises=task.raises_on_failure, canceler=self.cancel)
        # Reserved also for a class that may give an id of its own when the arguments are ready.
        numbered = None if task.idempotent else run.ids.child_id(task.name, run.ids.next_number(task.name))
        if not hasattr(task.workflow, "get_workflow_id"):
            future.task_id = numbered

        def proceed() -> None:
            args, kwargs = captured.value
            child_id = (
                future.task_id
                or task.workflow_id(all_loaded(args), all_loaded(kwargs))
                or numbered
                or run.ids.child_id(
                    task.name,
                    run.ids.of_arguments(task.name, all_loaded(args), all_loaded(kwargs), rules=run.rules),
                )
            )
            check_name(child_id, "WorkflowId", f"the workflow id of a child {task.name}")
            same = self._by_id.get(child_id)
            if same is not None:
                self._check_same(same, task, (args, kwargs), line)
            self._command_once(child_id, future, line, captured, lambda: self.members_of(task, args, kwargs))

        captured.when_ready(run, future, proceed)
        return future

    def _check_same(
        self, same: Command, task: WorkflowTask, given: tuple[list[Any], dict[str, Any]], line: Line | None
    ) -> None:
        """Fail the decision for a child that has the id of this earlier one and another type or input.

        Decisions that were made before are replayed as they are: the history has what came of them.
        """
        kind = (task.workflow.type_name(), task.workflow.type_version())
        if self._run.is_replaying:
            return
        submitted = self._submitted.get(same)
        for type, arguments in ((same.type, same.arguments), *([] if submitted is None else [submitted])):
            if type == kind and _text_of(arguments) == _text_of(given):
                return
        error = SameChildError(kind[0], same.id, None if line is None else line_text(line))
        self._run.fail_decision(error)
        raise error

    def change(self, command: Command, task: Any) -> None:
        """See `AttemptedTasks`. What it was submitted as stays known: that may be submitted again."""
        self._submitted.setdefault(command, (command.type, command.arguments))
        super().change(command, task)

    def members_of(self, task: WorkflowTask, args: list[Any], kwargs: dict[str, Any]) -> Members:
        """See `AttemptedTasks`."""
        workflow = task.workflow
        return {
            "task": task,
            "type": (workflow.type_name(), workflow.type_version()),
            "alias": workflow.class_name(),
            "input": self._run.fields.encode_input(
                input_of(workflow, args, kwargs), f"input of {workflow.type_name()}"
            ),
            "arguments": (args, kwargs),
            "options": _options_of(task, all_loaded(args), all_loaded(kwargs), self._run.started.attributes),
        }

    def upstream_asks_again(self, cause: str) -> bool:
        """See `AttemptedTasks`."""
        return cause == "WORKFLOW_TYPE_DOES_NOT_EXIST"

    def fork(self, command: Command, input: str) -> None:
        """Let the attempts that a fork commands anew be forks themselves: of the child that its origin had, which this
        input names."""
        origin = forked_from({"input": input})
        command.input = input
        if origin is not None:
            tags = tags_of_fork(command.options.get("tag_list"), origin.run_id)
            command.options = {**command.options, "tag_list": tags or None}

    def request_cancel(self, command: Command, line: Line | None) -> None:
        """Request that SWF cancel a child; for one that does not run yet, as soon as it does."""
        if command.started:
            self._run.enqueue_own(Command(CANCEL_CHILD, command.id, of=command, line=line))

    # -- what the history says --

    def started(self, command: Command, event: HistoryEvent) -> None:
        """The child runs: only now a cancel request can be sent."""
        command.started = True
        if command.cancel_requested:
            self.request_cancel(command, command.line)

    def terminated(self, command: Command, event: HistoryEvent) -> None:
        """The child was terminated."""
        self._attempt_failed(command, event, TaskTerminated())

    def canceled(self, command: Command, event: HistoryEvent) -> None:
        """The child closed as canceled: as the author wanted it, or else as a failure that is not retried."""
        error = TaskCanceled(self._run.fields.text(event.attributes.get("details")))
        if command.cancel_requested:
            command.future.set_cancelled(error)
        else:
            self._attempt_failed(command, event, error, final=True)

    def cancel_refused(self, command: Command, event: HistoryEvent) -> None:
        """SWF refused to cancel a child; `command` is the cancel request."""
        cause = str(event.attributes.get("cause"))
        task = command.of
        if task is None or retry_refused(self._run, command, cause):
            return
        # A child that is unknown has closed, and an event of its own says how.
        if cause != "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION":
            task.cancel_requested = False  # it goes on, and may be canceled again
            warn_of_refused_cancel(self._run, command, cause)


def _options_of(
    task: WorkflowTask, args: Sequence[Any], kwargs: Mapping[str, Any], parent: Mapping[str, Any]
) -> dict[str, Any]:
    """Further arguments of a child's decision; `parent` are the attributes with which its parent was started."""
    workflow = task.workflow
    tags = task.tag_list(args, kwargs)
    if tags == Workflow.INHERIT_TAG_LIST:
        tags = tags_of_run(parent.get("tagList"))
    own = {
        "task_list": task.task_list(args, kwargs) or parent["taskList"]["name"],
        "task_priority": priority_of(task.task_priority, workflow.task_priority),
        "tag_list": tags or None,
        "execution_start_to_close_timeout": _seconds_given(workflow.execution_timeout),
        "task_start_to_close_timeout": _seconds_given(workflow.decision_tasks_timeout),
        "child_policy": workflow.child_policy,
        "lambda_role": workflow.lambda_role,
    }
    check_execution_options(f"child {task.name}: ", own, _WRITTEN_AS)
    return {
        **own,
        "tag_list": list(tags) if tags else None,
        **{option: own[option] or parent.get(attribute) for option, attribute in _INHERITED.items()},
    }


def _seconds_given(value: Any) -> str | None:
    """A timeout of a class as SWF writes it; `None` is that of the parent."""
    return None if value is None else seconds(value)
