"""Amazon SWF in this process: its 39 operations, and those that a service in this process offers in addition.

Rule: an operation checks its request, runs one transaction on the engine's state, and waits for the disk after it.
Changes that a call acknowledged are on disk, and so are the events that a call returned. There is an exception (output
commit): a poll's own `…TaskStarted` event need not be on disk before the poll returns, because a poller is a thread of
this process and dies with it, and recovery treats a started task as lost. An activity's is written at once all the
same, so that a process that dies in a moment has said what it ran. The decision that scheduled the task must be on disk
if the task may have effects outside, so a poll for an activity task waits for it. A poll for a decision task does not:
deciding has no effects but output and hooks, which wait for the disk in the decider (`replay/output_commit.py`), and
what follows from the completion of the task waits for the disk itself; but it waits where the engine before may have
died of this decision. For the same reasons our own activity workers and deciders in this process do not wait for what
they answer. A poll of another process, which may outlive this one, waits for both, but for decision tasks of a process
with a client session: it makes a decision again that was lost.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Concatenate, Final, ParamSpec, TypeVar, Unpack

from simpleflow_lab.engine import tokens, validation, visibility
from simpleflow_lab.engine.clock import Clock, SystemClock
from simpleflow_lab.engine.decision_rules import NewEvent, events_of_decisions
from simpleflow_lab.engine.domains_and_types import DEPRECATED, WORKFLOW_TYPE, type_text
from simpleflow_lab.engine.engine_state import CACHED_EVENTS, EngineState, Starter
from simpleflow_lab.engine.execution_state import ExecutionState, Heartbeat, cancel_request, started_event
from simpleflow_lab.engine.liveness import is_worker_alive
from simpleflow_lab.engine.named_executions import (
    of_decision_task,
    open_execution,
    refuse_damaged,
    run_of,
    unknown_execution,
)
from simpleflow_lab.engine.open_questions import (
    REPEATED_CANCEL_REQUESTS_ARE_RECORDED,
    STARTED_ALREADY_MESSAGE,
)
from simpleflow_lab.engine.operations import operation, swf_name
from simpleflow_lab.engine.own_operations import OwnOperations
from simpleflow_lab.engine.pages import PageTokens, event_page, page_size, request_digest
from simpleflow_lab.engine.registration_operations import RegistrationOperations
from simpleflow_lab.engine.requests_carried_out import REQUEST_ID
from simpleflow_lab.engine.responses import copied, execution_detail
from simpleflow_lab.engine.task_lists import Poll, ScheduledTask
from simpleflow_lab.engine.tokens import Tokens
from simpleflow_lab.engine.transactions import FLUSH_DELAY_SECONDS, MEMORY, ROOM_SECONDS, DurableState
from simpleflow_lab.engine.validation import EXECUTION_DEFAULTS, Request, picked, with_defaults
from simpleflow_lab.exceptions import (
    DefaultUndefinedFault,
    LimitExceededFault,
    StoreError,
    StorePausedError,
    SWFFault,
    TypeDeprecatedFault,
    UnknownResourceFault,
    ValidationException,
    WorkflowExecutionAlreadyStartedFault,
)
from simpleflow_lab.service.delegation import refuse_positional
from simpleflow_lab.service.protocol import Answer, Structure, SWFService
from simpleflow_lab.service.watchable import ActivityAnswer, DecisionAnswer
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.decisions import CLOSING_DECISIONS
from simpleflow_lab.swf.event_types import ACTIVITY, DECISION_TASK
from simpleflow_lab.swf.history_entities import Entity

P = ParamSpec("P")
T = TypeVar("T")

POLL_AFTER_ANSWER_SECONDS: Final = 0.005
"""Seconds for which the answer of another process waits for the next task. Its worker counts as busy meanwhile."""
_POLLS_AFTER: Final[Mapping[str, str]] = {
    "RespondDecisionTaskCompleted": "PollForDecisionTask",
    "RespondActivityTaskCompleted": "PollForActivityTask",
}
"""The poll that follows an answer."""


def _poll(
    declared: Callable[Concatenate[SWFService, P], Answer],
) -> Callable[[Callable[[EmbeddedSWF, Request, Poll], Answer]], Callable[Concatenate[EmbeddedSWF, P], Answer]]:
    """Make a method a polling operation. A poll whose caller is interrupted ends without a task."""
    name = swf_name(declared)

    def decorate(
        method: Callable[[EmbeddedSWF, Request, Poll], Answer],
    ) -> Callable[Concatenate[EmbeddedSWF, P], Answer]:
        @functools.wraps(method)
        def call(self: EmbeddedSWF, /, *args: P.args, **request: P.kwargs) -> Answer:
            if args:
                refuse_positional(declared)
            validation.check(name, request)
            poll = Poll(_identity(request))
            return self._durable.run_off_main_thread(lambda: method(self, request, poll), lambda: self._abandon(poll))

        return call

    return decorate


def _identity(request: Request) -> str | None:
    identity: str | None = request.get("identity")
    return identity


class EmbeddedSWF(RegistrationOperations, OwnOperations):
    """Amazon SWF, embedded. See `service.protocol.SWFService` for the operations, `WatchableService` for the rest."""

    def __init__(
        self,
        path: str | os.PathLike[str] = MEMORY,
        *,
        clock: Clock | None = None,
        poll_seconds: float = 50.0,
        entropy: Callable[[int], bytes] = os.urandom,
        takes_over: bool = False,
        cached_events: int = CACHED_EVENTS,
    ) -> None:
        """Open the store at `path`, or create it; `:memory:` is the same engine without a file.

        A poll waits `poll_seconds` for a task. `entropy(n)` gives n random bytes, for run ids. `takes_over` says that
        workers of this process may hold tasks of the previous engine of the store. Closed executions stay in memory up
        to `cached_events` events, and are read from the store otherwise.

        Raises `StoreInUseError`, `NotAStoreError`, `StoreVersionError`, `StoreError`.
        """
        self.path = os.fspath(path)
        self._poll_seconds = poll_seconds
        self._durable = DurableState(
            self.path,
            clock or SystemClock(),
            entropy,
            functools.partial(is_worker_alive, in_this_process=takes_over),
            cached_events,
        )
        self.instance: str | None = None
        """The instance of this process, once it has a session here; executions that it starts use its definitions."""
        self._tokens = Tokens(self._durable.secret)
        self._page_tokens = PageTokens(self._tokens, self._durable.state.now)

    # -- the engine in this process

    def __enter__(self) -> EmbeddedSWF:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store. Waiting polls return empty; open executions continue when the store is opened again.

        The tasks that this process holds in its session are given out again then.
        """
        if self.instance is not None:
            self._durable.end_session(self.instance)
        self._durable.close()

    @property
    def made_store(self) -> bool:
        """Whether this engine made the file of its store: there was none."""
        return self._durable.store.was_made

    @property
    def paused(self) -> str | None:
        """Why nothing can be written for now, in words; `None` while all goes well."""
        return self._durable.paused

    def hand_over(self) -> None:
        """Close the store for the engine of another process, to which this process names the tasks that it holds."""
        self._durable.close()

    def simulate_refusals(self, refuses: Callable[[str], bool]) -> None:
        """Refuse decisions as Amazon does for reasons of the account.

        `refuses` is asked with the `decisionType` before each decision that schedules an activity task, starts a timer
        or a child execution (too many at once), or closes the execution (not allowed).
        """
        self._durable.state.refuses = refuses

    def release_polls(self) -> None:
        """End every waiting poll without a task, so that pollers can stop."""
        self._durable.run_off_main_thread(self._durable.release_polls)

    # -- executions

    @operation(SWFService.start_workflow_execution)
    def start_workflow_execution(self, request: Request) -> Answer:
        return self._start(request, self.instance)

    def once(self, request_id: str, carry_out: Callable[[], Answer]) -> Answer:
        """The answer of `carry_out()`, an operation of this engine that changes something.

        If a request with this id has taken effect, it has no second effect, and this is the answer of then: also at the
        next engine of the store. See `requests_carried_out`. Raises `ValidationException` for what is no id.
        """
        if not REQUEST_ID.fullmatch(request_id):
            raise ValidationException("the id of a request is 1 to 64 ASCII letters, digits and hyphens")
        return self._durable.once(request_id, carry_out)

    def remote_start(self, request: Request, instance: str | None) -> Answer:
        """Start an execution for another process, whose definitions it uses; `None` for one without a session."""
        validation.check("StartWorkflowExecution", request)
        return self._start(request, instance)

    def _start(self, request: Request, home: str | None) -> Answer:
        domain, workflow_id, ids = request["domain"], request["workflowId"], request["workflowType"]
        self._durable.expect_room()
        transaction = self._durable.transaction()
        with transaction as state:
            state.registry.active_domain(domain)
            found = state.registry.type(domain, WORKFLOW_TYPE, ids)
            if found.status == DEPRECATED:
                raise TypeDeprecatedFault(type_text(WORKFLOW_TYPE, ids))
            resolved, missing = with_defaults(request, found.defaults, EXECUTION_DEFAULTS)
            if missing is not None:
                raise DefaultUndefinedFault(missing.member)
            if state.open_execution(domain, workflow_id, None) is not None:
                raise WorkflowExecutionAlreadyStartedFault(STARTED_ALREADY_MESSAGE)
            refuse_damaged(state, domain, workflow_id)
            if state.count_open(domain) >= limits.MAX_OPEN_EXECUTIONS:
                raise LimitExceededFault(f"{limits.MAX_OPEN_EXECUTIONS} executions are open in {domain}")
            attributes = {
                **picked(request, "workflowType", "input", "tagList"),
                **resolved,
                "parentInitiatedEventId": 0,
            }
            session = state.sessions.living.get(home) if home is not None else None
            starter = Starter(home, None if session is None else session.identity)
            run_id = state.start_execution(domain, workflow_id, state.new_run_id(), attributes, starter).run.run_id
            transaction.answer["runId"] = run_id
        self._durable.store.wait(transaction.ticket, flush_delay=transaction.flush_delay, room_seconds=ROOM_SECONDS)
        return {"runId": run_id}

    @operation(SWFService.signal_workflow_execution)
    def signal_workflow_execution(self, request: Request) -> Answer:
        attributes = {**picked(request, "signalName", "input"), "externalInitiatedEventId": 0}
        return self._record(request, lambda execution: ("WorkflowExecutionSignaled", attributes))

    @operation(SWFService.request_cancel_workflow_execution)
    def request_cancel_workflow_execution(self, request: Request) -> Answer:
        def requested(execution: ExecutionState) -> NewEvent | None:
            if execution.cancel_requested and not REPEATED_CANCEL_REQUESTS_ARE_RECORDED:
                return None
            return "WorkflowExecutionCancelRequested", {"externalInitiatedEventId": 0}

        return self._record(request, requested)

    @operation(SWFService.terminate_workflow_execution)
    def terminate_workflow_execution(self, request: Request) -> Answer:
        def terminated(execution: ExecutionState) -> NewEvent:
            policy = request.get("childPolicy", execution.configuration["childPolicy"])
            attributes = {
                **picked(request, "reason", "details"),
                "childPolicy": policy,
                "cause": "OPERATOR_INITIATED",
            }
            return "WorkflowExecutionTerminated", attributes

        return self._record(request, terminated)

    def _record(self, request: Request, event: Callable[[ExecutionState], NewEvent | None]) -> Answer:
        """Record an event in the open execution that the request names."""

        def change(state: EngineState) -> None:
            domain, workflow_id, run_id = request["domain"], request["workflowId"], request.get("runId")
            state.registry.domain(domain)
            execution = state.open_execution(domain, workflow_id, run_id)
            if execution is None:
                refuse_damaged(state, domain, workflow_id, run_id)
                raise UnknownResourceFault(unknown_execution(workflow_id, run_id))
            new = event(execution)
            if new is not None:
                state.record(execution, [new])

        return self._durable.write(change, room_seconds=ROOM_SECONDS)

    @operation(SWFService.describe_workflow_execution)
    def describe_workflow_execution(self, request: Request) -> Answer:
        execution = self._execution(request["domain"], request["execution"])
        # In one transaction, so that the parts of the response are consistent.
        with self._durable.transaction() as state:
            answer = execution_detail(execution)
            ticket = self._ticket(state, execution.run.key)
        on_disk = self._durable.execution_on_disk(execution.run, ticket)
        return answer if on_disk is None else execution_detail(on_disk)

    @operation(SWFService.get_workflow_execution_history)
    def get_workflow_execution_history(self, request: Request) -> Answer:
        execution = self._execution(request["domain"], request["execution"])
        digest = request_digest("history", request)
        with self._durable.transaction() as state:
            events, last = execution.events, len(execution.events)
            ticket = self._ticket(state, execution.run.key)
        on_disk = self._durable.execution_on_disk(execution.run, ticket)
        if on_disk is not None:
            events, last = on_disk.events, len(on_disk.events)
        backwards = request.get("reverseOrder", False)
        start, *_ = self._page_tokens.read(tokens.HISTORY_PAGE_TOKEN, digest, request) or (last if backwards else 1,)
        page, following = event_page(events, start, 1, last, page_size(request), backwards)
        answer: Answer = {"events": page}
        if following is not None:
            answer["nextPageToken"] = self._page_tokens.write(tokens.HISTORY_PAGE_TOKEN, digest, following)
        return answer

    def _execution(self, domain: str, ids: Structure) -> ExecutionState:
        """An open or closed execution, read from the store if need be. Raises `UnknownResourceFault`, `StoreError`."""
        with self._durable.transaction() as state:
            run = run_of(state, domain, ids)
            found = state.in_memory(run.key)
            if run.key in state.damaged:
                raise StoreError(state.damaged[run.key])
        if found is not None:
            return found
        read = ExecutionState.fold(run, self._durable.store.history(run))
        with self._durable.transaction() as state:
            found = state.in_memory(run.key)
            if found is None:
                state.cache(read)
        return found or read

    @operation(SWFService.list_open_workflow_executions)
    def list_open_workflow_executions(self, request: Request) -> Answer:
        return self._list_executions(request, closed=False)

    @operation(SWFService.list_closed_workflow_executions)
    def list_closed_workflow_executions(self, request: Request) -> Answer:
        return self._list_executions(request, closed=True)

    @operation(SWFService.count_open_workflow_executions)
    def count_open_workflow_executions(self, request: Request) -> Answer:
        return self._count_executions(request, closed=False)

    @operation(SWFService.count_closed_workflow_executions)
    def count_closed_workflow_executions(self, request: Request) -> Answer:
        return self._count_executions(request, closed=True)

    def _count_executions(self, request: Request, *, closed: bool) -> Answer:
        visibility.check_filters(request, closed=closed)
        with self._durable.transaction() as state:
            state.registry.domain(request["domain"])
            count = visibility.count(state.runs, request, closed=closed)
            ticket = self._durable.last_ticket
        on_disk = self._durable.runs_on_disk(ticket)
        if on_disk is not None:
            count = visibility.count(on_disk, request, closed=closed)
        return {"count": count, "truncated": False}

    def _list_executions(self, request: Request, *, closed: bool) -> Answer:
        digest = request_digest("closed" if closed else "open", request)
        place = self._page_tokens.read(tokens.EXECUTIONS_PAGE_TOKEN, digest, request)
        after = None if place is None else (place[0], place[1])
        visibility.check_filters(request, closed=closed)
        with self._durable.transaction() as state:
            state.registry.domain(request["domain"])
            if not closed and "executionFilter" in request:
                # To leave it out would say that it is not there, and somebody would start it again.
                refuse_damaged(state, request["domain"], request["executionFilter"]["workflowId"])
            page, last = visibility.page(state.runs, request, closed=closed, after=after, size=page_size(request))
            canceling = {run.key for run in page if not closed and state.open[run.key].cancel_requested}
            ticket = self._durable.last_ticket
        on_disk = self._durable.runs_on_disk(ticket)
        if on_disk is not None:
            begun = page
            page, last = visibility.page(on_disk, request, closed=closed, after=after, size=page_size(request))
            if begun and not page and not closed and "executionFilter" in request:  # as above
                paused = self._durable.paused or f"the store {self._durable.path} could not be written just now"
                raise StorePausedError(f"{paused}; execution {begun[0].workflow_id} counts as soon as there is room")
        infos = [visibility.execution_info(run, cancel_requested=run.key in canceling) for run in page]
        answer: Answer = {"executionInfos": infos}
        if last is not None:
            answer["nextPageToken"] = self._page_tokens.write(tokens.EXECUTIONS_PAGE_TOKEN, digest, *last)
        return answer

    # -- decision tasks

    @_poll(SWFService.poll_for_decision_task)
    def poll_for_decision_task(self, request: Request, poll: Poll) -> Answer:
        if "nextPageToken" in request:
            return self._decision_page(request)
        assigned = self._wait_for_task(DECISION_TASK, request, poll)
        if assigned is None:
            return {"startedEventId": 0, "previousStartedEventId": 0}
        task, started_id = assigned
        execution = task.execution
        if execution.is_recovered:
            # The engine before may have died of this very decision: that is counted by its starts on disk.
            self._durable.store.wait(poll.start_ticket)
        # Only the completion of this task could change it.
        previous = execution.previous_started
        first = previous if request.get("startAtPreviousStartedEvent") and previous else 1
        return self._decision_answer(execution, task.scheduled.id, started_id, previous, first, None, request)

    def _decision_page(self, request: Request) -> Answer:
        """A further page of the history of a decision task."""
        numbers = self._page_tokens.read(tokens.DECISION_PAGE_TOKEN, _decision_digest(request), request)
        assert numbers is not None
        key, scheduled_id, started_id, first, following, backwards = numbers
        with self._durable.transaction() as state:
            execution = of_decision_task(state, key, scheduled_id, started_id)
            previous = execution.previous_started
        first_request = {**request, "reverseOrder": bool(backwards)}
        return self._decision_answer(execution, scheduled_id, started_id, previous, first, following, first_request)

    def _decision_answer(
        self,
        execution: ExecutionState,
        scheduled_id: int,
        started_id: int,
        previous: int,
        first: int,
        start: int | None,
        request: Request,
    ) -> Answer:
        """The response to a poll, with the events from `first` on; those of the page that begins at `start`."""
        run = execution.run
        backwards = request.get("reverseOrder", False)
        if start is None:
            start = started_id if backwards else first
        page, following = event_page(execution.events, start, first, started_id, page_size(request), backwards)
        answer: Answer = {
            "taskToken": self._tokens.write(tokens.DECISION_TASK_TOKEN, run.key, scheduled_id, started_id),
            "startedEventId": started_id,
            "previousStartedEventId": previous,
            "workflowExecution": run.execution,
            "workflowType": run.workflow_type,
            "events": page,
        }
        if following is not None:
            numbers = (run.key, scheduled_id, started_id, first, following, int(backwards))
            answer["nextPageToken"] = self._page_tokens.write(
                tokens.DECISION_PAGE_TOKEN, _decision_digest(request), *numbers
            )
        return answer

    @operation(SWFService.respond_decision_task_completed)
    def respond_decision_task_completed(self, request: Request) -> Answer:
        return self._durable.write(self._decided(request))

    def answer_decision_task(self, *, then_poll: Structure | None = None, **request: Unpack[DecisionAnswer]) -> Answer:
        """`respond_decision_task_completed` for our own deciders; see `WatchableService`."""
        validation.check("RespondDecisionTaskCompleted", request)
        self._durable.run_off_main_thread(lambda: self._durable.write_later(self._decided(request)))
        return {}

    def _decided(self, request: Request) -> Callable[[EngineState], None]:
        """The change that the completion of a decision task makes. Raises `ValidationException`."""
        key, scheduled_id, started_id = self._tokens.read(tokens.DECISION_TASK_TOKEN, request["taskToken"])

        def change(state: EngineState) -> None:
            execution = of_decision_task(state, key, scheduled_id, started_id)
            validation.check_close_is_last(request.get("decisions", ()))
            state.record(execution, events_of_decisions(execution, scheduled_id, started_id, request, state))

        return change

    @operation(SWFService.count_pending_decision_tasks)
    def count_pending_decision_tasks(self, request: Request) -> Answer:
        return self._count_pending(DECISION_TASK, request)

    # -- activity tasks

    @_poll(SWFService.poll_for_activity_task)
    def poll_for_activity_task(self, request: Request, poll: Poll) -> Answer:
        assigned = self._wait_for_task(ACTIVITY, request, poll)
        if assigned is None:
            return {"startedEventId": 0}
        task, started_id = assigned
        self._durable.store.wait(poll.ticket)
        if self._durable.paused is not None:
            # What it did could not be recorded for now: until then the tasks before it are enough.
            self._durable.store.wait(poll.start_ticket)
        run, scheduled = task.execution.run, task.scheduled
        return {
            "taskToken": self._tokens.write(tokens.ACTIVITY_TASK_TOKEN, run.key, scheduled.id, started_id),
            "startedEventId": started_id,
            "workflowExecution": run.execution,
            **copied(picked(scheduled.attributes, "activityId", "activityType", "input")),
        }

    @operation(SWFService.record_activity_task_heartbeat)
    def record_activity_task_heartbeat(self, request: Request) -> Answer:
        with self._durable.transaction() as state:
            execution, activity = self._activity_of_token(state, request["taskToken"])
            heartbeat = execution.heartbeats.get(activity.id)
            details = request.get("details", heartbeat.details if heartbeat else None)
            paused = state.suspended + state.sessions.silence(execution.run.key, activity.id)[0]
            execution.heartbeats[activity.id] = Heartbeat(state.now(), paused, details)
            return {"cancelRequested": cancel_request(activity) is not None}

    @operation(SWFService.respond_activity_task_completed)
    def respond_activity_task_completed(self, request: Request) -> Answer:
        return self._durable.write(self._completed(request))

    def answer_activity_task(self, *, then_poll: Structure | None = None, **request: Unpack[ActivityAnswer]) -> Answer:
        """`respond_activity_task_completed` for our own activity workers; see `WatchableService`."""
        validation.check("RespondActivityTaskCompleted", request)
        self._durable.run_off_main_thread(lambda: self._durable.write_later(self._completed(request)))
        return {}

    @operation(SWFService.respond_activity_task_failed)
    def respond_activity_task_failed(self, request: Request) -> Answer:
        return self._durable.write(self._activity_closed(request, "ActivityTaskFailed", "reason", "details"))

    @operation(SWFService.respond_activity_task_canceled)
    def respond_activity_task_canceled(self, request: Request) -> Answer:
        return self._durable.write(self._activity_closed(request, "ActivityTaskCanceled", "details"))

    def _completed(self, request: Request) -> Callable[[EngineState], None]:
        return self._activity_closed(request, "ActivityTaskCompleted", "result")

    def _activity_closed(self, request: Request, event_type: str, *members: str) -> Callable[[EngineState], None]:
        """The change that the answer to an activity task makes."""

        def change(state: EngineState) -> None:
            execution, activity = self._activity_of_token(state, request["taskToken"])
            started = started_event(activity)
            attributes = picked(request, *members)
            attributes["scheduledEventId"] = activity.id
            attributes["startedEventId"] = started.id if started else 0
            if event_type == "ActivityTaskCanceled" and (latest := cancel_request(activity)) is not None:
                attributes["latestCancelRequestedEventId"] = latest.id
            state.record(execution, [(event_type, attributes)])

        return change

    def _activity_of_token(self, state: EngineState, token: str) -> tuple[ExecutionState, Entity]:
        """The started activity task of a token. Raises `ValidationException`, `UnknownResourceFault`."""
        key, scheduled_id, started_id = self._tokens.read(tokens.ACTIVITY_TASK_TOKEN, token)
        execution = open_execution(state, key)
        activity = execution.entities.get(scheduled_id)
        started = started_event(activity) if activity is not None else None
        if activity is None or started is None or started.id != started_id:
            raise UnknownResourceFault(f"Unknown activity, scheduledEventId = {scheduled_id}")
        return execution, activity

    @operation(SWFService.count_pending_activity_tasks)
    def count_pending_activity_tasks(self, request: Request) -> Answer:
        return self._count_pending(ACTIVITY, request)

    # -- polls

    def _wait_for_task(self, kind: str, request: Request, poll: Poll) -> tuple[ScheduledTask, int] | None:
        """The next task of a task list and its startedEventId; `None` if none came while the poll waited."""
        end = time.monotonic() + (self._poll_seconds if poll.seconds is None else poll.seconds)
        transaction = self._durable.transaction(urgent=False)
        with transaction as state:
            key = (kind, state.registry.domain(request["domain"]).name, request["taskList"]["name"])
            poll.session = session = state.sessions.of_poll(poll.identity)
            if session is not None and key not in session.serves:
                session.serves.add(key)
            task_list = state.task_list(*key)
            task = task_list.pop(session, state.now())
            if task is not None:
                poll.finished = True
                poll.ticket = task.execution.scheduling_ticket
                state.start_task(task, poll, key)
            else:
                task_list.add_poll(poll)
            state.matched(key, task_list)
        if task is not None:
            poll.start_ticket = transaction.ticket
            if kind == ACTIVITY:
                # Nobody waits for it, but if this process dies, its start says that it ran.
                self._durable.store.flush_soon(transaction.ticket)
        else:
            # It may be the call after an answer that nobody waits for.
            if not (self._durable.is_write_delayed() and poll.sleep(FLUSH_DELAY_SECONDS)):
                self._durable.write_delayed()
                poll.sleep(end - time.monotonic())
            if poll.assigned is None or not poll.finished:
                with self._durable.lock:
                    self._durable.state.task_list(*key).remove_poll(poll)
                    self._durable.state.drop_if_empty(key)
        assigned: tuple[ScheduledTask, int] | None = poll.assigned
        return assigned

    def remote_poll(
        self,
        operation: str,
        request: Request,
        is_connected: Callable[[], bool],
        seconds: float | None = None,
        client_number: int | None = None,
    ) -> Answer:
        """The answer to a poll of another process, which may outlive this engine.

        `operation` is `PollForDecisionTask` or `PollForActivityTask`. The poll is given a task only if `is_connected()`
        says at that moment that its client still waits. It returns only when the task's start is on disk, for the
        client may complete the task at the next owner of the store; a decision task goes to a client with a session
        before that. It waits `seconds`, by default as long as any poll. `client_number` is the number by which the
        client's session tells later whether the response arrived.
        """
        validation.check(operation, request)
        poll = Poll(request.get("identity"), is_connected, seconds)
        poll.is_remote = True
        poll.client_number = client_number
        method = (
            EmbeddedSWF.poll_for_decision_task
            if operation == "PollForDecisionTask"
            else EmbeddedSWF.poll_for_activity_task
        )
        answer: Answer = method.__wrapped__(self, request, poll)  # type: ignore[attr-defined]
        if operation != "PollForDecisionTask" or not poll.may_decide_at_once:
            self._durable.store.wait(poll.start_ticket)
        return answer

    def remote_answer(
        self,
        operation: str,
        request: Request,
        then_poll: Request,
        is_connected: Callable[[], bool],
        client_number: int | None = None,
    ) -> Answer:
        """Answer a task for another process, and carry out the poll that its worker makes next: in one call, and with
        one wait for the disk.

        `operation` is `RespondDecisionTaskCompleted` or `RespondActivityTaskCompleted`; `then_poll` is the request of
        the poll, the rest as in `remote_poll`. It returns what the poll gives, after `POLL_AFTER_ANSWER_SECONDS` at
        the latest without a task, when the result of an activity is on disk. A poll that is refused gives no task: the
        next one tells why.

        Raises what the answer raises, and then there was no poll.
        """
        poll_operation = _POLLS_AFTER.get(operation)
        if poll_operation is None:
            raise ValidationException(f"{operation[:100]!r} is none of {', '.join(_POLLS_AFTER)}")
        validation.check(operation, request)
        validation.check(poll_operation, then_poll)
        is_decision = poll_operation == "PollForDecisionTask"
        ticket = self._durable.write_later(self._decided(request) if is_decision else self._completed(request))
        decisions = request.get("decisions", ())
        closes = bool(decisions) and decisions[-1]["decisionType"] in CLOSING_DECISIONS
        seconds = 0.0 if closes else POLL_AFTER_ANSWER_SECONDS  # after the last decision there may be none for long
        try:
            answer = self.remote_poll(poll_operation, then_poll, is_connected, seconds, client_number)
        except SWFFault:
            answer = {}
        if not is_decision:
            self._durable.store.wait(ticket)
        return answer

    def _abandon(self, poll: Poll) -> None:
        """End a poll whose caller was interrupted."""
        with self._durable.lock:
            poll.wake()

    def _count_pending(self, kind: str, request: Request) -> Answer:
        with self._durable.transaction() as state:
            key = (kind, state.registry.domain(request["domain"]).name, request["taskList"]["name"])
            count = state.task_list(*key).count()
            state.drop_if_empty(key)
        return {"count": count, "truncated": False}


def _decision_digest(request: Request) -> int:
    """The digest that ties page tokens of a decision task to polls of the same task list."""
    return request_digest("decision", picked(request, "domain", "taskList"))
