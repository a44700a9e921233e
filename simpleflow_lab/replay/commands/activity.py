"""Activity tasks."""

from __future__ import annotations

import functools
from typing import Any, Final

from simpleflow_lab.activity import define_renamed_activity, is_replaced_activity
from simpleflow_lab.data.references import IN_STORE, NOT_FOR_UPSTREAM, all_loaded
from simpleflow_lab.exceptions import ActivityNotDefinedError, TaskCanceled
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.captured_arguments import CapturedArguments
from simpleflow_lab.replay.command import Command, CommandKind
from simpleflow_lab.replay.commands.attempted import AttemptedTasks, Members
from simpleflow_lab.replay.commands.refusals import retry_refused
from simpleflow_lab.replay.commands.refused_cancels import warn_of_refused_cancel
from simpleflow_lab.replay.commands.timer import cancel_backoff, retry_after
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.retry import back_off
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.conventions import is_not_here
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.names import check_name, check_priority
from simpleflow_lab.task import ActivityTask
from simpleflow_lab.workflow import has_priority, priority_of

LONGEST_PAUSE_NOT_HERE: Final = 30
"""Seconds that a task waits at most before it is scheduled again because a worker did not define its activity."""


def _schedule(command: Command) -> Decision:
    assert command.type is not None
    return decisions.schedule_activity_task(
        activity_id=command.id,
        name=command.type[0],
        version=command.type[1],
        input=command.input,
        control=command.control,
        **command.options,
    )


ACTIVITY: Final = CommandKind(
    name="activity",
    build=_schedule,
    id_attribute="activityId",
    has_unique_ids=True,
    is_followed=True,
    is_lost_at_close=True,
)
CANCEL_ACTIVITY: Final = CommandKind(
    name="cancel of activity",
    build=lambda command: decisions.request_cancel_activity_task(activity_id=command.id),
    id_attribute="activityId",
    input_attribute=None,
    is_followed=True,
    is_lost_at_close=True,
)


@functools.lru_cache(maxsize=1_000)
def _check_type(name: str, version: str, task_list: str) -> None:
    check_name(name, "Name", "the name of an activity")
    check_name(version, "Version", f"activity {name}: the version")
    check_name(task_list, "Name", f"activity {name}: the task list")


class Activities(AttemptedTasks):
    """The activity tasks of one run."""

    kind = ACTIVITY

    # -- what the author's code does --

    def submit(self, task: ActivityTask, line: Line | None) -> Future:
        """Take an activity task. Its number is reserved now, though its arguments may be ready later."""
        run, activity = self._run, task.activity
        if is_replaced_activity(activity):
            self.refuse_replaced("activity", activity.name, activity.version, line)
        define_renamed_activity(activity)
        _check_type(activity.name, activity.version, activity.task_list)
        if type(task) is ActivityTask and "add_context_in_kwargs" not in vars(activity):  # else others are passed
            self.check_arguments(activity.name, activity.callable, task.args, task.kwargs, line)
        captured = CapturedArguments((task.args, task.kwargs))
        get_task_id = getattr(activity.callable, "get_task_id", None)
        future = run.new_future("", raises=task.raises_on_failure, canceler=self.cancel)
        if get_task_id is None and not activity.idempotent:
            future.task_id = run.ids.task_id(task.name, run.ids.next_number(task.name))
        # Read now, for a property may give another priority when the arguments are ready.
        priority = self._priority_of(task)

        def proceed() -> None:
            args, kwargs = captured.value
            if get_task_id is not None:
                own_id = get_task_id(run.workflow, *all_loaded(args), **all_loaded(kwargs))
                future.task_id = run.ids.task_id(task.name, str(own_id))
                check_name(future.task_id, "ActivityId", f"the id of a task of {activity.name}")
            task_id = future.task_id or run.ids.task_id(
                task.name,
                run.ids.of_arguments(task.name, all_loaded(args), all_loaded(kwargs), rules=run.rules),
            )
            self._command_once(task_id, future, line, captured, lambda: self._members_of(task, args, kwargs, priority))

        captured.when_ready(run, future, proceed)
        return future

    def _priority_of(self, task: ActivityTask) -> int | str | None:
        own, activity, workflow = task.task_priority, task.activity.task_priority, self._run.workflow
        if workflow is None or has_priority(own) or has_priority(activity):
            priority = priority_of(own, activity)
        else:
            priority = priority_of(workflow.task_priority)
        if priority is not None:
            check_priority(priority, f"the priority of a task of {task.activity.name}")
        return priority

    def members_of(self, task: ActivityTask, args: list[Any], kwargs: dict[str, Any]) -> Members:
        """See `AttemptedTasks`."""
        return self._members_of(task, args, kwargs, self._priority_of(task))

    def _members_of(
        self, task: ActivityTask, args: list[Any], kwargs: dict[str, Any], priority: int | str | None
    ) -> Members:
        activity, defaults = task.activity, self._run.defaults
        return {
            "task": task,
            "type": (activity.name, activity.version),
            "input": self._run.fields.encode_input(
                task.input_of(args, kwargs), f"input of {activity.name}", of_activity=True
            ),
            "arguments": (args, kwargs),
            "options": {
                "task_list": activity.task_list,
                "task_priority": priority,
                "start_to_close_timeout": activity.task_start_to_close_timeout,
                "schedule_to_close_timeout": activity.task_schedule_to_close_timeout,
                "schedule_to_start_timeout": activity.task_schedule_to_start_timeout,
                "heartbeat_timeout": activity.task_heartbeat_timeout,
                **{name: defaults[name] for name in activity.unset if name in defaults},
            },
        }

    def upstream_asks_again(self, cause: str) -> bool:
        """See `AttemptedTasks`."""
        return True

    def request_cancel(self, command: Command, line: Line | None) -> None:
        """Ask SWF to cancel an activity task: its worker learns of it by its heartbeats."""
        self._run.enqueue_own(Command(CANCEL_ACTIVITY, command.id, of=command, line=line))

    def cancel_all(self) -> None:
        """Cancel every activity task that is not done."""
        run = self._run
        for command in run.index.of_kind(ACTIVITY):
            if command.cancel_requested or command.closed:
                continue
            command.cancel_requested = True
            command.future.mark_handled()
            if command in run.pending:
                run.pending.remove(command)
                command.future.set_cancelled(TaskCanceled())
            elif not cancel_backoff(run, command, None):
                self.request_cancel(command, None)

    # -- what the history says --

    def failed(self, command: Command, event: HistoryEvent) -> None:
        """An attempt failed. One that came to a worker without the activity is tried again later, as no retry."""
        run, attempts, limit = self._run, command.attempts, self._run.limits.not_here
        self._warn_of_unread_input(command, event)
        if limit is None or not is_not_here(event.attributes.get("details")):
            super().failed(command, event)
            return
        attempts.not_here += 1
        if command.cancel_requested:
            run.retry(command)
        elif attempts.not_here < limit:
            retry_after(run, command, back_off(attempts.not_here, longest=LONGEST_PAUSE_NOT_HERE))
        else:
            reason = run.fields.text(event.attributes.get("reason"))
            error = ActivityNotDefinedError(command.id, attempts.not_here, reason)
            self._attempt_failed(command, event, error, final=True)

    def _warn_of_unread_input(self, command: Command, event: HistoryEvent) -> None:
        """Say why upstream's worker fails a task whose large input it can't read: its own error does not."""
        text, reason = command.input or "", str(event.attributes.get("reason"))
        if (text.startswith(IN_STORE) or NOT_FOR_UPSTREAM in text) and "object has no attribute 'get'" in reason:
            self._run.fields.warn(
                f"activity task {command.id}: a worker of upstream can't read its input, which is large or holds "
                "large values as references: upstream reads large values as a whole, and from a bucket only. Set "
                "SIMPLEFLOW_JUMBO_FIELDS_BUCKET for both"
            )

    def canceled(self, command: Command, event: HistoryEvent) -> None:
        """Its worker, or SWF, canceled the task."""
        if command.cancel_requested:
            command.future.mark_handled()
        command.future.set_cancelled(TaskCanceled(self._run.fields.text(event.attributes.get("details"))))

    def cancel_refused(self, command: Command, event: HistoryEvent) -> None:
        """SWF refused to cancel a task; `command` is the cancel request."""
        cause = str(event.attributes.get("cause"))
        task = command.of
        if task is None or retry_refused(self._run, command, cause):
            return
        if cause == "ACTIVITY_ID_UNKNOWN":
            # Its latest attempt has failed and the next one is not made yet; now it never will be.
            task.future.mark_handled()
            task.future.set_cancelled(TaskCanceled())
        else:
            task.cancel_requested = False  # it goes on, and may be canceled again
            warn_of_refused_cancel(self._run, command, cause)
