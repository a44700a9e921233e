"""The store that several processes use: one owns it and runs its engine, the others talk to the owner.

Rule: a process that meets a dead owner looks for the next one, and becomes it if there is none; the callers of the
store notice nothing but the time that it takes. An owner that is stopped is no dead one: it is waited for, and a person
is told so. A process that serves the store to SWF programs owns it as long as it lives: the owner hands it over.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar, Unpack

from simpleflow_lab.engine.clock import Clock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.liveness import is_stopped
from simpleflow_lab.engine.ownership import Serving, owner_pid, owner_text
from simpleflow_lab.exceptions import (
    ServiceUnreachableError,
    SimpleflowLabError,
    StoreError,
    StoreInUseError,
    SWFFault,
    UnknownOperationException,
    UnknownResourceFault,
    UnknownSessionFault,
    UsageError,
    ValidationException,
)
from simpleflow_lab.http import store_keys
from simpleflow_lab.http.client import EngineClient, connect_to_owner
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.ports import ports_to_try
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.http.silent_owner import SilentOwner, Tell
from simpleflow_lab.process_lock import process_lock
from simpleflow_lab.runtime import process_session
from simpleflow_lab.runtime.identity import instance_id
from simpleflow_lab.runtime.poller import POLL_SECONDS
from simpleflow_lab.runtime.process_session import ProcessSession
from simpleflow_lab.service.delegation import DelegatingService, call_operation
from simpleflow_lab.service.protocol import Answer, Structure
from simpleflow_lab.service.watchable import ClientRecord, DecisionAnswer, WatchableService

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

T = TypeVar("T")

MAX_OWNERS: Final = 20
"""How many owners, one after the other, a call is made to. More deaths within a call than that are none."""
RELEASE_SECONDS: Final = 1.0
"""For how long to wait until the owner has ended the polls of this process."""
LAST_RESPONSES_SECONDS: Final = 1.0
"""For how long to wait for the responses that an owner may have sent before it died."""
SERVING_SECONDS: Final = 2.0
"""For how long to wait until no other process serves the store: that of the last time may be about to end."""
HAND_OVER_SECONDS: Final = 30.0
"""For how long to ask owners, one after the other, for the store."""
OWNER_SECONDS: Final = 5.0
"""How long to look for the owner of a store: between two owners there may be none for a moment."""


class SharedStore(DelegatingService):
    """The engine of one store, in this process or in the one that owns the store.

    The first process to open a store owns it and serves it to the others. When the owner dies, the first process that
    notices it takes over. A call that meets a dead owner is repeated at the next one.
    """

    _open: ClassVar[dict[str, SharedStore]] = {}
    _opening: ClassVar[threading.Lock] = process_lock()

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
            elif clock is not None and clock is not store._clock:
                raise StoreError(f"the store {path} is open in this process, with another clock: close that one first")
            store._users += 1
            store._tell = tell or store._tell
            return store

    def __init__(
        self, path: str, *, clock: Clock | None = None, owner_seconds: float = OWNER_SECONDS, tell: Tell | None = None
    ):
        """See `open`, which everything but a test uses. Raises `StoreError`."""
        self.path = path
        self._clock = clock
        self._owner_seconds = owner_seconds
        self._tell: Tell = tell or logger.warning
        self._users = 0
        self._lock = threading.Lock()
        self._closed = False
        self._backend: WatchableService | None = None
        self._candidate: EngineClient | None = None
        self._endpoint: Endpoint | None = None
        self._serving = Serving(path)
        self._served: list[Endpoint] = []
        self._handed_over: EmbeddedSWF | None = None
        self._held: tuple[EngineClient, EngineClient] | None = None
        self._polls_at: Counter[int] = Counter()
        self._polls_lock = threading.Lock()
        self._polls_changed = threading.Condition(self._polls_lock)
        self.session = ProcessSession(self, hold=self._hold_session, tell=lambda text: self._tell(text))
        """The client session of this process."""
        process_session.attach(self, self.session)
        self._connect()

    @property
    def engine(self) -> EmbeddedSWF | None:
        """The engine if this process owns the store, else `None`."""
        return self._backend if isinstance(self._backend, EmbeddedSWF) else None

    def close(self) -> None:
        """Close it for one of its users. After the last one of this process, another process may own the store."""
        with self._opening:
            self._users -= 1
            if self._users > 0:
                return
            if self._open.get(self.path) is self:
                del self._open[self.path]
        self.session.close()
        self._closed = True
        if self._candidate is not None:
            self._candidate.close()
        with self._lock:
            if self._held is not None:
                self._held[1].close()  # with this connection the session ends
            for endpoint in (self._endpoint, *self._served):
                if endpoint is not None:
                    endpoint.close()
        if self._backend is not None:
            self._backend.close()
        if self._endpoint is not None:
            self._endpoint.drain()

    def serve(
        self, *, port: int | None = None, poll_seconds: float | None = None, rotate_keys: bool = False
    ) -> tuple[Endpoint, str | None]:
        """A further endpoint, for SWF programs, with the keys of the store; and a notice for a person. See `Lab.serve`.

        This process owns the store from now on. The caller closes the endpoint. Raises `UsageError` if another process
        serves the store or does not give it away, and `StoreError` if the port is taken.
        """
        self._take_over()
        try:
            return self._serve(port, poll_seconds, rotate_keys=rotate_keys)
        except BaseException:
            self._stop_serving()
            raise

    def _serve(self, port: int | None, poll_seconds: float | None, *, rotate_keys: bool) -> tuple[Endpoint, str | None]:
        with self._lock:
            engine, own = self.engine, self._endpoint
            assert engine is not None
            assert own is not None
            latest = store_keys.served_port(self.path)
            for each in ports_to_try(latest) if port is None else (port,):
                try:
                    endpoint = Endpoint(engine, keys=own.keys, port=each, poll_seconds=poll_seconds)
                except StoreError:
                    if port is not None or each == 0:
                        raise
                    continue
                break
            endpoint.on_close = self._stop_serving
            self._served = [*(served for served in self._served if not served.closing), endpoint]
            store_keys.remember_port(self.path, endpoint.port)
            if rotate_keys:
                keys = store_keys.rotate(self.path)
                for served in (own, *self._served):
                    served.use_keys(keys)
        if port is not None or latest in (None, endpoint.port):
            return endpoint, None
        return endpoint, f"port {latest}, at which the store was served before, is taken: programs need the new URL"

    def _stop_serving(self) -> None:
        """Let other processes own the store again, if this one does not serve it any more."""
        if all(served.closing for served in self._served):
            self._serving.release()

    def _take_over(self) -> None:
        """Own the store: no other process does so as long as this one serves it. Raises `UsageError`."""
        if not self._serving.acquire(seconds=SERVING_SECONDS):
            raise UsageError(f"{owner_text(self.path)} serves the store {self.path} already: use that, or end it first")
        try:
            until = time.monotonic() + HAND_OVER_SECONDS
            while isinstance(owner := self._backend, EngineClient):
                pid = owner_pid(self.path)
                try:
                    owner.hand_over()
                except (ValidationException, UnknownOperationException) as error:
                    why = "its version is too old" if isinstance(error, UnknownOperationException) else error.message
                    raise UsageError(f"process {pid} does not give the store {self.path} away: {why}") from None
                except (ServiceUnreachableError, SWFFault) as error:  # it is about to end, or a client itself by now
                    if time.monotonic() > until:
                        raise UsageError(f"process {pid} does not give the store {self.path} away: {error}") from None
                    time.sleep(0.05)
                self._reconnect(owner)
        except BaseException:
            self._stop_serving()
            raise

    def _hand_over(self) -> None:
        """Give the ownership to the process that asks for it, and be its client. Raises `ValidationException`."""
        with self._lock:
            engine = self.engine
            if engine is None or self._closed:
                raise StoreError(f"this process does not own the store {self.path} any more")
            if self._clock is not None:
                raise ValidationException("it goes by a clock of its own; end it first")
            if self._serving.held:
                raise ValidationException("it serves the store itself; end it first")
            logger.info("another process takes over %s", self.path)
            self._handed_over = engine
            if self._endpoint is not None:
                self._endpoint.close()
            engine.hand_over()
        # What this process holds is named to the next owner at once, and not with the next call.
        threading.Thread(target=self._follow, args=(engine,), name="simpleflow-lab hand-over", daemon=True).start()

    def _follow(self, engine: EmbeddedSWF) -> None:
        """Connect to the process that has taken over from this engine."""
        try:
            self._reconnect(engine)
        except SimpleflowLabError:
            logger.info("the next owner of %s was not found; the next call looks again", self.path, exc_info=True)

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Carry out an operation of SWF on the engine."""
        if operation in _POLLS:
            return self._poll(operation, request)
        if operation == "start_workflow_execution":
            self.session.refresh()
        elif operation == "respond_decision_task_completed":
            self.session.flush()
        try:
            answer = self._on_engine(lambda engine: call_operation(engine, operation, request))
        except UnknownResourceFault:
            if operation in _RESPONSES:
                self.session.done(request["taskToken"])
            raise
        if operation in _RESPONSES:
            self.session.done(request["taskToken"])
        return answer

    def _poll(self, operation: str, request: Mapping[str, Any]) -> Answer:
        while True:
            try:
                return self._on_engine(lambda engine: self._poll_at(engine, operation, request))
            except UnknownSessionFault:
                self.session.open_again()

    def _poll_at(self, engine: WatchableService, operation: str, request: Mapping[str, Any]) -> Answer:
        """Poll, and note the task that was given, so that the next owner is told of it."""
        polled = id(engine)
        with self._polls_lock:
            self._polls_at[polled] += 1
        try:
            with self.session.polling() as number:
                if isinstance(engine, EngineClient):
                    answer = engine.poll(operation, request, number)
                else:
                    answer = call_operation(engine, operation, request)
                token = answer.get("taskToken")
                if token is not None:
                    self.session.took(token)
            return answer
        finally:
            with self._polls_lock:
                self._polls_at[polled] -= 1
                if not self._polls_at[polled]:
                    del self._polls_at[polled]
                    self._polls_changed.notify_all()

    def _wait_for_polls(self, dead: WatchableService) -> None:
        """Wait until the polls at an owner that is gone have ended: the response to one may have come in time."""
        with self._polls_lock:
            self._polls_changed.wait_for(lambda: not self._polls_at[id(dead)], LAST_RESPONSES_SECONDS)

    def now(self) -> int:
        """See `WatchableService`."""
        return self._on_engine(lambda engine: engine.now())

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """See `WatchableService`."""
        return self._on_engine(
            lambda engine: engine.wait_for_history(
                domain=domain,
                execution=execution,
                after_event_id=after_event_id,
                timeout=timeout,
                until_closed=until_closed,
            )
        )

    def answer_decision_task(self, **request: Unpack[DecisionAnswer]) -> Answer:
        """See `WatchableService`."""
        self.session.flush()
        try:
            answer = self._on_engine(lambda engine: engine.answer_decision_task(**request))
        except UnknownResourceFault:
            self.session.done(request["taskToken"])
            raise
        self.session.done(request["taskToken"])
        return answer

    # -- client sessions: see `WatchableService`

    def open_session(self, *, instance: str, record: ClientRecord, taskTokens: Sequence[str] = ()) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(
            lambda engine: engine.open_session(instance=instance, record=record, taskTokens=taskTokens)
        )

    def keep_session(self, *, instance: str, record: ClientRecord) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(lambda engine: engine.keep_session(instance=instance, record=record))

    def close_session(self, *, instance: str) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(lambda engine: engine.close_session(instance=instance))

    def release_task(self, *, taskToken: str) -> Answer:
        """See `WatchableService`."""
        answer = self._on_engine(lambda engine: engine.release_task(taskToken=taskToken))
        self.session.done(taskToken)
        return answer

    def attach_execution(self, *, domain: str, execution: Structure, instance: str, takes_over: bool = True) -> Answer:
        """See `WatchableService`."""
        self.session.refresh()
        return self._on_engine(
            lambda engine: engine.attach_execution(
                domain=domain, execution=execution, instance=instance, takes_over=takes_over
            )
        )

    def pollers(self, *, domain: str) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(lambda engine: engine.pollers(domain=domain))

    def describe_waiting(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(lambda engine: engine.describe_waiting(domain=domain, execution=execution))

    def _hold_session(self) -> bool:
        """Tell the owner, if it is another process, that this one lives. Its connection tells the owner the end."""
        backend = self._backend
        if isinstance(backend, EmbeddedSWF):
            self.session.told(backend.keep_session(instance=instance_id(), record={}))
        if not isinstance(backend, EngineClient):
            return False
        held = self._held
        if held is None or held[0] is not backend:
            if held is not None:
                held[1].close()
            held = self._held = (backend, backend.beside())
        try:
            self._say_that_it_lives(held[1])
        except UnknownSessionFault:
            self.session.open_again()
            self._say_that_it_lives(held[1])
        except UnknownOperationException:  # an owner of version 0.1.0 knows no sessions
            return False
        except ServiceUnreachableError:
            self._reconnect(backend)
        return True

    def _say_that_it_lives(self, owner: EngineClient) -> None:
        with self.session.telling_held() as told:
            self.session.told(owner.hold_session(instance=instance_id(), held=told))

    def report_decision_error(self, *, domain: str, execution: Structure, error: Structure) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(
            lambda engine: engine.report_decision_error(domain=domain, execution=execution, error=error)
        )

    def report_warning(self, *, domain: str, execution: Structure, message: str) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(
            lambda engine: engine.report_warning(domain=domain, execution=execution, message=message)
        )

    def describe_reports(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(lambda engine: engine.describe_reports(domain=domain, execution=execution))

    def append_log(
        self, *, domain: str, execution: Structure, records: Sequence[Structure], dropped: int = 0
    ) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(
            lambda engine: engine.append_log(domain=domain, execution=execution, records=records, dropped=dropped)
        )

    def read_log(self, *, domain: str, execution: Structure, after: int = 0) -> Answer:
        """See `WatchableService`."""
        return self._on_engine(lambda engine: engine.read_log(domain=domain, execution=execution, after=after))

    def release_polls(self) -> None:
        """See `WatchableService`. Of another process's engine it is asked only if that answers soon."""
        backend = self._backend
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

    def _on_engine(self, call: Callable[[WatchableService], T]) -> T:
        """The result of a call to the engine; the call is repeated at the next owner if it meets a dead one.

        Raises `ServiceUnreachableError` for a call that no owner answers, though each of `MAX_OWNERS` answers others.
        """
        for attempt in itertools.count(1):
            backend = self._backend
            assert backend is not None
            try:
                return call(backend)
            except (ServiceUnreachableError, StoreError) as error:
                if not isinstance(error, ServiceUnreachableError) and backend is not self._handed_over:
                    raise
                if attempt == MAX_OWNERS:
                    raise
                self._reconnect(backend)
        raise AssertionError("a count has no end")

    def _reconnect(self, dead: WatchableService | None) -> None:
        """Connect to the next owner, unless another thread has done so meanwhile."""
        with self._lock:
            self._check()
            if self._backend is dead:
                logger.info("the owner of %s is gone", self.path)
                if dead is not None:
                    self._wait_for_polls(dead)
                self._connect()
                self.session.wake()

    def _check(self) -> None:
        if self._closed:
            raise ServiceUnreachableError(f"the store {self.path} is closed: open it again")

    def _connect(self) -> None:
        """Own the store, or connect to its owner, whichever succeeds first. Raises `StoreInUseError`."""
        began = time.monotonic()
        deadline = began + self._owner_seconds
        stopped: SilentOwner | None = None
        while True:
            self._check()
            served_elsewhere = self._serving.is_elsewhere()
            try:
                if served_elsewhere:
                    raise StoreInUseError(self.path, owner_text(self.path))
                self._take_ownership()
                return
            except StoreInUseError as in_use:
                try:
                    self._connect_to_owner()
                    return
                except ServiceUnreachableError as error:
                    if "this process" in in_use.owner:
                        raise in_use from None
                    now = time.monotonic()
                    if served_elsewhere:  # by a process that is about to own it
                        deadline = now + self._owner_seconds
                    pid = owner_pid(self.path)
                    if pid is not None and is_stopped(pid):
                        deadline = now + self._owner_seconds
                        if stopped is None or stopped.pid != pid:
                            stopped = SilentOwner(self.path, pid, self._say)
                        with contextlib.suppress(ConnectionResetError):  # it has just ended
                            stopped.wait_on(0.0, now - began)
                    elif now >= deadline:
                        raise StoreInUseError(self.path, f"{in_use.owner}, which does not answer ({error})") from None
                    time.sleep(0.05)

    def _say(self, text: str) -> None:
        """Tell a person, as the latest caller of `open` wants it."""
        self._tell(text)

    def _take_ownership(self) -> None:
        # Threads of this process may hold tasks of the owner that died: the new engine takes their answers.
        engine = EmbeddedSWF(
            self.path, clock=self._clock, takes_over=self._backend is not None, poll_seconds=POLL_SECONDS
        )
        try:
            self._endpoint = Endpoint(
                engine,
                keys=store_keys.of_store(self.path),
                connection_file=connection_file_path(self.path),
                hand_over=self._hand_over,
            )
        except BaseException:
            engine.close()
            raise
        engine.on_session_change(self.session.wake)
        self._open_session(engine)
        self._backend = engine

    def _connect_to_owner(self) -> None:
        if self._clock is not None:
            raise StoreError(f"the store {self.path} has an owner already, and its clock: open it without one")
        client = self._candidate = connect_to_owner(self.path, self._say)
        client.list_domains(registrationStatus="REGISTERED", maximumPageSize=1)
        self._open_session(client)
        self._backend = client

    def _open_session(self, engine: WatchableService) -> None:
        """Tell a new owner of this process, if its session is open: before the first poll there."""
        if self.session.is_open:
            with contextlib.suppress(UnknownOperationException):  # an owner of version 0.1.0 knows no sessions
                self.session.told(engine.open_session(**self.session.opening()))
                self.session.opened_anew()


# What is open in this process is not open in one that is forked from it: that one is a client.
os.register_at_fork(after_in_child=SharedStore._open.clear)
