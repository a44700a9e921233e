"""The supervisor: starts processes by address, starts each again when it ends, and stops them all.

A process is started, not forked: it imports what it serves, and has no thread, lock or connection of this one. It ends
with its supervisor. One that dies is started again after a pause that doubles from death to death, up to
`LONGEST_PAUSE`, and is short again after a life of `HEALTHY_SECONDS`. One that can't begin, because a module is not
there for example, ends all, unless one that does the same has served before, or the cause may pass by itself, as when
the service can't be reached.

The first `escalate` lets the processes finish what is in progress, the second cancels it, the third kills them.

Rule: the supervisor runs no code of authors and opens no store, so it outlives whatever happens to its processes.

Rule: a process is told what to serve when its status is written: whoever sees it poll can read who started it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.runtime.forked.framed_messages import FramedMessages
from simpleflow_lab.runtime.supervised.link import CANCEL, DRAIN, KILL
from simpleflow_lab.runtime.supervised.statuses import PublishedStatus

logger = logging.getLogger(__name__)

PROGRAM: Final = (sys.executable, "-m", "simpleflow_lab.cli.served")
"""The program of a supervised process; the number of its socket follows."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a process that died is started again: after its first death, and at most."""
HEALTHY_SECONDS: Final = 60.0
"""A process that lived for so long has died for the first time."""
CANCEL_SECONDS: Final = 5.0
"""Seconds beyond the time for clean-up that canceled processes have to end, before they are killed."""
PUBLISH_SECONDS: Final = 0.25
"""Seconds between two statuses, at least."""
_TICK: Final = 0.1
"""Seconds between two looks at the processes, on systems that don't tell when one ends."""


@dataclass(frozen=True, kw_only=True)
class SupervisedWork:
    """The work of one process."""

    label: str
    """It in words, for people."""
    work: Mapping[str, Any]
    """It as JSON, which the process is sent."""


class _Process:
    """One of the processes, with the one that it replaced."""

    def __init__(self, work: SupervisedWork) -> None:
        self.work = work
        self.running: subprocess.Popen[bytes] | None = None
        self.messages: FramedMessages | None = None
        self.descriptor: int | None = None
        self.state = "starting"
        self.since = time.time()
        self.began = 0.0
        self.is_ready = False
        self.has_served = False
        self.deaths = 0
        self.restarts = 0
        self.restart_at = math.inf
        self.failure: str | None = None
        self.may_pass = False
        self.last_death: str | None = None
        self.serves: list[dict[str, Any]] = []

    @property
    def has_ended(self) -> bool:
        return self.state == "ended"

    def becomes(self, state: str) -> None:
        self.state, self.since = state, time.time()

    def status(self) -> dict[str, Any]:
        return {
            "pid": None if self.running is None else self.running.pid,
            "label": self.work.label,
            "kind": self.work.work.get("kind"),
            "taskLists": self.work.work.get("taskLists"),
            "state": self.state,
            "since": self.since,
            "restarts": self.restarts,
            "lastDeath": self.last_death,
            "serves": self.serves,
        }


class Supervisor:
    """Processes that serve, from `start` until all of them have ended. Its own thread does all of the work."""

    def __init__(
        self,
        processes: Sequence[SupervisedWork],
        *,
        facts: Mapping[str, Any],
        tell: Callable[[str], None],
        cleanup_seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`facts` is part of its status, such as the address and the domain that are served. `tell` tells a person a
        line. Canceled activities have `cleanup_seconds` for their clean-up. `environment` is added to that of this
        process."""
        self._processes = [_Process(each) for each in processes]
        self._facts = facts
        self._tell = tell
        self._reported: set[str] = set()
        self._cancel_seconds = cleanup_seconds + CANCEL_SECONDS
        self._environment = {**os.environ, **(environment or {})}
        self._since = time.time()
        self._stop = 0
        self._done_stop = 0
        self._kill_at = math.inf
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)
        self._changed = threading.Condition()
        self._published: PublishedStatus | None = None
        self._last_status: dict[str, Any] | None = None
        self._publish_at = 0.0
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self.error: str | None = None
        """Why nothing could begin; `None` while it can."""

    def start(self) -> None:
        """Start the processes."""
        self._thread.start()

    def wait_until_ready(self) -> bool:
        """Wait until each process serves; `False` if they have ended instead."""
        with self._changed:
            while self._thread.is_alive() and not all(each.has_served for each in self._processes):
                self._changed.wait(1)
        return all(each.has_served for each in self._processes) and not self.has_ended

    def escalate(self) -> None:
        """Stop, or stop sooner: drain, then cancel, then kill. A handler of signals may call it."""
        self._stop = min(self._stop + 1, KILL)
        with contextlib.suppress(OSError):
            self._wake.send(b"!")

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the end of all processes, at most for `seconds`; `False` if some live."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def has_served(self) -> bool:
        """Whether one of the processes has begun to serve: its modules were found."""
        return any(each.has_served for each in self._processes)

    @property
    def has_ended(self) -> bool:
        """Whether all processes have ended."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def stop_level(self) -> int:
        """The number of calls of `escalate`, up to 3."""
        return self._stop

    # -- inside: all of it in the supervisor's thread --

    def _run(self) -> None:
        try:
            self._published = PublishedStatus()
        except (OSError, TimeoutError) as error:
            logger.warning("other processes can't see these: %s", error)
        try:
            with selectors.DefaultSelector() as self._selector:
                self._selector.register(self._woken, selectors.EVENT_READ)
                for each in self._processes:
                    self._begin(each)
                while not all(each.has_ended for each in self._processes):
                    self._step()
        except Exception as error:  # whatever failed, its processes are ended, and it is reported
            logger.exception("the supervisor failed")
            self.error = f"the supervisor failed: {type(error).__name__}: {error}"
        finally:
            for each in self._processes:
                if each.running is not None:
                    each.running.kill()
                    self._bury(each)
            if self._published is not None:
                self._published.remove()
            for end in (self._woken, self._wake):
                end.close()
            with self._changed:
                self._changed.notify_all()

    def _step(self) -> None:
        self._publish()
        for key, _ in self._selector.select(self._seconds_to_wait()):
            if key.fileobj is self._woken:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(64)
            elif isinstance(key.fileobj, FramedMessages):
                self._hear(key.data)
        for each in self._processes:
            if each.running is not None and each.running.poll() is not None:
                self._died(each)
        if self._stop > self._done_stop:
            self._stop_more()
        now = time.monotonic()
        if now >= self._kill_at:
            self._kill()
        for each in self._processes:
            if now >= each.restart_at:
                each.restarts += 1
                self._begin(each)

    def _seconds_to_wait(self) -> float | None:
        now = time.monotonic()
        due = [*(each.restart_at for each in self._processes), self._kill_at]
        if self._status() != self._last_status:
            due.append(self._publish_at)
        if any(each.running is not None and each.descriptor is None for each in self._processes):
            due.append(now + _TICK)
        first = min(due)
        return None if first == math.inf else max(0.0, first - now)

    def _of_kind(self, each: _Process) -> list[_Process]:
        """The processes that do the same as this one, itself among them."""
        return [other for other in self._processes if other.work.work.get("kind") == each.work.work.get("kind")]

    # -- one process --

    def _begin(self, each: _Process) -> None:
        ours, its = socket.socketpair()
        each.restart_at, each.failure, each.is_ready = math.inf, None, False
        each.may_pass = False
        each.serves = []
        each.becomes("starting")
        each.began = time.monotonic()
        try:
            # In a process group of its own: an interrupt at the terminal is for the supervisor.
            each.running = subprocess.Popen(
                [*PROGRAM, str(its.fileno()), each.work.label],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                env=self._environment,
                process_group=0,
            )
        except OSError as error:
            ours.close()
            self._pause(each, f"could not be started: {error}")
            return
        finally:
            its.close()
        each.messages = FramedMessages(ours)
        self._selector.register(each.messages, selectors.EVENT_READ, each)
        with contextlib.suppress(AttributeError, OSError):  # Linux only
            each.descriptor = os.pidfd_open(each.running.pid)
            self._selector.register(each.descriptor, selectors.EVENT_READ)
        self._write_status(self._status())
        with contextlib.suppress(OSError):
            each.messages.send(each.work.work)

    def _hear(self, each: _Process) -> None:
        """Read what a process says."""
        assert each.messages is not None
        try:
            for message in each.messages.receive():
                if "serves" in message:
                    each.serves = message["serves"]
                    if not each.is_ready:
                        each.is_ready = each.has_served = True
                        if each.state == "starting":
                            each.becomes("serving")
                        with self._changed:
                            self._changed.notify_all()
                elif "notice" in message:
                    if message["notice"] not in self._reported:
                        self._reported.add(message["notice"])
                        self._tell(str(message["notice"]))
                elif "failure" in message:
                    each.failure, each.may_pass = str(message["failure"]), bool(message.get("isTransient"))
        except EOFError:
            self._selector.unregister(each.messages)
            each.messages.close()
            each.messages = None

    def _bury(self, each: _Process) -> str:
        """Let go of a process that has ended; gives how it ended."""
        assert each.running is not None
        while each.messages is not None and each.failure is None and _has_more(each.messages):
            self._hear(each)
        if each.messages is not None:
            self._selector.unregister(each.messages)
            each.messages.close()
        if each.descriptor is not None:
            self._selector.unregister(each.descriptor)
            os.close(each.descriptor)
        code = each.running.wait()
        each.messages = each.descriptor = each.running = None
        each.serves = []
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"

    def _died(self, each: _Process) -> None:
        assert each.running is not None
        pid, has_lived = each.running.pid, time.monotonic() - each.began
        how = self._bury(each)
        if self._stop:
            each.becomes("ended")
            return
        if (
            each.failure is not None
            and not each.may_pass
            and not any(other.has_served for other in self._of_kind(each))
        ):
            each.becomes("ended")
            if self.error is None:
                self.error = each.failure
            self._stop = max(self._stop, CANCEL)
            return
        each.deaths = 1 if has_lived >= HEALTHY_SECONDS else each.deaths + 1
        self._pause(each, f"process {pid} {how}" + ("" if each.failure is None else f": {each.failure}"))

    def _pause(self, each: _Process, why: str) -> None:
        pause = min(FIRST_PAUSE * 2 ** min(max(each.deaths - 1, 0), 10), LONGEST_PAUSE)
        each.last_death = why
        each.becomes("restarting")
        each.restart_at = time.monotonic() + pause
        self._tell(f"{each.work.label}: {why}; it starts again in {pause:g} s")

    # -- stopping --

    def _stop_more(self) -> None:
        self._done_stop = self._stop
        for each in self._processes:
            each.restart_at = math.inf
            if each.running is None:
                if not each.has_ended:
                    each.becomes("ended")
                continue
            if self._stop >= DRAIN and each.state != "canceling":
                each.becomes("draining" if self._stop == DRAIN else "canceling")
            if not each.is_ready:
                # It has nothing in progress. While it can't listen yet, the signal ends it.
                each.running.terminate() if self._stop == DRAIN else each.running.kill()
            if each.messages is not None:
                with contextlib.suppress(OSError):
                    each.messages.send({"stop": "drain" if self._stop == DRAIN else "cancel"})
        if self._stop == CANCEL:
            self._kill_at = time.monotonic() + self._cancel_seconds
        elif self._stop >= KILL:
            self._kill()

    def _kill(self) -> None:
        self._kill_at = math.inf
        for each in self._processes:
            if each.running is not None:
                each.running.kill()

    # -- what it says of them --

    def _status(self) -> dict[str, Any]:
        return {
            **self._facts,
            "pid": os.getpid(),
            "since": self._since,
            "stop": self._stop,
            "processes": [each.status() for each in self._processes],
        }

    def _publish(self) -> None:
        if time.monotonic() < self._publish_at:
            return
        status = self._status()
        if status != self._last_status:
            self._write_status(status)

    def _write_status(self, status: dict[str, Any]) -> None:
        self._last_status = status
        self._publish_at = time.monotonic() + PUBLISH_SECONDS
        if self._published is None:
            return
        try:
            self._published.write(status)
        except OSError as error:
            logger.warning("other processes can't see what these do: %s", error)


def _has_more(messages: FramedMessages) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(messages, selectors.EVENT_READ)
        return bool(selector.select(0))
