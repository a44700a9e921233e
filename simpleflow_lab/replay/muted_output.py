"""Output muted during replay.

What a workflow prints was printed when it ran the first time. While it is replayed, the output of its thread to
`sys.stdout` and to the package's logger is dropped; the output of other threads is written as ever. A replay that is
only watched drops what goes to `sys.stderr`, too.
"""

from __future__ import annotations

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


class _Gate:
    """Replaces a stream of `sys` while some thread replays, and drops what a muted thread writes."""

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
    """Within it, the receiver gets what this thread prints; its other output, to `sys.stderr` too, is dropped."""
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
            setattr(sys, name, _Gate(name))
        threads[thread] = threads.get(thread, 0) + 1


def _unmute(name: str) -> None:
    thread = threading.get_ident()
    with _lock:
        threads = _muted[name]
        threads[thread] -= 1
        if not threads[thread]:
            del threads[thread]
        gate = getattr(sys, name)
        # If something else has replaced the stream meanwhile, that puts it back.
        if not threads and isinstance(gate, _Gate):
            setattr(sys, name, gate.stream)
