"""The connection of this process to the engine of a store: it owns the store, or talks to the process that does.

Rule: a process that meets a dead owner looks for the next one, and becomes it if there is none; the callers of the
store notice nothing but the time that it takes. An owner that is stopped is no dead one: it is waited for, and a person
is told so.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from simpleflow_lab.engine.clock import Clock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.liveness import is_stopped
from simpleflow_lab.engine.ownership import ServingLock, owner_pid, owner_text
from simpleflow_lab.exceptions import ServiceUnreachableError, StoreError, StoreInUseError, StoreVersionError
from simpleflow_lab.http import store_keys
from simpleflow_lab.http.client import EngineClient, connect_to_owner
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.http.silent_owner import SilentOwner, Tell
from simpleflow_lab.runtime.poller import POLL_SECONDS
from simpleflow_lab.service.watchable import WatchableService

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_OWNERS: Final = 20
"""The most owners, one after the other, to which a call is made. More deaths within a call than that are none."""


class Visitor(Protocol):
    """The user of a connection."""

    def introduce(self, engine: WatchableService) -> None:
        """Tell a new engine of this process: before the first call there."""

    def leave(self, engine: WatchableService) -> None:
        """Wait for what an engine that is gone may still have said."""

    def arrived(self) -> None:
        """Another engine is there."""

    def give_away(self) -> None:
        """Another process asks for the ownership. Raises `ValidationException` if it does not get it."""


class StoreConnection:
    """The connection of this process to the engine of one store."""

    def __init__(self, path: str, visitor: Visitor, *, clock: Clock | None, owner_seconds: float, tell: Tell) -> None:
        """Nothing is connected yet. See `SharedStore.open`; `tell` tells a person a line."""
        self.path = path
        self.clock = clock
        self.lock = threading.Lock()
        """Held while the engine changes."""
        self.closed = False
        self.backend: WatchableService | None = None
        """The engine, or the client of the process that owns the store."""
        self.endpoint: Endpoint | None = None
        """Where other processes find the engine, if this process owns the store or did so last."""
        self.made_store = False
        """Whether this process made the store, and not another one that opened it at the same time."""
        self.serving = ServingLock(path)
        """Whether this process serves the store to SWF programs, or another one."""
        self.handed_over: EmbeddedSWF | None = None
        """The engine that this process gave up for that of another process."""
        self._visitor = visitor
        self._owner_seconds = owner_seconds
        self._tell = tell
        self._candidate: EngineClient | None = None

    @property
    def engine(self) -> EmbeddedSWF | None:
        """The engine if this process owns the store, else `None`."""
        gave_up = self.backend is self.handed_over
        return self.backend if isinstance(self.backend, EmbeddedSWF) and not gave_up else None

    def close_search(self) -> None:
        """Look for no owner any more, and wait for none."""
        self.closed = True
        if self._candidate is not None:
            self._candidate.close()

    def call(self, call: Callable[[WatchableService], T]) -> T:
        """The result of a call to the engine; the call is repeated at the next owner if it meets a dead one.

        Raises `ServiceUnreachableError` for a call that no owner answers, though each of `MAX_OWNERS` answers others.
        """
        for attempt in itertools.count(1):
            backend = self.backend
            assert backend is not None
            try:
                return call(backend)
            except (ServiceUnreachableError, StoreError) as error:
                if not isinstance(error, ServiceUnreachableError) and backend is not self.handed_over:
                    raise
                if attempt == MAX_OWNERS:
                    raise
                self.reconnect(backend)
        raise AssertionError("a count has no end")

    def reconnect(self, dead: WatchableService | None) -> None:
        """Connect to the next owner, unless another thread has done so meanwhile."""
        with self.lock:
            self._check()
            if self.backend is dead:
                logger.info("the owner of %s is gone", self.path)
                if dead is not None:
                    self._visitor.leave(dead)
                self.connect()
                self._visitor.arrived()

    def _check(self) -> None:
        if self.closed:
            raise ServiceUnreachableError(f"the store {self.path} is closed: open it again")

    def connect(self) -> None:
        """Own the store, or connect to its owner, whichever succeeds first. Raises `StoreInUseError`, and
        `StorePausedError` while it has no owner and its disk no room for one."""
        began = time.monotonic()
        deadline = began + self._owner_seconds
        stopped: SilentOwner | None = None
        while True:
            self._check()
            served_elsewhere = self.serving.is_elsewhere()
            try:
                if served_elsewhere:
                    raise StoreInUseError(self.path, owner_text(self.path))
                self._take_ownership()
                return
            except StoreVersionError:
                # The next owner has a newer version: who was a client of the last one can be one of it, too.
                if self.backend is not None and self._finds_owner():
                    return
                if self.backend is None or time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)
            except StoreInUseError as in_use:
                attempted_at = time.monotonic()
                try:
                    self._connect_to_owner()
                    return
                except ServiceUnreachableError as error:
                    if "this process" in in_use.owner:
                        raise in_use from None
                    now = time.monotonic()
                    pid = owner_pid(self.path)
                    deadline += now - attempted_at  # who waits for an owner that then ends looks for the next one
                    if served_elsewhere:  # by a process that is about to own it
                        deadline = now + self._owner_seconds
                    if pid is not None and is_stopped(pid):
                        deadline = now + self._owner_seconds
                        if stopped is None or stopped.pid != pid:
                            stopped = SilentOwner(self.path, pid, self._tell)
                        with contextlib.suppress(ConnectionResetError):  # it has just ended
                            stopped.wait_on(0.0, now - began)
                    elif now >= deadline:
                        raise StoreInUseError(self.path, f"{in_use.owner}, which does not answer ({error})") from None
                    time.sleep(0.05)

    def _take_ownership(self) -> None:
        # Threads of this process may hold tasks of the owner that died: the new engine takes their answers.
        engine = EmbeddedSWF(
            self.path, clock=self.clock, takes_over=self.backend is not None, poll_seconds=POLL_SECONDS
        )
        try:
            self.endpoint = Endpoint(
                engine,
                keys=store_keys.of_store(self.path),
                connection_file=connection_file_path(self.path),
                hand_over=self._visitor.give_away,
            )
        except BaseException:  # an interrupt too: nobody has the engine that would close it
            engine.close()
            raise
        self.made_store = self.made_store or engine.made_store
        engine.on_session_change(self._visitor.arrived)
        self._visitor.introduce(engine)
        self.backend = engine

    def _finds_owner(self) -> bool:
        """Connect to the owner; `False` if there is none."""
        try:
            self._connect_to_owner()
        except ServiceUnreachableError:
            return False
        return True

    def _connect_to_owner(self) -> None:
        if self.clock is not None:
            raise StoreError(f"the store {self.path} has an owner already, and its clock: open it without one")
        client = self._candidate = connect_to_owner(self.path, self._tell)
        client.list_domains(registrationStatus="REGISTERED", maximumPageSize=1)
        self._visitor.introduce(client)
        self.backend = client
