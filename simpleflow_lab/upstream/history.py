"""Upstream's name of a history with records of its tasks: the class that is `simpleflow_lab.History`, too."""

from __future__ import annotations

from simpleflow_lab.replay.task_records import HistoryWithRecords as History

__all__ = ["History"]
