"""The store that several processes use: one owns it and runs its engine, the others talk to the owner.

How the owner is found stands in `store_connection`, how it changes in order in `hand_over`.

Rule: what the owner must know of this process is said before each call that depends on it: what it defines, what it
holds, what it has answered.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Unpack

from simpleflow_lab.engine.clock import Clock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.presence import Presence
from simpleflow_lab.exceptions import (
    ServiceUnreachableError,
    StoreError,
    SWFFault,
    UnknownOperationException,
    UnknownResourceFault,
    UnknownSessionFault,
)
from simpleflow_lab.http.client import EngineClient
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.http.silent_owner import Tell
from simpleflow_lab.http.targets import ONCE
from simpleflow_lab.locking.process_lock import process_lock
from simpleflow_lab.runtime import process_session
from simpleflow_lab.runtime.hand_over import HandOver
from simpleflow_lab.runtime.identity import instance_id
from simpleflow_lab.runtime.process_session import ProcessSession
from simpleflow_lab.runtime.store_connection import StoreConnection
from simpleflow_lab.runtime.waits_here import waits_seen_here
from simpleflow_lab.service.delegation import DelegatingService, call_operation
from simpleflow_lab.service.protocol import Answer, Structure
from simpleflow_lab.service.watchable import ActivityAnswer, ClientRecord, DecisionAnswer, WatchableService

_POLLS: Final = frozenset({"poll_for_decision_task", "poll_for_activity_task"})
_RESPONSES: Final = frozenset(
    {
        "respond_decision_task_completed",
        "respond_activity_task_completed",
        "respond_activity_task_failed",
        "respond_activity_task_canceled",
    }
)
logger = logging.getLogger(__name__)

RELEASE_SECONDS: Final = 1.0
"""Seconds to wait until the owner has ended the polls of this process."""
LAST_RESPONSES_SECONDS: Final = 1.0
"""Seconds to wait for the responses that an owner may have sent before it died."""
OWNER_SECONDS: Final = 5.0
"""Seconds to look for the owner of a store: between two owners there may be none for a moment."""


class SharedStore(DelegatingService):
    """The engine of one store, in this process or in the one that owns the store.

    The first process to open a store owns it and serves it to the others. When the owner dies, the first process that
    notices it takes over. A call that meets a dead owner is repeated at the next one.
    """

    _open: ClassVar[dict[str, SharedStore]] = {}
    _opening: ClassVar[threading.Lock] = process_lock()
    _presence_lock: ClassVar[threading.Lock] = process_lock()

    @classmethod
    def open(
        cls, path: str, *, clock: Clock | None = None, owner_seconds: float = OWNER_SECONDS, tell: Tell | None = None
    ) -> SharedStore:
        """The store at this path. All callers in this process share one object, and each closes it.

        An owner that serves nobody is waited for `owner_seconds`, one that is stopped until it goes on; the latest
        caller's `tell` tells a person a line that says so. Raises `StoreError`.
        """
        with cls._opening:
            store = cls._open.get(path)
            if store is None:
                store = cls._open[path] = cls(path, clock=clock, owner_seconds=owner_seconds, tell=tell)
            elif clock is not None and clock is not store._connection.clock:
                raise StoreError(f"the store {path} is open in this process, with another clock: close that one first")
            store._users += 1
            store._tell = tell or store._tell
            return store

    def __init__(
        self, path: str, *, clock: Clock | None = None, owner_seconds: float = OWNER_SECONDS, tell: Tell | None = None
    ) -> None:
        """See `open`, which everything but a test uses. Raises `StoreError`."""
        self.path = path
        self._tell: Tell = tell or logger.warning
        self._users = 0
        self._connection = StoreConnection(
            path, self, clock=clock, owner_seconds=owner_seconds, tell=lambda text: self._tell(text)
        )
        self._hand_over = HandOver(self._connection)
        self._held: tuple[EngineClient, EngineClient] | None = None
        self._polls_at: Counter[int] = Counter()
        self._polls_lock = threading.Lock()
        self._polls_changed = threading.Condition(self._polls_lock)
        self.session = ProcessSession(self, hold=self._hold_session, tell=lambda text: self._tell(text))
        """The client session of this process."""
        process_session.attach(self, self.session)
        self._presence: Presence | None = None
        self._connection.connect()

    @property
    def engine(self) -> EmbeddedSWF | None:
        """The engine if this process owns the store, else `None`."""
        return self._connection.engine

    @property
    def made_store(self) -> bool:
        """Whether this process made the store: there was none."""
        return self._connection.made_store

    def close(self) -> None:
        """Close it for one of its users. After the last one of this process, another process may own the store."""
        with self._opening:
            self._users -= 1
            if self._users > 0:
                return
            if self._open.get(self.path) is self:
                del self._open[self.path]
        self.session.close()
        self._connection.close_search()
        own = self._connection.endpoint
        with self._connection.lock:
            if self._held is not None:
                self._held[1].close()  # with this connection the session ends
            for endpoint in (own, *self._hand_over.endpoints):
                if endpoint is not None:
                    endpoint.close()
        if self._connection.backend is not None:
            self._connection.backend.close()
        if own is not None:
            own.drain()
        with self._presence_lock:
            if self._presence is not None:
                self._presence.release()

    def serve_store(
        self, *, port: int | None = None, poll_seconds: float | None = None, rotate_keys: bool = False
    ) -> tuple[Endpoint, str | None]:
        """See `HandOver.serve_store`."""
        return self._hand_over.serve_store(port=port, poll_seconds=poll_seconds, rotate_keys=rotate_keys)

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Carry out an operation of SWF on the engine."""
        if operation in _POLLS:
            return self._poll(operation, request)
        if operation == "start_workflow_execution":
            self.session.refresh()
        elif operation == "respond_decision_task_completed":
            self.session.flush()
        if operation in _RESPONSES:
            return self._answered(request["taskToken"], lambda engine: call_operation(engine, operation, request))
        if operation in ONCE:
            return self._call_once(operation, request)
        return self._connection.call(lambda engine: call_operation(engine, operation, request))

    def _call_once(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Carry out an operation that changes something: once, however many owners it is asked of."""
        request_id: str | None = None

        def carry_out(engine: WatchableService) -> Answer:
            nonlocal request_id
            if isinstance(engine, EngineClient):
                request_id = request_id or str(uuid.uuid4())
                return engine.call_once(operation, request, request_id)
            if request_id is not None and isinstance(engine, EmbeddedSWF):
                return engine.once(request_id, lambda: call_operation(engine, operation, request))
            return call_operation(engine, operation, request)

        return self._connection.call(carry_out)

    def _poll(self, operation: str, request: Mapping[str, Any]) -> Answer:
        while True:
            try:
                return self._connection.call(lambda engine: self._poll_at(engine, operation, request))
            except UnknownSessionFault:
                self.session.open_again()

    def _poll_at(self, engine: WatchableService, operation: str, request: Mapping[str, Any]) -> Answer:
        if isinstance(engine, EngineClient):
            return self._noting_task(engine, lambda number: engine.poll(operation, request, number))
        return self._noting_task(engine, lambda _: call_operation(engine, operation, request))

    def _noting_task(self, engine: WatchableService, poll: Callable[[int], Answer]) -> Answer:
        """Poll, and note the task that was given, so that the next owner is told of it. `poll` is given a number."""
        polled = id(engine)
        with self._polls_lock:
            self._polls_at[polled] += 1
        number, token = self.session.begin_poll(), None
        try:
            answer = poll(number)
            token = answer.get("taskToken")
            return answer
        finally:
            self.session.end_poll(number, token)
            with self._polls_lock:
                self._polls_at[polled] -= 1
                if not self._polls_at[polled]:
                    del self._polls_at[polled]
                    self._polls_changed.notify_all()

    def now(self) -> int:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.now())

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """See `WatchableService`."""
        return self._connection.call(
            lambda engine: engine.wait_for_history(
                domain=domain,
                execution=execution,
                after_event_id=after_event_id,
                timeout=timeout,
                until_closed=until_closed,
            )
        )

    def answer_decision_task(self, *, then_poll: Structure | None = None, **request: Unpack[DecisionAnswer]) -> Answer:
        """See `WatchableService`."""
        self.session.flush()

        def answer(engine: WatchableService) -> Answer:
            answered = self._answer_and_poll(engine, "respond_decision_task_completed", request, then_poll)
            return engine.answer_decision_task(**request) if answered is None else answered

        return self._answered(request["taskToken"], answer)

    def answer_activity_task(self, *, then_poll: Structure | None = None, **request: Unpack[ActivityAnswer]) -> Answer:
        """See `WatchableService`."""

        def answer(engine: WatchableService) -> Answer:
            answered = self._answer_and_poll(engine, "respond_activity_task_completed", request, then_poll)
            return engine.answer_activity_task(**request) if answered is None else answered

        return self._answered(request["taskToken"], answer)

    def _answer_and_poll(
        self,
        engine: WatchableService,
        operation: str,
        request: DecisionAnswer | ActivityAnswer,
        then_poll: Structure | None,
    ) -> Answer | None:
        """Answer a task of another process's engine and poll, in one request; gives what the poll gives.

        `None`, and nothing is answered, if the caller does not ask for it, this process owns the store, or the owner
        can't.
        """
        if then_poll is None or not isinstance(engine, EngineClient):
            return None
        try:
            return self._noting_task(
                engine, lambda number: engine.answer_and_poll(operation, request, then_poll, number)
            )
        except UnknownOperationException:  # an owner of an earlier version
            return None

    def _answered(self, token: str, answer: Callable[[WatchableService], Answer]) -> Answer:
        """Answer a task, which this process holds no longer."""
        try:
            answered = self._connection.call(answer)
        except UnknownResourceFault:
            self.session.done(token)
            raise
        self.session.done(token)
        return answered

    # -- client sessions: see `WatchableService`

    def open_session(self, *, instance: str, record: ClientRecord, taskTokens: Sequence[str] = ()) -> Answer:
        """See `WatchableService`."""
        self._be_present(instance)
        return self._connection.call(
            lambda engine: engine.open_session(instance=instance, record=record, taskTokens=taskTokens)
        )

    def _be_present(self, instance: str) -> None:
        """Let the next owner know that this process will come to it, however long that takes; until it is closed."""
        with self._presence_lock:
            if self._connection.closed:
                return
            if self._presence is None or self._presence.instance != instance:
                # What was there is that of the process from which this one was forked.
                self._presence = Presence(self.path, instance)
            try:
                self._presence.hold()
            except OSError as error:
                # The session is told all the same. The next owner takes this process for one that has ended.
                logger.debug("the lock on %s can't be held: %s", self.path, error)

    def keep_session(self, *, instance: str, record: ClientRecord) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.keep_session(instance=instance, record=record))

    def close_session(self, *, instance: str) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.close_session(instance=instance))

    def release_task(self, *, taskToken: str) -> Answer:
        """See `WatchableService`."""
        answer = self._connection.call(lambda engine: engine.release_task(taskToken=taskToken))
        self.session.done(taskToken)
        return answer

    def attach_execution(self, *, domain: str, execution: Structure, instance: str, takes_over: bool = True) -> Answer:
        """See `WatchableService`."""
        self.session.refresh()
        return self._connection.call(
            lambda engine: engine.attach_execution(
                domain=domain, execution=execution, instance=instance, takes_over=takes_over
            )
        )

    def pollers(self, *, domain: str) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.pollers(domain=domain))

    def describe_waiting(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        return waits_seen_here(
            self._connection.call(lambda engine: engine.describe_waiting(domain=domain, execution=execution))
        )

    def damaged_executions(self, *, domain: str) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.damaged_executions(domain=domain))

    def _hold_session(self) -> bool:
        """Tell the owner, if it is another process, that this one lives. Its connection tells the owner the end."""
        self._be_present(instance_id())
        backend = self._connection.backend
        if isinstance(backend, EmbeddedSWF):
            self.session.take_up(backend.keep_session(instance=instance_id(), record={}))
        if not isinstance(backend, EngineClient):
            return False
        held, earlier = self._held, None
        if held is None or held[0] is not backend:
            earlier = held
            held = self._held = (backend, backend.beside())
        try:
            self._say_that_it_lives(held[1])
        except UnknownSessionFault:
            self.session.open_again()
            self._say_that_it_lives(held[1])
        except UnknownOperationException:  # an owner of version 0.1.0 knows no sessions
            return False
        except ServiceUnreachableError:
            self._connection.reconnect(backend)
        finally:
            if (
                earlier is not None
            ):  # only now: the same owner, with other keys, would take its end for that of this process
                earlier[1].close()
        return True

    def _say_that_it_lives(self, owner: EngineClient) -> None:
        with self.session.telling_held() as held:
            self.session.take_up(owner.hold_session(instance=instance_id(), held=held))

    def report_decision_error(self, *, domain: str, execution: Structure, error: Structure) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(
            lambda engine: engine.report_decision_error(domain=domain, execution=execution, error=error)
        )

    def report_warning(self, *, domain: str, execution: Structure, message: str) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(
            lambda engine: engine.report_warning(domain=domain, execution=execution, message=message)
        )

    def describe_reports(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.describe_reports(domain=domain, execution=execution))

    def retry_decision(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.retry_decision(domain=domain, execution=execution))

    def append_log(
        self, *, domain: str, execution: Structure, records: Sequence[Structure], dropped: int = 0
    ) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(
            lambda engine: engine.append_log(domain=domain, execution=execution, records=records, dropped=dropped)
        )

    def read_log(self, *, domain: str, execution: Structure, after: int = 0) -> Answer:
        """See `WatchableService`."""
        return self._connection.call(lambda engine: engine.read_log(domain=domain, execution=execution, after=after))

    def release_polls(self) -> None:
        """See `WatchableService`. Of another process's engine it is asked only if that answers soon."""
        backend = self._connection.backend
        assert backend is not None
        if not isinstance(backend, EngineClient):
            backend.release_polls()
            return

        def release() -> None:
            with contextlib.suppress(SWFFault, ServiceUnreachableError):  # then the polls end by themselves
                backend.release_polls()

        thread = threading.Thread(target=release, name="simpleflow-lab release", daemon=True)
        thread.start()
        thread.join(RELEASE_SECONDS)

    # -- as the connection's visitor: see `store_connection.Visitor`

    def introduce(self, engine: WatchableService) -> None:
        """Tell a new owner of this process, if its session is open: before the first poll there."""
        if self.session.is_open:
            with contextlib.suppress(UnknownOperationException):  # an owner of version 0.1.0 knows no sessions
                self.session.take_up(engine.open_session(**self.session.opening()))
                self.session.opened_anew()

    def leave(self, engine: WatchableService) -> None:
        """The response to a poll there may have come in time."""
        with self._polls_lock:
            self._polls_changed.wait_for(lambda: not self._polls_at[id(engine)], LAST_RESPONSES_SECONDS)

    def arrived(self) -> None:
        """Let the session's thread look at once."""
        self.session.wake()

    def give_away(self) -> None:
        """Hand the store over."""
        self._hand_over.give_away()


# What is open in this process is not open in one that is forked from it: that one is a client.
os.register_at_fork(after_in_child=SharedStore._open.clear)
