"""Upstream's registry of activities: `registry[label][name]`, for programs that find activities by their names.

It is a view of `activity.registry`, which has versions too. The label, which is always `None` upstream, is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simpleflow_lab import activity
from simpleflow_lab.activity import Activity

__all__ = ["Registry", "registry"]


class Registry:
    """The activities of this process, by name."""

    def __getitem__(self, label: str | None) -> Mapping[str, Activity]:
        """The activities by name, the one defined last where several versions have it."""
        return {name: found for (name, _), found in activity.registry.items()}

    def register(self, task: Activity, label: str | None = None) -> None:
        """Register an activity; `with_attributes` has done so already."""
        activity.registry[task.name, task.version] = task


registry: Final = Registry()
"""Every activity defined in this process."""
