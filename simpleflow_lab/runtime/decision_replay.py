"""The replay up to a decision task: a workflow's code runs on its history and makes the decisions of the answer.

The code runs within its time limit, with the storage of its Lab, and its output goes where that of its execution goes.

Rule: nothing is answered here. Whatever is raised, the caller blocks the decision with it.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from simpleflow_lab import workflow
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import using_storage
from simpleflow_lab.exceptions import (
    DecisionInterrupted,
    DeterminismWarning,
    ImpureWorkflowError,
    StorePausedError,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.replay.answer import Answer
from simpleflow_lab.replay.impurities import Impurity
from simpleflow_lab.replay.output_commit import output_waits_for
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.runtime import decided_codes
from simpleflow_lab.runtime.authors_forks import ending_forks
from simpleflow_lab.runtime.captured_output import TaskOutput, ensure_streams
from simpleflow_lab.runtime.context import WorkerContext
from simpleflow_lab.runtime.decision_events import events_before, timeout_of
from simpleflow_lab.runtime.decision_watch import DecisionWatch, WatchedDecider, time_limit
from simpleflow_lab.runtime.fingerprints import fingerprint
from simpleflow_lab.runtime.source_versions import OF_THIS_PROCESS
from simpleflow_lab.service.history_polling import HistoryPolling
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.workflow import Workflow

LONGEST_WAIT_FOR_DISK: Final = 5.0
"""Longest wait, in seconds, of a workflow's first output for the disk."""


class WarningListener(Protocol):
    """The receiver of warnings for authors."""

    def warned(self, task: Mapping[str, Any], message: str) -> None:
        """There is a warning for the author of the workflow of this decision task."""


class DecisionReplay:
    """Replays executions up to their decision tasks, for one decider."""

    def __init__(
        self, context: WorkerContext, *, decider: WatchedDecider, watch: DecisionWatch, listener: WarningListener
    ) -> None:
        """`watch` notifies the `decider` of code that runs long; the `listener` receives the warnings."""
        self._context = context
        self._decider = decider
        self._watch = watch
        self._listener = listener

    def decide(
        self, task: Mapping[str, Any], new: list[HistoryEvent], cached: Replay | None, *, is_first: bool
    ) -> tuple[Replay, Answer]:
        """Replay up to this decision task, which brings `new` events; gives the replay, to be cached, and the answer.

        A cached replay goes on if its last decision is the one that SWF names. `is_first` says that this decision was
        not attempted before. Raises what the author's code does to a replay, `DecisionTooLongError` if the code had to
        be interrupted, and what the service raises.
        """
        before = list[HistoryEvent]()
        started = cached.started if cached is not None else None
        if started is None:
            before = events_before(self._context, task, new[0].id)
            started = (before or new)[0]
        kind = task["workflowType"]
        definition = registered_workflow(kind["name"], kind["version"], started, self._context.fields)
        if cached is not None and (
            cached.workflow is not definition
            or cached.decided_for != task.get("previousStartedEventId", 0)
            or cached.last_event_id + 1 < new[0].id
        ):
            cached.close()
            cached, before = None, events_before(self._context, task, new[0].id)
        output = self._output_of(task["workflowExecution"], started)
        if cached is None:
            OF_THIS_PROCESS.take_up((kind["name"], kind["version"]), definition, at=new[-1].timestamp.timestamp())
        replay = cached or self._new_replay(definition, task["workflowExecution"], output)
        code = fingerprint(definition)
        try:
            if cached is None:
                self._warn_of(task, replay.impurities)
            # What the author writes outside of fibers, in hooks, goes where the output of the fibers goes.
            answer = output.context().run(self._run_watched, replay, task, before, new, is_first)
        except BaseException:  # an interrupt too: the greenlets of the replay must end
            replay.close()
            raise
        finally:
            output.end()
        run_id = task["workflowExecution"]["runId"]
        decided_codes.OF_THIS_PROCESS.note(run_id, new[-1].id, code, fingerprint(definition))
        for message in replay.take_warnings():
            self._listener.warned(task, message)
        return replay, answer

    def _new_replay(self, definition: type[Workflow], execution: Mapping[str, Any], output: TaskOutput) -> Replay:
        return Replay(
            definition,
            domain=self._context.domain,
            workflow_id=execution["workflowId"],
            run_id=execution["runId"],
            context=output.context(),
            defaults=self._context.activity_defaults,
            max_open_activities=self._context.settings.swf_max_open_activity_count,
            fields=self._context.fields,
        )

    def _run_watched(
        self,
        replay: Replay,
        task: Mapping[str, Any],
        before: list[HistoryEvent],
        new: list[HistoryEvent],
        is_first: bool,
    ) -> Answer:
        """Run the code within its time limit. Raises `DecisionTooLongError` if it had to be interrupted,
        `CloseNotPermittedError` at the first attempt if SWF refused the latest one for good."""
        watched = self._watch.begin(task, replay.workflow.__module__, time_limit(timeout_of(new)), self._decider)
        try:
            try:
                # The storage is for a workflow's hooks.
                with (
                    ending_forks("a workflow"),
                    using_storage(self._context.storage),
                    output_waits_for(lambda: self._wait_for_disk(task)),
                ):
                    replay.feed(itertools.chain(before, new))
                    refused = replay.not_permitted if is_first else None
                    if refused is not None:
                        raise refused
                    return replay.decide(task["startedEventId"])
            finally:
                self._watch.end(watched)
        except DecisionInterrupted:
            self._watch.end(watched)  # the interrupt may have come in the midst of the first call
            raise watched.error() from None

    def _wait_for_disk(self, task: Mapping[str, Any]) -> None:
        """Return when the events before this decision task are on disk. Raises `StorePausedError` if they are not after
        `LONGEST_WAIT_FOR_DISK` seconds: nothing was shown yet, and the decision is retried."""
        if isinstance(self._context.service, HistoryPolling):
            return  # what Amazon SWF tells a decider is recorded
        before = task["startedEventId"] - 1  # its own start may be lost: then it is given out again
        last = self._context.service.wait_for_history(
            domain=self._context.domain,
            execution=task["workflowExecution"],
            after_event_id=before - 1,
            timeout=LONGEST_WAIT_FOR_DISK,
        )
        if last < before:
            raise StorePausedError(
                f"event {before} is not on disk after {LONGEST_WAIT_FOR_DISK:.0f} s: what the workflow prints, logs or "
                "does in a hook waits for it, so that it shows nothing that could be lost"
            )

    def _warn_of(self, task: Mapping[str, Any], impurities: Sequence[Impurity]) -> None:
        """Warn of each line once in this process. Raises `ImpureWorkflowError` where such warnings are errors."""
        for impurity in impurities:
            self._listener.warned(task, str(impurity))
            if impurity not in _warned:
                try:
                    warnings.warn_explicit(
                        str(impurity), DeterminismWarning, impurity.line.filename, impurity.line.lineno
                    )
                except DeterminismWarning as warning:
                    raise ImpureWorkflowError(str(warning)) from None
                _warned.add(impurity)

    def _output_of(self, execution: Mapping[str, Any], started: HistoryEvent) -> TaskOutput:
        """The destination of this execution's output: of a child, that of its parent."""
        parent = started.attributes.get("parentWorkflowExecution")
        if parent is not None:
            contexts = self._context.output_contexts
            contexts.inherit(self._context.domain, execution["workflowId"], parent["workflowId"])
        ensure_streams()
        return self._context.task_output(execution["workflowId"], execution["runId"])


_warned: set[Impurity] = set()
"""Lines of which there was a warning in this process."""


def registered_workflow(name: str, version: str, started: HistoryEvent, fields: Fields) -> type[Workflow]:
    """The workflow that this process defines for an execution with this `WorkflowExecutionStarted` event.

    Raises `WorkflowNotRegisteredError`.
    """
    # The input names the class where two classes have one type; otherwise it need not be read.
    several = len(workflow.same_type.get((name, version), ())) > 1
    found = workflow.defined(name, version, fields.decode(started.attributes.get("input")) if several else None)
    if found is None:
        raise WorkflowNotRegisteredError(name, version)
    return found
