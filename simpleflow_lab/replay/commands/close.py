"""The close of the execution: completed, failed, canceled, or continued as new."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from simpleflow_lab.data.failure_details import same_reason
from simpleflow_lab.exceptions import TaskFailed
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.captured_arguments import CapturedArguments
from simpleflow_lab.replay.command import CLOSE_KIND, Command, CommandKind
from simpleflow_lab.replay.json_texts import same_json
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.fork_start import tags_of_run
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_REASON
from simpleflow_lab.task import ContinueAsNewWorkflowTask
from simpleflow_lab.workflow import input_of

_BUILDERS: Final[dict[str, Callable[..., Decision]]] = {
    "CompleteWorkflowExecution": decisions.complete_workflow_execution,
    "FailWorkflowExecution": decisions.fail_workflow_execution,
    "CancelWorkflowExecution": decisions.cancel_workflow_execution,
    "ContinueAsNewWorkflowExecution": decisions.continue_as_new_workflow_execution,
}


_ADDRESS: Final = re.compile(r"(?<=\b0x)[0-9a-fA-F]{6,}")


def _is_same(event: HistoryEvent, command: Command) -> bool:
    if event.type != "WorkflowExecutionCompleted":
        return True
    return same_json(event.attributes.get("result"), command.options.get("result"))


def closes_otherwise(event: HistoryEvent, command: Command) -> tuple[str, str] | None:
    """The recorded close of a failed or continued execution, and that of this command; `None` if they are the same.

    For decisions of ours: other deciders word their reasons in other ways. Tracebacks, and the addresses of objects in
    a reason, differ from process to process and don't count.
    """
    recorded, options = event.attributes, command.options
    if event.type == "WorkflowExecutionContinuedAsNew":
        texts = str(recorded.get("input")), str(options.get("input"))
        return None if same_json(recorded.get("input"), options.get("input")) else texts
    if event.type != "WorkflowExecutionFailed":
        return None
    was, now = (str(given.get("reason") or "") for given in (recorded, options))
    if not same_reason(_ADDRESS.sub("", was), _ADDRESS.sub("", now)):
        return was, now
    one, other = recorded.get("details") or "", options.get("details") or ""
    if "Traceback (most recent call last)" in one + other or same_json(one, other) or not (one or other):
        return None
    return f"{was}, details: {one}", f"{now}, details: {other}"


CLOSE: Final = CommandKind(
    name=CLOSE_KIND,
    build=lambda command: _BUILDERS[command.id](**command.options),
    id_attribute=None,
    input_attribute="result",
    is_same=_is_same,
)
"""The id of such a command is its decision type."""


def close_with(
    run: ReplayedRun, decision_type: str, *, future: Future | None = None, line: Line | None = None, **options: Any
) -> None:
    """Close the execution with this decision, unless it has ended before; nothing is commanded afterwards.

    `future` is that of the author's task which closes it, and `line` the author's line, if there is one.
    """
    if run.closing is None:
        run.closing = Command(CLOSE, decision_type, future=future, line=line, options=options)
        run.pending.add(run.closing)


def continuing_refused(run: ReplayedRun, cause: str) -> None:
    """SWF refused for good to continue as new: the code gets the error where it waits for that, or else fails of it."""
    command = run.closing
    assert command is not None
    run.closing = None
    run.pending.remove(command)
    error = TaskFailed("continue_as_new", f"SWF refused it: {cause}")
    is_waited_for = bool(run.fibers.suspended)
    command.future.set_exception(error, raises=True)
    if not is_waited_for:
        close_with(run, "FailWorkflowExecution", reason=str(error)[:MAX_REASON])


class Closing:
    """The operations by which the author's code closes the execution of one run."""

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run

    def continue_as_new(self, task: ContinueAsNewWorkflowTask, line: Line | None) -> Future:
        """Close this run when the arguments are ready, and let SWF start the next one."""
        run = self._run
        captured = CapturedArguments((task.args, task.kwargs))
        future = run.new_future(task.name, raises=True, canceler=self.cancel)

        def proceed() -> None:
            args, kwargs = captured.value
            started = run.started.attributes
            # SWF falls back to the type's defaults and not to this run's values: so all of them are passed.
            close_with(
                run,
                "ContinueAsNewWorkflowExecution",
                future=future,
                input=run.fields.encode_input(input_of(task.workflow, args, kwargs), "input of the next run"),
                task_list=started["taskList"]["name"],
                task_priority=started.get("taskPriority"),
                execution_start_to_close_timeout=started.get("executionStartToCloseTimeout"),
                task_start_to_close_timeout=started.get("taskStartToCloseTimeout"),
                child_policy=started.get("childPolicy"),
                tag_list=tags_of_run(started.get("tagList")) or None,
                workflow_type_version=task.workflow.type_version(),
                lambda_role=started.get("lambdaRole"),
            )

        captured.when_ready(run, future, proceed)
        return future

    def cancel(self, future: Future) -> bool:
        """Cancel to continue as new, while the arguments are not ready."""
        if self._run.closing is not None:
            return False
        future.set_cancelled()
        return True
