"""Output muted during replay.

What a workflow prints was printed when it ran the first time. While it is replayed, the output of its thread to
`sys.stdout` and to the package's logger is dropped; the output of other threads is written as ever. A replay that is
only watched drops what goes to `sys.stderr` and to the handlers of any logger, too.

Rule: what is replaced in `sys` and `logging` is replaced while some thread is muted, and is then as it was before.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from simpleflow_lab.log import replaying_threads

_lock = threading.Lock()
_muted: Final[dict[str, dict[int, int]]] = {"stdout": replaying_threads, "stderr": {}}
"""For each stream of `sys` the threads that are muted, by identifier, and how many times over."""
_receivers: Final[dict[int, Callable[[str], None]]] = {}
"""Called with what a watched thread writes to `sys.stdout`, by the thread's identifier."""


class Gate:
    """Replaces a stream of `sys` while some thread replays, and drops what a muted thread writes.

    What else replaces streams for a while puts itself below it, in its `stream`: else it would see what is dropped.
    """

    def __init__(self, name: str):
        self.name = name
        self.stream: Any = getattr(sys, name)

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        if thread not in _muted[self.name]:
            return int(self.stream.write(text) or 0)
        if self.name == "stdout" and thread in _receivers:
            _receivers[thread](text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


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
    _mute("stdout")
    try:
        yield
    finally:
        _unmute("stdout")


@contextmanager
def watched_output(receiver: Callable[[str], None]) -> Iterator[None]:
    """Within it, the receiver gets what this thread prints; its other output is dropped, and so is what it logs."""
    thread = threading.get_ident()
    outer = _receivers.get(thread)
    _receivers[thread] = receiver
    _mute("stderr")
    try:
        with muted_output():
            yield
    finally:
        _unmute("stderr")
        if outer is None:
            del _receivers[thread]
        else:
            _receivers[thread] = outer


def _mute(name: str) -> None:
    thread = threading.get_ident()
    with _lock:
        threads = _muted[name]
        if not threads:
            setattr(sys, name, Gate(name))
            if name == "stderr":
                _logger_gates.append(_LoggerGate())
        threads[thread] = threads.get(thread, 0) + 1


def _unmute(name: str) -> None:
    thread = threading.get_ident()
    with _lock:
        threads = _muted[name]
        threads[thread] -= 1
        if not threads[thread]:
            del threads[thread]
        if not threads and name == "stderr":
            _logger_gates.pop().remove()
        gate = getattr(sys, name)
        # If something else has replaced the stream meanwhile, that puts it back.
        if not threads and isinstance(gate, Gate):
            setattr(sys, name, gate.stream)
