"""Names of the timers that deciders start by themselves: the replay starts them, the views know them by their names.

Rule: data only. Two are upstream's, so that its histories are read and drawn as ours.
"""

from __future__ import annotations

from typing import Final

WAKE_UP_TIMER: Final = "_simpleflow_wake_up_timer"
"""A timer of 0 s that brings the next decision task when more was asked than one answer may hold; upstream's name."""
RETRY_TIMER: Final = "__simpleflow_task_"
"""This, then a task's id, is the timer that waits for the task's next attempt; upstream's name."""
DEADLINE_TIMER: Final = "_simpleflow_deadline"
"""Timers of this name and a number are the timeouts of `futures.wait` and `futures.as_completed`."""
