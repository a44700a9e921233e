"""Upstream's local executor: for programs that run a workflow when they are run themselves.

    if __name__ == "__main__":
        from simpleflow_lab.local.executor import Executor

        print(Executor(BasicWorkflow).run({"args": [1], "kwargs": {"t": 0}}))

It is a Lab in memory that starts the workflow and waits for its result: the same decider, workers and engine as
everywhere, so that retries, signals, children and timers do what they do on Amazon SWF.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simpleflow_lab.lab import Lab
from simpleflow_lab.workflow import Workflow


class Executor:
    """Runs one workflow in this process."""

    def __init__(self, workflow_class: type[Workflow], **options: Any) -> None:
        """`options` are those of `Lab`, such as `clock="virtual"`."""
        self.workflow_class = workflow_class
        self._options = options

    def run(self, input: Mapping[str, Any] | None = None) -> Any:
        """Start the workflow with `{"args": […], "kwargs": {…}}`, and wait: gives its result, or raises its failure."""
        arguments = {"args": [], "kwargs": {}, **(input or {})}
        with Lab(":memory:", **self._options) as lab:
            return lab.start(self.workflow_class, input=arguments).result()
