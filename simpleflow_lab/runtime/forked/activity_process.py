"""The process of a forked activity, from the fork to its end.

Rule: it never returns to the code that forked it, and touches nothing of its parent's but the memory.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import gc
import io
import logging
import os
import queue
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NoReturn

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.data.objects import Storage
from simpleflow_lab.exceptions import ObjectNotFoundError, StoreError, UsageError
from simpleflow_lab.programs.child_processes import PR_SET_PDEATHSIG
from simpleflow_lab.runtime.captured_output import forward_from_child, streams_below
from simpleflow_lab.runtime.coroutines import run_to_end
from simpleflow_lab.runtime.forked import locks
from simpleflow_lab.runtime.forked.framed_messages import FramedMessages
from simpleflow_lab.runtime.outcomes import Completed, Outcome, outcome_of, to_record
from simpleflow_lab.runtime.sigterm import drop_in_forked_processes

_HEARTBEAT_SECONDS: Final = 0.1
"""Seconds between two heartbeats to the parent, at least."""
_ERRORS: Final = {error.__name__: error for error in (ObjectNotFoundError, StoreError, UsageError)}
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded before any fork."""


def main(
    call: Callable[[RunningTask, Storage], Outcome],
    context: dict[str, Any],
    *,
    connection: socket.socket,
    stdout: int,
    stderr: int,
    parents_descriptors: Iterable[int],
    parent: int,
    signals: Iterable[int],
) -> NoReturn:
    """Run the call, send its outcome over the connection, and end the process.

    All signals are blocked when this is called; those of `signals` were blocked before the fork.
    """
    code = 70
    try:
        _end_with(parent)
        locks.reinitialise()
        os.setsid()
        _close(parents_descriptors)
        before = _redirect(stdout, stderr)
        gc.freeze()  # finalizers of the parent's objects must not run in this process
        link = _ParentLink(FramedMessages(connection), context)
        forward_from_child(link.forward_output)
        _redirect_logs(before)
        _reset_signals(link, signals)
        drop_in_forked_processes(link.terminate)
        link.start()
        outcome = link.run(call)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        link.messages.send(to_record(outcome))
        code = 0
    finally:
        os._exit(code)


class _ParentLink:
    """The child's end of the connection: sends heartbeats and requests, receives answers and cancellations."""

    def __init__(self, messages: FramedMessages, context: dict[str, Any]) -> None:
        self.messages = messages
        self.task = RunningTask(context, report=self._report, finish=run_to_end)
        self._pid = os.getpid()
        self._main = threading.get_ident()
        self._interruptible = False
        self._unsent: str | None = None
        self._recent = False
        """A heartbeat went out less than `_HEARTBEAT_SECONDS` ago."""
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._calling = threading.Lock()

    def start(self) -> None:
        """Begin to receive messages."""
        threading.Thread(target=self._listen, name="activity's parent", daemon=True).start()

    def run(self, call: Callable[[RunningTask, Storage], Outcome]) -> Outcome:
        """The outcome of the call. SIGTERM interrupts the call, and no other code of this process."""
        outcomes: list[Outcome] = []

        def interruptible() -> Completed:
            with self.task.interrupted_by(self._interrupt):
                self._interruptible = True
                try:
                    outcomes.append(call(self.task, Storage(_PipedObjects(self._call, None), self._open)))
                finally:
                    self._interruptible = False
            return Completed(result="")

        # The call gives an outcome and raises nothing; but an interrupt may come just when it has returned.
        interrupted = outcome_of(interruptible, self.task)
        return outcomes[0] if outcomes else interrupted

    def terminate(self, signal_number: int, frame: object) -> None:
        """The handler of SIGTERM: raise `ActivityCanceled` in the activity, once."""
        if self.task.canceled is None:
            self.task.cancel("its process got SIGTERM")  # which sends the signal again, or interrupts a coroutine
        elif self._interruptible:
            error = self.task.take_cancellation()
            if error is not None:
                raise error

    def _interrupt(self) -> None:
        """Wake the activity's own thread, wherever it waits: only a main thread runs the handlers of signals."""
        signal.pthread_kill(self._main, signal.SIGTERM)

    @contextlib.contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        """Within this context the activity's thread is not interrupted: half a message would garble all that follow."""
        here = threading.get_ident() == self._main and self._interruptible
        if here:
            self._interruptible = False
        try:
            yield
        finally:
            if here:
                self._interruptible = True
        if here:
            error = self.task.take_cancellation()
            if error is not None:
                raise error

    def _call(self, message: Mapping[str, Any]) -> Any:
        """Send a request to the parent; gives its answer, or raises its error."""
        if os.getpid() != self._pid:
            raise StoreError("the Lab's objects are for the activity's own process, not for one that it forked")
        with self._uninterrupted(), self._calling:
            self.messages.send(message)
            answer = self._answers.get()
        if "error" in answer:
            raise _ERRORS[answer["error"]](*answer["with"])
        return answer["answer"]

    def _open(self, location: str) -> _PipedObjects:
        self._call({"objects": "open", "at": location})
        return _PipedObjects(self._call, location)

    def _report(self, text: str | None) -> None:
        if self._recent:
            self._unsent = text or self._unsent
            return
        self._recent, self._unsent = True, None
        with self._uninterrupted(), contextlib.suppress(OSError):  # the end of the parent ends this process
            self.messages.send({"heartbeat": text})

    def forward_output(self, kind: str, source: str, text: str) -> None:
        """Send a record of the activity's log, or what a handler writes, to the parent."""
        with self._uninterrupted(), contextlib.suppress(OSError):  # the end of the parent ends this process
            self.messages.send({kind: [source, text]})

    # -- the thread that receives --

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.messages, selectors.EVENT_READ)
            while True:
                if selector.select(_HEARTBEAT_SECONDS):
                    try:
                        for message in self.messages.receive():
                            self._handle(message)
                    except EOFError:
                        # The parent has ended: the activity ends too, with the programs that it started.
                        with contextlib.suppress(OSError):
                            os.killpg(0, signal.SIGKILL)
                        os._exit(70)
                self._flush()

    def _flush(self) -> None:
        self._recent = False
        unsent, self._unsent = self._unsent, None
        if unsent is not None:
            with contextlib.suppress(OSError):
                self.messages.send({"heartbeat": unsent})

    def _handle(self, message: dict[str, Any]) -> None:
        if "cancel" in message:
            self.task.cancel(message["cancel"], is_gone=message["gone"])
        else:
            self._answers.put(message)


class _PipedObjects:
    """Objects that the parent reads and writes for this process."""

    def __init__(self, call: Callable[[Mapping[str, Any]], Any], location: str | None) -> None:
        self._call, self._location = call, location

    def __repr__(self) -> str:
        return f"<objects at {self._location or 'the default place'}, through the parent process>"

    def put(self, key: str, content: bytes) -> None:
        self._call({"objects": "put", "at": self._location, "key": key, "content": base64.b64encode(content).decode()})

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        return base64.b64decode(
            self._call({"objects": "get", "at": self._location, "key": key, "max_bytes": max_bytes})
        )

    def keys(self, prefix: str) -> list[str]:
        found: list[str] = self._call({"objects": "keys", "at": self._location, "prefix": prefix})
        return found


# -- after the fork ---------------------------------------------------------------------------------------------------


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies; where it can't, the connection's end ends this process."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(70)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _redirect(stdout: int, stderr: int) -> dict[int, str]:
    """Standard output and error are the parent's pipes, for this process and the programs that it starts.

    Gives the names of the streams that were the parent's, by their `id`.
    """
    before = {id(stream): name for name in ("stdout", "stderr") for stream in streams_below(name)}
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        if source > 2:
            os.close(source)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  for as long as the process lives
    sys.stdout, sys.stderr = _writer(1), _writer(2)
    return before


def _writer(descriptor: int) -> io.TextIOWrapper:
    """A stream without a buffer, so that a crash loses nothing that was written."""
    raw: Any = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


def _redirect_logs(before: Mapping[int, str]) -> None:
    """Let log handlers of the parent's streams, which are closed here or need its threads, write to this process's."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            name = before.get(id(getattr(handler, "stream", None)))
            if name is not None:
                handler.stream = getattr(sys, name)


def _reset_signals(link: _ParentLink, signals: Iterable[int]) -> None:
    """Set the signals' handlers as Python starts with them, except for SIGTERM's."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, link.terminate)
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
