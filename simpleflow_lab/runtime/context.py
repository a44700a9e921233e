"""The context that the deciders and activity workers of one Lab share: its service, domain, storage and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import Storage
from simpleflow_lab.runtime.captured_output import TaskOutput
from simpleflow_lab.runtime.identity import poller_identity
from simpleflow_lab.runtime.log_writer import LoggedExecution, LogWriter
from simpleflow_lab.runtime.output_contexts import OutputContexts
from simpleflow_lab.runtime.process_session import ProcessSession, session_of
from simpleflow_lab.service.watchable import WatchableService
from simpleflow_lab.settings import Settings


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """One domain of a service, and what the workers of this process need to work for it."""

    service: WatchableService
    """The service that is polled and answered."""
    domain: str
    """The domain of all executions that are served."""
    storage: Storage
    """Where objects are kept beside the histories."""
    fields: Fields
    """Encodes values as SWF's fields and decodes them, with the large ones kept as objects."""
    settings: Settings = field(default_factory=Settings)
    """The settings of the moment when the Lab was opened."""
    output_contexts: OutputContexts = field(default_factory=OutputContexts)
    """Where the output of executions goes: shared by all Labs of this process on the same service."""

    @cached_property
    def identity(self) -> str:
        """The identity that SWF records with each task that is started here; see `runtime.identity`."""
        return poller_identity(
            self.settings.identity,
            max_open_activities=self.settings.swf_max_open_activity_count,
            max_lost_attempts=self.settings.lab_max_lost_attempts,
            max_not_here_attempts=self.settings.lab_max_not_here_attempts,
            instance=self.session.instance,
        )

    @property
    def session(self) -> ProcessSession:
        """The client session of this process at the service."""
        return session_of(self.service)

    @cached_property
    def log(self) -> LogWriter:
        """Takes what the code of executions prints and logs."""
        return LogWriter.of(self.service)

    def task_output(
        self, workflow_id: str, run_id: str, *, task: str | None = None, started_event_id: int | None = None
    ) -> TaskOutput:
        """The destination of a task's output: of an activity's attempt, or of a workflow's own code."""
        execution = LoggedExecution(self.domain, workflow_id, run_id)
        return TaskOutput(self.output_contexts, self.log, execution, task=task, started_event_id=started_event_id)

    @cached_property
    def activity_defaults(self) -> Mapping[str, str]:
        """The task list and timeouts of activities that leave them unset, by the arguments' names in a decision."""
        return self.settings.activity_defaults
