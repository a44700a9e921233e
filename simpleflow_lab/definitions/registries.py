"""Registries of this process: its definitions of workflows, activities and types of values.

Rule: an author's definition is kept in a `Definitions`. Every one of them is process-wide and changes at any time: a
notebook defines things while its deciders run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

FINGERPRINT: Final = "__simpleflow_fingerprint__"
"""The attribute of a definition in which its fingerprint is cached; see `runtime.fingerprints`."""

Key = TypeVar("Key")
Definition = TypeVar("Definition")

Listener = Callable[[Any], None]
"""Called with a definition."""


class Definitions(dict[Key, Definition]):
    """The definitions of one kind, by key; a later definition replaces an earlier one with its key."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[Listener] = []

    def define(self, key: Key, definition: Definition) -> None:
        """Set the definition of a key, and notify the listeners."""
        self[key] = definition
        for listener in list(self._listeners):
            listener(definition)

    def subscribe(self, listener: Listener) -> None:
        """Call this listener with each definition from now on: what it was missing may be there."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Call this listener no longer."""
        if listener in self._listeners:
            self._listeners.remove(listener)
