"""Steps: what an earlier execution has done is skipped.

    simpleflow workflow.start --local --workflow-id monday examples.steps.Import --input '["orders.csv"]'
    simpleflow workflow.start --local --workflow-id monday examples.steps.Import --input '["orders.csv"]'

The notes of steps done belong to the workflow id: started again under the same id, the import skips what it has done.
`force` names steps to do all the same: "clean" covers "clean.rows" too, "*" covers all. `python -m examples.steps`
does both in one go, and shows the tables of steps.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from simpleflow_lab import Chain, Group, Lab, Workflow, activity
from simpleflow_lab.step.workflow import WorkflowStepMixin


@activity.with_attributes(task_list="steps", version="example", raises_on_failure=True)
def load(name: str) -> str:
    """Fetch the file: what should not be done twice."""
    return f"{name} loaded"


@activity.with_attributes(task_list="steps", version="example", raises_on_failure=True)
def clean(what: str, name: str) -> str:
    """Put one thing in order."""
    return f"{what} of {name} cleaned"


@activity.with_attributes(task_list="steps", version="example", raises_on_failure=True)
def report(done: Sequence[str]) -> str:
    """What to tell people."""
    return f"done before: {', '.join(done) or 'nothing'}"


class Import(Workflow, WorkflowStepMixin):
    name = "steps"
    version = "example"
    task_list = "steps"

    def run(self, name: str, force: Sequence[str] | str = ()) -> str:
        self.add_forced_steps(force, "asked for at the start")
        self.submit(
            Chain(
                self.step("load", (load, name), force_steps_if_executed=["clean"]),
                Group(
                    self.step("clean.rows", (clean, "rows", name)),
                    self.step("clean.names", (clean, "names", name)),
                ),
            )
        ).wait()
        told: str = self.submit(report, self.get_steps_done()).result
        return told


def main(store: str = ":memory:") -> None:
    """Three executions under one id: everything, nothing, and what is forced."""
    with Lab(store) as lab:
        for force in ([], [], ["clean.rows"]):
            execution = lab.start(Import, "orders.csv", workflow_id="monday", force=force)
            print(execution.result(timeout=30))
            print(execution.steps()[["step", "status", "forced", "reasons"]].to_string(index=False), end="\n\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
