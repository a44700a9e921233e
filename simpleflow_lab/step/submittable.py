"""A step as something to submit: what it holds runs unless it is done already.

It is ordinary sequential code in a strand of its own: read what is done, decide, and submit one after the other. The
decision falls when its turn comes, from what the history has and what the workflow said until then, so it is the same
in every replay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from simpleflow_lab import canvas
from simpleflow_lab.canvas import GroupFuture, Submittable, SubmittableContainer, Submitter
from simpleflow_lab.data.references import listed
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
    """What failed in it, whether or not it tells: one slot for each part."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.failure = None

    def settle(self, *, bubbles: bool) -> None:
        """Close it as its parts have closed: with an exception if one failed that is to raise, or any if it bubbles."""
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
        return listed([*values[:1], listed(values[1:])])

    def mark_handled(self) -> None:
        """Whoever is told of the step's failure is told of all in it."""
        super().mark_handled()
        for part in self.futures:
            _notice(part)


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
    ):
        """
        :param step_name: names it for ever. "a.b" is a step of "a" for those who force or skip "a".
        :param activities: what to do: anything that can be submitted, or a tuple of it and its arguments; for several,
            a `Group` or `Chain`.
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
        # Now, and not when the work of hours is done and can't be noted.
        note_key(workflow.get_step_bucket(), workflow.get_step_path_prefix(), self.step_name)
        future = executor.new_future(StepFuture, raises=False)
        assert isinstance(future, StepFuture)
        strand = executor.new_future(Future, raises=False)

        def settle(_: Future) -> None:
            error = strand.peek_exception()
            if error is None:
                future.settle(bubbles=self.bubbles_exception_on_failure)
            elif strand.cancelled:  # with the execution, while it stood still; `run` is told, too
                future.mark_handled()
                future.set_cancelled(error)
            else:  # not of a part: what makes the parts failed, such as the function of a FuncGroup
                strand.mark_handled()
                future.set_exception(error, raises=True)

        strand.add_done_callback(settle)
        executor.spawn(strand, lambda: self._one_by_one(executor, workflow, future))
        return future

    def _one_by_one(self, executor: Submitter, workflow: Any, future: StepFuture) -> None:
        listed = canvas.submit(executor, workflow.get_steps_done_activity())
        future.futures.append(listed)
        listed.wait()
        if listed.peek_exception() is not None:
            return
        for part in self._parts(workflow, done=listed.result):
            if future.done:
                return  # canceled by the author meanwhile
            current = canvas.submit(executor, part)
            future.futures.append(current)
            current.wait()
            if _failure(current) is not None:
                return

    def _parts(self, workflow: Any, *, done: list[str]) -> list[Task | SubmittableContainer]:
        """What this step submits, in this order."""
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
            said = rules.reasons_of(self.step_name, workflow.steps_skipped_reasons)
            reasons = said if is_forced else ["Step was already played"]
            if self.activities_if_step_already_done is not None:
                parts.append(self._authors(self.activities_if_step_already_done))
            parts.append(self._marker(workflow, "skipped", forced=is_forced, reasons=reasons))
        if self.emit_signal:
            parts.append(workflow.signal(f"{SIGNAL_PREFIX}{self.step_name}", propagate=False))
        return parts.members

    def _authors(self, submittable: Submittable) -> Task | SubmittableContainer:
        """What the author gave, with what a container around the step says of failures."""
        [given] = canvas.Chain(submittable).members
        member: Task | SubmittableContainer = canvas.as_member(given, self.raises_on_failure)
        return member

    def _marker(self, workflow: Any, status: str, *, forced: bool, reasons: list[str]) -> Submittable:
        details = {"step": self.step_name, "status": status, "forced": forced, "reasons": reasons}
        return workflow.record_marker(STEP_MARKER, details)


def _check_name(step_name: object, *, emit_signal: bool) -> None:
    """Raises `UsageError` for what can't name a step."""
    if not isinstance(step_name, str) or not step_name or not step_name.isprintable():
        raise UsageError(f"{step_name!r} can't name a step: write it in printable characters, in one line")
    if emit_signal and len(step_name) > _MAX_NAME:
        raise UsageError(
            f"step {step_name[:40]}… has {len(step_name)} characters: with emit_signal its name may have {_MAX_NAME}, "
            "for SWF takes no longer name of a signal"
        )


def _failure(future: Future) -> BaseException | None:
    """Why it failed, or a step in it did; without counting as somebody who noticed."""
    error = future.peek_exception()
    return error if error is not None else _failure_of_steps(future)


def _failure_of_steps(future: Future) -> AggregateException | None:
    """What failed in the steps in it: one that keeps its failure to itself is not done, and so what holds it isn't."""
    if isinstance(future, StepFuture):
        return future.failure
    inner = [_failure_of_steps(member) for member in future.futures] if isinstance(future, GroupFuture) else []
    return AggregateException(inner) if any(error is not None for error in inner) else None


def _notice(future: Future) -> None:
    """Somebody is told of its failure, and of those in it."""
    future.mark_handled()
    if isinstance(future, GroupFuture) and not isinstance(future, StepFuture):
        for member in future.futures:
            _notice(member)
