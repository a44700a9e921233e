"""What became of an activity task: completed, failed, canceled, or nothing that anybody should be told.

An outcome is plain text, as it goes into a history; so it is the same whether the activity ran in a thread or in a
process that sent it back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simpleflow_lab.activity_context import RunningTask, shown
from simpleflow_lab.data.codec import encode
from simpleflow_lab.data.failure_details import details_of, reason_of
from simpleflow_lab.exceptions import ActivityCanceled
from simpleflow_lab.swf.limits import MAX_DATA


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """It returned."""

    result: str
    """JSON of what it returned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """It raised, or could not be run."""

    reason: str
    details: str
    """All that is to be said."""
    cut: str
    """What of it fits into SWF's field, for want of a place for the whole."""

    @classmethod
    def of(cls, error: BaseException) -> Failed:
        """Of this error."""
        return cls(reason=reason_of(error), details=details_of(error, whole=True), cut=details_of(error))


@dataclass(frozen=True, kw_only=True, slots=True)
class Canceled:
    """It was asked to cancel, and stopped for that."""

    details: str | None
    """What the activity, or who stopped it, says of that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Abandoned:
    """It was given up; nothing is answered."""

    why: str


Outcome = Completed | Failed | Canceled | Abandoned


def outcome_of(call: Callable[[], str], task: RunningTask) -> Outcome:
    """What becomes of a task when `call()`, which gives the JSON of its result, runs it.

    Whatever an activity raises, `sys.exit()` included, is its failure. `ActivityCanceled` is one too unless the task
    was asked to cancel: nobody expects a task to close as canceled by itself.
    """
    try:
        return Completed(result=call())
    except ActivityCanceled as error:
        if task.canceled is None:
            return Failed.of(error)
        return Canceled(details=_as_text(error.details))
    except BaseException as error:
        return Failed.of(error)


def to_record(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON holds it."""
    return {"outcome": type(outcome).__name__, **dataclasses.asdict(outcome)}


def from_record(record: Mapping[str, Any]) -> Outcome:
    """The outcome that `to_record` was given."""
    facts = dict(record)
    kind: Callable[..., Outcome] = _KINDS[facts.pop("outcome")]
    return kind(**facts)


_KINDS = {kind.__name__: kind for kind in (Completed, Failed, Canceled, Abandoned)}


def _as_text(details: Any) -> str | None:
    """Details of a cancellation as SWF takes them. It can't fail, for the task is to be answered."""
    if details is None:
        return None
    try:
        text = shown(details) if isinstance(details, str) else encode(details)
    except Exception:  # of a type that somebody registered, say
        text = shown(details)
    return text if len(text) <= MAX_DATA else text[: MAX_DATA - 4] + " ..."
