"""The program of a supervised process: imports the modules, starts deciders or activity workers, stops when told to.

Rule: it ends only when what it has in progress is finished, unless it is told to cancel that. On Amazon SWF a poll
that waits is in progress, too: a task that it is given would be lost until its timeout.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.commands.imports import function_named, import_module, workflow_named
from simpleflow_lab.exceptions import SimpleflowLabError, UsageError
from simpleflow_lab.executions.start_requests import is_any_defined
from simpleflow_lab.lab import Lab
from simpleflow_lab.middleware import After, Before
from simpleflow_lab.runtime.connection import has_made, missing_store
from simpleflow_lab.runtime.supervised.link import CANCEL, DRAIN, SupervisorLink
from simpleflow_lab.runtime.supervised.statuses import status_of
from simpleflow_lab.runtime.worker import DECIDER
from simpleflow_lab.workers import Workers

logger = logging.getLogger(__name__)

STATUS_SECONDS: Final = 0.5
"""Seconds between two readings of what the workers do."""
DRAINED_SECONDS: Final = 0.05
"""The same while they are about to end."""


def serve(descriptor: int, *, prepare: Callable[[], None]) -> int:
    """Serve what the supervisor asks for, over the socket with this descriptor; gives the exit code.

    `prepare` configures logging and lets modules of the current folder be imported. What can't begin is told to the
    supervisor in one line.
    """
    link = SupervisorLink(descriptor)
    work = link.work()
    if work is None:
        return 1
    link.handle_signals()
    try:
        prepare()
        with open_lab(work, lambda text: link.send({"notice": text})) as lab:
            _serve(lab, start_work(lab, work), link)
    except SimpleflowLabError as error:
        link.send({"failure": " ".join(str(error).split()), "isTransient": error.is_transient})
        return 2
    return 0


def open_lab(work: Mapping[str, Any], tell: Callable[[str], None] = logger.warning) -> Lab:
    """The Lab of a process that serves, after the modules were imported. Raises `UsageError`, `StoreError`.

    `tell` tells a person a line. What each of several processes would tell, only one does.
    """
    for module in work["modules"]:
        import_module(module)
    middleware = [
        *(Before(function_named(name)) for name in work.get("before", ())),
        *(After(function_named(name)) for name in work.get("after", ())),
    ]
    _check_definitions(work)
    missing = missing_store(work["address"])
    lab = Lab(
        work["address"],
        domain=work["domain"],
        activity_executor=work.get("executor") or "threads",
        middleware=middleware,
        serve="nothing",
        task_list_of_all=work.get("taskListOfAll"),
        notice=logger.info if work.get("isQuiet") else tell,
    )
    if missing is not None and has_made(lab.service):  # its address may be mistyped; any process may be the first
        tell(f"a new store was made: {missing}")
    if work.get("heartbeat") is not None:
        lab.longest_heartbeat = heartbeat_pause(work["heartbeat"])
    return lab


def heartbeat_pause(seconds: float) -> float:
    """The pause between the heartbeats of activities without a heartbeat timeout, as `--heartbeat` gives it: 0 is for
    no heartbeats."""
    return seconds or math.inf


def _check_definitions(work: Mapping[str, Any]) -> None:
    """Raise `UsageError` if there is nothing to serve: before a store is made for it."""
    kind = "workflow" if work["kind"] == DECIDER else "activity"
    for name in work.get("workflows", ()):
        workflow_named(name)
    if not is_any_defined(kind):
        where = "module " + " and ".join(map(repr, work["modules"])) if work["modules"] else "this process"
        raise UsageError(f"{where} defines no {kind}: name the modules that do, as in --module flows")


def start_work(lab: Lab, work: Mapping[str, Any]) -> Workers:
    """Start the deciders or the activity workers that are asked for."""
    if work["kind"] == DECIDER:
        named = [workflow_named(name) for name in work.get("workflows", ())]
        task_lists = work["taskLists"] or lab.task_lists_defined_by(named)
        return Workers(each for name in task_lists for each in lab.start_deciders(task_list=name))
    task_lists = work["taskLists"] or lab.task_lists_defined[1]
    return Workers(each for name in task_lists for each in lab.start_workers(work["atOnce"], task_list=name))


def _serve(lab: Lab, workers: Workers, link: SupervisorLink) -> None:
    sent: list[dict[str, Any]] | None = None
    stop = 0
    while True:
        serves = [status_of(worker) for worker in workers]
        if serves != sent and link.offer({"serves": serves}):
            sent = serves
        if link.stop >= CANCEL:
            lab.workers.stop(drain=False, seconds=lab.settings.activity_sigterm_wait_sec)
            lab.close(waits_for_polls=False)
            return
        if link.stop >= DRAIN and not stop:
            stop = link.stop
            lab.workers.stop(seconds=0)
        if stop and all(worker.state == "stopped" for worker in workers):
            return
        link.wait(DRAINED_SECONDS if stop else STATUS_SECONDS)
