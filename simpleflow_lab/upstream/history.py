"""Upstream's name of what a workflow may know of its own history: `self.executor.history` is one."""

from __future__ import annotations

from simpleflow_lab.replay.task_records import History

__all__ = ["History"]
