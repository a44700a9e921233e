"""`standalone`: one execution with deciders and activity workers of its own, which end with it.

They serve a task list that nobody else polls, and everything that the execution schedules goes there, whatever the
definitions say: so it runs by the code that was named, beside other versions of the same types.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab import settings
from simpleflow_lab.commands.imports import function_named, import_module, workflow_named
from simpleflow_lab.commands.parameters import Name, Seconds, Tags, Word, domain_option
from simpleflow_lab.commands.processes import (
    STOPS,
    activity_options,
    activity_work,
    address_from_anywhere,
    facts_of,
    module_option,
    modules_of,
    works_of,
)
from simpleflow_lab.commands.repairing import Repair, repair_options
from simpleflow_lab.commands.session import Session
from simpleflow_lab.commands.signal_handlers import handling
from simpleflow_lab.commands.start_input import input_options, typed_arguments
from simpleflow_lab.commands.workflow import Outcome, outcome_of
from simpleflow_lab.exceptions import UsageError

if TYPE_CHECKING:
    from simpleflow_lab.lab import Lab
    from simpleflow_lab.runtime.supervised.supervisor import SupervisedWork, Supervisor

MAX_ID: Final = 220
"""Characters of the workflow id in the name of the task list."""
STATUS_SECONDS: Final = 2.0
"""Seconds between two times that `--display-status yes` says the status."""
CANCEL: Final = 2
"""Number of times that a supervisor is told to stop until it cancels."""
JOIN_SECONDS: Final = 0.2
"""Seconds between two looks of the main thread for signals."""


@click.command("standalone")
@click.argument("workflow", type=Word("workflow"))
@input_options
@click.option("--workflow-id", type=Name(), metavar="ID", help="Its id; by default its name and a random part.")
@module_option
@domain_option
@click.option("--execution-timeout", type=Seconds(), help="Longest time that the execution may stay open.")
@click.option("--decision-tasks-timeout", type=Seconds(none=True), help="Longest time that one decision may take.")
@click.option("--tags", type=Tags(), help="Up to five tags.")
@click.option(
    "-D",
    "--nb-deciders",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="COUNT",
    help="Processes that make decisions.",
)
@click.option(
    "-W",
    "--nb-workers",
    type=click.IntRange(1, 1000),
    metavar="COUNT",
    help="Processes that run activities.  [default: one for each processor]",
)
@activity_options
@click.option(
    "--display-status",
    type=bool,
    default=None,
    help="Say its status every 2 seconds, or not at all; by default how far it is, in a terminal.",
)
@repair_options
@click.pass_obj
def standalone(
    session: Session,
    /,
    workflow: str,
    given: tuple[str, ...],
    file: str | None,
    workflow_id: str | None,
    modules: tuple[str, ...],
    domain: str | None,
    execution_timeout: str | None,
    decision_tasks_timeout: str | None,
    tags: list[str] | None,
    nb_deciders: int,
    nb_workers: int | None,
    display_status: bool | None,
    repair: str | None,
    force_activities: str | None,
    **options: Any,
) -> Outcome:
    """Run a WORKFLOW with deciders and activity workers of its own, and wait for its result.

    WORKFLOW is module.Class. The processes poll a task list that is only this execution's, and end with it. An open
    execution with the same id, workflow and input is taken up again. An interrupt (Ctrl-C, SIGTERM) leaves it open, and
    lets the processes finish what they have in progress; a second one cancels that, a third one kills them.
    """
    from simpleflow_lab.executions.start_requests import check_input
    from simpleflow_lab.runtime.supervised.statuses import STANDALONE

    if session.serves_here:
        raise UsageError("standalone starts processes, which have no cells: use workflow.start, or a shell")
    if "." not in workflow:
        raise UsageError(f"{workflow!r} is no workflow that a process can import: name it as module.Class")
    repairs = Repair.typed(repair, force_activities, has_input=bool(given) or file is not None)
    here = os.getcwd()
    definition = workflow_named(workflow)
    names = modules_of(session, [*modules, definition.__module__])
    for name in names:  # before a store is made for them
        import_module(name)
    for name in (*options["pre"], *options["post"]):
        function_named(name)
    os.chdir(here)  # its processes import the modules from where the command was typed, whatever these change to
    args, kwargs = typed_arguments(session, definition, given, file)
    if repairs is None:
        check_input(definition, args, kwargs)
    facts = {**facts_of(session.address, domain), "of": STANDALONE}
    lab = session.lab(domain, new=True)
    lab.serves = "nothing"
    task_list = _task_list_of(lab, workflow_id, definition.type_name())
    works = _works(session.address, facts["domain"], task_list, names, nb_deciders, nb_workers, options)
    members = {
        "workflow_id": workflow_id,
        "tag_list": tags,
        "execution_start_to_close_timeout": execution_timeout,
        "task_start_to_close_timeout": decision_tasks_timeout,
    }
    with _running(works, facts, session.tell):
        given_members = {name: value for name, value in members.items() if value is not None}
        given_members["task_list"] = task_list
        if repairs is None:
            execution = lab.start(definition, input={"args": args, "kwargs": kwargs}, **given_members)
        else:
            execution = repairs.start(lab, definition, given_members)
        session.remember_module(definition.__module__)
        session.last = execution
        while display_status and not execution.wait(STATUS_SECONDS):
            session.tell(f"status of {execution.workflow_id}: {execution.status}")
        if display_status is False:
            execution.wait()
        return outcome_of(session, execution, wait=True)


def _works(
    address: str,
    domain: str,
    task_list: str,
    modules: list[str],
    deciders: int,
    workers: int | None,
    options: Mapping[str, Any],
) -> tuple[SupervisedWork, ...]:
    from simpleflow_lab.runtime.worker import DECIDER

    decisions = {
        "kind": DECIDER,
        "address": address_from_anywhere(address),
        "domain": domain,
        "taskLists": [task_list],
        "modules": modules,
        "taskListOfAll": task_list,
        "isQuiet": True,  # the Lab of the command tells
    }
    activities = {**activity_work(address, domain, [task_list], modules, **options), "isQuiet": True}
    return (
        *works_of(decisions, deciders, "decider"),
        *works_of(activities, workers or os.cpu_count() or 1, "activity worker"),
    )


def _task_list_of(lab: Lab, workflow_id: str | None, name: str) -> str:
    """The task list of the open execution of this id, or a new one."""
    infos = lab.execution_infos(open_only=True, workflow_id=workflow_id) if workflow_id is not None else []
    if infos:
        described = lab.execution(infos[0]["execution"]["workflowId"], infos[0]["execution"]["runId"]).describe()
        return str(described["executionConfiguration"]["taskList"]["name"])
    return f"{(workflow_id or name)[:MAX_ID]}-{uuid.uuid4().hex}"


@contextlib.contextmanager
def _running(
    works: tuple[SupervisedWork, ...], facts: Mapping[str, Any], tell: Callable[[str], None]
) -> Iterator[None]:
    """Within this context the processes serve; at its end they have ended. Raises `UsageError` if they can't begin."""
    from simpleflow_lab.runtime.supervised.supervisor import Supervisor

    supervisor = Supervisor(
        works,
        facts=facts,
        tell=tell,
        cleanup_seconds=settings.current().activity_sigterm_wait_sec,
    )
    with _counted_interrupts() as interrupts:
        supervisor.start()
        try:
            if not supervisor.wait_until_ready():
                raise UsageError(supervisor.error or "its processes have ended before they began")
            yield
        except KeyboardInterrupt:
            _stop(supervisor, interrupts, tell)
            raise
        finally:
            # The execution has closed, or can't begin: nobody waits for what is in progress.
            while supervisor.stop_level < CANCEL:
                supervisor.escalate()
            supervisor.join()


class _Interrupts:
    """A handler of signals that interrupts the main thread and counts: two that come close together may raise once."""

    count = 0

    def __call__(self, number: int, frame: object) -> None:
        self.count += 1
        raise KeyboardInterrupt


def _stop(supervisor: Supervisor, interrupts: _Interrupts, tell: Callable[[str], None]) -> None:
    """Let the processes finish what they have in progress, and wait for their end; each further interrupt stops them
    sooner."""
    while True:
        try:
            while supervisor.stop_level < min(max(interrupts.count, 1), len(STOPS) - 1):
                supervisor.escalate()
            if not supervisor.join(JOIN_SECONDS):
                tell(STOPS[supervisor.stop_level])
            while not supervisor.join(JOIN_SECONDS):
                # A signal that the system gives to another thread interrupts no wait of this one.
                continue
            return
        except KeyboardInterrupt:
            continue


@contextlib.contextmanager
def _counted_interrupts() -> Iterator[_Interrupts]:
    """Within this context SIGTERM is an interrupt, as Ctrl-C is, and both are counted."""
    interrupts = _Interrupts()
    with handling([signal.SIGINT, signal.SIGTERM], interrupts):
        yield interrupts


ACTING: Final = (standalone,)
