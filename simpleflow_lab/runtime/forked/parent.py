"""Activities in processes of their own: one is forked for each task, and ends with it.

A process may crash, be killed, or eat all memory: its task fails with the cause, and nothing else is harmed. It can be
stopped, too, where a thread can't.

Why a fork: only a copy of this process has what a cell's function needs, the names of other cells, as they are at that
moment. Nothing is pickled; what comes back is JSON over a socket. A fork copies one thread and the locks of all, so:

* Python's own locks are put right by Python, and those of imports and logs by `runtime.forks`.
* The engine refuses to work in a forked process, and the child has no connection of ours: what it puts into the Lab's
  storage goes through this process.
* The child leaves by `os._exit`: nothing of the parent is closed, flushed or collected in it.
* A library with threads of its own (OpenMP, gRPC, some of macOS) may not survive a fork, nor a lock of the author's
  that another thread holds: such activities run in threads. One that hangs is killed when its task times out.

The child is the leader of a session of its own, so an interrupt of the kernel does not reach it; its signals are as
Python starts with them, and SIGTERM raises `ActivityCanceled`. It dies with its parent. What it and its programs write
to standard output and error goes where the activity's output would go in a thread.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import logging
import os
import re
import selectors
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.data.objects import Storage
from simpleflow_lab.exceptions import ActivityProcessDied, ObjectNotFoundError, StoreError, UsageError
from simpleflow_lab.runtime.forked import child, locks
from simpleflow_lab.runtime.forked.messages import Frames
from simpleflow_lab.runtime.outcomes import Abandoned, Canceled, Failed, Outcome, from_record

logger = logging.getLogger(__name__)

Write = Callable[[str, str], None]
"""Called with "stdout" or "stderr", and what the activity wrote there."""

_TICK: Final = 0.1
"""Seconds between two looks at whether the activity should stop."""

_forking: Final = threading.Lock()
_parents_ends: Final[set[int]] = set()
"""File descriptors that no child may keep: one that is open in a sibling is never at its end."""


class Processes:
    """The processes of the activities of one Lab."""

    def __init__(self, *, sigterm_wait: float):
        """`sigterm_wait` is how many seconds an activity has to clean up when it should stop."""
        self._sigterm_wait = sigterm_wait
        self._stopping = threading.Event()
        if sys.version_info >= (3, 12):
            # Python warns of what the module's docstring says.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=re.escape(__name__), message=".*fork")

    def stop(self) -> None:
        """Kill what runs, and start no more."""
        self._stopping.set()

    def run(
        self, call: Callable[[RunningTask, Storage], Outcome], task: RunningTask, *, storage: Storage, write: Write
    ) -> Outcome:
        """The outcome of `call`, made in a process of its own; this thread waits for it.

        The call is given its own `RunningTask`, whose heartbeats arrive at `task`, and a `Storage` that is `storage`.
        """
        if not hasattr(os, "fork"):
            raise UsageError("processes are made by a fork, which this system does not have: use executor='threads'")
        if self._stopping.is_set():
            return Abandoned(why="the Lab was closed")
        child = _fork(call, task)
        try:
            try:
                outcome = self._attend(child, task, storage, write)
            finally:
                if task.canceled is not None or self._stopping.is_set():
                    child.kill_group()
                child.end()
            for output in child.outputs:
                output.pass_on_the_rest(write)
        finally:
            child.close()
        if outcome is None and task.canceled is not None:
            return Canceled(details=f"its process {child.pid} {child.how}")
        if outcome is None or (isinstance(outcome, Canceled) and task.canceled is None):
            # Whoever sent it SIGTERM was not SWF.
            how = child.how if outcome is None else "was asked to end by SIGTERM"
            return Failed.of(ActivityProcessDied(str(task.context["activity_id"]), child.pid, how))
        return outcome

    def _attend(self, child: _Child, task: RunningTask, storage: Storage, write: Write) -> Outcome | None:
        """Serve the child until it has told its outcome; `None` if it died without."""
        kill_at: float | None = None
        with selectors.DefaultSelector() as selector:
            for source in (child.frames, *child.outputs):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(_TICK):
                    if isinstance(key.fileobj, _Output):
                        if not key.fileobj.pass_on(write):
                            selector.unregister(key.fileobj)
                        continue
                    try:
                        outcome = _hear(child, task, storage)
                    except EOFError:
                        return None
                    if outcome is not None:
                        return outcome
                if self._stopping.is_set():
                    return Abandoned(why="the Lab was closed")
                if task.canceled is not None:
                    if kill_at is None:
                        kill_at = time.monotonic() + self._sigterm_wait
                        child.tell({"cancel": task.canceled, "gone": task.gone})
                    elif time.monotonic() >= kill_at:
                        child.how = f"was killed, for it had not stopped after {self._sigterm_wait:g} s"
                        return None
                if child.has_ended():
                    # A program that it left behind may keep its socket open: what it said before it died is read.
                    return _last_words(child, task, storage)


class _Child:
    """A forked process, seen from its parent."""

    def __init__(self, pid: int, connection: socket.socket, stdout: int, stderr: int):
        self.pid = pid
        self.frames = Frames(connection)
        self.outputs = (_Output("stdout", stdout), _Output("stderr", stderr))
        self.how = "ended"
        """How it ended, in words."""
        self._ended = False

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send it a message, if it lives."""
        with contextlib.suppress(OSError):
            self.frames.send(message)

    def has_ended(self, *, wait: bool = False) -> bool:
        if not self._ended:
            try:
                found, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
            except ChildProcessError:  # somebody else in this process waited for it
                found, status = self.pid, 0
            if found:
                self._ended = True
                if self.how == "ended":
                    self.how = _how(status)
        return self._ended

    def kill_group(self) -> None:
        """Kill it, and the programs that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """It has told all that it had to tell, or will not: it ends now."""
        if not self._ended:
            # Its socket may be at its end a moment before it is: then it has a cause of its own.
            deadline = time.monotonic() + _TICK
            while not self.has_ended() and time.monotonic() < deadline:
                time.sleep(0.001)
            if not self._ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                self.has_ended(wait=True)

    def close(self) -> None:
        """Close our ends."""
        with _forking:
            for end in (self.frames, *self.outputs):
                _parents_ends.discard(end.fileno())
                end.close()


class _Output:
    """What a child writes to one of its standard streams."""

    def __init__(self, name: str, descriptor: int):
        self.name = name
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def fileno(self) -> int:
        return self._descriptor

    def pass_on(self, write: Write) -> bool:
        """Read once; `False` at the end."""
        chunk = os.read(self._descriptor, 1 << 16)
        text = self._decoder.decode(chunk, final=not chunk)
        if text:
            write(self.name, text)
        return bool(chunk)

    def pass_on_the_rest(self, write: Write) -> None:
        """What is there when the process has ended; a program that it left behind may go on writing."""
        os.set_blocking(self._descriptor, False)
        with contextlib.suppress(BlockingIOError):
            while self.pass_on(write):
                pass

    def close(self) -> None:
        os.close(self._descriptor)


def _hear(child: _Child, task: RunningTask, storage: Storage) -> Outcome | None:
    """Read what the child says, and do what it asks for; gives the outcome if it told it. Raises `EOFError`."""
    for message in child.frames.receive():
        if "outcome" in message:
            return from_record(message)
        if "heartbeat" in message:
            task.say(message["heartbeat"])
        elif "objects" in message:
            child.tell(_objects(message, storage))
    return None


def _last_words(child: _Child, task: RunningTask, storage: Storage) -> Outcome | None:
    with selectors.DefaultSelector() as selector:
        selector.register(child.frames, selectors.EVENT_READ)
        while selector.select(0):
            try:
                outcome = _hear(child, task, storage)
            except EOFError:
                break
            if outcome is not None:
                return outcome
    return None


def _objects(message: Mapping[str, Any], storage: Storage) -> dict[str, Any]:
    """The answer to a child that wants something of the storage."""
    try:
        objects = storage.at(message["at"])
        match message["objects"]:
            case "put":
                objects.put(message["key"], base64.b64decode(message["content"]))
                return {"answer": None}
            case "get":
                content = objects.get(message["key"], max_bytes=message["max_bytes"])
                return {"answer": base64.b64encode(content).decode()}
            case "keys":
                return {"answer": objects.keys(message["prefix"])}
            case _:
                return {"answer": None}
    except ObjectNotFoundError as error:
        return {"error": "ObjectNotFoundError", "with": [error.key, error.place]}
    except UsageError as error:
        return {"error": "UsageError", "with": [str(error)]}
    except StoreError as error:
        return {"error": "StoreError", "with": [str(error)]}
    except Exception as error:
        logger.exception("a process's storage failed")
        return {"error": "StoreError", "with": [f"{type(error).__name__}: {error}"]}


# -- the fork ----------------------------------------------------------------------------------------------------------


def _fork(call: Callable[[RunningTask, Storage], Outcome], task: RunningTask) -> _Child:
    with _forking, locks.at_rest():
        ours, its = socket.socketpair()
        (stdout, its_stdout), (stderr, its_stderr) = os.pipe(), os.pipe()
        _parents_ends.update((ours.fileno(), stdout, stderr))
        parent = os.getpid()
        # In the child this thread is the only one, and so gets every signal: not before it is ready for them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                child.main(
                    call,
                    task.context,
                    connection=its,
                    stdout=its_stdout,
                    stderr=its_stderr,
                    not_ours=frozenset(_parents_ends),
                    parent=parent,
                    signals=before,
                )
        except OSError:  # no process can be made: there are too many
            _parents_ends.difference_update((ours.fileno(), stdout, stderr))
            ours.close()
            os.close(stdout)
            os.close(stderr)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            its.close()
            os.close(its_stdout)
            os.close(its_stderr)
    return _Child(pid, ours, stdout, stderr)


def _how(status: int) -> str:
    """How a process ended, in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code} before the activity did"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # one of the real-time signals, which have numbers only
        name = f"signal {-code}"
    return f"was killed by {name}{_WHY.get(name, '')}"


_WHY: Final = {
    "SIGKILL": " (by somebody, or by the system when memory ran out)",
    "SIGSEGV": " (it crashed)",
    "SIGABRT": " (it aborted)",
}
