"""Forked activities, seen from the worker: a process is forked for each task, and ends with it.

A process may crash, be killed, or use all memory: its task fails with the cause, and nothing else is harmed. It can be
stopped, too, where a thread can't.

Why a fork: only a copy of this process has the names of other cells that a cell's function needs, as they are at that
moment. Nothing is pickled; the outcome is JSON over a socket. A fork copies one thread and the locks of all, so:

* Python reinitialises its own locks, and `runtime.forked.locks` those of imports and logs.
* The engine refuses to work in a forked process, and the child has no connection to the service: its requests to the
  Lab's storage are handled by this process.
* The child ends by `os._exit`: nothing of the parent is closed, flushed or collected in it.
* A library with threads of its own (OpenMP, gRPC, some of macOS) may not survive a fork, nor a lock of the author's
  that another thread holds: such activities run in threads. One that hangs is killed when its task times out.

The child leads a session of its own, so an interrupt of the kernel does not reach it; its signals are as Python starts
with them, and SIGTERM raises `ActivityCanceled`. It dies with its parent. Its standard output and error, and those of
its programs, go where the activity's output would go in a thread.
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
from simpleflow_lab.locking.process_lock import process_lock
from simpleflow_lab.runtime.captured_output import TaskOutput
from simpleflow_lab.runtime.forked import activity_process, locks
from simpleflow_lab.runtime.forked.framed_messages import FramedMessages
from simpleflow_lab.runtime.outcomes import Abandoned, Canceled, Failed, Outcome, from_record

logger = logging.getLogger(__name__)

_TICK: Final = 0.1
"""Seconds between two checks whether the activity should stop."""

_forking: Final = process_lock()
_parents_descriptors: Final[set[int]] = set()
"""File descriptors that every child closes: a pipe that a sibling keeps open never ends."""


class ForkedActivities:
    """The forked activities of one Lab."""

    def __init__(self, *, sigterm_wait: float) -> None:
        """`sigterm_wait` is how many seconds an activity has for its clean-up when it should stop."""
        self._sigterm_wait = sigterm_wait
        self._stopping = threading.Event()
        if sys.version_info >= (3, 12):
            # Python warns of the risk that the module's docstring describes.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=re.escape(__name__), message=".*fork")

    def stop(self) -> None:
        """Kill the processes, and fork no more."""
        self._stopping.set()

    def run(
        self,
        call: Callable[[RunningTask, Storage], Outcome],
        task: RunningTask,
        *,
        storage: Storage,
        output: TaskOutput,
    ) -> Outcome:
        """The outcome of `call`, which runs in a forked process; this thread waits for it.

        The call gets a `RunningTask` of its own, whose heartbeats arrive at `task`, and a `Storage` that stands for
        `storage`. What it prints and logs goes to `output`.
        """
        if not hasattr(os, "fork"):
            raise UsageError("processes are made by a fork, which this system does not have: use executor='threads'")
        if self._stopping.is_set():
            return Abandoned(why="the Lab was closed")
        child = _fork(call, task)
        try:
            try:
                outcome = self._follow_child(child, task, storage, output)
            finally:
                if task.canceled is not None or self._stopping.is_set():
                    child.kill_group()
                child.end()
            for stream in child.outputs:
                stream.pass_on_the_rest(output)
        finally:
            child.close()
        if outcome is None and task.canceled is not None:
            return Canceled(details=f"its process {child.pid} {child.how}")
        if outcome is None or (isinstance(outcome, Canceled) and task.canceled is None):
            # SIGTERM came from somebody else: SWF has not requested cancellation.
            how = child.how if outcome is None else "was asked to end by SIGTERM"
            return Failed.of(ActivityProcessDied(str(task.context["activity_id"]), child.pid, how))
        return outcome

    def _follow_child(self, child: _Child, task: RunningTask, storage: Storage, output: TaskOutput) -> Outcome | None:
        """Handle the child's messages and output until its outcome, which is `None` if it ended without."""
        kill_at: float | None = None
        with selectors.DefaultSelector() as selector:
            for source in (child.messages, *child.outputs):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(_TICK):
                    if isinstance(key.fileobj, _Output):
                        if not key.fileobj.pass_on(output):
                            selector.unregister(key.fileobj)
                        continue
                    try:
                        outcome = _receive(child, task, storage, output)
                    except EOFError:
                        return None
                    if outcome is not None:
                        return outcome
                if self._stopping.is_set():
                    return Abandoned(why="the Lab was closed")
                if task.canceled is not None:
                    if kill_at is None:
                        kill_at = time.monotonic() + self._sigterm_wait
                        child.send({"cancel": task.canceled, "gone": task.is_gone})
                    elif time.monotonic() >= kill_at:
                        child.how = f"was killed, for it had not stopped after {self._sigterm_wait:g} s"
                        return None
                if child.has_ended():
                    # A program that it left behind may keep its socket open: its messages are read all the same.
                    return _receive_the_rest(child, task, storage, output)


class _Child:
    """A forked process, seen from its parent."""

    def __init__(self, pid: int, connection: socket.socket, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.messages = FramedMessages(connection)
        self.outputs = (_Output("stdout", stdout), _Output("stderr", stderr))
        self.how = "ended"
        """The words for how it ended."""
        self._ended = False

    def send(self, message: Mapping[str, Any]) -> None:
        """Send it a message, unless it has ended."""
        with contextlib.suppress(OSError):
            self.messages.send(message)

    def has_ended(self, *, wait: bool = False) -> bool:
        if not self._ended:
            try:
                found, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
            except ChildProcessError:  # other code in this process waited for it
                found, status = self.pid, 0
            if found:
                self._ended = True
                if self.how == "ended":
                    self.how = _describe_end(status)
        return self._ended

    def kill_group(self) -> None:
        """Kill it, and the programs that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Wait a moment for its end, and kill it if it has not ended then."""
        if not self._ended:
            # Its socket may end a moment before the process: then the process ends by itself, with its own cause.
            deadline = time.monotonic() + _TICK
            while not self.has_ended() and time.monotonic() < deadline:
                time.sleep(0.001)
            if not self._ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                self.has_ended(wait=True)

    def close(self) -> None:
        """Close this process's ends of its connection and pipes."""
        with _forking:
            for end in (self.messages, *self.outputs):
                _parents_descriptors.discard(end.fileno())
                end.close()


class _Output:
    """One of a child's standard streams, read by its parent."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def fileno(self) -> int:
        return self._descriptor

    def pass_on(self, output: TaskOutput) -> bool:
        """Read once and write the text to the activity's output; `False` at the end of the stream."""
        chunk = os.read(self._descriptor, 1 << 16)
        text = self._decoder.decode(chunk, final=not chunk)
        if text:
            output.write(self.name, text)
        return bool(chunk)

    def pass_on_the_rest(self, output: TaskOutput) -> None:
        """Read the rest after the process has ended, without waiting for programs that it left behind."""
        os.set_blocking(self._descriptor, False)
        with contextlib.suppress(BlockingIOError):
            while self.pass_on(output):
                pass

    def close(self) -> None:
        os.close(self._descriptor)


def _receive(child: _Child, task: RunningTask, storage: Storage, output: TaskOutput) -> Outcome | None:
    """Read the child's messages and handle them; gives the outcome if it is among them. Raises `EOFError`."""
    for message in child.messages.receive():
        if "outcome" in message:
            return from_record(message)
        if "heartbeat" in message:
            task.send_heartbeat(message["heartbeat"])
        elif "log" in message:
            output.add(*message["log"])
        elif "show" in message:
            name, text = message["show"]
            output.show(getattr(sys, name), text)
        elif "objects" in message:
            child.send(_objects(message, storage))
    return None


def _receive_the_rest(child: _Child, task: RunningTask, storage: Storage, output: TaskOutput) -> Outcome | None:
    with selectors.DefaultSelector() as selector:
        selector.register(child.messages, selectors.EVENT_READ)
        while selector.select(0):
            try:
                outcome = _receive(child, task, storage, output)
            except EOFError:
                break
            if outcome is not None:
                return outcome
    return None


def _objects(message: Mapping[str, Any], storage: Storage) -> dict[str, Any]:
    """The answer to a child's request to the storage."""
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
    except Exception as error:  # of an author's storage: the child waits for an answer, and says it at its line
        logger.exception("a process's storage failed")
        return {"error": "StoreError", "with": [f"{type(error).__name__}: {error}"]}


# -- the fork ----------------------------------------------------------------------------------------------------------


def _fork(call: Callable[[RunningTask, Storage], Outcome], task: RunningTask) -> _Child:
    locks.wait_until_free()
    with _forking:
        ours, its = socket.socketpair()
        (stdout, its_stdout), (stderr, its_stderr) = os.pipe(), os.pipe()
        _parents_descriptors.update((ours.fileno(), stdout, stderr))
        parent = os.getpid()
        # In the child this thread is the only one, so it gets every signal: block them until it is ready.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                activity_process.main(
                    call,
                    task.context,
                    connection=its,
                    stdout=its_stdout,
                    stderr=its_stderr,
                    parents_descriptors=frozenset(_parents_descriptors),
                    parent=parent,
                    signals=before,
                )
        except OSError:  # there are too many processes
            _parents_descriptors.difference_update((ours.fileno(), stdout, stderr))
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


def _describe_end(status: int) -> str:
    """The end of a process, in words, from its wait status."""
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
