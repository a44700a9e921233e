"""Forking a process that has threads: what must be at rest before, and what is mended after.

A fork copies one thread and the locks of all. A lock that another thread holds at that moment is held in the child for
ever. Python mends most of its own; this is about the two that it does not, and that a notebook meets every day:

* An import: its module is half there, and locked. A fork waits until no import is under way, for a while; the child
  forgets a module that was half imported all the same, and imports it anew.
* A log: the file behind a handler is locked while it is written. A fork holds the handlers' locks, so nobody writes.
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
"""How long to wait for one line of a log."""


@contextlib.contextmanager
def at_rest() -> Iterator[None]:
    """Within it, fork: nobody writes to a log, and probably nobody imports."""
    deadline = time.monotonic() + _IMPORT_SECONDS
    while time.monotonic() < deadline and any(True for _ in _being_imported()):
        time.sleep(0.001)
    with contextlib.ExitStack() as held:
        for lock in _log_locks():
            if lock.acquire(timeout=_LOG_SECONDS):
                held.callback(lock.release)
        yield


def mend() -> None:
    """In the child, first of all: forget what other threads were importing."""
    for name in list(_being_imported()):
        _module_locks().pop(name, None)
        module = sys.modules.get(name)
        if getattr(getattr(module, "__spec__", None), "_initializing", False):
            del sys.modules[name]


def _being_imported() -> Iterator[str]:
    """The modules that other threads are importing."""
    me = threading.get_ident()
    for name, reference in list(_module_locks().items()):
        owner = getattr(reference(), "owner", None)
        if owner is not None and owner != me:
            yield name


def _module_locks() -> dict[str, Any]:
    """What Python's import system has of locks: not a public name, so it may be gone one day."""
    found: dict[str, Any] = getattr(getattr(importlib, "_bootstrap", None), "_module_locks", {})
    return found


def _log_locks() -> Iterator[Any]:
    """The locks of logging: its own first, for whoever holds it may want a handler's."""
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
