"""Markers as a workflow reads them back."""

from __future__ import annotations

from typing import Any, NamedTuple


class Marker(NamedTuple):
    """A marker of this run."""

    name: str
    details: Any
