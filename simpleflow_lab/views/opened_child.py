"""A child whose history is drawn below its bar in the Gantt chart of its parent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simpleflow_lab.views.history_fold import FoldedHistory


class OpenedChild(NamedTuple):
    """The history of a child that is drawn below its bar."""

    folded: FoldedHistory
    """Its own history."""
    children: Mapping[int, OpenedChild]
    """Those of its children that are opened, by their `scheduled_event_id` in its history."""
