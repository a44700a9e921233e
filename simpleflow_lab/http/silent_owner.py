"""Tells a person that the owner of a store does not answer, and says how long a caller waits.

The owner may be stopped (Ctrl-Z, SIGSTOP), or one of its threads may keep the interpreter for itself. A request that
was sent to it will be carried out when it goes on, so it must not be sent a second time.

Rule: as long as the owner's process lives, its answer is waited for, and a person is told so, once for each silence.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from simpleflow_lab.engine.liveness import is_running, is_stopped
from simpleflow_lab.exceptions import SilentServiceError
from simpleflow_lab.service import call_deadline

PATIENCE_SECONDS: Final = 2.0
"""An owner that has answered nothing for longer, though it should have, is silent."""

Tell = Callable[[str], None]
"""Tells a person a line."""


class SilentOwner:
    """The process that owns a store, as another one waits for its answers. Any thread may use it."""

    def __init__(self, store: str, pid: int, tell: Tell) -> None:
        """The process `pid` owns the store at the path `store`."""
        self._store = store
        self.pid = pid
        """Its process id."""
        self._tell = tell
        self._lock = threading.Lock()
        self._has_said = False
        self._answered_at = time.monotonic()

    def answered(self) -> None:
        """Note that it has answered."""
        self._answered_at = time.monotonic()
        self._has_said = False

    def wait_on(self, held: float, waited: float) -> None:
        """Return if an answer is worth waiting for, after a person was told, if there is need.

        The owner may hold the request for `held` seconds before it answers; it was sent `waited` seconds ago.
        Raises `ConnectionResetError` if the owner's process has ended, `SilentServiceError` if it is silent and the
        caller waits no longer.
        """
        if not is_running(self.pid):
            raise ConnectionResetError(f"its process {self.pid} has ended")
        if waited < PATIENCE_SECONDS:
            return
        stopped = is_stopped(self.pid)
        silent = min(waited - held, time.monotonic() - self._answered_at)
        if stopped or silent >= PATIENCE_SECONDS:
            with self._lock:
                has_said, self._has_said = self._has_said, True
            why = "is stopped (it goes on with SIGCONT, or fg)" if stopped else "does not answer"
            silence = f"process {self.pid}, which owns the store {self._store}, {why}"
            if not has_said:
                self._tell(f"{silence}: waiting for it")
            if call_deadline.is_over():
                raise SilentServiceError(silence)
