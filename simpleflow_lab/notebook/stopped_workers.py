"""Activities that an execution waits for and nobody runs: their activity workers were stopped in this kernel."""

from __future__ import annotations

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.execution import Execution
from simpleflow_lab.lab import Lab
from simpleflow_lab.views.history_fold import attempts_of


def waits_for_stopped_workers(execution: Execution, lab: Lab) -> str | None:
    """In a line, what the execution waits for and how to start that; `None` if it waits for no stopped worker, or if
    that can't be told now."""
    try:
        attempts = attempts_of(execution.history())
        waits = {each.task_list for each in attempts if each.kind == "activity" and each.open}
        stopped = {each.task_list for each in lab.workers if each.kind == "activity worker" and each.state == "stopped"}
        names = sorted(name for name in waits & stopped if name is not None)
        if not names:
            return None
        what = execution.waits_in_short()
    except SimpleflowLabError:
        return None
    lists = f"task list{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"
    return (
        f"{execution.workflow_id} waits for {what}: the activity workers of {lists} were stopped in this kernel; "
        "interrupt this, then %simpleflow worker.start brings them back"
    )
