"""What a service is: boto3's SWF client, as a protocol.

Rule: boto3's method names and argument names, answers as boto3's dicts, refusals as the `SWFFault`s of
`simpleflow_lab.exceptions` with SWF's own words. A boto3 client (through `service.aws`) and the embedded engine are
interchangeable behind it.

Answers hold timezone-aware datetimes in UTC with millisecond precision; members that have no value are absent, never
`None`, and an argument that is not given is not given: `None` is refused. An answer is the caller's to keep and to
change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Answer = dict[str, Any]
"""A boto3 answer, without `ResponseMetadata`."""
Structure = Mapping[str, Any]
"""One of SWF's structures, as in `taskList={"name": "default"}`."""


class SWFService(Protocol):
    """The 39 operations of Amazon SWF, as boto3 has them.

    Raises `SWFFault`s: `ValidationException` for requests that break the service model, and the others where SWF's
    documentation of the operation names them.
    """

    # -- domains and types ---------------------------------------------------------------------------------------------

    def register_domain(
        self,
        *,
        name: str,
        workflowExecutionRetentionPeriodInDays: str,
        description: str = ...,
        tags: Sequence[Structure] = ...,
    ) -> Answer:
        """Register a domain. Retention is in days, or `NONE`."""
        ...

    def deprecate_domain(self, *, name: str) -> Answer:
        """Deprecate a domain and its types: nothing new starts in it."""
        ...

    def undeprecate_domain(self, *, name: str) -> Answer:
        """Make a deprecated domain usable again."""
        ...

    def describe_domain(self, *, name: str) -> Answer:
        """`domainInfo`, `configuration`."""
        ...

    def list_domains(
        self,
        *,
        registrationStatus: str,
        nextPageToken: str = ...,
        maximumPageSize: int = ...,
        reverseOrder: bool = ...,
    ) -> Answer:
        """`domainInfos`, `nextPageToken`; by name."""
        ...

    def tag_resource(self, *, resourceArn: str, tags: Sequence[Structure]) -> Answer:
        """Add tags to a domain."""
        ...

    def untag_resource(self, *, resourceArn: str, tagKeys: Sequence[str]) -> Answer:
        """Remove tags from a domain."""
        ...

    def list_tags_for_resource(self, *, resourceArn: str) -> Answer:
        """`tags` of a domain."""
        ...

    def register_workflow_type(
        self,
        *,
        domain: str,
        name: str,
        version: str,
        description: str = ...,
        defaultTaskStartToCloseTimeout: str = ...,
        defaultExecutionStartToCloseTimeout: str = ...,
        defaultTaskList: Structure = ...,
        defaultTaskPriority: str = ...,
        defaultChildPolicy: str = ...,
        defaultLambdaRole: str = ...,
    ) -> Answer:
        """Register a workflow type with its defaults."""
        ...

    def deprecate_workflow_type(self, *, domain: str, workflowType: Structure) -> Answer:
        """No new executions of this type."""
        ...

    def undeprecate_workflow_type(self, *, domain: str, workflowType: Structure) -> Answer:
        """Make a deprecated workflow type usable again."""
        ...

    def delete_workflow_type(self, *, domain: str, workflowType: Structure) -> Answer:
        """Delete a deprecated workflow type."""
        ...

    def describe_workflow_type(self, *, domain: str, workflowType: Structure) -> Answer:
        """`typeInfo`, `configuration`."""
        ...

    def list_workflow_types(
        self,
        *,
        domain: str,
        registrationStatus: str,
        name: str = ...,
        nextPageToken: str = ...,
        maximumPageSize: int = ...,
        reverseOrder: bool = ...,
    ) -> Answer:
        """`typeInfos`, `nextPageToken`; by name."""
        ...

    def register_activity_type(
        self,
        *,
        domain: str,
        name: str,
        version: str,
        description: str = ...,
        defaultTaskStartToCloseTimeout: str = ...,
        defaultTaskHeartbeatTimeout: str = ...,
        defaultTaskList: Structure = ...,
        defaultTaskPriority: str = ...,
        defaultTaskScheduleToStartTimeout: str = ...,
        defaultTaskScheduleToCloseTimeout: str = ...,
    ) -> Answer:
        """Register an activity type with its defaults."""
        ...

    def deprecate_activity_type(self, *, domain: str, activityType: Structure) -> Answer:
        """No new tasks of this type."""
        ...

    def undeprecate_activity_type(self, *, domain: str, activityType: Structure) -> Answer:
        """Make a deprecated activity type usable again."""
        ...

    def delete_activity_type(self, *, domain: str, activityType: Structure) -> Answer:
        """Delete a deprecated activity type."""
        ...

    def describe_activity_type(self, *, domain: str, activityType: Structure) -> Answer:
        """`typeInfo`, `configuration`."""
        ...

    def list_activity_types(
        self,
        *,
        domain: str,
        registrationStatus: str,
        name: str = ...,
        nextPageToken: str = ...,
        maximumPageSize: int = ...,
        reverseOrder: bool = ...,
    ) -> Answer:
        """`typeInfos`, `nextPageToken`; by name."""
        ...

    # -- executions ----------------------------------------------------------------------------------------------------

    def start_workflow_execution(
        self,
        *,
        domain: str,
        workflowId: str,
        workflowType: Structure,
        taskList: Structure = ...,
        taskPriority: str = ...,
        input: str = ...,
        executionStartToCloseTimeout: str = ...,
        tagList: Sequence[str] = ...,
        taskStartToCloseTimeout: str = ...,
        childPolicy: str = ...,
        lambdaRole: str = ...,
    ) -> Answer:
        """Start an execution; `runId`."""
        ...

    def signal_workflow_execution(
        self, *, domain: str, workflowId: str, signalName: str, runId: str = ..., input: str = ...
    ) -> Answer:
        """Record a signal in an open execution."""
        ...

    def request_cancel_workflow_execution(self, *, domain: str, workflowId: str, runId: str = ...) -> Answer:
        """Ask an open execution to cancel."""
        ...

    def terminate_workflow_execution(
        self,
        *,
        domain: str,
        workflowId: str,
        runId: str = ...,
        reason: str = ...,
        details: str = ...,
        childPolicy: str = ...,
    ) -> Answer:
        """End an open execution without asking it."""
        ...

    def describe_workflow_execution(self, *, domain: str, execution: Structure) -> Answer:
        """`executionInfo`, `executionConfiguration`, `openCounts`, `latestActivityTaskTimestamp`,
        `latestExecutionContext`."""
        ...

    def get_workflow_execution_history(
        self,
        *,
        domain: str,
        execution: Structure,
        nextPageToken: str = ...,
        maximumPageSize: int = ...,
        reverseOrder: bool = ...,
    ) -> Answer:
        """`events`, `nextPageToken`."""
        ...

    def list_open_workflow_executions(
        self,
        *,
        domain: str,
        startTimeFilter: Structure,
        typeFilter: Structure = ...,
        tagFilter: Structure = ...,
        nextPageToken: str = ...,
        maximumPageSize: int = ...,
        reverseOrder: bool = ...,
        executionFilter: Structure = ...,
    ) -> Answer:
        """`executionInfos`, `nextPageToken`; latest start first."""
        ...

    def list_closed_workflow_executions(
        self,
        *,
        domain: str,
        startTimeFilter: Structure = ...,
        closeTimeFilter: Structure = ...,
        executionFilter: Structure = ...,
        closeStatusFilter: Structure = ...,
        typeFilter: Structure = ...,
        tagFilter: Structure = ...,
        nextPageToken: str = ...,
        maximumPageSize: int = ...,
        reverseOrder: bool = ...,
    ) -> Answer:
        """`executionInfos`, `nextPageToken`; latest first."""
        ...

    def count_open_workflow_executions(
        self,
        *,
        domain: str,
        startTimeFilter: Structure,
        typeFilter: Structure = ...,
        tagFilter: Structure = ...,
        executionFilter: Structure = ...,
    ) -> Answer:
        """`count`, `truncated`."""
        ...

    def count_closed_workflow_executions(
        self,
        *,
        domain: str,
        startTimeFilter: Structure = ...,
        closeTimeFilter: Structure = ...,
        executionFilter: Structure = ...,
        typeFilter: Structure = ...,
        tagFilter: Structure = ...,
        closeStatusFilter: Structure = ...,
    ) -> Answer:
        """`count`, `truncated`."""
        ...

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def poll_for_decision_task(
        self,
        *,
        domain: str,
        taskList: Structure,
        identity: str = ...,
        nextPageToken: str = ...,
        maximumPageSize: int = ...,
        reverseOrder: bool = ...,
        startAtPreviousStartedEvent: bool = ...,
    ) -> Answer:
        """Wait for a decision task and start it: `taskToken`, `startedEventId`, `previousStartedEventId`,
        `workflowExecution`, `workflowType`, `events`, `nextPageToken`. Without `taskToken` if none came in time."""
        ...

    def respond_decision_task_completed(
        self,
        *,
        taskToken: str,
        decisions: Sequence[Structure] = ...,
        executionContext: str = ...,
        taskList: Structure = ...,
        taskListScheduleToStartTimeout: str = ...,
    ) -> Answer:
        """Answer a decision task with decisions: all of them are taken, or the call is refused and none is."""
        ...

    def poll_for_activity_task(self, *, domain: str, taskList: Structure, identity: str = ...) -> Answer:
        """Wait for an activity task and start it: `taskToken`, `activityId`, `startedEventId`, `workflowExecution`,
        `activityType`, `input`. Without `taskToken` if none came in time."""
        ...

    def record_activity_task_heartbeat(self, *, taskToken: str, details: str = ...) -> Answer:
        """Say that an activity task is alive; `cancelRequested`."""
        ...

    def respond_activity_task_completed(self, *, taskToken: str, result: str = ...) -> Answer:
        """End an activity task with a result."""
        ...

    def respond_activity_task_failed(self, *, taskToken: str, reason: str = ..., details: str = ...) -> Answer:
        """End an activity task as failed."""
        ...

    def respond_activity_task_canceled(self, *, taskToken: str, details: str = ...) -> Answer:
        """End an activity task as canceled."""
        ...

    def count_pending_decision_tasks(self, *, domain: str, taskList: Structure) -> Answer:
        """`count`, `truncated`: scheduled, not started."""
        ...

    def count_pending_activity_tasks(self, *, domain: str, taskList: Structure) -> Answer:
        """`count`, `truncated`: scheduled, not started."""
        ...


class WatchableService(SWFService, Protocol):
    """What a service in this process offers in addition."""

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """The id of the execution's last event, as soon as it is greater than `after_event_id`, or after `timeout` s.

        Only events that are on disk count. With `until_closed` it waits for the execution to close, whatever else
        happens to it. Raises `UnknownResourceFault`.
        """
        ...

    def answer_decision_task(
        self, *, taskToken: str, decisions: Sequence[Structure] = ..., executionContext: str = ...
    ) -> Answer:
        """`respond_decision_task_completed`, for deciders that die with the service.

        It may return before the decisions are on disk: nothing that follows from them begins before they are, and if
        they are lost with the process, the next decider decides the same again.
        """
        ...

    def release_polls(self) -> None:
        """Every poll that waits now returns empty at once, so that pollers can stop."""
        ...

    def close(self) -> None:
        """Let go of what it holds; every call after that is refused."""
        ...
