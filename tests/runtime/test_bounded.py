"""Memory of executions within a bound."""

from __future__ import annotations

import contextvars
from typing import Any

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.exceptions import DecisionTooLongError, NondeterminismError
from simpleflow_lab.runtime.blocked_decisions import FIRST_PAUSE, LONGEST_PAUSE, pause_before_retry
from simpleflow_lab.runtime.bounded import LatestUsed
from simpleflow_lab.runtime.pool import MAX_REPORTED_RUNS


def test_the_entry_that_was_not_used_longest_is_dropped() -> None:
    entries: LatestUsed[str, int] = LatestUsed(2)
    entries.put("a", 1)
    entries.put("b", 2)
    assert entries.get("a") == 1
    entries.put("c", 3)
    assert [entries.get(key) for key in "abc"] == [1, None, 3]
    entries.drop("a")
    entries.drop("a")
    assert (entries.get("a"), len(entries)) == (None, 1)


def test_a_pool_remembers_the_warnings_and_errors_of_the_latest_runs_only() -> None:
    def task(number: int) -> dict[str, Any]:
        return {"workflowExecution": {"workflowId": "w", "runId": f"run {number}"}, "startedEventId": 3}

    with Lab(":memory:") as lab:
        pool = lab._pool
        for number in range(MAX_REPORTED_RUNS + 10):
            pool.warned(task(number), "it takes long")
            pool.decision_blocked(task(number), ValueError("no"))
        assert pool.warnings("run 0") == ()
        assert pool.decision_error("run 9") is None
        assert pool.warnings("run 10") == ("it takes long",)
        assert isinstance(pool.decision_error("run 10"), ValueError)
        pool.decision_blocked(task(10), None)
        assert pool.decision_error("run 10") is None


def test_the_output_of_an_execution_goes_to_the_context_that_was_set_last() -> None:
    place = contextvars.ContextVar("place", default="elsewhere")

    class Places(Workflow):
        name = "bounded.places"
        task_list = "bounded"

        def run(self) -> str:
            return place.get()

    with Lab(":memory:") as lab:
        place.set("here")
        assert lab.start(Places, workflow_id="w").result(200) == "here"


def test_pauses_before_retries_double_up_to_the_longest_however_often_it_is_tried() -> None:
    error = NondeterminismError.__new__(NondeterminismError)
    assert [pause_before_retry(error, attempts) for attempts in (0, 1, 2, 3)] == [
        FIRST_PAUSE,
        FIRST_PAUSE,
        2 * FIRST_PAUSE,
        4 * FIRST_PAUSE,
    ]
    assert pause_before_retry(error, 5_000) == LONGEST_PAUSE
    assert pause_before_retry(DecisionTooLongError(100.0, "line"), 1) == 100.0
