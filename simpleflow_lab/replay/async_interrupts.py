"""An exception that is raised in another thread, wherever it is, and taken back if it was not delivered.

Rule: what was not delivered is taken back by delivering it. Python 3.11 takes one that is merely deleted for one that
is still to come, and code that is traced, as by `pdb`, then hangs in whichever thread.
"""

from __future__ import annotations

import threading

from simpleflow_lab.exceptions import DecisionInterrupted


def interrupt(thread: int) -> None:
    """Raise `DecisionInterrupted` in the thread of this identifier, as soon as it runs Python's code."""
    import ctypes  # noqa: PLC0415  few decisions are interrupted

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(DecisionInterrupted))


def take_back() -> None:
    """No interrupt of this thread is to come any more. Call it where no other thread interrupts this one."""
    try:
        interrupt(threading.get_ident())  # there is at most one: it takes the place of another
        while True:
            pass
    except DecisionInterrupted:
        return
