"""The outcome of an activity task can always be recorded."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import ActivityCanceled
from simpleflow_lab.runtime.outcomes import Canceled, Completed, outcome_of
from tests.running import task_of


class Unshowable:
    """A value that not even Python can show."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("details", "recorded"),
    [
        (None, None),
        ("half done", "half done"),
        ({"rows": 3}, '{"rows":3}'),
        ("a lone \ud800 surrogate", "a lone ? surrogate"),
        (Unshowable(), "<Unshowable>"),
    ],
    ids=["nothing", "a text", "JSON", "a surrogate", "unshowable"],
)
def test_a_canceled_activity_is_canceled_whatever_its_details_are(details: Any, recorded: str | None) -> None:
    task = task_of({"activity_id": "a"})
    task.cancel("asked")

    def stops() -> Completed:
        raise ActivityCanceled(details=details)

    assert outcome_of(stops, task) == Canceled(details=recorded)
