"""What a step says, to be compared with what it says another time."""

from __future__ import annotations

from typing import Any

from simpleflow_lab.debugger.steps import Step


def facts(step: Step) -> Any:
    """All that a step says."""
    return (
        step.record,
        [repr(future) for future in step.futures],
        [{name: repr(value) for name, value in frame.locals.items()} for frame in step.stack()],
        step.new_lines,
        repr(step),
    )
