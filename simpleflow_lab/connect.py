"""From an address to a service.

An address is a path of a store of the embedded engine, or ":memory:". What answers is the same either way: SWF.
"""

from __future__ import annotations

import os

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.service.protocol import WatchableService

MEMORY = ":memory:"


def connect(address: str | os.PathLike[str]) -> WatchableService:
    """The service at this address; whoever connects closes it.

    Raises `StoreError` if a store can't be opened, `UsageError` for an address that means nothing.
    """
    text = os.fspath(address)
    if "://" in text:
        raise UsageError(f"{text!r} is no store: give the path of a file, or ':memory:'")
    if not text:
        raise UsageError("the address of a store is empty: give the path of a file, or ':memory:'")
    return EmbeddedSWF(text if text == MEMORY else os.path.expanduser(text))
