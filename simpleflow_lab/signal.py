"""Waiting for signals."""

from __future__ import annotations

from simpleflow_lab.task import Task


class WaitForSignal(Task):
    """Submit it to get a future that is done when the signal came; its result is the latest one's input."""

    def __init__(self, signal_name: str):
        self.name = signal_name
        self.signal_name = signal_name
