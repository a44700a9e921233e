"""An activity task that nobody polled, for tests that run an activity by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.runtime.coroutines import finished


def task_of(context: Mapping[str, Any]) -> RunningTask:
    """A running task with this context; nobody hears its heartbeats."""
    return RunningTask(dict(context), report=lambda text: None, finish=finished)
