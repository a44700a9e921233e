"""Record the histories of notebook 09: seven nights of a pipeline, in notebooks/histories.

    python tools/record_week.py

The real decider decides, on an engine whose time is set by hand. In place of activity workers stands a simulation: each
task takes as long as `Night.seconds` says, and at most `WORKERS` run at once; the activities themselves never run. Run
ids differ from one recording to the next, so the files are committed, and recorded anew only to change the story.
"""

from __future__ import annotations

import datetime
import heapq
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simpleflow_lab import Lab, Retry, Workflow, activity
from simpleflow_lab.engine.clock import ManualClock

FOLDER = Path(__file__).resolve().parent.parent / "notebooks" / "histories"
FIRST = datetime.datetime(2026, 11, 16, 1, 30, tzinfo=datetime.UTC)
NIGHTS = 7
SLOW_NIGHT = 5
WORKERS = 3
MARKETS = ("frankfurt", "london", "madrid", "milan", "oslo", "paris", "vienna", "zurich")
TASKS: dict[str, Any] = {
    "task_list": "nightly",
    "version": "3",
    "schedule_to_start_timeout": 14400,
    "schedule_to_close_timeout": 18000,
    "start_to_close_timeout": 3600,
    "heartbeat_timeout": 3600,
}


@activity.with_attributes(
    name="markets.fetch_prices", retry=Retry(maximum_attempts=4, initial_interval=300, backoff_coefficient=2), **TASKS
)
def fetch_prices(market: str) -> int:
    raise NotImplementedError


@activity.with_attributes(name="markets.exchange_rates", **TASKS)
def exchange_rates() -> dict[str, float]:
    raise NotImplementedError


@activity.with_attributes(name="warehouse.convert", raises_on_failure=True, **TASKS)
def convert(market: str, prices: int, rates: dict[str, float] | None) -> int:
    raise NotImplementedError


@activity.with_attributes(name="warehouse.load", raises_on_failure=True, **TASKS)
def load(rows: list[int]) -> int:
    raise NotImplementedError


@activity.with_attributes(name="reports.publish", raises_on_failure=True, **TASKS)
def publish(rows: int) -> str:
    raise NotImplementedError


class Nightly(Workflow):
    """Prices of all markets, converted, loaded and published."""

    name, version, task_list = "markets.nightly", "3", "nightly-decisions"
    execution_timeout = 86400

    def run(self, markets: list[str]) -> str:
        """The name of the report."""
        rates = self.submit(exchange_rates)
        converted = []
        for market in markets:
            prices = self.submit(fetch_prices, market)
            converted.append(self.submit(convert, market, prices, rates))
        rows = self.submit(load, [each.result for each in converted])
        return str(self.submit(publish, rows).result)


class Night:
    """What happens to the tasks of one night."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.date = (FIRST + datetime.timedelta(days=number)).date()
        self._attempts: dict[str, int] = {}

    def seconds(self, name: str, task_id: str) -> int:
        """How long a task runs."""
        place = int(task_id.rpartition("-")[2]) if task_id.rpartition("-")[2].isdigit() else 1
        wobble = (7 * place + 13 * self.number) % 11
        match name:
            case "markets.fetch_prices":
                # Zurich's exports grow every day.
                return 300 + 130 * self.number if place == len(MARKETS) else 240 + 20 * wobble
            case "markets.exchange_rates":
                return 20 + wobble
            case "warehouse.convert":
                return 90 + 9 * wobble
            case "warehouse.load":
                return 600 + 25 * wobble
            case _:
                return 45 + wobble

    def outcome(self, name: str, task_id: str) -> tuple[str, str] | str:
        """The result of a task, or the reason and details of its failure."""
        self._attempts[task_id] = attempt = self._attempts.get(task_id, 0) + 1
        if self.number == SLOW_NIGHT:
            if name == "markets.exchange_rates":
                return failed("rates.py", 31, "quotes", "KeyError: 'CHF'")
            if name == "markets.fetch_prices" and task_id.endswith("-4") and attempt <= 3:
                return failed(
                    "exchanges.py", 88, "download", "ConnectionError: milan.example: connection reset by peer"
                )
        match name:
            case "markets.exchange_rates":
                return json.dumps({"CHF": 0.93, "GBP": 1.15, "NOK": 0.085})
            case "reports.publish":
                return json.dumps(f"prices-{self.date}.pdf")
            case _:
                return json.dumps(10_000 + 37 * self.number)


def failed(file: str, line: int, function: str, error: str) -> tuple[str, str]:
    """The reason and the details of a failure, as a worker gives them."""
    frame = f'  File "{file}", line {line}, in {function}\n    return session.get(url).json()\n'
    kind, _, message = error.partition(": ")
    details = {"error": kind, "message": message, "traceback": f"Traceback (most recent call last):\n{frame}{error}\n"}
    return error, json.dumps(details)


def record(night: Night) -> str:
    """The history of one night, as JSON."""
    started = FIRST + datetime.timedelta(days=night.number)
    clock = ManualClock(int(started.timestamp() * 1000))
    with Lab(":memory:", clock=clock, serve="decisions") as lab:
        execution = lab.start(Nightly, list(MARKETS), workflow_id=f"nightly-{night.date}", tag_list=["prices"])
        running: list[tuple[float, int, Any, str]] = []
        free = list(range(WORKERS))
        passed = 0.0
        while True:
            settle(lab, execution)
            if execution.history().close_status is not None:
                return execution.history().to_json()
            queued = [each for each in execution.tasks().itertuples() if each.state == "scheduled" and each.open]
            for _ in queued[: len(free)]:
                task = poll(lab, f"worker-{'abc'[free[0]]}@batch-{free[0] + 1}")
                name, task_id = task["activityType"]["name"], task["activityId"]
                heapq.heappush(running, (passed + night.seconds(name, task_id), free.pop(0), task, name))
            due = next_timer(execution)
            until = min([each for each in (running[0][0] if running else None, due) if each is not None])
            clock.advance(until - passed)
            passed = until
            while running and running[0][0] <= passed:
                _, worker, task, name = heapq.heappop(running)
                free = sorted((*free, worker))
                match night.outcome(name, task["activityId"]):
                    case (reason, details):
                        lab.service.respond_activity_task_failed(
                            taskToken=task["taskToken"], reason=reason, details=details
                        )
                    case result:
                        lab.service.respond_activity_task_completed(taskToken=task["taskToken"], result=result)


def poll(lab: Lab, identity: str) -> Any:
    return lab.service.poll_for_activity_task(domain=lab.domain, taskList={"name": "nightly"}, identity=identity)


def settle(lab: Lab, execution: Any) -> None:
    """Wait until everything is decided that can be."""
    while "closeStatus" not in (described := execution.describe())["executionInfo"]:
        if described["openCounts"]["openDecisionTasks"] == 0:
            return
        time.sleep(0.01)


def next_timer(execution: Any) -> float | None:
    """In how many seconds from the start the next timer fires."""
    events = execution.history()
    closed = {event.attributes["startedEventId"] for event in events if event.type in ("TimerFired", "TimerCanceled")}
    return min(_timers(events, closed), default=None)


def _timers(events: Any, closed: set[int]) -> Iterator[float]:
    for event in events:
        if event.type == "TimerStarted" and event.id not in closed:
            began = (event.timestamp - events[0].timestamp).total_seconds()
            yield began + float(event.attributes["startToFireTimeout"])


def main() -> int:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for night in map(Night, range(NIGHTS)):
        (FOLDER / f"nightly-{night.date}.json").write_text(record(night) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
