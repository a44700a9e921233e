"""What runs in a process leaves its environment as it is: other threads of the process have the same one."""

from __future__ import annotations

import os
import sys

from simpleflow_lab import Lab, Workflow, activity


@activity.with_attributes(name="environment.seen", version="1", task_list="environment")
def seen() -> dict[str, str]:
    return dict(os.environ)


class Environment(Workflow):
    name = "environment"
    task_list = "environment-decisions"

    def run(self) -> list[dict[str, str]]:
        return [dict(os.environ), self.submit(seen).result]


def test_neither_a_workflow_nor_an_activity_changes_the_environment_or_the_path(lab: Lab) -> None:
    """P16: upstream wrote ids and a PATH to it."""
    environment, path = dict(os.environ), list(sys.path)
    assert lab.start(Environment).result(60) == [environment, environment]
    assert (dict(os.environ), sys.path) == (environment, path)
