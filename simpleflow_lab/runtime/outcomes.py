"""The outcome of an activity task: completed, failed, canceled, or abandoned without an answer.

Rule: an outcome is plain text, as it goes into a history. So it is the same whether the activity ran in a thread, or
in a process that sent it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from simpleflow_lab.activity_context import RunningTask, as_plain_text
from simpleflow_lab.data.codec import encode
from simpleflow_lab.data.failure_details import details_of, reason_of
from simpleflow_lab.exceptions import ActivityCanceled
from simpleflow_lab.runtime.authors_forks import ending_forks
from simpleflow_lab.swf.conventions import NOT_HERE
from simpleflow_lab.swf.limits import MAX_DATA


class Completed(NamedTuple):
    """The activity returned."""

    result: str
    """JSON of its return value."""
    warnings: Sequence[str] = ()
    """The warnings for the author about that value."""


class Failed(NamedTuple):
    """The activity raised an exception, or could not be run."""

    reason: str
    """The error in a line, for SWF's field."""
    details: str
    """The error with its traceback, whole."""
    cut: str
    """The part of `details` that fits into SWF's field, for services without a place for the whole."""

    @classmethod
    def of(cls, error: BaseException) -> Failed:
        """The failure that this error is."""
        return cls(reason=reason_of(error), details=details_of(error, whole=True), cut=details_of(error))

    @classmethod
    def not_here(cls, error: BaseException) -> Failed:
        """The failure of a task whose activity this worker does not define: deciders of ours have it tried again."""
        details = NOT_HERE + details_of(error).removeprefix("{")
        return cls(reason=reason_of(error), details=details, cut=details)


class Canceled(NamedTuple):
    """The activity stopped because its cancellation was requested."""

    details: str | None
    """A text about it, from the activity or from the worker that stopped it; `None` if there is none."""


class Abandoned(NamedTuple):
    """The worker stopped; the task is not answered, and times out or is given out again."""

    why: str
    """The reason, for the log."""


Outcome = Completed | Failed | Canceled | Abandoned


def outcome_of(call: Callable[[], Completed], task: RunningTask) -> Outcome:
    """The outcome of a task whose activity is run by `call()`.

    Every exception of an activity, `SystemExit` included, is its failure. So is `ActivityCanceled`, unless cancellation
    was requested: a task does not close as canceled by itself. A process that the activity forks ends here.
    """
    try:
        with ending_forks("an activity"):
            return call()
    except ActivityCanceled as error:
        if task.canceled is None:
            return Failed.of(error)
        return Canceled(details=_as_text(error.details))
    except BaseException as error:  # sys.exit() too: whatever the author raises fails the task
        return Failed.of(error)


def to_record(outcome: Outcome) -> dict[str, Any]:
    """The outcome as a JSON object, for `from_record`."""
    return {"outcome": type(outcome).__name__, **outcome._asdict()}


def from_record(record: Mapping[str, Any]) -> Outcome:
    """The outcome of which `to_record` made this object."""
    members = dict(record)
    kind: Callable[..., Outcome] = _KINDS[members.pop("outcome")]
    return kind(**members)


_KINDS = {kind.__name__: kind for kind in (Completed, Failed, Canceled, Abandoned)}


def _as_text(details: Any) -> str | None:
    """Details of a cancellation as text within SWF's length. It raises nothing, for the task must be answered."""
    if details is None:
        return None
    try:
        text = as_plain_text(details) if isinstance(details, str) else encode(details)
    except Exception:  # of a registered type's `encode`, for example
        text = as_plain_text(details)
    return text if len(text) <= MAX_DATA else text[: MAX_DATA - 4] + " ..."
