"""Groups and chains: tasks side by side, and tasks in a row.

A container is submitted like a task and has one future. It is ordinary sequential code: a chain submits, waits, and
submits the next, in a strand of its own beside `run` (`Submitter.spawn`). Options of a container are its own and never
change the activities in it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeGuard

from simpleflow_lab.activity import Activity
from simpleflow_lab.exceptions import AggregateException, UsageError
from simpleflow_lab.futures import Future
from simpleflow_lab.jumbo import fetched, listed
from simpleflow_lab.task import ActivityTask, ChildWorkflowTask, Task, WorkflowTask


class Submitter(Protocol):
    """What takes tasks: the executor of a workflow."""

    def submit(self, task: Task) -> Future:
        """Take a task; gives its future at once."""

    def spawn(self, future: Future, body: Callable[[], Any]) -> None:
        """Run `body` in a strand of its own, now until it first waits; its result or error closes the future."""

    def new_future(self, future_class: type[Future], *, raises: bool) -> Future:
        """A future of a container, which waits as a task's does."""


def submit(executor: Submitter, submittable: Any, *args: Any, **kwargs: Any) -> Future:
    """Submit whatever can be submitted. Raises `TypeError` for what can't."""
    if isinstance(submittable, Activity):
        return executor.submit(ActivityTask(submittable, *args, **kwargs))
    if _is_workflow_class(submittable):
        return executor.submit(ChildWorkflowTask(submittable, *args, **kwargs))
    if isinstance(submittable, Task | SubmittableContainer):
        if args or kwargs:
            raise TypeError(f"{submittable!r} has its arguments already: submit it without any")
        return executor.submit(submittable) if isinstance(submittable, Task) else submittable.submit(executor)
    raise TypeError(
        f"{submittable!r} can't be submitted: it is no activity (decorate it with @activity.with_attributes(...)), "
        "workflow class, task, group or chain"
    )


def _is_workflow_class(submittable: Any) -> TypeGuard[type[Any]]:
    """By what it can do: `workflow.py` imports this module."""
    return inspect.isclass(submittable) and hasattr(submittable, "type_name")


class SubmittableContainer:
    """Something that submits other things and has one future for all of them."""

    def submit(self, executor: Submitter) -> Future:
        """Submit what it holds."""
        raise UsageError(f"{type(self).__name__} has no submit method")


Submittable = Any
"""An activity, a workflow class, a task, a container, or a tuple of an activity or workflow class and arguments."""


class GroupFuture(Future):
    """The future of a group or chain. Its result is the list of the results."""

    __slots__ = ("futures",)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.futures: list[Future] = []
        """The futures of its members, as far as they are submitted."""

    @property
    def count_finished_activities(self) -> int:
        """How many members are finished."""
        return sum(future.finished for future in self.futures)


class FuncGroup(SubmittableContainer):
    """A container made when its turn comes: `FuncGroup(func, *args)` submits what `func(*args)` gives.

    In a chain it sees, with `send_result`, the result before it, and so can fan out over it.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        *args: Any,
        raises_on_failure: bool | None = None,
        _allow_none: bool = False,
        **kwargs: Any,
    ):
        self.func = func
        self.args = list(args)
        self.kwargs = kwargs
        self.raises_on_failure = raises_on_failure
        self.allow_none = _allow_none

    def submit(self, executor: Submitter) -> Future:
        inner: object = self.func(*self.args, **self.kwargs)
        if inner is None and self.allow_none:
            inner = Group()
        if not isinstance(inner, SubmittableContainer):
            raise TypeError(f"{self.func!r} gave {inner!r} to a FuncGroup: return a Group, Chain or FuncGroup")
        if self.raises_on_failure is not None and isinstance(inner, _Members):
            inner.raises_on_failure = self.raises_on_failure
        return inner.submit(executor)


class _Members(SubmittableContainer):
    """A container with members."""

    default_future_class: type[GroupFuture] = GroupFuture

    def __init__(
        self,
        *submittables: Submittable,
        raises_on_failure: bool | None = None,
        bubbles_exception_on_failure: bool = False,
        future_class: type[GroupFuture] | None = None,
    ):
        self.raises_on_failure = raises_on_failure
        """Overrides it for every activity and child in here; `None` leaves each its own."""
        self.bubbles_exception_on_failure = bubbles_exception_on_failure
        """Reading the result raises an `AggregateException` if a member failed."""
        self.future_class = future_class or self.default_future_class
        self.members: list[Task | SubmittableContainer] = []
        self.extend(submittables)

    def append(self, submittable: Submittable, *args: Any, **kwargs: Any) -> None:
        """Add a member, with its arguments unless it has them."""
        if isinstance(submittable, tuple):
            submittable, *rest = submittable
            args = (*rest, *args)
        if isinstance(submittable, Activity):
            self.members.append(ActivityTask(submittable, *args, **kwargs))
        elif _is_workflow_class(submittable):
            self.members.append(ChildWorkflowTask(submittable, *args, **kwargs))
        elif isinstance(submittable, Task | SubmittableContainer):
            self.members.append(submittable)
        else:
            raise TypeError(
                f"{submittable!r} can't be a member: it is no activity, workflow class, task, group or chain"
            )

    def extend(self, submittables: Iterable[Submittable]) -> None:
        """Add several members."""
        for submittable in submittables:
            self.append(submittable)

    def __iadd__(self, submittables: Iterable[Submittable]) -> _Members:
        self.extend(submittables)
        return self

    def _submit_member(self, executor: Submitter, member: Task | SubmittableContainer) -> Future:
        # Of the task, or of a container in here that says nothing itself: never of the Activity, which others use too.
        says_nothing = isinstance(member, ActivityTask | WorkflowTask) or (
            isinstance(member, _Members | FuncGroup) and member.raises_on_failure is None
        )
        if self.raises_on_failure is not None and says_nothing:
            member.raises_on_failure = self.raises_on_failure  # type: ignore[union-attr]
        return submit(executor, member)

    def _future(self, executor: Submitter) -> GroupFuture:
        raises = bool(self.raises_on_failure) or self.bubbles_exception_on_failure
        future = executor.new_future(self.future_class, raises=raises)
        assert isinstance(future, GroupFuture)
        return future


class Group(_Members):
    """Members side by side, at most `max_parallel` at a time if given. Its result is the list of their results."""

    def __init__(self, *submittables: Submittable, max_parallel: int | None = None, **options: Any):
        if max_parallel is not None and max_parallel < 1:
            raise UsageError(f"max_parallel must be 1 or more, not {max_parallel!r}")
        self.max_parallel = max_parallel
        super().__init__(*submittables, **options)

    def submit(self, executor: Submitter) -> Future:
        future = self._future(executor)
        if self.max_parallel is None or self.max_parallel >= len(self.members):
            future.futures = [self._submit_member(executor, member) for member in self.members]
            _when_all_done(future.futures, lambda: _finish(future))
        else:
            executor.spawn(future, lambda: self._few_at_a_time(executor, future))
        return future

    def _few_at_a_time(self, executor: Submitter, future: GroupFuture) -> list[Any]:
        assert self.max_parallel is not None
        for member in self.members:
            while sum(not f.done for f in future.futures) >= self.max_parallel:
                _wait_for_any(executor, [f for f in future.futures if not f.done])
            future.futures.append(self._submit_member(executor, member))
        for member_future in future.futures:
            member_future.wait()
        return _results(future)


class Chain(_Members):
    """Members in a row. Its result is the list of all their results.

    With `send_result` each gets the result before it as its last argument. It stops at a failure unless
    `break_on_failure` is false.
    """

    def __init__(
        self,
        *submittables: Submittable,
        send_result: bool = False,
        break_on_failure: bool = True,
        bubbles_exception_on_failure: bool = True,
        **options: Any,
    ):
        if send_result and not break_on_failure:
            raise UsageError(
                "a chain with send_result has no result to send after a failure: it needs break_on_failure"
            )
        self.send_result = send_result
        self.break_on_failure = break_on_failure
        super().__init__(*submittables, bubbles_exception_on_failure=bubbles_exception_on_failure, **options)

    def _future(self, executor: Submitter) -> GroupFuture:
        future = executor.new_future(self.future_class, raises=bool(self.raises_on_failure))
        assert isinstance(future, GroupFuture)
        return future

    def submit(self, executor: Submitter) -> Future:
        future = self._future(executor)
        executor.spawn(future, lambda: self._one_by_one(executor, future))
        return future

    def _one_by_one(self, executor: Submitter, future: GroupFuture) -> list[Any]:
        previous: list[Any] = []
        for member in self.members:
            if self.send_result and previous and isinstance(member, ActivityTask | WorkflowTask | FuncGroup):
                read = isinstance(member, FuncGroup)  # its function looks at what it gets
                member.args = [*member.args, *(map(fetched, previous) if read else previous)]
            current = self._submit_member(executor, member)
            future.futures.append(current)
            current.wait()
            if _error(current) is not None and self.break_on_failure:
                break
            previous = [None if _error(current) is not None else current.passed_on()]
        return _results(future)


def _error(future: Future) -> BaseException | None:
    """The error of a closed future, without noticing it."""
    return future.peek_exception()


def _results(future: GroupFuture) -> list[Any]:
    """The results of all members, `None` for those that failed.

    Raises an aggregate of the errors if the container or a member that failed is to raise.
    """
    errors = [_error(member) for member in future.futures]
    failed = [member for member, error in zip(future.futures, errors, strict=True) if error is not None]
    if failed and (future.raises or any(member.raises for member in failed)):
        for member in failed:
            member.notice()
        raise AggregateException(errors)
    return listed(
        None if error is not None else member.passed_on() for member, error in zip(future.futures, errors, strict=True)
    )


def _finish(future: GroupFuture) -> None:
    try:
        future.set_finished(_results(future))
    except AggregateException as error:
        future.set_exception(error, raises=True)


def _when_all_done(futures: list[Future], then: Callable[[], None]) -> None:
    left = sum(not future.done for future in futures)
    if not left:
        then()
        return

    def one_done(_: Future) -> None:
        nonlocal left
        left -= 1
        if not left:
            then()

    for future in futures:
        if not future.done:
            future.add_done_callback(one_done)


def _wait_for_any(executor: Submitter, futures: list[Future]) -> None:
    """Wait until one of these is done."""
    first = executor.new_future(Future, raises=False)

    def one_done(_: Future) -> None:
        if not first.done:
            first.set_finished(None)

    for future in futures:
        future.add_done_callback(one_done)
    first.wait()
