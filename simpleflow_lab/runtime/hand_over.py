"""The ownership of a store passes from a process that lives to another one, in order.

Rule: a process that serves the store to SWF programs owns it as long as it serves it: programs were told where it is,
and can't look for it. The owner before hands the store over, and goes on as a client; nothing waits for a timeout.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.ownership import owner_pid, owner_text
from simpleflow_lab.exceptions import (
    ServiceUnreachableError,
    SimpleflowLabError,
    StoreError,
    SWFFault,
    UnknownOperationException,
    UsageError,
    ValidationException,
)
from simpleflow_lab.http import store_keys
from simpleflow_lab.http.client import EngineClient
from simpleflow_lab.http.ports import ports_to_try
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.runtime.store_connection import StoreConnection

logger = logging.getLogger(__name__)

SERVING_SECONDS: Final = 2.0
"""Seconds to wait until no other process serves the store: that of the last time may be about to end."""
HAND_OVER_SECONDS: Final = 30.0
"""Seconds in which to ask owners, one after the other, for the store."""


class HandOver:
    """The hand-over of a store: how this process comes to own it to serve it, and how it gives it away."""

    def __init__(self, connection: StoreConnection) -> None:
        """It is about the store of this connection."""
        self._connection = connection
        self._path = connection.path
        self._served: list[Endpoint] = []

    @property
    def endpoints(self) -> list[Endpoint]:
        """The endpoints for SWF programs."""
        return self._served

    def serve_store(
        self, *, port: int | None = None, poll_seconds: float | None = None, rotate_keys: bool = False
    ) -> tuple[Endpoint, str | None]:
        """A further endpoint, for SWF programs, with the keys of the store; and a notice for a person.

        See `Lab.serve_store`. This process owns the store from now on. The caller closes the endpoint. Raises
        `UsageError` if another process serves the store or does not give it away, and `StoreError` if the port is
        taken.
        """
        self._take_over()
        try:
            return self._serve(port, poll_seconds, rotate_keys=rotate_keys)
        except BaseException:  # an interrupt too: what is half begun is not left
            self._stop_serving()
            raise

    def _serve(self, port: int | None, poll_seconds: float | None, *, rotate_keys: bool) -> tuple[Endpoint, str | None]:
        with self._connection.lock:
            engine, own = self._connection.engine, self._connection.endpoint
            assert engine is not None
            assert own is not None
            latest = store_keys.served_port(self._path)
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
            store_keys.remember_port(self._path, endpoint.port)
            if rotate_keys:
                keys = store_keys.rotate(self._path)
                for served in (own, *self._served):
                    served.use_keys(keys)
        if port is not None or latest in (None, endpoint.port):
            return endpoint, None
        return endpoint, f"port {latest}, at which the store was served before, is taken: programs need the new URL"

    def _stop_serving(self) -> None:
        """Let other processes own the store again, if this one does not serve it any more."""
        if all(served.closing for served in self._served):
            self._connection.serving.release()

    def _take_over(self) -> None:
        """Own the store: no other process does so as long as this one serves it. Raises `UsageError`."""
        if not self._connection.serving.acquire(seconds=SERVING_SECONDS):
            another = owner_text(self._path)
            raise UsageError(f"{another} serves the store {self._path} already: use that, or end it first")
        try:
            until = time.monotonic() + HAND_OVER_SECONDS
            while isinstance(owner := self._connection.backend, EngineClient):
                pid = owner_pid(self._path)
                try:
                    owner.hand_over()
                except (ValidationException, UnknownOperationException) as error:
                    why = "its version is too old" if isinstance(error, UnknownOperationException) else error.message
                    raise UsageError(f"process {pid} does not give the store {self._path} away: {why}") from None
                except (ServiceUnreachableError, SWFFault) as error:  # it is about to end, or a client itself by now
                    if time.monotonic() > until:
                        raise UsageError(f"process {pid} does not give the store {self._path} away: {error}") from None
                    time.sleep(0.05)
                self._connection.reconnect(owner)
        except BaseException:  # as above
            self._stop_serving()
            raise

    def give_away(self) -> None:
        """Give the ownership to the process that asks for it, and be its client. Raises `ValidationException`."""
        with self._connection.lock:
            engine = self._connection.engine
            if engine is None or self._connection.closed:
                raise StoreError(f"this process does not own the store {self._path} any more")
            if self._connection.clock is not None:
                raise ValidationException("it has a clock of its own; end it first")
            if self._connection.serving.held:
                raise ValidationException("it serves the store itself; end it first")
            if engine.paused is not None:  # the next owner could not open it
                raise ValidationException(engine.paused)
            logger.info("another process takes over %s", self._path)
            self._connection.handed_over = engine
            if self._connection.endpoint is not None:
                self._connection.endpoint.close()
            engine.hand_over()
        # What this process holds is named to the next owner at once, and not with the next call.
        threading.Thread(target=self._follow, args=(engine,), name="simpleflow-lab hand-over", daemon=True).start()

    def _follow(self, engine: EmbeddedSWF) -> None:
        """Connect to the process that has taken over from this engine."""
        try:
            self._connection.reconnect(engine)
        except SimpleflowLabError:
            logger.info("the next owner of %s was not found; the next call looks again", self._path, exc_info=True)
