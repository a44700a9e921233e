"""Constants of the two activities that read and write the notes of steps done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.constants import HOUR, MINUTE

STEP_ACTIVITY_PARAMS_DEFAULT: Final[Mapping[str, Any]] = {
    "schedule_to_start_timeout": 4 * HOUR,
    "start_to_close_timeout": 1 * MINUTE,
    "schedule_to_close_timeout": 4 * HOUR + MINUTE,
    "heartbeat_timeout": 3 * MINUTE,
    "task_priority": 100,
    "version": "1.0",
    "idempotent": True,
    "raises_on_failure": True,
    "retry": 1,
}
"""Their attributes, unless `WorkflowStepMixin.get_step_activity_params` says otherwise. Upstream's values.

Idempotent: the notes are read once in a run, at its first step.
"""

UNKNOWN_CONTEXT: Final[Mapping[str, str]] = {"run_id": "unknown", "workflow_id": "unknown", "version": "unknown"}
"""The user in a note, where the name is not known."""

STEP_MARKER: Final = "log.step"
"""Name of the markers that record the status of each step."""
