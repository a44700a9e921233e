"""The engine's account of the tasks that nobody has taken, in the words of the process that asks.

The engine knows a process by its id, and what it defines only once it polls or has started something.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from simpleflow_lab import activity, workflow
from simpleflow_lab.service.protocol import Answer
from simpleflow_lab.swf.event_types import ACTIVITY


def waits_seen_here(answer: Mapping[str, Any]) -> Answer:
    """The answer of `WatchableService.describe_waiting`."""
    return {**answer, "tasks": [_seen_here(task) for task in answer["tasks"]]}


def _seen_here(task: Mapping[str, Any]) -> Mapping[str, Any]:
    reason = task.get("reason")
    if not reason:
        return task
    kind = task["type"]
    registry: Mapping[tuple[str, str], Any] = activity.registry if task["kind"] == ACTIVITY else workflow.registry
    if not task["isDefined"] and (kind["name"], kind["version"]) in registry:
        poller = "activity worker" if task["kind"] == ACTIVITY else "decider"
        reason = f"this process defines {kind['name']} {kind['version']}, and has started no {poller} yet"
        return {**task, "isDefined": True, "reason": reason}
    return {**task, "reason": re.sub(rf"\bprocess {os.getpid()}\b", "this process", reason)}
