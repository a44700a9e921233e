"""Upstream's names of tasks as SWF has them, for programs that import them from here.

Upstream wraps each task once more when it runs on SWF. Here there is one class of each, of the author's model: a
program that asks `isinstance(failure_context.a_task, WorkflowTask)` gets its answer. Nothing else in this package
imports this module: it is for authors.
"""

from __future__ import annotations

from simpleflow_lab.task import (
    ActivityTask,
    CancelTimerTask,
    ContinueAsNewWorkflowTask,
    MarkerTask,
    NonPythonicActivityTask,
    SignalTask,
    TimerTask,
    WorkflowTask,
)
from simpleflow_lab.task import Task as SwfTask

__all__ = [
    "ActivityTask",
    "CancelTimerTask",
    "ContinueAsNewWorkflowTask",
    "MarkerTask",
    "NonPythonicActivityTask",
    "SignalTask",
    "SwfTask",
    "TimerTask",
    "WorkflowTask",
]
