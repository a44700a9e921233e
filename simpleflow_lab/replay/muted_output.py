"""Output muted during replay.

What a workflow prints was printed when it ran the first time. While it is replayed, the output of its thread to
`sys.stdout` and to the package's logger is dropped; the output of other threads is written as ever.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simpleflow_lab.log import replaying_threads as _muted

_lock = threading.Lock()


class _Gate:
    """Replaces `sys.stdout` while some thread replays, and drops what a muted thread writes."""

    def __init__(self, stream: Any):
        self.stream = stream

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() in _muted else int(self.stream.write(text) or 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def muted_output() -> Iterator[None]:
    """Within it, this thread's `print` and its lines to the package's logger are dropped."""
    thread = threading.get_ident()
    with _lock:
        if not _muted:
            sys.stdout = _Gate(sys.stdout)
        _muted[thread] = _muted.get(thread, 0) + 1
    try:
        yield
    finally:
        with _lock:
            _muted[thread] -= 1
            if not _muted[thread]:
                del _muted[thread]
            # If something else has replaced `sys.stdout` meanwhile, that puts it back.
            if not _muted and isinstance(sys.stdout, _Gate):
                sys.stdout = sys.stdout.stream
