"""A step as something to submit: what it holds runs unless it is done already.

A step is ordinary sequential code in a fiber of its own: it reads which steps are done, decides whether it runs, and
submits its parts one after the other. It decides when it is reached, from the history and from the steps that the
workflow forced or skipped until then, so the decision is the same in every replay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from simpleflow_lab import canvas
from simpleflow_lab.canvas import GroupFuture, Submittable, SubmittableContainer, Submitter
from simpleflow_lab.data.references import list_of_results
from simpleflow_lab.exceptions import AggregateException, UsageError
from simpleflow_lab.futures import FINISHED, Future
from simpleflow_lab.step import rules
from simpleflow_lab.step.constants import STEP_MARKER
from simpleflow_lab.step.tasks import MarkStepDoneTask, note_key, step_activity
from simpleflow_lab.task import Task

SIGNAL_PREFIX: Final = "step."
_MAX_NAME: Final = 256 - len(SIGNAL_PREFIX)
"""Longest name of a step that sends a signal: SWF takes 256 characters for a signal's name."""


class StepFuture(GroupFuture):
    """The future of a step. Its result is `[names of the steps done before, [results of its parts]]`."""

    __slots__ = ("failure",)

    failure: AggregateException | None
    """The failures in it, whether or not it raises them: one slot for each part."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.failure = None

    def close_as_members(self, *, bubbles: bool) -> None:
        """Close it as its parts have closed.

        It has an exception if a part with `raises_on_failure` failed, and with `bubbles` if any part failed.
        """
        if self.done:
            return  # canceled by the author meanwhile
        errors = [_failure(part) for part in self.futures]
        if any(error is not None for error in errors):
            self.failure = AggregateException(errors)
        self._raises = any(part.raises and part.peek_exception() is not None for part in self.futures)
        self._close(FINISHED, self.results, self.failure if bubbles or self._raises else None)

    @property
    def results(self) -> list[Any]:
        """Its result as far as it goes, `None` for what failed and raises, or is not done; does not wait."""
        raising = [part.raises and part.peek_exception() is not None for part in self.futures]
        values = [
            part.passed_on() if part.done and not raises else None
            for part, raises in zip(self.futures, raising, strict=True)
        ]
        return list_of_results([*values[:1], list_of_results(values[1:])])

    def mark_handled(self) -> None:
        """Mark the failure as handled, and with it every failure in the step."""
        super().mark_handled()
        for part in self.futures:
            _mark_handled(part)


class Step(SubmittableContainer):
    """A part of a workflow that is skipped when an earlier execution has done it.

    A step whose activities failed, or hold a step that did, is not done: its note is not written, and what comes after
    its activities is left out.
    """

    def __init__(
        self,
        step_name: str,
        activities: Submittable,
        force: bool = False,
        activities_if_step_already_done: Submittable | None = None,
        emit_signal: bool = False,
        force_steps_if_executed: Iterable[str] | str | None = None,
        bubbles_exception_on_failure: bool = False,
    ) -> None:
        """
        :param step_name: its name, which must never change. Forcing or skipping "a" covers "a.b", too.
        :param activities: anything that can be submitted, or a tuple of it and its arguments; for several, a `Group`
            or `Chain`.
        :param force: do it even if it is done.
        :param activities_if_step_already_done: what to do if the step is skipped.
        :param emit_signal: when the step ends, done or skipped, send this execution the signal `step.<step_name>`.
        :param force_steps_if_executed: steps to force from then on if this one is not skipped.
        :param bubbles_exception_on_failure: its future has an `AggregateException` if anything failed, which breaks a
            chain around it; if not, it has one only of activities with `raises_on_failure`, and then raises it.

        Raises `UsageError` for a name that can't be one.
        """
        _check_name(step_name, emit_signal=emit_signal)
        self.step_name = step_name
        self.activities = activities
        self.force = force
        self.activities_if_step_already_done = activities_if_step_already_done
        self.emit_signal = emit_signal
        self.force_steps_if_executed = force_steps_if_executed or []
        self.bubbles_exception_on_failure = bubbles_exception_on_failure
        self.raises_on_failure: bool | None = None
        """Overrides it for every activity and child in here; `None` leaves each its own."""

    def __repr__(self) -> str:
        return f"<Step {self.step_name}>"

    def submit(self, executor: Submitter) -> Future:
        """Submit what has to be done, one after the other."""
        workflow: Any = getattr(executor, "workflow", None)
        if not hasattr(workflow, "get_steps_done_activity"):
            kind = type(workflow).__name__
            raise UsageError(f"{kind} has no steps: write class {kind}(Workflow, WorkflowStepMixin)")
        # Checked here, not after hours of work whose completion then can't be recorded.
        note_key(workflow.get_step_bucket(), workflow.get_step_path_prefix(), self.step_name)
        future = executor.new_future(StepFuture, raises=False)
        assert isinstance(future, StepFuture)
        finished = executor.new_future(Future, raises=False)

        def close(_: Future) -> None:
            error = finished.peek_exception()
            if error is None:
                future.close_as_members(bubbles=self.bubbles_exception_on_failure)
            elif finished.cancelled:  # with the execution, while it waited; `run` gets the error, too
                future.mark_handled()
                future.set_cancelled(error)
            else:  # not of a part: what makes the parts failed, such as the function of a FuncGroup
                finished.mark_handled()
                future.set_exception(error, raises=True)

        finished.add_done_callback(close)
        executor.spawn(finished, lambda: self._one_by_one(executor, workflow, future), type(self).__name__)
        return future

    def _one_by_one(self, executor: Submitter, workflow: Any, future: StepFuture) -> None:
        list_of_results = canvas.submit(executor, workflow.get_steps_done_activity())
        future.futures.append(list_of_results)
        list_of_results.wait()
        if list_of_results.peek_exception() is not None:
            return
        for part in self._parts(workflow, done=list_of_results.result):
            if future.done:
                return  # canceled by the author meanwhile
            current = canvas.submit(executor, part)
            future.futures.append(current)
            current.wait()
            if _failure(current) is not None:
                return

    def _parts(self, workflow: Any, *, done: list[str]) -> list[Task | SubmittableContainer]:
        """The tasks that this step submits, in this order."""
        forced, skipped = workflow.get_forced_steps(), workflow.get_skipped_steps()
        parts = canvas.Chain()
        if rules.will_run(self.step_name, forced=forced, skipped=skipped, done=done, force=self.force):
            is_forced = self.force or rules.covered(self.step_name, forced)
            reasons = rules.reasons_of(self.step_name, workflow.steps_forced_reasons) if is_forced else []
            workflow.add_forced_steps(self.force_steps_if_executed, f"Dep of {self.step_name}")
            parts.extend(
                [
                    self._marker(workflow, "scheduled", forced=is_forced, reasons=reasons),
                    self._authors(self.activities),
                    (
                        step_activity(MarkStepDoneTask, **workflow._get_step_activity_params()),
                        workflow.get_step_bucket(),
                        workflow.get_step_path_prefix(),
                        self.step_name,
                    ),
                    self._marker(workflow, "completed", forced=is_forced, reasons=reasons),
                ]
            )
        else:
            is_forced = rules.covered(self.step_name, skipped)
            skip_reasons = rules.reasons_of(self.step_name, workflow.steps_skipped_reasons)
            reasons = skip_reasons if is_forced else ["Step was already played"]
            if self.activities_if_step_already_done is not None:
                parts.append(self._authors(self.activities_if_step_already_done))
            parts.append(self._marker(workflow, "skipped", forced=is_forced, reasons=reasons))
        if self.emit_signal:
            parts.append(workflow.signal(f"{SIGNAL_PREFIX}{self.step_name}", propagate=False))
        return parts.members

    def _authors(self, submittable: Submittable) -> Task | SubmittableContainer:
        """The author's activities, with the `raises_on_failure` of a container around the step."""
        [given] = canvas.Chain(submittable).members
        member: Task | SubmittableContainer = canvas.as_member(given, self.raises_on_failure)
        return member

    def _marker(self, workflow: Any, status: str, *, forced: bool, reasons: list[str]) -> Submittable:
        details = {"step": self.step_name, "status": status, "forced": forced, "reasons": reasons}
        return workflow.record_marker(STEP_MARKER, details)


def _check_name(step_name: object, *, emit_signal: bool) -> None:
    """Raise `UsageError` for a value that can't be the name of a step."""
    if not isinstance(step_name, str) or not step_name or not step_name.isprintable():
        raise UsageError(f"{step_name!r} can't name a step: write it in printable characters, in one line")
    if emit_signal and len(step_name) > _MAX_NAME:
        raise UsageError(
            f"step {step_name[:40]}… has {len(step_name)} characters: with emit_signal its name may have {_MAX_NAME}, "
            "for SWF takes no longer name of a signal"
        )


def _failure(future: Future) -> BaseException | None:
    """The error of a future or of a step in it, without marking it as handled."""
    error = future.peek_exception()
    return error if error is not None else _failure_of_steps(future)


def _failure_of_steps(future: Future) -> AggregateException | None:
    """The failures of the steps in it: one that failed without raising keeps its container from being done, too."""
    if isinstance(future, StepFuture):
        return future.failure
    inner = [_failure_of_steps(member) for member in future.futures] if isinstance(future, GroupFuture) else []
    return AggregateException(inner) if any(error is not None for error in inner) else None


def _mark_handled(future: Future) -> None:
    """Mark a failure as handled, and with it those of the members."""
    future.mark_handled()
    if isinstance(future, GroupFuture) and not isinstance(future, StepFuture):
        for member in future.futures:
            _mark_handled(member)
