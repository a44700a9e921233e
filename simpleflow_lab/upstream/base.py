"""Upstream's names of what can be submitted, for programs that import them from here.

Subclass `SubmittableContainer` to make a container of your own: its `submit(executor)` gives a future, as
`executor.workflow.submit(…)` does.
"""

from __future__ import annotations

from simpleflow_lab.canvas import SubmittableContainer
from simpleflow_lab.task import Task as Submittable

__all__ = ["Submittable", "SubmittableContainer"]
