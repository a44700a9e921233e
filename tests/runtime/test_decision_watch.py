"""What the watch of decisions reports of code that it could not look at while it ran."""

from __future__ import annotations

import threading
import time

import pytest

from simpleflow_lab.runtime.decision_watch import SLOW_AFTER, DecisionWatch, WatchedDecision

TASK = {"workflowExecution": {"runId": "r"}, "workflowType": {"name": "holds", "version": "1"}}


class Decider:
    """One that nobody stops."""

    is_giving_up = False

    def stand_in(self, watched: WatchedDecision) -> None:
        """Nobody waits for it."""

    def replace_thread(self, watched: WatchedDecision) -> None:
        """Nobody waits for it."""


@pytest.mark.parametrize(
    ("seconds", "used", "told"),
    [(SLOW_AFTER + 1, SLOW_AFTER + 1, 1), (SLOW_AFTER + 1, 0.0, 0), (SLOW_AFTER - 1, SLOW_AFTER - 1, 0)],
    ids=["it held the interpreter", "the process was suspended", "it was short"],
)
def test_code_that_held_the_interpreter_is_reported_when_it_has_ended(seconds, used, told):
    said: list[str] = []
    watch = DecisionWatch(on_slow=lambda task, message: said.append(message))
    now = time.monotonic()
    watched = WatchedDecision(
        decider=Decider(),
        task=TASK,
        module=__name__,
        thread=threading.get_ident(),
        began=now - seconds,
        checked_at=now - seconds,
        used=time.process_time() - used,
        limit=300.0,
    )
    watch.end(watched)
    assert len(said) == told
    assert all("lets no other thread run" in each and "long into an activity" in each for each in said)
