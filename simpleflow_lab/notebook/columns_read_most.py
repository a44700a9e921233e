"""The columns of our frames that a cell shows, those that people read most, each by its kind.

A frame says in its `attrs` which of our tables it is. It is shown so while it has all of its table's columns and no
others, with values of the kinds that it had; one of which somebody chose columns, to which somebody added one, or that
holds something else now (`tasks.isna()`), is for pandas to show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simpleflow_lab.views.combined_tables import IDS
from simpleflow_lab.views.formatting import duration
from simpleflow_lab.views.listings import Kind, json_text
from simpleflow_lab.views.markup import Unbroken
from simpleflow_lab.views.tables import (
    CRITICAL_PATH_TABLE,
    DECISIONS_TABLE,
    DIFFERENCES_TABLE,
    EVENTS_TABLE,
    POINT_EVENTS_TABLE,
    PROFILE_TABLE,
    SLACK_TABLE,
    TIME_SPENT_TABLE,
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The form in which a table of ours is shown."""

    columns: Mapping[str, Kind]
    """The columns that are shown, in their order."""
    if_any: Mapping[str, Kind] = field(default_factory=dict)
    """Those that come after them if they have a value in some row."""
    others: frozenset[str] = frozenset()
    """The table's other columns."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """The titles of columns, where those are not their names."""
    cells: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """The functions that make the values of a column shorter, or say them in words."""
    inferred: Mapping[str, str] = field(default_factory=dict)
    """What `pandas.api.types.infer_dtype` says of columns that `cells` makes texts of, where that is not `string`."""
    leaves_out_the_middle: bool = False
    """Of too many rows the first and the last are shown, not the first alone."""

    def of(self, names: Iterable[str]) -> bool:
        """Whether these are the columns of such a table, behind the ids of the execution or without."""
        needed = {*self.columns, *self.others}
        return needed <= {*names} <= {*needed, *self.if_any, *IDS}


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _signed(seconds: float) -> str:
    return Unbroken(f"{'+' if seconds > 0 else '−' if seconds < 0 else ''}{duration(abs(seconds))}")


_TIME: Final = {"seconds": "time", "percentage": "share"}

LOOKS: Final[Mapping[str, Look]] = {
    PROFILE_TABLE: Look(
        columns={
            **dict.fromkeys(("name", "kind"), Kind.TEXT),
            **dict.fromkeys(("count", "attempts", "failed", "open"), Kind.COUNT),
            **dict.fromkeys(("total_running", "median_running", "p95_running", "max_running"), Kind.SECONDS),
            "mean_waiting": Kind.SECONDS,
            "percentage": Kind.PERCENTAGE,
        },
        if_any={"executions": Kind.COUNT},
        others=frozenset({"mean_running", "total_waiting"}),
        titles={"percentage": "share"},
    ),
    CRITICAL_PATH_TABLE: Look(
        columns={
            **dict.fromkeys(("kind", "id"), Kind.TEXT),
            "attempt": Kind.COUNT,
            "state": Kind.STATE,
            "start": Kind.TIME,
            "seconds": Kind.SECONDS,
            "percentage": Kind.PERCENTAGE,
        },
        if_any={"task_list": Kind.TEXT, "at_once": Kind.COUNT, "limit": Kind.COUNT},
        others=frozenset({"end", "name", "scheduled_event_id"}),
        titles=_TIME,
        leaves_out_the_middle=True,
    ),
    SLACK_TABLE: Look(
        columns={
            "id": Kind.TEXT,
            "attempt": Kind.COUNT,
            "state": Kind.STATE,
            **dict.fromkeys(("waiting", "running", "slack"), Kind.SECONDS),
            "on_path": Kind.TEXT,
        },
        others=frozenset({"kind", "name", "scheduled_event_id"}),
        titles={"on_path": "on the critical path"},
        cells={"on_path": _yes_or_no},
        inferred={"on_path": "boolean"},
    ),
    TIME_SPENT_TABLE: Look(
        columns={"part": Kind.TEXT, "seconds": Kind.SECONDS, "percentage": Kind.PERCENTAGE}, titles=_TIME
    ),
    EVENTS_TABLE: Look(
        columns={
            "id": Kind.COUNT,
            "timestamp": Kind.TIME,
            "elapsed": Kind.SECONDS,
            **dict.fromkeys(("type", "name", "attributes"), Kind.TEXT),
        },
        others=frozenset({"kind", "state", "entity"}),
        cells={"attributes": json_text},
        inferred={"attributes": "mixed"},
        leaves_out_the_middle=True,
    ),
    DECISIONS_TABLE: Look(
        columns={
            "scheduled_event_id": Kind.COUNT,
            "state": Kind.STATE,
            "scheduled": Kind.TIME,
            **dict.fromkeys(("waiting", "deciding"), Kind.SECONDS),
            **dict.fromkeys(("new_events", "decisions"), Kind.COUNT),
            **dict.fromkeys(("kinds", "worker"), Kind.TEXT),
        },
        others=frozenset({"open", "started", "completed", "closed_event_id"}),
        titles={"scheduled_event_id": "event"},
        leaves_out_the_middle=True,
    ),
    POINT_EVENTS_TABLE: Look(
        columns={
            "event_id": Kind.COUNT,
            "at": Kind.TIME,
            **dict.fromkeys(("kind", "name", "state", "text"), Kind.TEXT),
        },
        titles={"event_id": "event"},
        leaves_out_the_middle=True,
    ),
    DIFFERENCES_TABLE: Look(
        columns={
            "id": Kind.TEXT,
            **dict.fromkeys(("state_a", "state_b"), Kind.STATE),
            **dict.fromkeys(("attempts_a", "attempts_b"), Kind.COUNT),
            **dict.fromkeys(("running_a", "running_b"), Kind.SECONDS),
            **dict.fromkeys(("longer", "same_input", "same_result"), Kind.TEXT),
        },
        others=frozenset({"kind", "name", "waiting_a", "waiting_b"}),
        cells={"longer": _signed, "same_input": _yes_or_no, "same_result": _yes_or_no},
        inferred={"longer": "floating", "same_input": "boolean", "same_result": "boolean"},
    ),
}
"""By the key in a frame's `attrs` that says which table it is. `notebook.table_renderers` has those of tasks and of
executions."""
