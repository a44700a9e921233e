"""A step as something to submit: what it holds runs unless it is done already.

It is ordinary sequential code in a strand of its own: read what is done, decide, and submit one after the other. The
decision falls when its turn comes, from what the history has and what the workflow said until then, so it is the same
in every replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from simpleflow_lab import canvas
from simpleflow_lab.canvas import GroupFuture, Submittable, SubmittableContainer, Submitter
from simpleflow_lab.exceptions import AggregateException, UsageError
from simpleflow_lab.futures import Future
from simpleflow_lab.step import rules
from simpleflow_lab.step.constants import STEP_MARKER
from simpleflow_lab.step.tasks import MarkStepDoneTask, note_key, step_activity

SIGNAL_PREFIX: Final = "step."
_MAX_NAME: Final = 256 - len(SIGNAL_PREFIX)
"""Longest name of a step that sends a signal: SWF takes 256 characters for a signal's name."""


class Step(SubmittableContainer):
    """A part of a workflow that is skipped when an earlier execution has done it.

    Its future is done when the step is; the result is `[names of the steps done before, [results of its parts]]`. A
    step of which anything failed, at any depth, is not done: its note is not written, and what comes after its
    activities is left out.
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
        :param bubbles_exception_on_failure: reading the result raises an `AggregateException` if anything failed; if
            not, it does only for activities with `raises_on_failure`.

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
        future = executor.new_future(GroupFuture, raises=self.bubbles_exception_on_failure)
        assert isinstance(future, GroupFuture)
        executor.spawn(future, lambda: self._one_by_one(executor, workflow, future))
        return future

    def _one_by_one(self, executor: Submitter, workflow: Any, future: GroupFuture) -> list[Any]:
        listed = canvas.submit(executor, workflow.get_steps_done_activity())
        future.futures.append(listed)
        listed.wait()
        if _failure(listed) is None:
            for part in self._parts(workflow, done=listed.result):
                current = part(executor)
                future.futures.append(current)
                current.wait()
                if _failure(current) is not None:
                    break
        first, *rest = _results(future)
        return [first, rest]

    def _parts(self, workflow: Any, *, done: list[str]) -> list[Callable[[Submitter], Future]]:
        """What this step submits, in this order."""
        forced, skipped = workflow.get_forced_steps(), workflow.get_skipped_steps()
        parts: list[Submittable]
        if rules.will_run(self.step_name, forced=forced, skipped=skipped, done=done, force=self.force):
            is_forced = self.force or rules.covered(self.step_name, forced)
            reasons = rules.reasons_of(self.step_name, workflow.steps_forced_reasons) if is_forced else []
            workflow.add_forced_steps(self.force_steps_if_executed, f"Dep of {self.step_name}")
            parts = [
                self._marker(workflow, "scheduled", forced=is_forced, reasons=reasons),
                self.activities,
                (
                    step_activity(MarkStepDoneTask, **workflow._get_step_activity_params()),
                    workflow.get_step_bucket(),
                    workflow.get_step_path_prefix(),
                    self.step_name,
                ),
                self._marker(workflow, "completed", forced=is_forced, reasons=reasons),
            ]
        else:
            is_forced = rules.covered(self.step_name, skipped)
            said = rules.reasons_of(self.step_name, workflow.steps_skipped_reasons)
            reasons = said if is_forced else ["Step was already played"]
            instead = self.activities_if_step_already_done
            parts = [
                *([instead] if instead is not None else []),
                self._marker(workflow, "skipped", forced=is_forced, reasons=reasons),
            ]
        if self.emit_signal:
            parts.append(workflow.signal(f"{SIGNAL_PREFIX}{self.step_name}", propagate=False))
        authors = (self.activities, self.activities_if_step_already_done)
        return [self._submitting(part, authors=any(part is one for one in authors)) for part in parts]

    def _submitting(self, part: Submittable, *, authors: bool) -> Callable[[Submitter], Future]:
        """Submits one part; what a container around the step says of failures is meant for the author's parts."""
        alone = canvas.Group(part, raises_on_failure=self.raises_on_failure if authors else None)
        return lambda executor: alone._submit_member(executor, alone.members[0])

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
    """Why it, or anything in it, failed; without counting as somebody who noticed."""
    error = future.peek_exception()
    if error is None and isinstance(future, GroupFuture):
        errors = [_failure(member) for member in future.futures]
        return AggregateException(errors) if any(one is not None for one in errors) else None
    return error


def _results(future: GroupFuture) -> list[Any]:
    """The results of the parts, `None` for one that failed. Raises an aggregate of the errors if one raises."""
    errors = [_failure(part) for part in future.futures]
    raising = any(part.raises and part.peek_exception() is not None for part in future.futures)
    if any(error is not None for error in errors) and (future.raises or raising):
        _notice(future)
        raise AggregateException(errors)
    return [part.result if part.peek_exception() is None else None for part in future.futures]


def _notice(future: Future) -> None:
    """Whoever reads the step's error is told of all in it."""
    if future.peek_exception() is not None:
        future.notice()
    for member in future.futures if isinstance(future, GroupFuture) else ():
        _notice(member)
