"""The mixin of workflows with steps: `class Import(Workflow, WorkflowStepMixin)`."""

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

    Force or skip steps before they are submitted: a step decides whether it runs when it is reached.
    """

    # -- where and how the notes of steps done are kept: for subclasses to override --

    def get_step_bucket(self) -> str | None:
        """The S3 bucket of the notes, as "bucket" or "host/bucket".

        `None` means the activity worker's setting `STEP_BUCKET`, or without that the Lab's own object storage.
        """
        return None

    def get_step_path_prefix(self) -> str:
        """The prefix of the notes' keys in the bucket.

        By default it is made from the workflow id, so a later execution with the same id skips what this one did.
        """
        workflow: Any = self
        return f"{workflow.get_run_context()['workflow_id']}/steps/"

    def get_step_activity_params(self) -> dict[str, Any]:
        """Attributes of the two activities that read and write the notes; the others keep their defaults."""
        return {}

    # -- forced and skipped steps --

    def add_forced_steps(self, steps: Iterable[str] | str, reason: str | None = None) -> None:
        """Do these steps even if they are done or skipped.

        :param steps: names, or one name; "a" covers "a.b" too, and "*" covers all.
        :param reason: why; it is recorded in the steps' markers.
        """
        _add(self.steps_forced_reasons, steps, reason)

    def get_forced_steps(self) -> list[str]:
        """The names of forced steps, in the order they were forced."""
        return list(self.steps_forced_reasons)

    def add_skipped_steps(self, steps: Iterable[str] | str, reason: str | None = None) -> None:
        """Skip these steps, done or not, unless they are forced. The arguments are those of `add_forced_steps`."""
        _add(self.steps_skipped_reasons, steps, reason)

    def get_skipped_steps(self) -> list[str]:
        """The names of skipped steps, in the order they were skipped."""
        return list(self.steps_skipped_reasons)

    @cached_property
    def steps_forced_reasons(self) -> dict[str, list[str]]:
        """The reasons, by the name of the forced step."""
        return {}

    @cached_property
    def steps_skipped_reasons(self) -> dict[str, list[str]]:
        """The reasons, by the name of the skipped step."""
        return {}

    # -- steps --

    def step(self, *args: Any, **kwargs: Any) -> Step:
        """A step to submit; the arguments are those of `Step`."""
        return Step(*args, **kwargs)

    def get_steps_done(self) -> list[str]:
        """Names of the steps that were done when this run first read them; waits for the activity that reads them."""
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


def _add(reasons_by_step: dict[str, list[str]], steps: Iterable[str] | str, reason: str | None) -> None:
    """Add steps and a reason; a string is the name of one step, not a sequence of names."""
    names = [steps] if isinstance(steps, str) else list(steps)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"{name!r} is no name of a step: force or skip names, as in ['load', 'clean.rows']")
        reasons = reasons_by_step.setdefault(name, [])
        if reason and reason not in reasons:
            reasons.append(reason)
