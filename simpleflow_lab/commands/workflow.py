"""Commands that run executions: `workflow.start` and `resume`.

Requests to an execution are in `requests`, commands that only read are in `inspection` and `executions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab.commands.imports import function_named, import_module, workflow_named
from simpleflow_lab.commands.parameters import Name, Seconds, Tags, Word, domain_option, wait_option
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.repairing import Repair, repair_options
from simpleflow_lab.commands.session import Session
from simpleflow_lab.commands.start_input import input_options, typed_arguments
from simpleflow_lab.exceptions import DecisionTaskError, SimpleflowLabError, UsageError, WorkflowExecutionError
from simpleflow_lab.views.listings import Kind, Listing, json_text

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution

# -- what became of executions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Outcome(ListingRecord):
    """`workflow.start`, and each execution of `resume`: what became of it."""

    execution: Execution
    """The execution."""
    finished: bool
    """Whether it closed. If not, the command did not wait for it, or its decision is blocked (`error` says why)."""
    result: Any = None
    """The value that its `run` returned, if it completed."""
    error: SimpleflowLabError | None = None
    """Why there is no result: a `WorkflowExecutionError` of a closed execution, a `DecisionTaskError` of a blocked
    decision."""

    @property
    def completed(self) -> bool:
        """Whether there is a result."""
        return self.finished and self.error is None

    def listing(self) -> Listing:
        """One row: ids, status and result."""
        return _outcomes((self,))


@dataclass(frozen=True, kw_only=True)
class Resumed(ListingRecord):
    """`resume`."""

    outcomes: tuple[Outcome, ...]
    """One for each execution that was open, latest first."""

    def listing(self) -> Listing:
        """One row per execution: ids, status and result."""
        return _outcomes(self.outcomes)


_OUTCOMES: Final = {"workflow_id": Kind.TEXT, "run_id": Kind.TEXT, "status": Kind.STATE, "result": Kind.JSON}


def _outcomes(outcomes: Sequence[Outcome]) -> Listing:
    rows = [
        (
            outcome.execution.workflow_id,
            outcome.execution.run_id,
            outcome.execution.status,
            json_text(outcome.result) if outcome.completed else None,
        )
        for outcome in outcomes
    ]
    return Listing(columns=_OUTCOMES, rows=rows)


def outcome_of(session: Session, execution: Execution, *, wait: bool) -> Outcome:
    """The outcome of an execution, after it has closed if `wait`. An interrupt goes through, and leaves it open."""
    session.last = execution
    if not wait:
        return Outcome(execution=execution, finished=False)
    try:
        session.watch(execution)
        return Outcome(execution=execution, finished=True, result=execution.result())
    except WorkflowExecutionError as error:
        return Outcome(execution=execution, finished=True, error=error)
    except DecisionTaskError as error:
        return Outcome(execution=execution, finished=False, error=error)


# -- start and resume --------------------------------------------------------------------------------------------------

_PRE_HELP: Final = "module.function to call with the context before each activity; may be repeated."
_POST_HELP: Final = "module.function to call with the context and result= after each activity that completed."


@click.command("workflow.start")
@click.argument("workflow", type=Word("workflow"))
@input_options
@click.option(
    "--workflow-id",
    type=Name(),
    metavar="ID",
    help="Its id; by default its name and a random part.",
)
@domain_option
@click.option("--task-list", type=Name(), metavar="NAME", help="Task list of its decision tasks.")
@click.option("--execution-timeout", type=Seconds(), help="Longest time that the execution may stay open.")
@click.option("--decision-tasks-timeout", type=Seconds(none=True), help="Longest time that one decision may take.")
@click.option("--tags", type=Tags(), help="Up to five tags.")
@click.option("--local", is_flag=True, help="Use the embedded engine: the default, unless --store is Amazon SWF.")
@click.option("--virtual-time", is_flag=True, help="Use a clock that jumps to deadlines: two days take a moment.")
@click.option("--middleware-pre-execution", "pre", multiple=True, type=Word("function"), help=_PRE_HELP)
@click.option("--middleware-post-execution", "post", multiple=True, type=Word("function"), help=_POST_HELP)
@repair_options
@wait_option
@click.pass_obj
def start(
    session: Session,
    /,
    workflow: str,
    given: tuple[str, ...],
    file: str | None,
    domain: str | None,
    tags: list[str] | None,
    local: bool,
    virtual_time: bool,
    pre: tuple[str, ...],
    post: tuple[str, ...],
    repair: str | None,
    force_activities: str | None,
    wait: bool,
    **options: Any,
) -> Outcome:
    """Start a WORKFLOW, and wait for its result.

    WORKFLOW is the name of a workflow of this process, or module.Class. An open execution with the same id, workflow
    and input is taken up again. In a shell this process decides and runs the activities of this execution and of its
    children, and of no other in the store. On Amazon SWF it takes any task of their task lists, as a poll there does.
    """
    from simpleflow_lab.executions.start_requests import check_input
    from simpleflow_lab.middleware import After, Before

    if local and session.store is not None and session.store.startswith("aws:"):
        raise UsageError(f"--local is the embedded engine, and {session.store} is Amazon SWF: leave one of them out")
    repairs = Repair.typed(repair, force_activities, has_input=bool(given) or file is not None)
    session.virtual_time = virtual_time
    definition = workflow_named(workflow)
    middleware = [*(Before(function_named(name)) for name in pre), *(After(function_named(name)) for name in post)]
    args, kwargs = typed_arguments(session, definition, given, file)
    if repairs is None:
        check_input(definition, args, kwargs)
    members = {
        "workflow_id": options["workflow_id"],
        "task_list": options["task_list"],
        "tag_list": tags,
        "execution_start_to_close_timeout": options["execution_timeout"],
        "task_start_to_close_timeout": options["decision_tasks_timeout"],
    }
    given_members = {name: value for name, value in members.items() if value is not None}
    lab = session.lab_of_own_executions(domain, new=True, wait=wait)
    lab.use(*middleware)
    if repairs is None:
        execution = lab.start(definition, input={"args": args, "kwargs": kwargs}, **given_members)
    else:
        execution = repairs.start(lab, definition, given_members)
    session.remember_module(definition.__module__)
    return outcome_of(session, execution, wait=wait)


@click.command("resume")
@click.argument("workflow_id", required=False, type=Word("execution"))
@click.option(
    "--module",
    "modules",
    multiple=True,
    type=Word("module"),
    help="Import it: it defines workflows; may be repeated.",
)
@domain_option
@wait_option
@click.pass_obj
def resume(
    session: Session, workflow_id: str | None, modules: tuple[str, ...], domain: str | None, wait: bool
) -> Resumed:
    """Go on with every open execution, or with that of WORKFLOW_ID and its children only.

    Completed activities are not run again. The code is never loaded by a name in a store: give --module, or define the
    workflows and activities here.
    """
    for module in modules:
        import_module(module)
        session.remember_module(module)
    lab = session.lab(domain) if workflow_id is None else session.lab_of_own_executions(domain)
    session.known_domain(lab.domain)
    executions = lab.resume(workflow_id)
    outcomes = [outcome_of(session, execution, wait=wait) for execution in executions]
    if executions:
        session.last = executions[0]
    nothing = None if executions else "nothing to resume: no execution of this store is open"
    return Resumed(outcomes=tuple(outcomes), message=nothing)


ACTING: Final = (start, resume)
