"""Activities that are coroutines: many slow answers awaited at once, in one task.

    simpleflow workflow.start --local examples.coroutines.Forecast --input '[["Oslo", "Rome", "Lima"]]'

An `async def` function is an activity like any other: its worker runs it on an event loop of its own. A class may have
`async def execute`. Asked to cancel, it gets `asyncio.CancelledError` where it awaits, as asyncio has it.

The workflow's `run` stays an ordinary function: it waits for futures, not for coroutines.
"""

from __future__ import annotations

import asyncio
import time

from simpleflow_lab import Workflow, activity


async def ask(city: str) -> str:
    """A slow service."""
    await asyncio.sleep(0.3)
    return f"sun in {city}"


@activity.with_attributes(task_list="coroutines", version="example", raises_on_failure=True)
async def ask_all(cities: list[str]) -> tuple[list[str], float]:
    began = time.monotonic()
    answers = await asyncio.gather(*map(ask, cities))
    return answers, time.monotonic() - began


@activity.with_attributes(task_list="coroutines", version="example", raises_on_failure=True)
class Fastest:
    """The first answer; the others are given up."""

    def __init__(self, cities: list[str]):
        self.cities = cities

    async def execute(self) -> str:
        asked = [asyncio.create_task(ask(city)) for city in self.cities]
        done, rest = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        return min(task.result() for task in done)


class Forecast(Workflow):
    name = "coroutines"
    version = "example"
    task_list = "coroutines"

    def run(self, cities: list[str]) -> list[str]:
        fastest = self.submit(Fastest, cities[:1])
        answers, seconds = self.submit(ask_all, cities).result
        print(f"{len(answers)} answers, {'side by side' if seconds < 0.3 * len(cities) else 'one by one'}")
        print(f"first: {fastest.result}")
        found: list[str] = answers
        return found
