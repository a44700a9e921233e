"""A lock of one process, for names of a module: a fork copies it free, whoever holds it at that moment."""

from __future__ import annotations

import os
import threading


def process_lock() -> threading.Lock:
    """A new lock, which is free in each process that is forked. What it guards must bear that."""
    lock = threading.Lock()
    os.register_at_fork(after_in_child=lock._at_fork_reinit)  # type: ignore[attr-defined]
    return lock
