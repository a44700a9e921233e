"""`workflow.compare`: two executions of one workflow, side by side."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from simpleflow_lab.commands.inspection import AnyExecution, execution_of
from simpleflow_lab.commands.parameters import Target, Word, domain_option
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.listings import Listing

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution
    from simpleflow_lab.views.comparison import Comparison


@dataclass(frozen=True, kw_only=True)
class ExecutionsCompared(ListingRecord):
    """`workflow.compare`."""

    execution: AnyExecution
    """The execution that is looked at."""
    other: AnyExecution
    """The one that it is held against."""

    def comparison(self) -> Comparison:
        """The differences of it from the other one."""
        return self.execution.compare(self.other)

    def listing(self) -> Listing:
        """One row per line: what it is about, what there is to say, the time that it is about, and what shows more."""
        return self.comparison().listing()


@click.command("workflow.compare")
@click.argument("one", metavar="WORKFLOW_ID", type=Word("execution"))
@click.argument("other", metavar="[OTHER]", required=False, type=Word("execution"))
@click.option("--run-id", metavar="RUN_ID", help="The first one in this run, if not in its latest.")
@click.option("--other-run-id", metavar="RUN_ID", help="The other one in this run.")
@domain_option
@click.pass_obj
def compare(
    session: Session, one: str, other: str | None, run_id: str | None, other_run_id: str | None, domain: str | None
) -> ExecutionsCompared:
    """Compare an execution with an OTHER one: the first task that differs, and what took longer.

    Either may be a history in a file, as ./history.json. Without OTHER it is the last execution of the same workflow
    that completed before this one started, or with --other-run-id another run of the same id.
    """
    execution = _execution(session, one, run_id, domain)
    if other is None and other_run_id is not None:
        other = one
    found = _before(session, execution) if other is None else _execution(session, other, other_run_id, domain)
    return ExecutionsCompared(execution=execution, other=found)


def _execution(session: Session, text: str, run_id: str | None, domain: str | None) -> AnyExecution:
    # An id has no slash, so that a path with one is a file, whatever the ids are.
    if os.sep in text or (text.endswith(".json") and os.path.isfile(text)):
        if run_id is not None:
            raise UsageError(f"{text} is a file, and holds one run: leave out its run id")
        return execution_of(session, Target(file=text))
    return session.execution(Target(words=(text,) if run_id is None else (text, run_id), domain=domain))


def _before(session: Session, execution: AnyExecution) -> Execution:
    """The last execution of its workflow that completed before it started. Raises `UsageError` if there is none."""
    from simpleflow_lab.execution import Execution

    if not isinstance(execution, Execution):
        raise UsageError("a history of a file is compared with another one: give both")
    started = execution.history()[0]
    name = started.attributes["workflowType"]["name"]
    for info in session.lab().execution_infos(domain=execution.domain):
        if (
            info.get("closeStatus") == "COMPLETED"
            and info["workflowType"]["name"] == name
            and info["startTimestamp"] <= started.timestamp
            and info["execution"]["runId"] != execution.run_id
        ):
            ids = info["execution"]
            return session.lab().execution(ids["workflowId"], ids["runId"], domain=execution.domain)
    raise UsageError(f"no execution of {name} completed before {execution.workflow_id} started: name the other one")


READING: Final = (compare,)
