"""Values too large for a history: up to 5 MB each, with nothing to write in the workflow.

    simpleflow workflow.start --local --workflow-id genome examples.large_values.Genome --input '[200000]'

SWF takes 32,768 characters in a field. A longer value is kept as an object beside the history, and the field holds a
reference to it: in memory, in the folder `<store>.objects`, or in S3 with `SIMPLEFLOW_JUMBO_FIELDS_BUCKET`. A future
that is only passed on is passed on as a reference: what `run` does not read is never fetched by a decider.

    python -m examples.large_values

shows how little of it is in the history.
"""

from __future__ import annotations

import random
import sys
from collections import Counter

from simpleflow_lab import Lab, Workflow, activity


@activity.with_attributes(task_list="large_values", version="example", raises_on_failure=True)
def read_genome(letters: int) -> str:
    return "".join(random.Random(1).choices("ACGT", k=letters))


@activity.with_attributes(task_list="large_values", version="example", raises_on_failure=True)
def complement(genome: str) -> str:
    return genome.translate(str.maketrans("ACGT", "TGCA"))


@activity.with_attributes(task_list="large_values", version="example", raises_on_failure=True)
def count(genome: str) -> dict[str, int]:
    return dict(Counter(genome))


class Genome(Workflow):
    name = "large-values"
    version = "example"
    task_list = "large_values"

    def run(self, letters: int) -> dict[str, int]:
        genome = self.submit(read_genome, letters)
        counted: dict[str, int] = self.submit(count, self.submit(complement, genome)).result
        return counted


def main(store: str = ":memory:") -> None:
    """A million letters through a history of a few kilobytes."""
    with Lab(store) as lab:
        execution = lab.start(Genome, 1_000_000)
        print(f"{sum(execution.result(timeout=60).values()):,} letters counted")
        size = len(execution.history().to_json())
        print(f"the history is {'small' if size < 50_000 else 'large'}")
        for event in execution.history():
            if event.type == "ActivityTaskCompleted":
                print(event.attributes["result"][:26])


if __name__ == "__main__":
    main(*sys.argv[1:])
