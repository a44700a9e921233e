"""Activities in processes of their own: for the processor's sake, and for safety.

    simpleflow workflow.start --local examples.processes.Primes --input '[[0, 20000, 40000, 60000]]'

Threads of one Python process take turns at the interpreter. With `executor="processes"` each task is forked into a
process: tasks that compute run side by side, one for each processor. And a process may crash, be killed, or eat all
memory: its task fails and says how, and nothing else is harmed.

`Lab(activity_executor="processes")` does so with all activities that don't say otherwise.
"""

from __future__ import annotations

import itertools
import os
import signal

from simpleflow_lab import Workflow, activity, futures


@activity.with_attributes(task_list="processes", version="example", raises_on_failure=True, executor="processes")
def count_primes(first: int, end: int) -> tuple[int, int]:
    """How many, and in which process."""
    primes = (n for n in range(max(first, 2), end) if all(n % d for d in range(2, int(n**0.5) + 1)))
    return sum(1 for _ in primes), os.getpid()


@activity.with_attributes(task_list="processes", version="example", executor="processes")
def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)  # as the system does when there is no memory left


class Primes(Workflow):
    name = "processes"
    version = "example"
    task_list = "processes"

    def run(self, bounds: list[int]) -> dict[str, int]:
        crashed = self.submit(crash)
        parts = [self.submit(count_primes, first, end) for first, end in itertools.pairwise(bounds)]
        counts, processes = zip(*futures.wait(parts), strict=True)
        print(f"crash: {crashed.exception}")
        return {"primes": sum(counts), "processes": len(set(processes))}
