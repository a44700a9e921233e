"""Upstream's names of what can be submitted, for programs that import them from here.

`SubmittableContainer` is what an author subclasses to make a container of her own: its `submit(executor)` gives a future.
"""

from __future__ import annotations

from simpleflow_lab.canvas import SubmittableContainer
from simpleflow_lab.task import Task as Submittable

__all__ = ["Submittable", "SubmittableContainer"]
