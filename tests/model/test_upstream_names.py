"""What an author's program imports from upstream is here under the same name, by word for word the same import."""

from __future__ import annotations

import pytest

from simpleflow_lab import Workflow

IMPORTS = """
from simpleflow_lab import Activity, WaitForSignal, Workflow, activity, exceptions, futures, logger, swf, task
from simpleflow_lab import canvas, constants, history, log, marker, registry, signal, workflow
from simpleflow_lab.activity import PRIORITY_NOT_SET, Activity, with_attributes
from simpleflow_lab.base import Submittable, SubmittableContainer
from simpleflow_lab.canvas import Chain, FuncGroup, Group, GroupFuture
from simpleflow_lab.constants import DAY, HOUR, MINUTE
from simpleflow_lab.download import RemoteBinary, with_binaries
from simpleflow_lab.exceptions import AggregateException, ExecutionBlocked, ExecutionError, ExecutionTimeoutError
from simpleflow_lab.exceptions import TaskCanceled, TaskException, TaskFailed, TaskTerminated, TimeoutError
from simpleflow_lab.exceptions import WorkflowException
from simpleflow_lab.futures import CANCELLED, FINISHED, PENDING, RUNNING, Future, wait
from simpleflow_lab.execute import program, python
from simpleflow_lab.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from simpleflow_lab.history import History
from simpleflow_lab.local import Executor
from simpleflow_lab.local.executor import Executor
from simpleflow_lab.log import BLUE, END, GREEN, ORANGE, RED, YELLOW
from simpleflow_lab.marker import Marker
from simpleflow_lab.metrology import MetrologyTask, MetrologyWorkflow
from simpleflow_lab.registry import Registry, registry
from simpleflow_lab.signal import WaitForSignal
from simpleflow_lab.step.submittable import Step
from simpleflow_lab.step.workflow import WorkflowStepMixin
from simpleflow_lab.swf.executor import Executor
from simpleflow_lab.swf.task import ActivityTask, CancelTimerTask, ContinueAsNewWorkflowTask, MarkerTask
from simpleflow_lab.swf.task import NonPythonicActivityTask, SignalTask, SwfTask, TimerTask, WorkflowTask
from simpleflow_lab.task import ActivityTask, CancelTimerTask, ChildWorkflowTask, MarkerTask, SignalTask, Task
from simpleflow_lab.task import TaskFailureContext, TimerTask, WorkflowTask
from simpleflow_lab.workflow import Workflow
"""


@pytest.mark.parametrize("line", IMPORTS.split("\n")[1:-1])
def test_it_can_be_imported(line: str) -> None:
    exec(line, {})


def test_upstreams_swf_package_has_its_executor_as_soon_as_the_package_is_imported() -> None:
    from simpleflow_lab import swf

    assert swf.executor.Executor is not None
    assert swf.task.WorkflowTask is not None


def test_an_activity_is_found_by_its_name_in_upstreams_registry() -> None:
    from simpleflow_lab.registry import registry

    from simpleflow_lab import activity

    @activity.with_attributes(name="upstream_names.found")
    def found():
        pass

    assert registry[None]["upstream_names.found"] is found


def test_the_former_name_of_the_run_context_still_works_and_says_its_new_one() -> None:
    class Executor:
        def run_context(self):
            return {"name": "x"}

    with pytest.warns(DeprecationWarning, match="get_run_context"):
        assert Workflow(Executor()).get_execution_context() == {"name": "x"}
