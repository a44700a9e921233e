"""Groups and chains: tasks side by side, and tasks in a row.

A container is submitted like a task and has one future. It is ordinary sequential code: a chain submits, waits, and
submits the next, in a fiber of its own beside `run` (`Submitter.spawn`). Options of a container never change what is
in it: members are copied before they are submitted, so that an activity, a task or a container may stand in several
containers, and be submitted several times.

Failures are handled as upstream does; see `docs/failures.md`. `raises_on_failure` decides whether reading the
result raises, for everything in the container; `bubbles_exception_on_failure` says whether the container has an
exception at all, for a chain around it to break on.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeGuard

from simpleflow_lab.activity import Activity
from simpleflow_lab.data.references import list_of_results, loaded
from simpleflow_lab.exceptions import AggregateException, UsageError
from simpleflow_lab.futures import FINISHED, FIRST_COMPLETED, Future, wait_until
from simpleflow_lab.task import ActivityTask, ChildWorkflowTask, Task, WorkflowTask


class Submitter(Protocol):
    """An object that takes tasks: the executor of a workflow."""

    def submit(self, task: Task) -> Future:
        """Take a task; gives its future at once."""

    def spawn(self, future: Future, body: Callable[[], Any], label: str = "") -> None:
        """Run `body` in a fiber of its own, now until it first waits; its result or error closes the future.

        `label` says to people what runs in the fiber.
        """

    def new_future(self, make: Callable[[], Future], *, raises: bool) -> Future:
        """A future of a container, which `make()` gives and which then waits as a task's does."""


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
    """Tells a workflow by what it can do: `workflow.py` imports this module."""
    return isinstance(submittable, type) and hasattr(submittable, "type_name")


class SubmittableContainer:
    """Something that submits other things and has one future for all of them."""

    def submit(self, executor: Submitter) -> Future:
        """Submit what it holds."""
        raise UsageError(f"{type(self).__name__} has no submit method")


Submittable = Any
"""An activity, a workflow class, a task, a container, or a tuple of an activity or workflow class and arguments."""


class GroupFuture(Future):
    """The future of a group. Its result is the list of the results, `None` for members that failed.

    Its exception is an `AggregateException` with one slot for each member.
    """

    __slots__ = (
        "activities",
        "all_deferring",
        "bubbles_exception_on_failure",
        "cancel_requested",
        "deferred",
        "futures",
        "max_parallel",
        "workflow",
    )

    def __init__(
        self,
        activities: Iterable[Any] = (),
        workflow: Any = None,
        max_parallel: int | None = None,
        bubbles_exception_on_failure: bool = True,
    ) -> None:
        """Made by a group, with upstream's arguments: a class of the author's own may have an `__init__` that takes
        them. The members are submitted afterwards."""
        super().__init__()
        self.activities = list(activities)
        """The members."""
        self.workflow = workflow
        """The workflow that submits the container."""
        self.bubbles_exception_on_failure = bubbles_exception_on_failure
        """It has an exception if a member failed."""
        self.cancel_requested = False
        """`cancel` was called: no more members are submitted, and it is done when the submitted ones have closed."""
        self.futures: list[Future] = []
        """The futures of its members, as far as they are submitted."""
        self.max_parallel = max_parallel
        """The most of its members that may run at a time, if that is fewer than it has."""
        self.deferred = 0
        """Number of its members that are not submitted yet, because `max_parallel` of them run."""
        self.all_deferring: dict[GroupFuture, None] | None = None
        """Where an executor looks for the groups of a run that defer members; the executor sets it."""

    @property
    def count_finished_activities(self) -> int:
        """The number of members that are finished."""
        return sum(future.finished for future in self.futures)

    def cancel(self) -> bool:
        """Cancel every member, and submit no more of them; `False` if it is done.

        It is canceled itself when the members that SWF knows of have closed, be they canceled or finished.
        """
        if self.done:
            return False
        self.cancel_requested = True
        for member in self.futures:
            member.cancel()
        return True

    def defer(self, members: int) -> None:
        """So many of its members are not submitted yet, because `max_parallel` of them run."""
        self.deferred = members
        if self.all_deferring is None:
            return
        if members:
            self.all_deferring[self] = None
        else:
            self.all_deferring.pop(self, None)

    def set_exception(self, exception: BaseException, *, raises: bool | None = None) -> None:
        if self.cancel_requested:
            self.set_cancelled()
        else:
            super().set_exception(exception, raises=raises)

    @property
    def results(self) -> list[Any]:
        """The results of the members so far, `None` for those that failed or are not done; does not wait."""
        return list_of_results(_value(future) for future in self.futures)

    def mark_handled(self) -> None:
        """Mark the failure as handled, and with it those of the members."""
        super().mark_handled()
        for future in self.futures:
            future.mark_handled()

    def _outcome(self) -> Any:
        self.wait()
        if self.raises and self.peek_exception() is not None:
            self.mark_handled()
        return super()._outcome()

    @property
    def exception(self) -> BaseException | None:
        """See `Future.exception`."""
        self.wait()
        if self.peek_exception() is not None:
            self.mark_handled()
        return super().exception

    def close_as_members(self, *, bubbles: bool) -> None:
        """Close it as its members have closed."""
        if self.cancel_requested:
            self.set_cancelled()
            return
        errors = [future.peek_exception() for future in self.futures]
        failed = [future for future in self.futures if future.peek_exception() is not None]
        if any(future.raises for future in failed):
            self._raises = True
        if failed and (bubbles or self.raises):
            self._close(FINISHED, self.results, AggregateException(errors))
        else:
            self._close(FINISHED, self.results, None)


class ChainFuture(GroupFuture):
    """The future of a chain. Its members' futures end at the first that failed, if the chain breaks there."""

    __slots__ = ("break_on_failure", "send_result")

    def __init__(
        self,
        activities: Iterable[Any] = (),
        workflow: Any = None,
        bubbles_exception_on_failure: bool = True,
        send_result: bool = False,
        break_on_failure: bool = True,
    ) -> None:
        """Made by a chain, with upstream's arguments; see `GroupFuture`."""
        super().__init__(activities, workflow, None, bubbles_exception_on_failure)
        self.send_result = send_result
        """Each member gets the result of the one before it."""
        self.break_on_failure = break_on_failure
        """The chain ends at the first member that failed."""


class FuncGroup(SubmittableContainer):
    """A container, or a task, made when it is submitted: `FuncGroup(func, *args)` submits what `func(*args)` gives.

    In a chain it sees, with `send_result`, the result before it, and so can fan out over it. With `_allow_none` the
    function may give `None`, for an empty group.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        *args: Any,
        raises_on_failure: bool | None = None,
        _allow_none: bool = False,
        **kwargs: Any,
    ) -> None:
        self.func = func
        self.args = list(args)
        self.kwargs = kwargs
        self.raises_on_failure = raises_on_failure
        self.allow_none = _allow_none

    def submit(self, executor: Submitter) -> Future:
        inner: object = self.func(*self.args, **self.kwargs)
        if inner is None and self.allow_none:
            inner = Group()
        if not isinstance(inner, Task | SubmittableContainer):
            raise TypeError(f"{self.func!r} gave {inner!r} to a FuncGroup: return a group, chain or task")
        return submit(executor, as_member(inner, self.raises_on_failure))


class _Members(SubmittableContainer):
    """A container with members."""

    default_future_class: type[GroupFuture] = GroupFuture
    """Class of the futures of this kind of container, for subclasses to set."""

    def __init__(
        self,
        *submittables: Submittable,
        raises_on_failure: bool | None = None,
        bubbles_exception_on_failure: bool = True,
        future_class: type[GroupFuture] | None = None,
    ) -> None:
        self.raises_on_failure = raises_on_failure
        """Overrides it for everything in here, however deep; `None` leaves each its own."""
        self.bubbles_exception_on_failure = bubbles_exception_on_failure
        """The future has an exception if a member failed, whether or not reading the result raises it."""
        self.future_class = future_class or self.default_future_class
        if not issubclass(self.future_class, GroupFuture):
            raise UsageError(f"future_class must be a subclass of GroupFuture, not {self.future_class!r}")
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
        elif not isinstance(submittable, Task | SubmittableContainer):
            raise TypeError(
                f"{submittable!r} can't be a member: it is no activity, workflow class, task, group or chain"
            )
        elif args or kwargs:
            raise TypeError(f"{submittable!r} has its arguments already: add it without any")
        else:
            self.members.append(submittable)

    def extend(self, submittables: Iterable[Submittable]) -> None:
        """Add several members."""
        for submittable in submittables:
            self.append(submittable)

    def __iadd__(self, submittables: Iterable[Submittable]) -> _Members:
        self.extend(submittables)
        return self

    @property
    def activities(self) -> list[Task | SubmittableContainer]:
        """The members; upstream's name."""
        return self.members

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.members)}>"

    def _future_options(self) -> dict[str, Any]:
        """The arguments of its future's class, beside the members and the workflow."""
        raise NotImplementedError

    def _new_future(self, executor: Submitter) -> GroupFuture:
        def make() -> GroupFuture:
            arguments, options = (self.members, getattr(executor, "workflow", None)), self._future_options()
            if self.future_class is not self.default_future_class:
                try:
                    inspect.signature(self.future_class).bind(*arguments, **options)
                except TypeError as error:
                    raise UsageError(
                        f"the future_class {self.future_class.__name__} does not take (activities, workflow, "
                        f"{', '.join(options)}): {error}"
                    ) from None
            return self.future_class(*arguments, **options)

        future = executor.new_future(make, raises=bool(self.raises_on_failure))
        assert isinstance(future, GroupFuture)
        return future

    def _in_fiber(self, executor: Submitter, future: GroupFuture, body: Callable[[], None]) -> None:
        """Run the body in a fiber beside `run`, then close the future."""
        finished = executor.new_future(Future, raises=False)

        def close(_: Future) -> None:
            error = finished.peek_exception()
            if finished.cancelled:  # with the execution, while it waited; `run` gets the error, too
                finished.mark_handled()
                future.mark_handled()
                future.set_cancelled(error)
            elif error is None:
                future.close_as_members(bubbles=self.bubbles_exception_on_failure)
            else:  # not a member's: what made the members failed, such as the function of a FuncGroup
                finished.mark_handled()
                future.set_exception(error, raises=True)

        finished.add_done_callback(close)
        executor.spawn(finished, body, type(self).__name__)


class Group(_Members):
    """Members side by side, at most `max_parallel` at a time if given. Its result is the list of their results."""

    def __init__(self, *submittables: Submittable, max_parallel: int | None = None, **options: Any) -> None:
        if max_parallel is not None and max_parallel < 1:
            raise UsageError(f"max_parallel must be 1 or more, not {max_parallel!r}")
        self.max_parallel = max_parallel
        super().__init__(*submittables, **options)

    def _future_options(self) -> dict[str, Any]:
        return {
            "max_parallel": self.max_parallel,
            "bubbles_exception_on_failure": self.bubbles_exception_on_failure,
        }

    def submit(self, executor: Submitter) -> Future:
        future = self._new_future(executor)
        if self.max_parallel is None or self.max_parallel >= len(self.members):
            future.max_parallel = None
            future.futures = [submit(executor, as_member(each, self.raises_on_failure)) for each in self.members]
            _when_all_done(future.futures, lambda: future.close_as_members(bubbles=self.bubbles_exception_on_failure))
        else:
            future.max_parallel = self.max_parallel
            self._in_fiber(executor, future, lambda: self._few_at_a_time(executor, future))
        return future

    def _few_at_a_time(self, executor: Submitter, future: GroupFuture) -> None:
        assert self.max_parallel is not None
        at_work: list[Future] = []
        members = list(self.members)
        is_limited = False
        """A member had to wait, and so had those behind it, also where several places got free at once."""
        for number, member in enumerate(members):
            while len(at_work) >= self.max_parallel:
                is_limited = True
                future.defer(len(members) - number)
                wait_until(FIRST_COMPLETED, at_work, None)
                at_work = [each for each in at_work if not each.done]
            if future.cancel_requested:
                break
            current = submit(executor, as_member(member, self.raises_on_failure))
            if is_limited:
                _note(current, future, None)
            future.futures.append(current)
            if not current.done:
                at_work.append(current)
        future.defer(0)
        for each in future.futures:
            each.await_close()


class Chain(_Members):
    """Members in a row. Its result is the list of all their results.

    With `send_result` each activity, child workflow and FuncGroup gets the result before it as its last argument. It
    stops at a failure, and then has the results so far, unless `break_on_failure` is false.

    With `raises_on_failure=False` it has no exception, and so breaks no chain around it, unless
    `bubbles_exception_on_failure` is true.
    """

    default_future_class = ChainFuture

    def __init__(
        self,
        *submittables: Submittable,
        send_result: bool = False,
        break_on_failure: bool = True,
        raises_on_failure: bool | None = None,
        bubbles_exception_on_failure: bool | None = None,
        **options: Any,
    ) -> None:
        if send_result and not break_on_failure:
            raise UsageError(
                "a chain with send_result has no result to send after a failure: it needs break_on_failure"
            )
        self.send_result = send_result
        self.break_on_failure = break_on_failure
        if bubbles_exception_on_failure is None:
            bubbles_exception_on_failure = raises_on_failure is not False
        super().__init__(
            *submittables,
            raises_on_failure=raises_on_failure,
            bubbles_exception_on_failure=bubbles_exception_on_failure,
            **options,
        )

    def _future_options(self) -> dict[str, Any]:
        options = {"bubbles_exception_on_failure": self.bubbles_exception_on_failure}
        if issubclass(self.future_class, ChainFuture):
            return {**options, "send_result": self.send_result, "break_on_failure": self.break_on_failure}
        return {"max_parallel": None, **options}

    def submit(self, executor: Submitter) -> Future:
        future = self._new_future(executor)
        self._in_fiber(executor, future, lambda: self._one_by_one(executor, future))
        return future

    def _one_by_one(self, executor: Submitter, future: GroupFuture) -> None:
        previous: tuple[Future, ...] = ()
        for member in list(self.members):
            if future.cancel_requested:
                return
            current = submit(executor, as_member(member, self.raises_on_failure, *previous))
            if future.futures:
                _note(current, None, future.futures[-1])
            elif future.deferred_in is not None or future.follows is not None:
                _note(current, future.deferred_in, future.follows)
            future.futures.append(current)
            current.await_close()
            if current.peek_exception() is not None and self.break_on_failure:
                return
            if self.send_result:
                previous = (current,)


def as_member(member: Any, raises_on_failure: bool | None, *more: Future) -> Any:
    """A copy of the member with its container's options; the results of `more`, which are done, are further arguments.

    A task gets the futures themselves, so that its dependency on them is recorded; a FuncGroup gets their values.
    """
    if raises_on_failure is not None and hasattr(member, "raises_on_failure"):
        member = copy.copy(member)
        member.raises_on_failure = raises_on_failure
    if more and isinstance(member, ActivityTask | WorkflowTask | FuncGroup):
        member = copy.copy(member)
        is_function = isinstance(member, FuncGroup)
        member.args = [*member.args, *((loaded(_read(future)) for future in more) if is_function else more)]
    return member


def _value(future: Future) -> Any:
    """The result of a member that is done, `None` of one that failed or is not; does not wait."""
    if isinstance(future, GroupFuture):
        return future.results
    if not future.done or future.peek_exception() is not None:
        return None
    # A class of the author's may have a `result` of its own.
    return future.peek()[1] if type(future).result is Future.result else future.passed_on()


def _read(future: Future) -> Any:
    """The same, for the author's code."""
    future.is_read = True
    return _value(future)


def _note(future: Future, deferred_in: Future | None, follows: Future | None) -> None:
    """Note what a member had to wait for, and so had what it has submitted: all of a group, the first of a chain."""
    future.deferred_in, future.follows = deferred_in, follows
    if isinstance(future, GroupFuture):
        for each in future.futures[:1] if isinstance(future, ChainFuture) else future.futures:
            _note(each, deferred_in, follows)


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
