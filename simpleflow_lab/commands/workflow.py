"""Commands that act on executions: start, resume, signal, cancel, terminate."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import click

from simpleflow_lab.commands.parameters import (
    Name,
    Seconds,
    Tags,
    Word,
    domain_option,
    function_named,
    import_module,
    target,
    text_of,
    wait_option,
    workflow_named,
)
from simpleflow_lab.commands.records import Asked, Outcome, Resumed, Started
from simpleflow_lab.commands.session import Session
from simpleflow_lab.data.codec import decode_input
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.lab import check_input
from simpleflow_lab.middleware import After, Before

_PRE_HELP: Final = "module.function, called with its context before each activity; more than one is fine."
_POST_HELP: Final = "module.function, called with its context and result= after each activity that went well."


@click.command("workflow.start")
@click.argument("workflow", type=Word("workflow"))
@click.option("-i", "--input", "given", metavar="JSON", help="Arguments of its run: '[1, 5]', or '{\"kwargs\": {…}}'.")
@click.option("--input-file", "file", metavar="FILE", type=click.Path(), help="The same from a file; - for a pipe.")
@click.option("--workflow-id", type=Name(), metavar="ID", help="Its id; by default its name and something random.")
@domain_option
@click.option("--task-list", type=Name(), metavar="NAME", help="Task list of its decision tasks.")
@click.option("--execution-timeout", type=Seconds(), help="How long the execution may stay open.")
@click.option("--decision-tasks-timeout", type=Seconds(none=True), help="How long one decision may take.")
@click.option("--tags", type=Tags(), help="Up to five tags.")
@click.option("--local", is_flag=True, help="On the embedded engine, as it is without a --store of Amazon SWF.")
@click.option("--virtual-time", is_flag=True, help="On a clock that jumps: two days of timers take a moment.")
@click.option("--middleware-pre-execution", "pre", multiple=True, type=Word("function"), help=_PRE_HELP)
@click.option("--middleware-post-execution", "post", multiple=True, type=Word("function"), help=_POST_HELP)
@wait_option
@click.pass_obj
def start(
    session: Session,
    /,
    workflow: str,
    given: str | None,
    file: str | None,
    domain: str | None,
    tags: list[str] | None,
    local: bool,
    virtual_time: bool,
    pre: tuple[str, ...],
    post: tuple[str, ...],
    wait: bool,
    **options: Any,
) -> Started:
    """Start a WORKFLOW, and wait for its result.

    WORKFLOW is the name of a workflow of this process, or module.Class. An open execution with the same id, workflow
    and input is taken up again.
    """
    if local and session.store is not None and session.store.startswith("aws:"):
        raise UsageError(f"--local is the embedded engine, and {session.store} is Amazon SWF: leave one of them out")
    session.virtual_time = virtual_time
    definition = workflow_named(workflow)
    middleware = [*(Before(function_named(name)) for name in pre), *(After(function_named(name)) for name in post)]
    source = text_of(given, file)
    args, kwargs = ([], {}) if source is None else decode_input(source[0], where=source[1])
    check_input(definition, args, kwargs)
    members = {
        "workflow_id": options["workflow_id"],
        "task_list": options["task_list"],
        "tag_list": tags,
        "execution_start_to_close_timeout": options["execution_timeout"],
        "task_start_to_close_timeout": options["decision_tasks_timeout"],
    }
    asked = {name: value for name, value in members.items() if value is not None}
    lab = session.lab(domain)
    lab.use(*middleware)
    execution = lab.start(definition, input={"args": args, "kwargs": kwargs}, **asked)
    session.came_from(definition.__module__)
    return Started(**_fields(session.outcome(execution, wait=wait)))


def _fields(outcome: Outcome) -> dict[str, Any]:
    return {field.name: getattr(outcome, field.name) for field in dataclasses.fields(outcome)}


@click.command("resume")
@click.argument("workflow_id", required=False, type=Word("execution"))
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it: it defines the workflow.")
@domain_option
@wait_option
@click.pass_obj
def resume(
    session: Session, workflow_id: str | None, modules: tuple[str, ...], domain: str | None, wait: bool
) -> Resumed:
    """Go on with every open execution, or with that of WORKFLOW_ID.

    Completed activities are not run again. The code is never loaded by a name in a store: give --module, or define the
    workflows and activities here.
    """
    for module in modules:
        import_module(module)
        session.came_from(module)
    executions = session.lab(domain).resume(workflow_id)
    outcomes = [session.outcome(execution, wait=wait) for execution in executions]
    if executions:
        session.last = executions[0]
    return Resumed(outcomes=tuple(outcomes))


@click.command("workflow.signal")
@click.argument("name", metavar="SIGNAL", type=Name())
@target
@click.option("-i", "--input", "given", metavar="JSON", help="What the workflow gets with it.")
@click.pass_obj
def signal(session: Session, name: str, words: tuple[str, ...], domain: str | None, given: str | None) -> Asked:
    """Send SIGNAL to an execution."""
    source = text_of(given, None)
    if source is not None:
        decode_input(source[0], where=source[1])
    execution = session.execution(words, domain)
    execution.signal(name, None if source is None else source[0])
    return Asked(execution=execution, message=f"signal {name!r} was sent to {execution.workflow_id}")


@click.command("workflow.cancel")
@target
@click.pass_obj
def cancel(session: Session, words: tuple[str, ...], domain: str | None) -> Asked:
    """Ask an execution to cancel; its workflow decides, when it runs."""
    execution = session.execution(words, domain)
    if execution.status != "OPEN":
        raise UsageError(f"execution {execution.workflow_id} is closed already: {execution.status}")
    execution.request_cancel()
    return Asked(execution=execution, message=f"{execution.workflow_id} was asked to cancel: its workflow decides")


@click.command("workflow.terminate")
@target
@click.option("--reason", metavar="TEXT", help="Why, for its history.")
@click.option("--details", metavar="TEXT", help="More on that.")
@click.pass_obj
def terminate(
    session: Session, words: tuple[str, ...], domain: str | None, reason: str | None, details: str | None
) -> Asked:
    """End an execution now, without asking its workflow."""
    execution = session.execution(words, domain)
    execution.terminate(reason, details)
    return Asked(execution=execution, message=f"{execution.workflow_id} is terminated")


COMMANDS: Final = (start, resume, signal, cancel, terminate)
