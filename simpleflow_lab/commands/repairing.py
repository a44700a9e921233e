"""`--repair` and `--force-activities`, upstream's options of commands that start an execution.

Rule: a repair is a fork (`Execution.fork`): the results that were recorded are reused, and nothing else is new here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import unquote

import click

from simpleflow_lab.exceptions import UsageError

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution
    from simpleflow_lab.lab import Lab

Function = TypeVar("Function", bound=Callable[..., Any])


class Repair(NamedTuple):
    """The options `--repair` and `--force-activities`."""

    workflow_id: str
    run_id: str | None
    anew: str
    """A regular expression of further tasks that run again; empty for none."""

    @classmethod
    def typed(cls, repair: str | None, anew: str | None, *, has_input: bool) -> Repair | None:
        """The options as they were typed; `None` without `--repair`. Raises `UsageError`."""
        if repair is None:
            if anew is not None:
                raise UsageError("--force-activities goes with --repair: it says what else runs again")
            return None
        words = repair.split()
        if not 1 <= len(words) <= 2:
            raise UsageError(f"--repair is 'WORKFLOW_ID' or 'WORKFLOW_ID RUN_ID', not {repair!r:.80}")
        if has_input:
            raise UsageError("--repair takes the input of the execution that it repairs: leave the other one out")
        return cls(workflow_id=words[0], run_id=unquote(words[1]) if len(words) > 1 else None, anew=anew or "")

    def start(self, lab: Lab, definition: Any, options: Mapping[str, Any]) -> Execution:
        """Start the execution that repairs it; `options` are those of `Lab.start`. Raises `UsageError`."""
        broken = lab.execution(self.workflow_id, self.run_id)
        kind = broken.history()[0].attributes["workflowType"]
        if (kind["name"], kind["version"]) != (definition.type_name(), definition.type_version()):
            raise UsageError(
                f"execution {self.workflow_id} is one of {kind['name']} {kind['version']}, not of "
                f"{definition.type_name()} {definition.type_version()}"
            )
        status = broken.status
        if status == "OPEN":
            raise UsageError(
                f"execution {self.workflow_id} is open, and what it runs would run twice: end it with workflow.cancel "
                "or workflow.terminate, then repair it"
            )
        if status == "COMPLETED" and not self.anew:
            raise UsageError(
                f"execution {self.workflow_id} completed: --force-activities REGEX says which of its tasks run again"
            )
        changed = dict(options)
        return broken.fork(anew=self.anew or (), workflow_id=changed.pop("workflow_id", None), options=changed)


def repair_options(function: Function) -> Function:
    """`--repair` and `--force-activities`."""
    force = click.option(
        "--force-activities",
        metavar="REGEX",
        help="With --repair: further tasks that run again, by their ids or the names of their types.",
    )
    repair = click.option(
        "--repair",
        metavar="'ID [RUN_ID]'",
        help="Start a new execution that reuses the results of this one, with its input: it runs from the task that "
        "failed.",
    )
    return repair(force(function))
