"""An activity task that nobody polled, for tests that run an activity by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.runtime.coroutines import run_to_end


def task_of(context: Mapping[str, Any]) -> RunningTask:
    """A running task with this context; its heartbeats are sent nowhere."""
    return RunningTask(dict(context), report=lambda text: None, finish=run_to_end)
