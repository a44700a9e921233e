"""Forking a process that has threads: quiescence before the fork, and reinitialisation after it.

A fork copies one thread and the locks of all. A lock that another thread holds at that moment is held in the child for
ever. Python reinitialises most of its own locks; this module handles the two kinds that it does not, and that a
notebook often holds:

* An import: its module is half initialised, and locked. A fork waits until no import is under way, up to a limit; the
  child forgets modules that were half imported all the same, and imports them anew.
* A log: the lock of a handler is held while it writes. A fork acquires the handlers' locks, so that no thread writes.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

_IMPORT_SECONDS: Final = 2.0
"""How long to wait for imports of other threads."""
_LOG_SECONDS: Final = 1.0
"""How long to wait until a handler has written its line."""


@contextlib.contextmanager
def quiescent() -> Iterator[None]:
    """Fork within this context: no other thread writes to a log, and probably none imports."""
    deadline = time.monotonic() + _IMPORT_SECONDS
    while time.monotonic() < deadline and any(True for _ in _being_imported()):
        time.sleep(0.001)
    with contextlib.ExitStack() as held:
        for lock in _log_locks():
            if lock.acquire(timeout=_LOG_SECONDS):
                held.callback(lock.release)
        yield


def reinitialise() -> None:
    """To be called in the child before anything else: forget the modules that other threads were importing."""
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


def _log_locks() -> Iterator[Any]:
    """The locks of logging: its own first, for its holder may acquire a handler's next."""
    own = getattr(logging, "_lock", None)
    if own is not None:
        yield own
    handlers = {
        id(handler): handler
        for logger in [logging.root, *list(logging.root.manager.loggerDict.values())]
        for handler in getattr(logger, "handlers", ())
    }
    for handler in handlers.values():
        if handler.lock is not None:
            yield handler.lock
