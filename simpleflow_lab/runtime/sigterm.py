"""SIGTERM, where nothing else handles it: the process closes its Labs before it ends by it.

So a restart of a kernel, or a service manager's stop, gives back what the process holds: no task counts as lost with
it.

Rule: a process that is forked from this one ends by SIGTERM as if there were no handler.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

CLOSING_SECONDS: Final = 2.0
"""Seconds for which the end of the process waits until the Labs are closed."""
Handler = Callable[[int, FrameType | None], Any]


def close_at_sigterm(close: Callable[[], object]) -> None:
    """Let SIGTERM call `close`, in a thread, before it ends this process; unless something else handles it.

    Only the main thread can: for others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not (
        signal.SIG_DFL
    ):
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        thread = threading.Thread(target=close, name="close at SIGTERM", daemon=True)
        thread.start()
        thread.join(CLOSING_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    drop_in_forked_processes(end)


def drop_in_forked_processes(handler: Handler) -> None:
    """Let SIGTERM end a process that is forked from this one, as a pool that sends it expects, instead of this handler.

    It is blocked around the fork: one that came before the new process has dropped the handler would be lost, and a
    pool that ends its processes would wait for ever.
    """
    masks = threading.local()  # the mask of blocked signals is the thread's, and forks of threads may overlap

    def block() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def restore() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def drop() -> None:
        if signal.getsignal(signal.SIGTERM) == handler:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        restore()

    os.register_at_fork(before=block, after_in_parent=restore, after_in_child=drop)
