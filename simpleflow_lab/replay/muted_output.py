"""Output muted during replay.

What a workflow prints was printed when it ran the first time. While it is replayed, the output of its thread to
`sys.stdout` and to the package's logger is dropped; the output of other threads is written as ever. A replay that is
only watched drops what goes to `sys.stderr` and to the handlers of any logger, too. A decision that is made anew,
because SWF refused its close, does not print or log a second time what it printed and logged before.

`breakpoint()` and `pdb.set_trace()` are passed over in a thread that is muted: nobody would see where they stop. So is
`input()` refused.

Rule: what is replaced in `sys` and `logging` is replaced while some thread is muted, and is then as it was before. What
stood in `sys` is kept for a while when it was taken away: before Python 3.13.3, `print` doesn't hold the stream that it
writes to, and another thread may be in the midst of one.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from simpleflow_lab.locking.process_lock import process_lock
from simpleflow_lab.log import is_repeated, log_receivers, logged_before, replaying_threads
from simpleflow_lab.replay import breakpoints

_lock = process_lock()
_muted: Final[dict[str, dict[int, int]]] = {"stdout": replaying_threads, "stderr": {}}
"""For each stream of `sys` the threads that are muted, by identifier, and how many times over."""
_receivers: Final[dict[int, Callable[[str], None]]] = {}
"""Called with what a watched thread writes to `sys.stdout`, by the thread's identifier."""

_kept: Final[deque[Any]] = deque(maxlen=32)
"""Streams that stood in `sys` and are kept from being freed, the latest ones."""

_printed: Final[dict[int, deque[str]]] = {}
"""The texts that a thread which makes a decision anew wrote for it before and not again yet, by the thread's id."""


class Gate:
    """Replaces a stream of `sys` while some thread replays, and drops what a muted thread writes.

    What else replaces streams for a while puts itself below it, in its `stream`: else it would see what is dropped.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.stream: Any = getattr(sys, name)

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        if thread not in _muted[self.name]:
            if self.name == "stdout" and thread in _printed and is_repeated(_printed[thread], text):
                return len(text)
            return int(self.stream.write(text) or 0)
        if self.name == "stdout" and thread in _receivers:
            _receivers[thread](text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def keep(stream: Any) -> None:
    """Keep a stream that is put into `sys` from being freed when it is taken away: a `print` may be writing to it."""
    if not any(each is stream for each in tuple(_kept)):
        _kept.append(stream)


def stream_below_gates(stream: Any) -> Any:
    """The stream for which a gate stands, if this is one."""
    while isinstance(stream, Gate):
        stream = stream.stream
    return stream


class _LoggerGate:
    """Stands in for `logging.Logger.callHandlers` while some thread watches: drops what such a thread logs.

    A handler may hold a stream that it got before, so that the gate of `sys.stderr` doesn't see what it writes.
    """

    def __init__(self) -> None:
        self._original = logging.Logger.callHandlers
        watching = _muted["stderr"]

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            if threading.get_ident() not in watching:
                self._original(logger, record)

        self._replacement = call_handlers
        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment]

    def remove(self) -> None:
        # What has replaced it meanwhile may still call it: it then drops nothing.
        if logging.Logger.callHandlers is self._replacement:
            logging.Logger.callHandlers = self._original  # type: ignore[method-assign]


_logger_gates: Final[list[_LoggerGate]] = []
"""The gate in use, if some thread watches."""


@contextmanager
def muted_output() -> Iterator[None]:
    """Within it, this thread's `print` and its lines to the package's logger are dropped."""
    breakpoints.ensure()
    _mute("stdout")
    try:
        yield
    finally:
        _unmute("stdout")


@contextmanager
def recorded_output(receiver: Callable[[str], None], logged: Callable[[str], None] | None = None) -> Iterator[None]:
    """Within it, the receiver gets what this thread prints; its lines to the package's logger are dropped, or given to
    `logged`."""
    thread = threading.get_ident()
    outer = _receivers.get(thread)
    _receivers[thread] = receiver
    if logged is not None:
        log_receivers[thread] = logged
    try:
        with muted_output():
            yield
    finally:
        if logged is not None:
            del log_receivers[thread]
        if outer is None:
            del _receivers[thread]
        else:
            _receivers[thread] = outer


@contextmanager
def watched_output(receiver: Callable[[str], None]) -> Iterator[None]:
    """Within it, the receiver gets what this thread prints; its other output is dropped, and so is what it logs."""
    thread = threading.get_ident()
    outer = _receivers.get(thread)
    if outer is not None and thread in _muted["stderr"]:  # it is watched already: only who gets it is another one
        breakpoints.ensure()
        _receivers[thread] = receiver
        try:
            yield
        finally:
            _receivers[thread] = outer
        return
    _mute("stderr")
    try:
        with recorded_output(receiver):
            yield
    finally:
        _unmute("stderr")


@contextmanager
def heard_output() -> Iterator[None]:
    """Within it, this thread's output is written as ever although it is muted: a debugger talks to a person.

    Not within a `print`: it takes the stream away that writes.
    """
    thread = threading.get_ident()
    muted = {name: threads[thread] for name, threads in _muted.items() if thread in threads}
    receiver = _receivers.pop(thread, None)
    with _lock:
        for name in muted:
            del _muted[name][thread]
            _remove_gate(name)
    try:
        yield
    finally:
        with _lock:
            for name, times in muted.items():
                _add_gate(name)
                _muted[name][thread] = times
        if receiver is not None:
            _receivers[thread] = receiver


@contextmanager
def new_output(printed: Iterable[str], logged: Iterable[str]) -> Iterator[None]:
    """Within it, what this thread writes to `sys.stdout` is dropped up to the first text that was not `printed` so, and
    what it logs up to the first line that was not `logged` so."""
    thread = threading.get_ident()
    with _lock:
        _add_gate("stdout")
        _printed[thread], logged_before[thread] = deque(printed), deque(logged)
    try:
        yield
    finally:
        with _lock:
            del _printed[thread], logged_before[thread]
            _remove_gate("stdout")


def _mute(name: str) -> None:
    thread = threading.get_ident()
    with _lock:
        threads = _muted[name]
        _add_gate(name)
        threads[thread] = threads.get(thread, 0) + 1


def _unmute(name: str) -> None:
    thread = threading.get_ident()
    with _lock:
        threads = _muted[name]
        threads[thread] -= 1
        if not threads[thread]:
            del threads[thread]
        _remove_gate(name)


def _is_muted(frame: FrameType, call: str) -> bool:
    """Whether the thread that called `breakpoint()`, or another one of these, is muted."""
    return threading.get_ident() in _muted["stdout"]


def _is_gated(name: str) -> bool:
    return bool(_muted[name]) or (name == "stdout" and bool(_printed))


def _add_gate(name: str) -> None:
    """Put the gate in place, before the first thread needs it. Call it with `_lock` held."""
    if not _is_gated(name):
        setattr(sys, name, _gate(name))
        if name == "stderr":
            _logger_gates.append(_LoggerGate())
        else:
            breakpoints.add(_is_muted)


def _gate(name: str) -> Gate:
    """The gate for what now stands in `sys`: the one that stood for it before, if that is kept. Replays add and remove
    their gates so often that new ones would soon be more than are kept."""
    stream = getattr(sys, name)
    for each in tuple(_kept):  # other threads add to it
        if isinstance(each, Gate) and each.name == name and each.stream is stream:
            return each
    gate = Gate(name)
    keep(gate)
    return gate


def _remove_gate(name: str) -> None:
    """Take the gate away when no thread needs it any more. Call it with `_lock` held."""
    if _is_gated(name):
        return
    if name == "stderr":
        _logger_gates.pop().remove()
    else:
        breakpoints.remove(_is_muted)
    gate = getattr(sys, name)
    # If something else has replaced the stream meanwhile, that puts it back.
    if isinstance(gate, Gate):
        setattr(sys, name, gate.stream)
