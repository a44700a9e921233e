"""Deciders: take decision tasks of one task list, replay, answer.

The thread that polls also replays, for a greenlet lives in one thread: each task list has a decider of its own, and an
execution's decision tasks come from its list. Each thread caches the replays of open executions, at most
`REPLAY_CACHE_SIZE`, and feeds them only new events. A cached replay that does not fit is replaced by a new one, which
is fed the whole history.

So a `run` that never waits holds up its task list in this process. It is watched: after some seconds a new thread polls
in place of the one that is held up. Before its decision task times out it is interrupted, and from then on it is
retried in another thread, as every blocked decision.

Rule: a decision that can't be made fails the decision task, never the execution. It is blocked, and retried.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from simpleflow_lab import activity, workflow
from simpleflow_lab.data import codec
from simpleflow_lab.exceptions import (
    DecidingProcessDiedError,
    DecisionTooLongError,
    SimpleflowLabError,
    UnknownResourceFault,
    UsageError,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.replay.answer import Answer
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.runtime.blocked_decisions import ENDS_WAIT, BlockedDecision, BlockedDecisions
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.decision_answers import give_answer
from simpleflow_lab.runtime.decision_events import deaths_in, new_events, timeout_of
from simpleflow_lab.runtime.decision_replay import DecisionReplay, WarningListener
from simpleflow_lab.runtime.decision_watch import DecisionWatch, WatchedDecision
from simpleflow_lab.runtime.fingerprints import fingerprint
from simpleflow_lab.runtime.replay_cache import REPLAY_CACHE_SIZE, ReplayCache
from simpleflow_lab.runtime.type_registration import TypeRegistration
from simpleflow_lab.runtime.worker import DECIDER, Worker, checked_count
from simpleflow_lab.swf.decisions import CLOSING_DECISIONS, with_task_list
from simpleflow_lab.swf.event_types import DECISION_TASK
from simpleflow_lab.workflow import Workflow

logger = logging.getLogger(__name__)

__all__ = ["REPLAY_CACHE_SIZE", "Decider", "Listener"]


_REMEDIES: Final = (workflow.registry, activity.registry, codec.registry)
"""Where a new definition may be what a blocked decision waits for."""


class Listener(WarningListener, Protocol):
    """The receiver of a decider's reports."""

    def decided(self, run_id: str, decisions: Sequence[Mapping[str, Any]]) -> None:
        """These decisions are about to be answered."""

    def decision_blocked(self, task: Mapping[str, Any], error: Exception | None) -> None:
        """This decision task is blocked by an error, or, with `None`, no longer."""


class Decider(Worker):
    """Decides for the executions of one task list."""

    kind = DECIDER
    task_kind = DECISION_TASK

    def __init__(
        self,
        context: WorkerContext,
        task_list: str,
        *,
        registration: TypeRegistration,
        listener: Listener,
        watch: DecisionWatch,
        replay_cache_size: int = REPLAY_CACHE_SIZE,
        task_list_of_all: str | None = None,
    ) -> None:
        """It caches up to `replay_cache_size` replays; with 0 each decision is a whole replay. `task_list_of_all` is
        that of every activity and child that it schedules; by default it is what their definitions say."""
        super().__init__(context, task_list, limit=1)
        self._registration = registration
        self._listener = listener
        self._replay_cache_size = replay_cache_size
        self._task_list_of_all = task_list_of_all
        self._too_long: dict[str, DecisionTooLongError] = {}
        """By run id: the code that was interrupted when it was run last."""
        self._killing: dict[str, str | None] = {}
        """By run id: the fingerprint of the code of which processes have died."""
        self._watch = watch
        self._replay = DecisionReplay(context, decider=self, watch=watch, listener=listener)
        self._blocked = BlockedDecisions(f"retries of {task_list}", self._retry)
        self._blocked_since: dict[str, tuple[float, Mapping[str, Any]]] = {}
        """By run id: when its decisions were blocked, by `time.time`."""
        self._of_thread = threading.local()
        self.is_giving_up = False
        """Whether its decisions should end soon."""

    @property
    def blocked_since(self) -> float | None:
        """See `Worker`."""
        return min([since for since, _ in list(self._blocked_since.values())], default=None)

    @property
    def blocked_tasks(self) -> list[Mapping[str, Any]]:
        """The decision tasks that can't be answered for now."""
        return [task for _, task in list(self._blocked_since.values())]

    @property
    def types(self) -> list[str]:
        """See `Worker`."""
        default = self._context.settings.workflow_default_task_list
        own, others = list[str](), list[str]()
        for (name, version), definition in list(workflow.registry.items()):
            task_list = definition.task_list or default
            (own if task_list == self.task_list else others).append(f"{name} {version}")
        return sorted(own) + sorted(others)

    def retry_decision(self, run_id: str) -> bool:
        """Retry the blocked decision of this run at once; whether it has one. It counts as blocked no more, until the
        retry has failed, too."""
        for task in self.blocked_tasks:
            if task["workflowExecution"]["runId"] == run_id:
                self._listener.decision_blocked(task, None)
        return self._blocked.retry_now(run_id)

    def take_no_more(self) -> None:
        """Take no more tasks, and be told of no remedies any more."""
        super().take_no_more()
        for registry in _REMEDIES:
            registry.unsubscribe(self._retry_blocked)

    def give_back(self) -> None:
        """Retry no blocked decision any more: its task is given out again."""
        self._context.session.release(task["taskToken"] for task in self._blocked.stop())

    def forget_blocked(self) -> None:
        """See `Worker`. No decision counts as blocked any more."""
        for _, task in list(self._blocked_since.values()):
            self._listener.decision_blocked(task, None)
        self._blocked_since.clear()

    def scale(self, count: int) -> None:
        """Raise `UsageError` for more than one decision at once."""
        if checked_count(count) != 1:
            raise UsageError(
                f"the decider of {self.task_list!r} makes one decision at a time, for the replays of its executions "
                "stay in its thread: divide the executions among several task lists, or processes"
            )

    def abandon_tasks(self) -> None:
        """Leave the current decision to `give_up`: it is interrupted, and not answered."""

    def give_up(self) -> None:
        """Let the current decision go on for a second at most."""
        self.is_giving_up = True
        self._watch.hurry(self)

    def _begin(self) -> None:
        self.is_giving_up = False
        self._blocked_since.clear()
        self._blocked.start()
        for registry in _REMEDIES:
            registry.subscribe(self._retry_blocked)

    def _cache(self) -> ReplayCache:
        """The replays of this thread: greenlets can't change threads."""
        cache: ReplayCache | None = getattr(self._of_thread, "cache", None)
        if cache is None:
            cache = self._of_thread.cache = ReplayCache(self._replay_cache_size)
        return cache

    def _at_end(self) -> None:
        self._cache().clear()

    # -- a decision task --

    def _poll(self) -> Mapping[str, Any]:
        return self._service.poll_for_decision_task(**self._poll_request)

    @property
    def _poll_request(self) -> dict[str, Any]:
        return {**super()._poll_request, "startAtPreviousStartedEvent": True}

    def _handle(self, task: Mapping[str, Any]) -> str | None:
        run_id = task["workflowExecution"]["runId"]
        self._blocked.drop(run_id)
        deaths = deaths_in(task)
        if deaths >= self._context.settings.lab_max_lost_attempts:
            self._killing[run_id] = self._fingerprint_of(task)
            kind = task["workflowType"]
            error = DecidingProcessDiedError(f"{kind['name']} {kind['version']}", deaths)
            return self._block(task, error, attempts=1)
        self._killing.pop(run_id, None)
        too_long = self._too_long.get(run_id)
        if too_long is not None:
            # Here it would hold up the others once more: it is run by the thread of the retries.
            return self._block(task, too_long, attempts=self._blocked.attempts(run_id))
        return self._attempt(task, self._cache(), attempts=1)

    def _retry(self, blocked: BlockedDecision) -> None:
        if self._watch.is_running(blocked.run_id) or (
            blocked.run_id in self._killing and self._killing[blocked.run_id] == self._fingerprint_of(blocked.task)
        ):
            # Another thread is held up in this very code, or processes died of it.
            self._block(blocked.task, blocked.error, attempts=blocked.attempts + 1)
            return
        self.poller.count(self._attempt(blocked.task, ReplayCache(0), attempts=blocked.attempts + 1))

    def _attempt(self, task: Mapping[str, Any], cache: ReplayCache, *, attempts: int) -> str | None:
        """Make this decision and answer it, or block it. `attempts` is how often it was attempted, with this time.

        Gives the error that blocks it.
        """
        run_id = task["workflowExecution"]["runId"]
        cached: Replay | None = None
        try:
            new = new_events(self._context, self.task_list, task)
            cached = cache.take(run_id)
            replay, answer = self._replay.decide(task, new, cached, is_first=attempts == 1)
        except Exception as error:  # what comes from the author's code, too, blocks this decision and no other one
            if cached is not None:
                cached.close()  # in its own thread, whatever still refers to it
            if isinstance(error, DecisionTooLongError):
                self._too_long[run_id] = error
            if isinstance(error, UnknownResourceFault):
                logger.info("a decision is no longer needed: %s", error)
                self._too_long.pop(run_id, None)
                self._blocked_since.pop(run_id, None)
                self._listener.decision_blocked(task, None)
                return None
            return self._block(task, error, attempts=attempts)
        self._too_long.pop(run_id, None)
        return self._respond(task, replay, answer, cache, attempts=attempts, timeout=timeout_of(new))

    def _fingerprint_of(self, task: Mapping[str, Any]) -> str | None:
        """The fingerprint of the workflow that this process defines for a task; `None` if it defines none."""
        found = workflow.registry.get((task["workflowType"]["name"], task["workflowType"]["version"]))
        return None if found is None else fingerprint(found)

    def _respond(
        self,
        task: Mapping[str, Any],
        replay: Replay,
        answer: Answer,
        cache: ReplayCache,
        *,
        attempts: int,
        timeout: float,
    ) -> str | None:
        """Answer the task, and cache its replay unless the answer closes the execution. The task has a `timeout`, in
        seconds.

        Gives the error that blocks it.
        """
        blocked: str | None = None
        run_id = task["workflowExecution"]["runId"]
        closes = bool(answer.decisions) and answer.decisions[-1]["decisionType"] in CLOSING_DECISIONS
        if not closes:
            cache.put(run_id, replay)
        try:
            if self._task_list_of_all is not None:
                answer = answer._replace(decisions=with_task_list(answer.decisions, self._task_list_of_all))
            for reference, text in answer.large:
                # Before answering: a history never refers to an object that is not there.
                self._context.fields.write(reference, text)
            self._registration.register_types_of(answer.decisions)
            self._listener.decided(run_id, answer.decisions)
            give_answer(
                self._context,
                task,
                answer,
                respond=functools.partial(self._answered, self._service.answer_decision_task),
                timeout=timeout,
                is_giving_up=lambda: self.is_giving_up,
            )
        except UnknownResourceFault as error:
            logger.info("this decision came too late: %s", error)
            cache.take(run_id)
            self._blocked_since.pop(run_id, None)
            self._listener.decision_blocked(task, None)  # it is not for this task any more
        except (SimpleflowLabError, OSError) as error:
            cache.take(run_id)
            blocked = self._block(task, error, attempts=attempts)
        else:
            self._blocked_since.pop(run_id, None)
            self._listener.decision_blocked(task, None)
        if run_id not in cache:
            replay.close()
        return blocked

    # -- blocked decisions --

    def _block(self, task: Mapping[str, Any], error: Exception, *, attempts: int) -> str:
        execution = task["workflowExecution"]
        if isinstance(error, WorkflowNotRegisteredError) and (error.name, error.version) not in _not_here:
            # The person who waits for it may be at another process, and does not see what this one reports.
            _not_here.add((error.name, error.version))
            logger.warning(
                "a decision task of %s came here: %s. Give each code base a task list of its own",
                execution["workflowId"],
                error,
            )
        if isinstance(error, ENDS_WAIT):
            # The author's to remedy: `Execution.decision_error` has it, and waiting for the execution raises it.
            logger.info("decisions of %s are blocked: %s", execution["workflowId"], error)
        else:
            logger.log(
                # After `stop` the service may be closed: the task is given out again when it is open.
                logging.DEBUG if self.poller.is_stopping else logging.ERROR,
                "decisions of %s are blocked: %s",
                execution["workflowId"],
                error,
                exc_info=None if isinstance(error, SimpleflowLabError) else error,
            )
        self._blocked_since.setdefault(execution["runId"], (time.time(), task))
        if self._blocked.put(task, error, attempts=attempts):
            self._listener.decision_blocked(task, error)
        else:
            self._blocked_since.pop(execution["runId"], None)
            self._context.session.release([task["taskToken"]])
        return _text_of(error)

    def stand_in(self, watched: WatchedDecision) -> None:
        """Start another thread for one whose code takes long; that one ends when it has made its decision."""
        self._blocked.replace_thread(watched.thread)
        self.poller.replace_thread(watched.thread)

    def replace_thread(self, watched: WatchedDecision) -> None:
        """Start another thread for one whose code can't be interrupted; that one ends when its code comes back."""
        self._too_long[watched.run_id] = error = watched.error()
        self._blocked_since.setdefault(watched.run_id, (time.time(), watched.task))
        self.poller.last_error = _text_of(error)
        self._listener.decision_blocked(watched.task, error)
        self.stand_in(watched)

    def _retry_blocked(self, definition: object) -> None:
        """Retry everything that is blocked: the new definition may be the remedy. Code that it replaces is interrupted
        if it has run long."""
        self._too_long.clear()
        if isinstance(definition, type) and issubclass(definition, Workflow):
            self._watch.interrupt_slow(self, definition.type_name(), definition.type_version())
        self._blocked.retry_all_now()


_not_here: set[tuple[str, str]] = set()
"""Workflow types that this process did not define when a decision task of theirs came, of which there was a warning."""


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
