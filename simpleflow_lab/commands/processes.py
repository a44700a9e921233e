"""Commands of deciders and activity workers: start them, list those of all processes, stop them.

In a shell they are processes of their own, which this one supervises until it is told to stop. In a notebook they are
threads of the kernel, which has the definitions of the cells.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab import settings
from simpleflow_lab.commands.imports import function_named, import_module, workflow_named
from simpleflow_lab.commands.parameters import Name, Number, Word, domain_option
from simpleflow_lab.commands.records import Done, ListingRecord, Record
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.formatting import count as counted
from simpleflow_lab.views.listings import Listing

if TYPE_CHECKING:
    from simpleflow_lab.runtime.supervised.supervisor import SupervisedWork, Supervisor
    from simpleflow_lab.workers import Pollers, Workers

STOPS: Final = (
    "",
    "they finish what they have in progress; the same again cancels that",
    "what they have in progress is canceled and given back; the same again kills them",
    "killed",
)
"""The lines that are said when a supervisor is told to stop, in the order of the times that it is told."""


# -- what is started ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WorkersStarted(Record):
    """`decider.start` and `worker.start`: processes to be supervised until this one is told to stop, or, in a notebook,
    threads of the kernel."""

    works: tuple[SupervisedWork, ...] = ()
    """The work of each process; none in a notebook, and after `--one-task`."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The place and the domain that they serve."""
    summary: str = ""
    """The processes in words."""
    log_level: str | None = None
    """The level of the processes' logs; by default that of `LOG_LEVEL`."""
    workers: Workers | None = None
    """The deciders or activity workers of the kernel; `None` in a shell."""

    def supervisor(self, tell: Callable[[str], None]) -> Supervisor:
        """The supervisor of these processes, to be started. `tell` tells a person a line."""
        from simpleflow_lab.runtime.supervised.supervisor import Supervisor

        return Supervisor(
            self.works,
            facts=self.facts,
            tell=tell,
            cleanup_seconds=settings.current().activity_sigterm_wait_sec,
            environment=None if self.log_level is None else {"LOG_LEVEL": self.log_level},
        )


@dataclass(frozen=True, kw_only=True)
class WorkerList(ListingRecord):
    """`worker.list`: who polls, in all processes."""

    pollers: Pollers
    """One for each task list of each process."""

    def listing(self) -> Listing:
        """One row for each task list of each process."""
        return self.pollers.listing()


@dataclass(frozen=True, kw_only=True)
class Stopped(Done):
    """`worker.stop`: the message says what was stopped."""


def facts_of(address: str, domain: str | None) -> dict[str, Any]:
    """The facts that a supervisor publishes: the place and the domain that its processes serve. Raises `UsageError`."""
    from simpleflow_lab.runtime.connection import MEMORY, chosen_domain
    from simpleflow_lab.runtime.supervised.statuses import place_of

    if address == MEMORY:
        raise UsageError("a store in memory is this process's alone: name a file, as in --store lab.sqlite")
    return {
        "place": place_of(address),
        "domain": chosen_domain(address, domain),
        "hostname": socket.gethostname(),
    }


def address_from_anywhere(address: str) -> str:
    """The address of a store as it is found from any directory: a module may change to another when it is imported."""
    return address if address.startswith("aws:") else os.path.abspath(os.path.expanduser(address))


def works_of(work: Mapping[str, Any], count: int, noun: str) -> tuple[SupervisedWork, ...]:
    """The same work for `count` processes."""
    from simpleflow_lab.runtime.supervised.supervisor import SupervisedWork

    lists = _lists(work)
    return tuple(
        SupervisedWork(
            label=f"{noun} {number} of {count} ({lists})" if count > 1 else f"{noun} ({lists})",
            work={"isQuiet": number > 1, **work},
        )
        for number in range(1, count + 1)
    )


def modules_of(session: Session, modules: Sequence[str], workflows: Sequence[str] = ()) -> list[str]:
    """The modules that a process of its own imports, each once. Raises `UsageError` for a name that can't be one."""
    named = [*session.modules, *modules, *(name.rpartition(".")[0] for name in workflows if "." in name)]
    for name in named:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UsageError(f"{name!r} is no name of a module: write it with dots, as in examples.basic")
    return list(dict.fromkeys(named))


def _task_lists(given: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(given))


def _supervised(
    work: Mapping[str, Any],
    count: int | None,
    noun: str,
    facts: Mapping[str, Any],
    log_level: str | None,
) -> WorkersStarted:
    """The record of so many processes, by default one for each processor, which do the same."""
    works = works_of(work, count or os.cpu_count() or 1, noun)
    summary = works[0].label if len(works) == 1 else f"{len(works)} {noun}s ({_lists(work)})"
    return WorkersStarted(works=works, facts=facts, summary=summary, log_level=log_level)


def _lists(work: Mapping[str, Any]) -> str:
    """The work of a process, in words: its task lists, or else its modules."""
    return ", ".join(work["taskLists"]) or ", ".join(work["modules"])


# -- the options -------------------------------------------------------------------------------------------------------


def module_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--module`, for commands whose processes import them."""
    return click.option(
        "--module",
        "modules",
        multiple=True,
        type=Word("module"),
        help="Import it: it defines workflows and activities; may be repeated.",
    )(function)


def _task_list_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-t",
        "--task-list",
        "task_lists",
        multiple=True,
        type=Name(),
        metavar="NAME",
        help="Task list to poll; may be repeated.  [default: those of the definitions]",
    )(function)


def _log_level_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-l",
        "--log-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
        help="Level of the logs on stderr.  [env var: LOG_LEVEL]",
    )(function)


def _refuse_log_level(log_level: str | None) -> None:
    """Raise `UsageError` for a level in a notebook, whose kernel has logs of its own."""
    if log_level is not None:
        raise UsageError("--log-level is for processes of a shell: here it is logging.getLogger().setLevel(…)")


def _processes_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-N",
        "--nb-processes",
        "count",
        type=click.IntRange(1, 1000),
        metavar="COUNT",
        help="Processes; of activity workers in a notebook, activities at once.  [default: one for each processor]",
    )(function)


def activity_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of processes that run activities."""
    options = (
        click.option(
            "--heartbeat",
            type=Number(0, 86_400),
            metavar="SECONDS",
            help="Seconds between the heartbeats of an activity without a heartbeat timeout, 0 for none; with one, "
            "they are sent at a third of it.  [default: 2 on a store, 60 on Amazon SWF]",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1, 1000),
            metavar="COUNT",
            default=1,
            show_default=True,
            help="Activities that run at once in each process.",
        ),
        click.option(
            "--executor",
            type=click.Choice(["threads", "processes"]),
            help="Where an activity runs that does not say it itself; a process can be killed.  [default: threads]",
        ),
        click.option(
            "--middleware-pre-execution",
            "pre",
            multiple=True,
            type=Word("function"),
            help="module.function to call with the context before each activity; may be repeated.",
        ),
        click.option(
            "--middleware-post-execution",
            "post",
            multiple=True,
            type=Word("function"),
            help="module.function to call with the context and result= after each activity that completed.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def activity_work(
    address: str,
    domain: str,
    task_lists: Sequence[str],
    modules: Sequence[str],
    *,
    heartbeat: float | None,
    threads: int,
    executor: str | None,
    pre: Sequence[str],
    post: Sequence[str],
) -> dict[str, Any]:
    """The instructions for a process that runs activities."""
    from simpleflow_lab.runtime.worker import ACTIVITY_WORKER

    return {
        "kind": ACTIVITY_WORKER,
        "address": address_from_anywhere(address),
        "domain": domain,
        "taskLists": list(task_lists),
        "modules": list(modules),
        "atOnce": threads,
        "executor": executor,
        "heartbeat": heartbeat,
        "before": list(pre),
        "after": list(post),
    }


# -- decider.start and worker.start ------------------------------------------------------------------------------------


@click.command("decider.start")
@click.argument("workflows", nargs=-1, type=Word("workflow"))
@module_option
@domain_option
@_task_list_option
@_processes_option
@_log_level_option
@click.pass_obj
def start_decider(
    session: Session,
    workflows: tuple[str, ...],
    modules: tuple[str, ...],
    domain: str | None,
    task_lists: tuple[str, ...],
    count: int | None,
    log_level: str | None,
) -> WorkersStarted:
    """Make the decisions of workflows, until told to stop.

    The WORKFLOWS are names like module.Class; --module alone does, for all workflows of the modules. Their task lists
    are polled, or those of --task-list.

    In a shell, processes of their own do it. One that dies is started again. An interrupt (Ctrl-C, SIGTERM) lets them
    finish what they have in progress; a second one cancels that, and gives it back; a third one kills them.

    In a notebook, the kernel does it for the workflows that it defines: one decider for each task list.
    """
    if session.serves_here:
        for module in modules:
            import_module(module)
        named = [workflow_named(name) for name in workflows]
        if count not in (None, 1):
            raise UsageError("a kernel has one decider for each task list, and -N is for the processes of a shell")
        _refuse_log_level(log_level)
        lab = session.lab(domain, new=True)
        lists = task_lists or (lab.task_lists_defined_by(named) if named else ())
        from simpleflow_lab.workers import Workers

        deciders = [lab.start_deciders(task_list=each) for each in lists] or [lab.start_deciders()]
        return WorkersStarted(workers=Workers(each for some in deciders for each in some))
    names = modules_of(session, modules, workflows)
    if not names:
        raise UsageError(
            "which workflows? name them, or the module that defines them, as in decider.start --module flows: "
            "no code is loaded by a name in a history"
        )
    from simpleflow_lab.runtime.worker import DECIDER

    facts = facts_of(session.address, domain)
    work = {
        "kind": DECIDER,
        "address": address_from_anywhere(session.address),
        "domain": facts["domain"],
        "taskLists": _task_lists(task_lists),
        "modules": names,
        "workflows": list(workflows),
    }
    return _supervised(work, count, "decider", facts, log_level)


@click.command("worker.start")
@module_option
@domain_option
@_task_list_option
@_processes_option
@activity_options
@click.option("--one-task", is_flag=True, help="Run one activity task in this process, and end.")
@click.option(
    "--poll-data",
    metavar="BASE64",
    help="Run the task in an answer to PollForActivityTask, as base64 of its JSON, instead of polling; and end.",
)
@_log_level_option
@click.pass_obj
def start_worker(
    session: Session,
    /,
    modules: tuple[str, ...],
    domain: str | None,
    task_lists: tuple[str, ...],
    count: int | None,
    one_task: bool,
    poll_data: str | None,
    log_level: str | None,
    **options: Any,
) -> WorkersStarted:
    """Run activities, until told to stop.

    The activities are those of the modules. Their task lists are polled, or those of --task-list.

    In a shell, processes of their own do it. One that dies is started again. An interrupt (Ctrl-C, SIGTERM) lets them
    finish what they have in progress; a second one cancels that, and gives it back; a third one kills them.

    In a notebook, the kernel does it for the activities that it defines: -N of each task list at once.
    """
    if session.serves_here:
        from simpleflow_lab.commands.served_process import heartbeat_pause
        from simpleflow_lab.middleware import After, Before
        from simpleflow_lab.workers import Workers

        if one_task or poll_data is not None:
            raise UsageError("--one-task and --poll-data are for processes of a shell")
        if options["threads"] != 1 or options["executor"] is not None:
            raise UsageError(
                "--threads and --executor are for processes of a shell: here -N says how many activities run at once, "
                "and executor= of an activity, or Lab(activity_executor=…), where"
            )
        _refuse_log_level(log_level)
        for module in modules:
            import_module(module)
        lab = session.lab(domain, new=True)
        lab.use(
            *(Before(function_named(name)) for name in options["pre"]),
            *(After(function_named(name)) for name in options["post"]),
        )
        if options["heartbeat"] is not None:
            lab.longest_heartbeat = heartbeat_pause(options["heartbeat"])
        workers = [lab.start_workers(count, task_list=each) for each in task_lists] or [lab.start_workers(count)]
        return WorkersStarted(workers=Workers(each for some in workers for each in some))
    names = modules_of(session, modules)
    if not names:
        raise UsageError(
            "which activities? name the module that defines them, as in worker.start --module flows: "
            "no code is loaded by a name in a history"
        )
    facts = facts_of(session.address, domain)
    work = activity_work(session.address, facts["domain"], _task_lists(task_lists), names, **options)
    if one_task or poll_data is not None:
        from simpleflow_lab.commands.polled_task import run_one_task

        return WorkersStarted(message=run_one_task(work, poll_data))
    return _supervised(work, count, "activity worker", facts, log_level)


# -- worker.list and worker.stop ---------------------------------------------------------------------------------------


@click.command("worker.list")
@domain_option
@click.pass_obj
def list_workers(session: Session, domain: str | None) -> WorkerList:
    """List the deciders and activity workers of all processes, and what each does.

    Of a store, these are all processes that have it open, and other SWF programs as far as their polls tell. Amazon SWF
    doesn't tell who polls: there it is about the processes that this user started on this machine.
    """
    try:
        found = session.known_domain(domain)
    except UsageError:
        starting = _starting(session, domain)
        if not starting:
            raise
        return WorkerList(pollers=starting)
    pollers = session.lab().pollers(domain=found)
    nobody = None if pollers else f"nobody polls a task list of domain {found}"
    return WorkerList(pollers=pollers, message=nobody)


def _starting(session: Session, domain: str | None) -> Pollers:
    """The supervised processes that are about to make the store, or the domain in it."""
    from simpleflow_lab.runtime.connection import chosen_domain
    from simpleflow_lab.runtime.supervised.statuses import supervisors_of
    from simpleflow_lab.workers import Pollers, with_statuses

    address = session.address
    return with_statuses(Pollers(()), (), supervisors_of(address, chosen_domain(address, domain)))


@click.command("worker.stop")
@click.argument("pids", nargs=-1, type=click.IntRange(1), metavar="[PID]...")
@domain_option
@click.option("-t", "--task-list", type=Name(), metavar="NAME", help="Only those of this task list.")
@click.option("--now", is_flag=True, help="Cancel what they have in progress, and give it back.")
@click.option("--wait", is_flag=True, help="Wait until they have ended.")
@click.pass_obj
def stop_workers(
    session: Session, pids: tuple[int, ...], domain: str | None, task_list: str | None, now: bool, wait: bool
) -> Stopped:
    """Stop deciders and activity workers; what they have in progress is finished first.

    In a shell, those that decider.start and worker.start started on this machine, or those of a PID, which is that of
    the command that started them or of one of its processes; a PID may be that of a standalone, too. In a notebook
    without a PID, those of the kernel.
    """
    if session.serves_here and not pids:
        return _stop_here(session, domain, task_list, now=now, wait=wait)
    from simpleflow_lab.commands.stopping import supervisors_to_stop, tell_to_stop, wait_for_end

    domain = str(facts_of(session.address, domain)["domain"])
    supervisors = supervisors_to_stop(session.address, domain, pids, task_list)
    tell_to_stop(supervisors, now=now)
    processes = counted(sum(len(each["processes"]) for each in supervisors), "process", "processes")
    if wait:
        wait_for_end(supervisors, session.address, domain, session.tell)
        return Stopped(message=f"{processes} ended")
    what = "cancel and give back" if now else "finish"
    return Stopped(message=f"{processes} will end: they {what} what they have in progress")


def _stop_here(session: Session, domain: str | None, task_list: str | None, *, now: bool, wait: bool) -> Stopped:
    """Stop the deciders and activity workers of the kernel. Raises `UsageError` if there is none."""
    from simpleflow_lab.commands.stopping import task_in_words, wait_and_tell
    from simpleflow_lab.workers import Workers

    found = Workers(each for each in session.lab(domain).workers if task_list in (None, each.task_list))
    if not found:
        raise UsageError("no decider and no activity worker of this kernel is there to stop: worker.list shows all")

    def in_progress() -> list[str]:
        return [
            text
            for each in found
            if each.state != "stopped"
            for text in [task_in_words(task.activity_id, task.workflow_id) for task in each.tasks]
            or [f"the {each.kind} of {each.task_list}"]
        ]

    have_ended = found.stop(drain=not now, seconds=0)
    if wait:
        wait_and_tell(lambda seconds: found.stop(seconds=seconds), in_progress, session.tell)
    what = "stopped" if have_ended or wait else "asked to stop: they finish what they have in progress"
    return Stopped(message=f"{counted(len(found), 'decider or activity worker', 'deciders and workers')} {what}")


READING: Final = (list_workers,)
ACTING: Final = (start_decider, start_worker, stop_workers)
