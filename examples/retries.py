"""Trying again: after a wait that grows, only after some errors, and as often as each timeout deserves.

    simpleflow workflow.start --local examples.retries.Prices

* `ask` is tried again after a `ConnectionError`, 1 and then 2 seconds later. The waits are SWF timers: they survive a
  restart of this process.
* `SoldOut` is not worth another try, whatever the number of attempts.
* `print_label` hangs the first time. A timeout of its type is counted apart: it has two retries after that one, and
  none after any error.

`simpleflow --header workflow.tasks WORKFLOW_ID` shows each attempt, and the timers between them.
"""

from __future__ import annotations

import time
from collections import Counter

from simpleflow_lab import Retry, Workflow, activity

visits: Counter[tuple[str, str]] = Counter()  # the world outside, which gets better when it is asked often enough


def visit(place: str) -> int:
    """How often the running execution has come to this place."""
    visits[activity.current_context()["run_id"], place] += 1
    return visits[activity.current_context()["run_id"], place]


class SoldOut(Exception):
    """There is none left, and there will be none in a minute."""


@activity.with_attributes(
    task_list="retries",
    version="example",
    retry=Retry(maximum_attempts=5, initial_interval=1, backoff_coefficient=2, on=[ConnectionError], not_on=[SoldOut]),
)
def ask(shop: str) -> float:
    if shop == "corner shop":
        raise SoldOut("no lamp left")
    if visit(shop) < 3:
        raise ConnectionError(f"{shop} does not answer")
    return 19.9


@activity.with_attributes(
    task_list="retries",
    version="example",
    start_to_close_timeout=1,
    retry=Retry(maximum_attempts=1, initial_interval=0, timeouts={"START_TO_CLOSE": 2}),
)
def print_label(address: str) -> str:
    if visit("printer") == 1:
        time.sleep(1.5)  # paper jam
    return f"label for {address}"


class Prices(Workflow):
    name = "retries"
    version = "example"
    task_list = "retries"

    def run(self) -> dict[str, object]:
        began = self.now()
        label = self.submit(print_label, "Ada")
        market, corner = self.submit(ask, "market"), self.submit(ask, "corner shop")
        print(f"corner shop: {corner.exception}")
        print(f"market: {market.result}, {(self.now() - began).total_seconds():.0f} seconds later")
        return {"market": market.result, "corner shop": corner.result, "label": label.result}
