"""The steps of a workflow as a table, from the `log.step` markers that our replay and upstream's record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.formatting import well_formed
from simpleflow_lab.views.tables import Column, flags, frame, numbers, objects, texts, times

STEP_MARKER: Final = "log.step"
"""Name of the markers."""
_STATUSES: Final = ("scheduled", "completed", "skipped")


_COLUMNS: Final[dict[str, Column]] = {
    "step": texts,
    "status": texts,
    "forced": flags,
    "reasons": objects,
    "scheduled": times,
    "ended": times,
    "running": numbers,
}


def steps_table(history: History) -> pd.DataFrame:
    """One row per step, in the order in which they were first recorded.

    Columns: `step` (text), `status` (text: `scheduled`, also of one that failed; `completed`; `skipped`), `forced`
    (`bool`: it was forced to run or to be skipped), `reasons` (a tuple of texts), `scheduled ended`
    (`datetime64[ms, UTC]`; `NaT` for what did not happen), `running` (`float64`, seconds between the two).
    """
    rows: list[dict[str, Any]] = []
    running: dict[str, dict[str, Any]] = {}
    for event, step in _markers(history):
        begun = running.pop(step["step"], None) if step["status"] == "completed" else None
        row = begun if begun is not None else {**dict.fromkeys(_COLUMNS), **step}
        row["status"] = step["status"]
        if step["status"] == "scheduled":
            running[step["step"]] = row
        row["scheduled" if step["status"] == "scheduled" else "ended"] = event.timestamp
        if begun is not None:
            row["running"] = max((event.timestamp - begun["scheduled"]).total_seconds(), 0.0)
        else:
            rows.append(row)
    return frame(_COLUMNS, [tuple(row.values()) for row in rows])


def _markers(history: History) -> Iterator[tuple[HistoryEvent, Mapping[str, Any]]]:
    """The step markers, each with its contents. A marker of this name with other contents is left out."""
    for event in history:
        if event.type == "MarkerRecorded" and event.attributes.get("markerName") == STEP_MARKER:
            step = _step(event.attributes.get("details"))
            if step is not None:
                yield event, step


def _step(details: Any) -> Mapping[str, Any] | None:
    try:
        found = json.loads(details)
    except (TypeError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("step"), str) or found.get("status") not in _STATUSES:
        return None
    reasons = found.get("reasons")
    return {
        "step": well_formed(found["step"]),
        "status": found["status"],
        "forced": bool(found.get("forced")),
        "reasons": tuple(well_formed(reason) or "" for reason in reasons) if isinstance(reasons, list) else (),
    }
