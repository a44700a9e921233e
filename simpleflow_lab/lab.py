"""The Lab: a service, and everything that runs on it in this process.

    with Lab(":memory:") as lab:
        execution = lab.start(BasicWorkflow, 1, t=0)
        execution.result(timeout=30)

Starting or resuming an execution starts deciders and activity workers for its task lists, as threads of this process,
unless `serve` says otherwise; `workers` shows, scales and stops them.

Rule: nothing runs before that: opening a Lab and viewing its executions never runs code.
"""

from __future__ import annotations

import atexit
import contextvars
import datetime
import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simpleflow_lab import settings
from simpleflow_lab.activity import EXECUTORS
from simpleflow_lab.constants import DEFAULT_ACTIVITY_THREADS
from simpleflow_lab.exceptions import (
    UnknownResourceFault,
    UsageError,
)
from simpleflow_lab.execution import Execution
from simpleflow_lab.executions.execution_infos import execution_infos, latest_run, with_damaged
from simpleflow_lab.executions.start_requests import (
    given_workflow,
)
from simpleflow_lab.executions.starting import start_execution
from simpleflow_lab.lab_workers import LabWorkers, check_serve
from simpleflow_lab.middleware import around_of
from simpleflow_lab.runtime.connection import Endpoint, connect, owner_of, serve_store, virtual_clock
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.output_contexts import OutputContexts
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.runtime.replay_cache import REPLAY_CACHE_SIZE
from simpleflow_lab.runtime.sigterm import close_at_sigterm
from simpleflow_lab.service.watchable import time_of
from simpleflow_lab.settings import default_store
from simpleflow_lab.swf.history import History
from simpleflow_lab.swf.names import check_name
from simpleflow_lab.workflow import Workflow

if TYPE_CHECKING:
    import pandas as pd

    from simpleflow_lab.debugger.recorded_checks import RecordedChecks
    from simpleflow_lab.debugger.steps import ReplaySteps
    from simpleflow_lab.execution_sets import Executions
    from simpleflow_lab.recorded_execution import RecordedExecution

CLOSE_SECONDS: Final = 2.0
"""Seconds for which a Lab that is closed waits for what is in progress; what has not ended then is given back."""
END_SECONDS: Final = 0.5
"""The same at the end of its process: who ends it, as a front end of kernels does, may kill it after some seconds."""
LONGEST_POLL: Final = 60
"""The most seconds for which a poll without a task is held, as SWF does."""
LAST_PORT: Final = 65_535
VIRTUAL: Final = "virtual"
"""The clock that jumps."""


def notify(text: str) -> None:
    """Tell a person a line, on stderr."""
    sys.stderr.write(f"{text}\n")


class Served(NamedTuple):
    """An engine that other programs can use."""

    url: str
    """Where it answers."""
    environment: Mapping[str, str]
    """The variables with which every AWS SDK finds it: endpoint, key, secret, region."""
    notice: str | None = None
    """A sentence for programs that were told the variables before; `None` if there is none."""


class Lab(LabWorkers):
    """A service and its executions.

    `address` is the path of a store of the embedded engine, ":memory:", or "aws://REGION/DOMAIN" for Amazon SWF;
    without one it is the user's own durable store. Several processes may open the same store: the first owns it, the
    others talk to it, and when it dies the next one takes over.
    """

    def __init__(
        self,
        address: str | os.PathLike[str] | None = None,
        *,
        domain: str | None = None,
        activity_threads: int = DEFAULT_ACTIVITY_THREADS,
        activity_executor: str = "threads",
        middleware: Iterable[Any] = (),
        clock: Any = None,
        replay_cache_size: int = REPLAY_CACHE_SIZE,
        serve: str = "everything",
        task_list_of_all: str | None = None,
        registers_domain: bool | None = None,
        notice: Callable[[str], None] = notify,
    ) -> None:
        """`activity_threads` activities run at once for each task list: in threads, or each in a process of its own
        with `activity_executor="processes"`, unless the activity itself says which. `middleware` runs around each
        activity; see `use`.

        `serve` says what is started by itself for the task lists of executions that are started or resumed here, and
        of their activities and children: "everything", "decisions" (deciders only), "activities" (activity workers
        only) or "nothing". Whatever it says, `start_workers` and `start_deciders` start what they are asked for.

        `task_list_of_all` is the task list of every activity and child that the deciders here schedule, whatever their
        definitions say: so what an execution starts stays with processes that serve this list alone.

        `clock="virtual"` is a clock that jumps to the next timer or timeout whenever nothing else can happen, so that
        two days take milliseconds; a `simpleflow_lab.engine.clock.Clock` is used as it is. The replays of
        `replay_cache_size` open executions of each task list stay in memory; the others are replayed from their start
        when they go on. `notice` is called with the account, region and domain before anything is written to Amazon,
        and with a line that says which process owns the store when that one does not answer.

        A domain that a store does not have is registered, with `registers_domain=False` only when something is started
        there. A domain of Amazon SWF stays for ever: it is registered only with `registers_domain=True`, when something
        is started there. Without a `domain` it is that of the address, or else that of `SWF_DOMAIN`.

        Raises `StoreError` or `UsageError`.
        """
        _check_options(
            domain=domain,
            activity_threads=activity_threads,
            activity_executor=activity_executor,
            clock=clock,
            replay_cache_size=replay_cache_size,
            serve=serve,
            task_list_of_all=task_list_of_all,
        )
        around = [around_of(one) for one in middleware]
        self.settings = settings.current()
        """The settings of the moment when it was opened."""
        self.address = os.fspath(address) if address is not None else default_store()
        connection = connect(
            self.address, domain=domain, clock=virtual_clock() if clock == VIRTUAL else clock, tell=notice
        )
        is_store = self._releases_polls = connection.notice is None
        self._notice = notice
        if connection.notice is not None:
            notice(connection.notice)
        self.domain = connection.domain
        self.service = connection.service
        self.storage = connection.storage
        """Where objects are kept beside the histories: large values, notes of steps."""
        self.fields = connection.fields
        """Encodes values as SWF's fields and decodes them, with the large ones kept as objects."""
        self._pool = WorkerPool(
            WorkerContext(
                service=self.service,
                domain=self.domain,
                storage=self.storage,
                fields=self.fields,
                settings=self.settings,
                output_contexts=OutputContexts.of(connection.place),
            ),
            activity_threads=activity_threads,
            activity_executor=activity_executor,
            middleware=around,
            longest_heartbeat=connection.longest_heartbeat,
            replay_cache_size=replay_cache_size,
            serve=serve,
            task_list_of_all=task_list_of_all,
            registers_domain=is_store or bool(registers_domain),
        )
        try:
            self._begin_domain(is_store, registers_domain, notice)
        except BaseException:  # an interrupt too: nobody has the Lab that would close it
            self.service.close()
            raise
        self._pool.context.log.follows_service = clock is not None
        self.closed = False
        """Whether `close` was called."""
        self._endpoints: list[Endpoint] = []
        self.is_virtual = clock == VIRTUAL
        """Whether its clock jumps."""
        _open_labs.add(self)
        close_at_sigterm(_close_all)
        self._pool.serve_definitions()

    def _begin_domain(self, is_store: bool, registers_domain: bool | None, notice: Callable[[str], None]) -> None:
        """Register the domain of a store; ask for that of Amazon, so that refused credentials raise now."""
        registration = self._pool.registration
        if not is_store:
            registration.finds_domain()
        elif registers_domain is not False and registration.register_domain():
            similar = registration.similar_domains()
            if similar:  # its name may be mistyped
                notice(f"the new domain {self.domain!r} was registered: did you mean {' or '.join(similar)}?")

    def __repr__(self) -> str:
        return f"<Lab {self.address}, domain {self.domain}{', closed' if self.closed else ''}>"

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self, *, waits_for_polls: bool = True) -> None:
        """Stop deciders and activity workers, and close the store. Open executions stay open, to be resumed.

        On Amazon SWF it waits until its polls have come back, for up to a minute, and says so; an interrupt ends that,
        and `waits_for_polls=False` leaves it out. A task that is given to a poll of a process that has gone comes back
        by its timeout.
        """
        if waits_for_polls and not self.closed and not self._releases_polls:
            self._pool.end_polls(self._notice)
        self._close(seconds=CLOSE_SECONDS)

    def _close(self, *, seconds: float) -> None:
        """Close it; `seconds` is how long to wait for what is in progress."""
        if self.closed:
            return
        self.closed = True
        _open_labs.discard(self)
        for endpoint in self._endpoints:
            endpoint.close()
        self._pool.stop(release=self.service.release_polls, seconds=seconds)
        self.service.close()
        for endpoint in self._endpoints:
            endpoint.drain()

    def serve_store(
        self, *, port: int | None = None, poll_seconds: float | None = None, rotate_keys: bool = False
    ) -> Served:
        """Serve this Lab's engine over HTTP to other programs on this machine until the Lab is closed.

        They may be in any language: they speak SWF's own protocol, and need the variables that this gives. The keys
        among them are those of the store, the same in whichever process serves it, until `rotate_keys` makes new ones.
        The port is by default the one at which the store was served last, or another one if that is taken; 0 takes
        any free one. An empty poll is answered after `poll_seconds`, by default 5: a program that is
        told to stop often ends only when its poll does.

        This process owns the store as long as it serves it; another one that owned it before hands it over and goes on
        as a client.

        Raises `UsageError` if another process serves the store already or can't hand it over, `StoreError` if the port
        is taken.
        """
        if poll_seconds is not None and not 0 <= poll_seconds <= LONGEST_POLL:
            raise UsageError(f"poll_seconds is from 0 to {LONGEST_POLL}, not {poll_seconds}")
        if port is not None and not 0 <= port <= LAST_PORT:
            raise UsageError(f"port is from 0 to {LAST_PORT}, not {port}")
        endpoint, notice = serve_store(self.service, port=port, poll_seconds=poll_seconds, rotate_keys=rotate_keys)
        self._endpoints.append(endpoint)
        variables = {name: str(value) for name, value in endpoint.environment.items()}
        return Served(url=endpoint.url, environment=variables, notice=notice)

    # -- executions --

    def start(self, workflow: type[Workflow] | str, /, *args: Any, input: Any = None, **kwargs: Any) -> Execution:
        """Start an execution, and give it at once, while it runs.

        The arguments are those of the workflow's `run`, except the names of `START_OPTIONS`: `workflow_id`,
        `tag_list`, `task_list`, … Where a `run` has such a name itself, give its arguments as
        `input={"args": […], "kwargs": {…}}`. `workflow` may be the name of its type.

        An open execution with this workflow id, of the same workflow and input, is taken up again instead of being
        started twice. Raises `UsageError` if the arguments don't fit, or if that id is taken by something else.
        """
        started = start_execution(self._pool, self.service, workflow, args, kwargs, input)
        execution = self._execution(started.workflow_id, started.run_id, attached=started.attached)
        self._pool.last_started = started.workflow_id, started.run_id
        if started.attached:
            self._pool.serve_history(execution.history())
            self._attach(execution)
        return execution

    @property
    def last_started(self) -> Execution | None:
        """The execution that `start`, or `fork` or `restart` of another, has given last; `None` before."""
        return None if self._pool.last_started is None else self._execution(*self._pool.last_started)

    def _attach(self, execution: Execution, *, takes_over: bool = True) -> None:
        """Let an execution that is taken up use the definitions of this process; see `attach_execution`."""
        instance = self._pool.context.session.instance
        if instance is not None:
            ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
            self.service.attach_execution(domain=self.domain, execution=ids, instance=instance, takes_over=takes_over)

    def execution(self, workflow_id: str, run_id: str | None = None, *, domain: str | None = None) -> Execution:
        """An execution of this store: by default the latest run of this id. Raises `UsageError` if there is none.

        `domain` is where to look, if not in this Lab's own.
        """
        domain = domain or self.domain
        check_name(workflow_id, "WorkflowId", "a workflow id")
        if run_id is None:
            run_id = latest_run(self.service, workflow_id, domain=domain)
            if run_id is None:
                raise UsageError(
                    f"no execution {workflow_id!r} in domain {domain!r}: `simpleflow workflow.list` lists them"
                )
        execution = self._execution(workflow_id, run_id, domain=domain)
        try:
            execution.describe()
        except UnknownResourceFault:
            raise UsageError(f"no execution {workflow_id!r} with run id {run_id!r} in domain {domain!r}") from None
        return execution

    def listed_execution(self, info: Mapping[str, Any], *, domain: str | None = None) -> Execution:
        """The execution of one of SWF's `executionInfos`, as `execution_infos` gives them. Nothing is asked for: the
        list says that it is there. `domain` is that of the list, if it is not this Lab's own."""
        ids = info["execution"]
        return self._execution(ids["workflowId"], ids["runId"], domain=domain)

    @property
    def owner(self) -> str:
        """The owner of the store: `this process`, or as `process 12 on host`; empty in memory and for Amazon SWF."""
        return owner_of(self.service)

    def holds(self, execution: Execution) -> bool:
        """Whether it was had from this Lab."""
        return execution._pool is self._pool

    def has_domain(self) -> bool:
        """Whether its domain is there, registered or deprecated; `True` if that can't be told."""
        return self._pool.registration.finds_domain()

    def check_domain(self) -> None:
        """Raise `UsageError`, which names domains that are there, if nothing can be started here because its domain is
        not there and is not to be registered."""
        self._pool.registration.check_domain()

    def domains(self) -> list[str]:
        """Names of the registered domains."""
        return self._pool.registration.domains()

    def now(self) -> datetime.datetime:
        """The time by which the service dates events: with `clock="virtual"` it is that of the virtual clock."""
        return time_of(self.service)

    def executions(self, *, timezone: str | datetime.tzinfo | None = "UTC") -> pd.DataFrame:
        """Every execution of this store and domain, latest first. One that can't go on, because what is recorded of it
        is damaged, has the status DAMAGED.

        The times are in this time zone; with `None` they are in UTC and without a zone, as Excel takes them.
        """
        from simpleflow_lab.views.tables import executions_table
        from simpleflow_lab.views.time_zones import in_time_zone

        return in_time_zone(executions_table(self.execution_infos(damaged=True), until=self.now()), timezone)

    def select_executions(
        self,
        *,
        last: str | datetime.timedelta | None = None,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        workflow: type[Workflow] | str | None = None,
        status: str | Sequence[str] | None = None,
        tags: Iterable[str] = (),
    ) -> Executions:
        """Executions of this store and domain to be viewed together, latest first: `select_executions(last="7d")`.

        They were started in the `last` time ("90s", "30m", "12h", "7d", "2w", or a `timedelta`), or from `since` on and
        up to `until` (a time without a zone is in that of this computer); they are of this workflow, a class or the
        name of a type; they have this status, or one of these (`OPEN`, or SWF's close statuses), and all of these tags.
        What says nothing leaves none out. Raises `UsageError`.
        """
        from simpleflow_lab.execution_sets import Executions, Member, period, selected

        since, until = period(last, since, until, self.now())
        if not (workflow is None or isinstance(workflow, str) or hasattr(workflow, "type_name")):
            raise UsageError(f"workflow is a workflow's class or the name of its type, not {workflow!r:.80}")
        name = workflow if workflow is None or isinstance(workflow, str) else workflow.type_name()
        infos = selected(self.execution_infos(), since=since, until=until, workflow=name, status=status, tags=tags)
        ids = [(info["execution"]["workflowId"], info["execution"]["runId"]) for info in infos]
        return Executions(Member(*each, functools.partial(self._execution, *each)) for each in ids)

    def tasks(self, *, timezone: str | datetime.tzinfo | None = "UTC", **criteria: Any) -> pd.DataFrame:
        """The tasks of several executions as one table: `lab.tasks(last="7d", workflow="nightly")`.

        `criteria` are those of `select_executions`; see `Executions.tasks`. Raises `UsageError`.
        """
        return self.select_executions(**criteria).tasks(timezone=timezone)

    def profile(self, **criteria: Any) -> pd.DataFrame:
        """The profile of the tasks of several executions together: `lab.profile(last="7d")`.

        `criteria` are those of `select_executions`; see `Executions.profile`. Raises `UsageError`.
        """
        return self.select_executions(**criteria).profile()

    def execution_infos(
        self,
        *,
        open_only: bool = False,
        workflow_id: str | None = None,
        domain: str | None = None,
        damaged: bool = False,
    ) -> list[Mapping[str, Any]]:
        """SWF's `executionInfos` of open and closed executions, latest first.

        With `damaged` those that are open and can't go on are among them: `executionStatus` is "DAMAGED", and `damage`
        says why.
        """
        domain = domain or self.domain
        infos = execution_infos(self.service, domain=domain, open_only=open_only, workflow_id=workflow_id)
        return with_damaged(infos, self.service, domain=domain) if damaged else infos

    def resume(self, workflow_id: str | None = None) -> list[Execution]:
        """Go on with every open execution of this store, or with the one of this workflow id; gives them.

        Completed activities are not run again. The workflows and activities must be defined in this process; an
        execution of one that is not goes on as soon as it is defined. A named execution that has closed is given as it
        is; one that is open uses the definitions of this process from now on. Without a name, so do those whose
        process has ended, and those whose decisions another process can't make for it.
        """
        if workflow_id is not None:
            check_name(workflow_id, "WorkflowId", "a workflow id")
        context = contextvars.copy_context()
        resumed = []
        for info in self.execution_infos(open_only=True, workflow_id=workflow_id):
            execution = self._execution(info["execution"]["workflowId"], info["execution"]["runId"], attached=True)
            self._pool.set_output_context(execution.workflow_id, context)
            self._pool.serve_history(execution.history())
            self._attach(execution, takes_over=workflow_id is not None)
            resumed.append(execution)
        if workflow_id is not None and not resumed:
            resumed.append(self.execution(workflow_id))
        return resumed

    def replay(
        self, history: History | Execution | RecordedExecution | str | os.PathLike[str], workflow: Any = None
    ) -> ReplaySteps:
        """A history replayed with a workflow class, as steps, one for each decision; see `debugger.steps`.

        `history` is an execution, a `History`, or the path of a file that holds one. Without a class it is the one that
        this process defines for the type of the history. Large values are read from this Lab's store. Nothing is sent
        and no activity runs. Raises `UsageError`, `HistoryError` for a file that is none.
        """
        from simpleflow_lab.debugger.recorded_test import execution_in
        from simpleflow_lab.debugger.steps import ReplaySteps
        from simpleflow_lab.recorded_execution import RecordedExecution, open_history

        definition = given_workflow(workflow) if isinstance(workflow, str) else workflow
        if isinstance(history, Execution):
            return history.replay(definition)
        workflow_id = run_id = ""
        if isinstance(history, str | os.PathLike):
            path = os.fspath(history)
            history = open_history(path)
            workflow_id, run_id = execution_in(path)
        elif isinstance(history, RecordedExecution):
            workflow_id, run_id = history.ids()
        found = history.history() if isinstance(history, RecordedExecution) else history
        if not isinstance(found, History):
            raise UsageError(f"a history or an execution is replayed, not {found!r:.80}")
        return ReplaySteps(
            found, definition, domain=self.domain, workflow_id=workflow_id, run_id=run_id, fields=self.fields
        )

    def check(self, workflow: type[Workflow] | str, *, seconds: float | None = None) -> RecordedChecks:
        """Whether the code of a workflow, as it is now, decides what its recorded executions did.

        The open ones come first, for they go on with this code, then the others, of each the latest first; `seconds`
        limits the time for all of them. It displays itself: `safe with 14 of 14 recorded executions`, or where it
        differs, with both lines, and how open executions can go on. Nothing is decided and no activity runs. Raises
        `UsageError` for what is no workflow.
        """
        from simpleflow_lab.debugger.checking import check_recorded, recorded_executions

        definition = given_workflow(workflow)
        if seconds is not None and not seconds > 0:
            raise UsageError(f"seconds limits the time of a check, and is more than 0, not {seconds!r:.40}")
        checks = check_recorded(
            definition,
            lambda: recorded_executions(
                self.service,
                self.domain,
                definition,
                lambda workflow_id, run_id: self._execution(workflow_id, run_id).history(),
            ),
            domain=self.domain,
            fields=self.fields,
            seconds=seconds,
        )
        return checks.with_sources(definition)

    def use(self, *middleware: Any) -> None:
        """Use further middleware around each activity that this process takes from now on, inside that used already.

        Each is a function `(context, call, args, kwargs)` that gives the result of `call(*args, **kwargs)`, or an
        object with `around`, `pre` or `post`; see `simpleflow_lab.middleware`. One that is used already is not used
        twice. Raises `UsageError`.
        """
        for one in middleware:
            around = around_of(one)
            if around not in self._pool.middleware:
                self._pool.middleware.append(around)

    # -- inside --

    def _open_pools(self) -> Iterable[WorkerPool]:
        return [lab._pool for lab in list(_open_labs)]

    def _execution(
        self, workflow_id: str, run_id: str, *, attached: bool = False, domain: str | None = None
    ) -> Execution:
        return Execution(self._pool, workflow_id, run_id, domain=domain, attached=attached)


def _check_options(
    *,
    domain: str | None,
    activity_threads: int,
    activity_executor: str,
    clock: object,
    replay_cache_size: int,
    serve: str,
    task_list_of_all: str | None,
) -> None:
    """Raise `UsageError` for what a Lab can't be opened with."""
    if activity_threads < 1:
        raise UsageError(f"activity_threads must be 1 or more, not {activity_threads}")
    if replay_cache_size < 0:
        raise UsageError(f"replay_cache_size must be 0 or more, not {replay_cache_size}")
    if activity_executor not in EXECUTORS:
        raise UsageError(f"activity_executor is {' or '.join(map(repr, EXECUTORS))}, not {activity_executor!r}")
    check_serve(serve)
    if task_list_of_all is not None:
        check_name(task_list_of_all, "Name", "the name of a task list")
    if domain:
        check_name(domain, "DomainName", "a domain")
    if isinstance(clock, str) and clock != VIRTUAL:
        raise UsageError(f"no clock {clock!r}: there is {VIRTUAL!r}, or a simpleflow_lab.engine.clock.Clock")


_open_labs: Final[set[Lab]] = set()
"""All that were not closed, also those that no variable holds: their deciders and activity workers go on."""


@atexit.register
def _close_all() -> None:
    """Close the Labs when the process ends, so that the next process finds their stores closed."""
    for lab in list(_open_labs):
        if not lab._releases_polls and any(worker.waiting_polls for worker in lab._pool.workers):
            lab._notice(
                f"{lab.address} was not closed: a task that one of its last polls still gets comes back by its "
                "timeout; closing it waits for them"
            )
        lab._close(seconds=END_SECONDS)
