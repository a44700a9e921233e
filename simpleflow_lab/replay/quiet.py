"""Silence for code that runs again.

What a workflow prints was printed when it ran the first time. While it is replayed, what its thread writes to
`sys.stdout` and to the package's logger is dropped; what other threads write goes on its way.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simpleflow_lab.log import replaying_threads as _silent

_lock = threading.Lock()


class _Gate:
    """Stands in for `sys.stdout` while some thread replays."""

    def __init__(self, stream: Any):
        self.stream = stream

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() in _silent else int(self.stream.write(text) or 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, this thread's `print` and the package's logger say nothing."""
    thread = threading.get_ident()
    with _lock:
        if not _silent:
            sys.stdout = _Gate(sys.stdout)
        _silent[thread] = _silent.get(thread, 0) + 1
    try:
        yield
    finally:
        with _lock:
            _silent[thread] -= 1
            if not _silent[thread]:
                del _silent[thread]
            # Somebody else may have replaced it meanwhile; then it is theirs to put back.
            if not _silent and isinstance(sys.stdout, _Gate):
                sys.stdout = sys.stdout.stream
