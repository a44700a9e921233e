"""The index of runs, against a list of all runs that is filtered and sorted."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from simpleflow_lab.engine import visibility
from simpleflow_lab.engine.execution_state import Run
from simpleflow_lab.engine.run_index import RunIndex

DOMAINS = ("one", "two")


def random_runs(seed: int) -> tuple[RunIndex, list[Run]]:
    """An index after many changes, and the runs that it must hold; many of them have the same times."""
    choice = random.Random(seed)
    index, runs = RunIndex(), dict[int, Run]()
    for key in range(1, 200):
        run = Run(
            key=key,
            domain=choice.choice(DOMAINS),
            workflow_id=f"w{choice.randrange(20)}",
            run_id=f"r{key}",
            type_name=choice.choice("ab"),
            type_version="1",
            started_at=1000 * (key // 5),
            tags=("blue",) if choice.random() < 0.5 else None,
        )
        index.add_open(run)
        runs[key] = run
        if choice.random() < 0.7:
            open_run = choice.choice([run for run in runs.values() if run.closed_at is None])
            closed_at = open_run.started_at + 1000 * choice.randrange(5)
            closed = dataclasses.replace(open_run, closed_at=closed_at, close_status="COMPLETED", event_count=5)
            index.close(closed)
            runs[closed.key] = closed
        if choice.random() < 0.2 and (old := [run for run in runs.values() if run.closed_at is not None]):
            index.delete(old[0])
            del runs[old[0].key]
    return index, list(runs.values())


def expected(runs: list[Run], request: dict[str, Any], closed: bool) -> list[Run]:
    """What a list of these runs holds, from first to last."""

    def selects(run: Run) -> bool:
        if run.domain != request["domain"] or (run.closed_at is not None) != closed:
            return False
        by_close = "closeTimeFilter" in request
        period = request["closeTimeFilter" if by_close else "startTimeFilter"]
        at = run.closed_at if by_close else run.started_at
        assert at is not None
        return (
            period["oldestDate"] <= at / 1000 <= period.get("latestDate", 1e9)
            and run.workflow_id == request.get("executionFilter", {}).get("workflowId", run.workflow_id)
            and run.type_name == request.get("typeFilter", {}).get("name", run.type_name)
            and ("tagFilter" not in request or run.tags is not None)
        )

    def place(run: Run) -> tuple[int, int]:
        return (run.closed_at or 0) if "closeTimeFilter" in request else run.started_at, run.key

    return sorted(filter(selects, runs), key=place, reverse=not request.get("reverseOrder", False))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("filters", [{}, {"executionFilter": {"workflowId": "w3"}}, {"tagFilter": {"tag": "blue"}}])
@pytest.mark.parametrize("period", [{"oldestDate": 0}, {"oldestDate": 7, "latestDate": 21}, {"oldestDate": 99}])
@pytest.mark.parametrize("backwards", [False, True])
def test_pages_of_a_list_are_the_filtered_and_sorted_runs(seed, filters, period, backwards):
    index, runs = random_runs(seed)
    for domain in DOMAINS:
        for closed, time_filter in ((False, "startTimeFilter"), (True, "startTimeFilter"), (True, "closeTimeFilter")):
            request = {"domain": domain, time_filter: period, "reverseOrder": backwards, **filters}
            wanted = expected(runs, request, closed)
            listed: list[Run] = []
            after = None
            while True:
                page, after = visibility.page(index, request, closed=closed, after=after, size=7)
                listed += page
                if after is None:
                    break
                assert len(page) == 7
            assert listed == wanted
            assert visibility.count(index, request, closed=closed) == len(wanted)


def test_runs_are_found_by_their_ids_until_they_are_deleted():
    index, runs = random_runs(0)
    for run in runs:
        assert index.find(run.domain, run.workflow_id, run.run_id) is run
        assert index.by_key[run.key] is run
        assert run in index.of_workflow_id(run.domain, run.workflow_id)
    assert len(index.by_key) == len(runs)
    for run in runs:
        if run.closed_at is not None:
            index.delete(run)
            assert index.find(run.domain, run.workflow_id, run.run_id) is None
            assert run not in index.of_workflow_id(run.domain, run.workflow_id)
