"""`workflow.explain`: what became of an execution and why, in a few lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import click

from simpleflow_lab.commands.inspection import Inspection, execution_of
from simpleflow_lab.commands.parameters import Target, target_or_file_parameters
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.views.listings import Listing


@dataclass(frozen=True, kw_only=True)
class ExecutionExplanation(Inspection, ListingRecord):
    """`workflow.explain`."""

    def listing(self) -> Listing:
        """One row per line: what it is about, what there is to say, the time that it is about, and what helps."""
        return self.execution.explain().listing()


@click.command("workflow.explain")
@target_or_file_parameters
@click.pass_obj
def explain(session: Session, target: Target) -> ExecutionExplanation:
    """Why an execution is as it is: its status, what it waits for, what failed, and where the time went.

    In at most ten lines, the most important first.
    """
    return ExecutionExplanation(execution=execution_of(session, target))


READING: Final = (explain,)
