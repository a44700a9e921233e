"""A task of an execution, attempt by attempt, and an attempt that is run again in this process.

    execution.task("fetch-3")                       # its attempts: states, times, inputs, outcomes
    execution.task("fetch-3").attempt(2).rerun()    # the activity, here, with the input that was recorded

Rule: the execution does not change: nothing is answered and nothing recorded. What the activity does by itself, it
does again; so it is asked first.
"""

from __future__ import annotations

import pdb as python_pdb
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from simpleflow_lab.debugger.fork_execution import inherited_runs
from simpleflow_lab.debugger.fork_plan import Planner
from simpleflow_lab.debugger.task_named import task_named
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.runtime.activity_rerun import rerun_activity
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.swf.fork_start import forked_from
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import TASKS, Attempt
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.history_fold import attempts_of
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Listing
from simpleflow_lab.views.reused_tasks import reused_tasks
from simpleflow_lab.views.workflow_listings import task_info


def attempts_of_task(history: History, task_id: str) -> Sequence[Attempt]:
    """The attempts of a task, by its id, its short label, or a name that only one task has; see `debugger.task_named`.

    Raises `UsageError`.
    """
    attempts = [attempt for attempt in attempts_of(history) if attempt.kind in TASKS]
    try:
        found = task_named(task_id, {attempt.id: attempt.name for attempt in attempts})
    except UsageError:
        _refuse_inherited(history, task_id, {task.id: task.name for task in reused_tasks(history)})
        raise
    return [attempt for attempt in attempts if attempt.id == found]


class TaskAttempt:
    """One attempt of a task."""

    def __init__(self, pool: WorkerPool, record: Attempt, *, domain: str, workflow_id: str, run_id: str) -> None:
        self._pool = pool
        self._domain, self._workflow_id, self._run_id = domain, workflow_id, run_id
        self.record = record
        """All that the history says of it."""

    def __repr__(self) -> str:
        return f"<TaskAttempt {self.record.attempt} of {self.record.id}: {self.record.state}>"

    @property
    def state(self) -> str:
        """SWF's word: `completed`, `failed`, `timed_out`, …"""
        return self.record.state

    @property
    def input(self) -> Any:
        """The input that it was given, `{"args": […], "kwargs": {…}}` as a rule. Raises `StoreError` if it can't be
        read."""
        return self._pool.context.fields.decode(self.record.input)

    @property
    def result(self) -> Any:
        """The result that it gave; `None` if it did not complete. Raises `StoreError` if it can't be read."""
        return self._pool.context.fields.decode(self.record.result)

    @property
    def reason(self) -> str | None:
        """Why it failed, as it was recorded."""
        return self._pool.context.fields.text_or_reference(self.record.reason)

    def rerun(self, *, pdb: bool = False, confirm: bool = True) -> Any:
        """Run its activity again in this process, with the recorded input, and give what it returns.

        It runs as a worker runs it: with its context, through the middleware of the Lab. What it raises is raised here;
        with `pdb` the debugger stands where it was raised before that. Whoever calls is asked first, for the activity
        does again what it does, unless `confirm` is false. Raises `UsageError` if that is denied, for what is no
        activity, and for one that this process does not define.
        """
        attempt = self.record
        if attempt.kind != "activity":
            raise UsageError(f"{attempt.id} is no activity but a {attempt.kind}: only activities are run again")
        if confirm:
            confirm_rerun(attempt, "pass confirm=False")
        result, error = rerun_activity(
            attempt,
            domain=self._domain,
            workflow_id=self._workflow_id,
            run_id=self._run_id,
            fields=self._pool.context.fields,
            storage=self._pool.context.storage,
            middleware=self._pool.middleware,
        )
        if error is None:
            return result
        if pdb:
            python_pdb.post_mortem(error.__traceback__)
        raise error


class RecordedTask(ListingView[TaskAttempt]):
    """A task of an execution: its attempts, the first one first. It displays itself, one row per attempt."""

    def __init__(self, pool: WorkerPool, history: History, task_id: str, **names: str) -> None:
        """`names` are the domain, workflow id and run id of the execution. Raises `UsageError` for an unknown task."""
        try:
            records = attempts_of_task(history, task_id)
        except UsageError:
            if forked_from(history[0].attributes) is not None:  # also where they are an object beside the history
                _refuse_inherited(history, task_id, _inherited_names(pool, history, **names))
            raise
        super().__init__(TaskAttempt(pool, record, **names) for record in records)

    @property
    def id(self) -> str:
        """Its id."""
        return self[0].record.id

    @property
    def state(self) -> str:
        """The state of its latest attempt."""
        return self[-1].state

    def attempt(self, number: int) -> TaskAttempt:
        """The attempt of this number, from 1; -1 is the latest. Raises `UsageError`."""
        if type(number) is not int:
            raise UsageError(f"the number of an attempt is a whole number, not {number!r:.40}")
        place = number - 1 if number > 0 else number
        if not number or not -len(self) <= place < len(self):
            raise UsageError(f"{self.id} has no attempt {number}: it has {len(self)}, from 1")
        return self[place]

    @property
    def _nothing(self) -> str:
        return "no attempt"

    def listing(self) -> Listing:
        """One row per attempt: state, times, worker, input and result."""
        return task_info(attempt.record for attempt in self)


def _inherited_names(
    pool: WorkerPool, history: History, *, workflow_id: str, run_id: str, **_: str
) -> Mapping[str, str]:
    """The names of the types of all tasks that this fork inherits, by id."""
    inherited = inherited_runs(history[0], pool.context.fields)
    return Planner(history, workflow_id=workflow_id, run_id=run_id, inherited=inherited).names()


def _refuse_inherited(history: History, task_id: str, names: Mapping[str, str]) -> None:
    """Raises `UsageError` if this execution is a fork, and inherited this task: one of these."""
    origin = forked_from(history[0].attributes)
    if origin is None:
        return
    try:
        found = task_named(task_id, names)
    except UsageError:
        return
    raise UsageError(
        f"{found} did not run in this execution: it was inherited from {shortened(origin.workflow_id)}, "
        "whose task(), or task.info, has it"
    )


def confirm_rerun(attempt: Attempt, instead: str) -> None:
    """Ask whether an activity is to run. Raises `UsageError` if not, or if nobody answers; `instead` says how it runs
    without the question."""
    question = f"{attempt.name} runs again here, with all that it does to the world outside. Run it? [y/N] "
    try:
        sys.stdout.flush()
        answer = input(question)
    except (EOFError, RuntimeError, OSError):
        raise UsageError(f"{attempt.id} did not run: nobody can be asked here; {instead}") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise UsageError(f"{attempt.id} did not run")
