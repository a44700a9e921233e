"""What a workflow with steps has: `class Import(Workflow, WorkflowStepMixin)`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.step.constants import STEP_ACTIVITY_PARAMS_DEFAULT
from simpleflow_lab.step.submittable import Step
from simpleflow_lab.step.tasks import GetStepsDoneTask, step_activity
from simpleflow_lab.task import ActivityTask


class WorkflowStepMixin:
    """Steps for a workflow, as its second base class.

    Say what to force or skip before the steps are submitted: a step decides when its turn comes.
    """

    # -- where and how the notes of steps done are kept: for subclasses to override --

    def get_step_bucket(self) -> str | None:
        """The S3 bucket of the notes, as "bucket" or "host/bucket".

        `None` is for `STEP_BUCKET` of who runs the activities, or else where the Lab keeps its objects.
        """
        return None

    def get_step_path_prefix(self) -> str:
        """Where in the bucket the notes are.

        By default it is made from the workflow id, so a later execution with the same id skips what this one did.
        """
        workflow: Any = self
        return f"{workflow.get_run_context()['workflow_id']}/steps/"

    def get_step_activity_params(self) -> dict[str, Any]:
        """Attributes of the two activities that read and write the notes; the others keep their defaults."""
        return {}

    # -- what to do and what not --

    def add_forced_steps(self, steps: Iterable[str] | str, reason: str | None = None) -> None:
        """Do these steps even if they are done or skipped.

        :param steps: names, or one name; "a" covers "a.b" too, and "*" covers all.
        :param reason: why; it is told in the steps' markers.
        """
        _add(self.steps_forced_reasons, steps, reason)

    def get_forced_steps(self) -> list[str]:
        """What is forced, as it was said, in that order."""
        return list(self.steps_forced_reasons)

    def add_skipped_steps(self, steps: Iterable[str] | str, reason: str | None = None) -> None:
        """Skip these steps, done or not, unless they are forced. The arguments are those of `add_forced_steps`."""
        _add(self.steps_skipped_reasons, steps, reason)

    def get_skipped_steps(self) -> list[str]:
        """What is skipped, as it was said, in that order."""
        return list(self.steps_skipped_reasons)

    @cached_property
    def steps_forced_reasons(self) -> dict[str, list[str]]:
        """From what is forced to the reasons given."""
        return {}

    @cached_property
    def steps_skipped_reasons(self) -> dict[str, list[str]]:
        """From what is skipped to the reasons given."""
        return {}

    # -- steps --

    def step(self, *args: Any, **kwargs: Any) -> Step:
        """A step to submit; the arguments are those of `Step`."""
        return Step(*args, **kwargs)

    def get_steps_done(self) -> list[str]:
        """Names of the steps that were done when this run first asked; waits for the activity that reads them."""
        workflow: Any = self
        found: list[str] = workflow.submit(self.get_steps_done_activity()).result
        return found

    def get_steps_done_activity(self) -> ActivityTask:
        """The task whose result is the list of the steps done."""
        reading = step_activity(GetStepsDoneTask, **self._get_step_activity_params())
        return ActivityTask(reading, self.get_step_bucket(), self.get_step_path_prefix())

    def _get_step_activity_params(self) -> dict[str, Any]:
        task_list = getattr(self, "task_list", None)
        return {
            **STEP_ACTIVITY_PARAMS_DEFAULT,
            **({"task_list": task_list} if task_list is not None else {}),
            **(self.get_step_activity_params() or {}),
        }


def _add(said: dict[str, list[str]], steps: Iterable[str] | str, reason: str | None) -> None:
    """A string is one step: its characters are none."""
    names = [steps] if isinstance(steps, str) else list(steps)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"{name!r} is no name of a step: force or skip names, as in ['load', 'clean.rows']")
        reasons = said.setdefault(name, [])
        if reason and reason not in reasons:
            reasons.append(reason)
