"""The operations of a service that runtime needs beside SWF's: to wait for a history, to have a session, to be closed.

Rule: every service that a Lab may use has these methods: the embedded engine by itself, any other through
`service.history_polling`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NotRequired, Protocol, TypedDict, Unpack

from simpleflow_lab.service.protocol import Answer, Structure, SWFService


class DecisionAnswer(TypedDict):
    """The arguments of `respond_decision_task_completed` that our deciders use."""

    taskToken: str
    decisions: NotRequired[Sequence[Structure]]
    executionContext: NotRequired[str]


class ActivityAnswer(TypedDict):
    """The arguments of `respond_activity_task_completed` that our activity workers use."""

    taskToken: str
    result: NotRequired[str]


class ClientRecord(TypedDict):
    """The facts that a process reports when it opens a session, and those that have changed when it keeps one."""

    pid: NotRequired[int]
    """Its process id."""
    hostname: NotRequired[str]
    """The name of its machine."""
    workflowTypes: NotRequired[Sequence[Structure]]
    """The workflow types that it defines, each with `name`, `version` and the `fingerprint` of the definition."""
    activityTypes: NotRequired[Sequence[Structure]]
    """The activity types that it defines, likewise."""
    decisionTaskLists: NotRequired[Sequence[Structure]]
    """The task lists for which it polls for decision tasks, each with `domain` and `name`."""
    activityTaskLists: NotRequired[Sequence[Structure]]
    """The task lists for which it polls for activity tasks, likewise."""
    ownExecutionsOnly: NotRequired[bool]
    """Whether it takes only tasks of executions that it started or attached, and of their children."""


class WatchableService(SWFService, Protocol):
    """SWF's operations, and what deciders, workers and people who wait for an execution need beside them."""

    def now(self) -> int:
        """The time by which the service dates events, in milliseconds since 1970."""
        ...

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """Wait until the execution has an event after `after_event_id`, at most `timeout` seconds.

        Gives the id of the execution's last event; only events that are on disk count. With `until_closed` it waits
        for the execution to close, whatever else happens to it. Raises `UnknownResourceFault`.
        """
        ...

    def answer_decision_task(self, *, then_poll: Structure | None = None, **request: Unpack[DecisionAnswer]) -> Answer:
        """Complete a decision task like `respond_decision_task_completed`, for a decider of ours.

        It may return before the decisions are on disk. Nothing that follows from them begins before they are, and if
        they are lost with the process, the next decider makes the same ones again.

        `then_poll` is the request of the poll that the caller makes next. A service may carry it out after the answer,
        and give what it gives: a task, or none yet, and then the caller polls. Other services answer only.
        """
        ...

    def answer_activity_task(self, *, then_poll: Structure | None = None, **request: Unpack[ActivityAnswer]) -> Answer:
        """Complete an activity task like `respond_activity_task_completed`, for an activity worker of ours.

        It may return before the result is on disk if this process owns the store. Nothing that follows from the result
        begins before it is; if it is lost with the process, so is the worker, whose attempt counts as lost.

        For `then_poll` see `answer_decision_task`.
        """
        ...

    def append_log(
        self, *, domain: str, execution: Structure, records: Sequence[Structure], dropped: int = 0
    ) -> Answer:
        """Append records to the log of an execution, before which `dropped` others went. It waits for no disk.

        The records are JSON objects of `service.execution_logs`, at most as many as that says. Raises
        `UnknownResourceFault` if there is no such execution.
        """
        ...

    def read_log(self, *, domain: str, execution: Structure, after: int = 0) -> Answer:
        """`records`: the first of an execution's log whose number is greater than `after`; none if it has no more.

        Raises `UnknownResourceFault` if there is no such execution.
        """
        ...

    def release_polls(self) -> None:
        """End the polls that wait, without a task, so that pollers can stop."""
        ...

    # -- what deciders report, so that every process sees it; see `service.reports` --

    def report_decision_error(self, *, domain: str, execution: Structure, error: Structure) -> Answer:
        """Say why a decision can't be made for now, until the execution's next decision task.

        `error` has `startedEventId` (of the decision task), `error` (the name of its class), `message`, `endsWait`
        (waiting would not help) and `pid`. Without `error` decisions are not blocked any more. A report about a
        decision task that is not open is not kept.
        """
        ...

    def report_warning(self, *, domain: str, execution: Structure, message: str) -> Answer:
        """Keep a warning for the author of an execution's workflow until the execution closes."""
        ...

    def describe_reports(self, *, domain: str, execution: Structure) -> Answer:
        """The reports of deciders about an open execution and those below it: `decisionErrors` and `warnings`.

        Each of `decisionErrors` has `execution`, `error`, `message`, `endsWait`, `since` and `pid`; that of the
        execution itself comes first, then those of its children, of their children, …; `warnings` are its own texts.
        `storePaused` says why nothing can be recorded, if nothing can.
        """
        ...

    def retry_decision(self, *, domain: str, execution: Structure) -> Answer:
        """Give out again the decision task of an execution whose decisions are blocked in some process.

        `isRetried` says whether it was: it is not if nothing is blocked, and on Amazon SWF, which can't. Raises
        `UnknownResourceFault`.
        """
        ...

    # -- client sessions; see `engine.client_sessions`. Amazon SWF has none: there these calls do nothing. --

    def open_session(self, *, instance: str, record: ClientRecord, taskTokens: Sequence[str] = ()) -> Answer:
        """Open the session of this process, or tell the engine all of it again.

        `instance` is the id in the identity of the process's polls. `taskTokens` are those of the tasks that it holds:
        an engine that has taken over the store gives out again what else the process was given by the one before.
        The answer's `differing` lists definitions of other processes that differ from those of this one.
        """
        ...

    def keep_session(self, *, instance: str, record: ClientRecord) -> Answer:
        """Say that this process lives, and what has changed in what it defines and serves; answers as `open_session`.

        The answer's `logs` lists the executions of this process to whose logs others have added since it was told, each
        with `domain`, `execution`, and `parents`: the workflow ids of those above it, from below.

        Raises `UnknownSessionFault`.
        """
        ...

    def close_session(self, *, instance: str) -> Answer:
        """End the session: its waiting polls end, and the tasks that the process holds are given out again."""
        ...

    def release_task(self, *, taskToken: str) -> Answer:
        """Give back a decision task or activity task that this process won't answer: it is given out again at once.

        It counts as no retry. A task that is not held any more is no error.
        """
        ...

    def attach_execution(self, *, domain: str, execution: Structure, instance: str, takes_over: bool = True) -> Answer:
        """Let an open execution use the definitions of this process from now on; a closed one stays as it is.

        Unless `takes_over`, one stays as it is, too, that uses the definitions of another process that lives.
        Raises `UnknownResourceFault`.
        """
        ...

    def pollers(self, *, domain: str) -> Answer:
        """The pollers of a domain's tasks: `pollers`, a list of structures.

        Each has `kind` ("decision_task" or "activity"), `taskList`, `waitingPolls`, `tasks` (those that it holds) and,
        unless it is a program without a session, `instance`, `pid`, `hostname`, `since`, `isSilent`.
        """
        ...

    def describe_waiting(self, *, domain: str, execution: Structure) -> Answer:
        """The open tasks of an execution, with what they wait for: `tasks`, a list of structures, at most some
        hundreds.

        Each has `kind`, `scheduledEventId`, `taskList`, `type` and `state` ("scheduled" or "started"); a scheduled one
        has `since`, `isDefined` (whether a process with a session defines its type), `reason`, `isSilent` (whether
        the process that it waits for does not answer), `isServed` (whether who may take it polls, or will when it is
        free) and `busyPollers` (how many of those polls are busy); a started one has `since`, `holder`, `isSilent`
        (whether that does not answer) and, after a heartbeat, `heartbeatAt`. `storePaused` says why nothing can be
        recorded, if nothing can. Raises `UnknownResourceFault`.
        """
        ...

    def damaged_executions(self, *, domain: str) -> Answer:
        """The executions of a domain that are open and can't go on, because what is recorded of them is damaged.

        `executionInfos` as SWF lists open executions, which these are not among: `executionStatus` is "DAMAGED", and
        `damage` says in a line what was found and what to do.
        """
        ...

    def close(self) -> None:
        """Release what the service holds. Every later call is refused."""
        ...


def time_of(service: WatchableService) -> datetime.datetime:
    """The time by which the service dates events, as its timestamps are."""
    return datetime.datetime.fromtimestamp(service.now() / 1000, datetime.UTC)
