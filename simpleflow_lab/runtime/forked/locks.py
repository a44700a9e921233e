"""Forking a process that has threads: what is waited for before the fork, and reinitialised after it.

A fork copies one thread and the locks of all. A lock that another thread holds at that moment is held in the child for
ever. Python reinitialises most of its own locks; this module handles the two kinds that it does not, and that a
notebook often holds:

* An import: its module is half initialised, and locked. A fork waits until no import is under way, up to a limit; the
  child forgets modules that were half imported all the same, and imports them anew.
* A log: a handler's stream is locked while it writes. A fork waits, up to a limit, until each handler has written its
  line; in the child the handlers of files write to the same files through streams of their own.

Rule: no lock is held when a process is forked. `os.fork` takes those that other modules registered for it, and
another thread that forks at that moment, as `multiprocessing` does, waits with some of them for the rest.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

_IMPORT_SECONDS: Final = 2.0
"""Seconds to wait for imports of other threads."""
_LOG_SECONDS: Final = 1.0
"""Seconds to wait until all handlers have written their lines."""
_left: Final[list[io.TextIOWrapper]] = []
"""Streams of the parent: what is buffered in them is the parent's to write, and their end would write it."""


def wait_until_free() -> None:
    """To be called before a fork: wait until no other thread imports or writes to a log, as far as that can be told."""
    deadline = time.monotonic() + _IMPORT_SECONDS
    while time.monotonic() < deadline and any(True for _ in _being_imported()):
        time.sleep(0.001)
    deadline = time.monotonic() + _LOG_SECONDS
    for handler in _handlers():
        lock = handler.lock
        if lock is not None and lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            lock.release()


def reinitialise() -> None:
    """To be called in the child before anything else: forget the modules that other threads were importing, and use no
    stream that another thread may have locked."""
    _renew_streams()
    for name in list(_being_imported()):
        _module_locks().pop(name, None)
        module = sys.modules.get(name)
        if getattr(getattr(module, "__spec__", None), "_initializing", False):
            del sys.modules[name]


def _being_imported() -> Iterator[str]:
    """Names of the modules that other threads are importing."""
    me = threading.get_ident()
    for name, reference in list(_module_locks().items()):
        owner = getattr(reference(), "owner", None)
        if owner is not None and owner != me:
            yield name


def _module_locks() -> dict[str, Any]:
    """The locks of Python's import system by module; it has no public name, so they may be missing one day."""
    found: dict[str, Any] = getattr(getattr(importlib, "_bootstrap", None), "_module_locks", {})
    return found


def _renew_streams() -> None:
    """Let the log handlers that write to files do so through streams of this process."""
    for handler in _handlers():
        stream = getattr(handler, "stream", None)
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):  # it is closed, or no file of the system
                raw: Any = io.FileIO(stream.fileno(), "w", closefd=False)
                handler.stream = io.TextIOWrapper(
                    raw, encoding=stream.encoding, errors=stream.errors, write_through=True
                )
                _left.append(stream)


def _handlers() -> list[Any]:
    """The handlers of all loggers, each once."""
    loggers = [logging.root, *list(logging.root.manager.loggerDict.values())]
    found: dict[int, Any] = {id(each): each for logger in loggers for each in getattr(logger, "handlers", ())}
    return list(found.values())
