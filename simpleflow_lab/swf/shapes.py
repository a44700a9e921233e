"""SWF's requests as tables: operations, structures, lengths and enums.

Rule: data only. Generated once from botocore 1.44.5's model of Amazon SWF (`swf/2012-01-25/service-2.json`,
Apache-2.0); `tests/swf/test_shapes.py` compares it with the model that is installed.
Of responses only the times are here.

A structure is written `member:Shape member*:Shape`; the star says that the member is required.
"""

from __future__ import annotations

from typing import Final

OPERATIONS: Final[dict[str, str]] = {
    "CountClosedWorkflowExecutions": (
        "domain*:DomainName startTimeFilter:ExecutionTimeFilter closeTimeFilter:ExecutionTimeFilter "
        "executionFilter:WorkflowExecutionFilter typeFilter:WorkflowTypeFilter tagFilter:TagFilter "
        "closeStatusFilter:CloseStatusFilter"
    ),
    "CountOpenWorkflowExecutions": (
        "domain*:DomainName startTimeFilter*:ExecutionTimeFilter typeFilter:WorkflowTypeFilter tagFilter:TagFilter "
        "executionFilter:WorkflowExecutionFilter"
    ),
    "CountPendingActivityTasks": "domain*:DomainName taskList*:TaskList",
    "CountPendingDecisionTasks": "domain*:DomainName taskList*:TaskList",
    "DeleteActivityType": "domain*:DomainName activityType*:ActivityType",
    "DeleteWorkflowType": "domain*:DomainName workflowType*:WorkflowType",
    "DeprecateActivityType": "domain*:DomainName activityType*:ActivityType",
    "DeprecateDomain": "name*:DomainName",
    "DeprecateWorkflowType": "domain*:DomainName workflowType*:WorkflowType",
    "DescribeActivityType": "domain*:DomainName activityType*:ActivityType",
    "DescribeDomain": "name*:DomainName",
    "DescribeWorkflowExecution": "domain*:DomainName execution*:WorkflowExecution",
    "DescribeWorkflowType": "domain*:DomainName workflowType*:WorkflowType",
    "GetWorkflowExecutionHistory": (
        "domain*:DomainName execution*:WorkflowExecution nextPageToken:PageToken maximumPageSize:PageSize "
        "reverseOrder:ReverseOrder"
    ),
    "ListActivityTypes": (
        "domain*:DomainName name:Name registrationStatus*:RegistrationStatus nextPageToken:PageToken "
        "maximumPageSize:PageSize reverseOrder:ReverseOrder"
    ),
    "ListClosedWorkflowExecutions": (
        "domain*:DomainName startTimeFilter:ExecutionTimeFilter closeTimeFilter:ExecutionTimeFilter "
        "executionFilter:WorkflowExecutionFilter closeStatusFilter:CloseStatusFilter typeFilter:WorkflowTypeFilter "
        "tagFilter:TagFilter nextPageToken:PageToken maximumPageSize:PageSize reverseOrder:ReverseOrder"
    ),
    "ListDomains": (
        "nextPageToken:PageToken registrationStatus*:RegistrationStatus maximumPageSize:PageSize "
        "reverseOrder:ReverseOrder"
    ),
    "ListOpenWorkflowExecutions": (
        "domain*:DomainName startTimeFilter*:ExecutionTimeFilter typeFilter:WorkflowTypeFilter tagFilter:TagFilter "
        "nextPageToken:PageToken maximumPageSize:PageSize reverseOrder:ReverseOrder "
        "executionFilter:WorkflowExecutionFilter"
    ),
    "ListTagsForResource": "resourceArn*:Arn",
    "ListWorkflowTypes": (
        "domain*:DomainName name:Name registrationStatus*:RegistrationStatus nextPageToken:PageToken "
        "maximumPageSize:PageSize reverseOrder:ReverseOrder"
    ),
    "PollForActivityTask": "domain*:DomainName taskList*:TaskList identity:Identity",
    "PollForDecisionTask": (
        "domain*:DomainName taskList*:TaskList identity:Identity nextPageToken:PageToken maximumPageSize:PageSize "
        "reverseOrder:ReverseOrder startAtPreviousStartedEvent:StartAtPreviousStartedEvent"
    ),
    "RecordActivityTaskHeartbeat": "taskToken*:TaskToken details:LimitedData",
    "RegisterActivityType": (
        "domain*:DomainName name*:Name version*:Version description:Description "
        "defaultTaskStartToCloseTimeout:DurationInSecondsOptional "
        "defaultTaskHeartbeatTimeout:DurationInSecondsOptional defaultTaskList:TaskList "
        "defaultTaskPriority:TaskPriority defaultTaskScheduleToStartTimeout:DurationInSecondsOptional "
        "defaultTaskScheduleToCloseTimeout:DurationInSecondsOptional"
    ),
    "RegisterDomain": (
        "name*:DomainName description:Description workflowExecutionRetentionPeriodInDays*:DurationInDays "
        "tags:ResourceTagList"
    ),
    "RegisterWorkflowType": (
        "domain*:DomainName name*:Name version*:Version description:Description "
        "defaultTaskStartToCloseTimeout:DurationInSecondsOptional "
        "defaultExecutionStartToCloseTimeout:DurationInSecondsOptional defaultTaskList:TaskList "
        "defaultTaskPriority:TaskPriority defaultChildPolicy:ChildPolicy defaultLambdaRole:Arn"
    ),
    "RequestCancelWorkflowExecution": "domain*:DomainName workflowId*:WorkflowId runId:WorkflowRunIdOptional",
    "RespondActivityTaskCanceled": "taskToken*:TaskToken details:Data",
    "RespondActivityTaskCompleted": "taskToken*:TaskToken result:Data",
    "RespondActivityTaskFailed": "taskToken*:TaskToken reason:FailureReason details:Data",
    "RespondDecisionTaskCompleted": (
        "taskToken*:TaskToken decisions:DecisionList executionContext:Data taskList:TaskList "
        "taskListScheduleToStartTimeout:DurationInSecondsOptional"
    ),
    "SignalWorkflowExecution": (
        "domain*:DomainName workflowId*:WorkflowId runId:WorkflowRunIdOptional signalName*:SignalName input:Data"
    ),
    "StartWorkflowExecution": (
        "domain*:DomainName workflowId*:WorkflowId workflowType*:WorkflowType taskList:TaskList "
        "taskPriority:TaskPriority input:Data executionStartToCloseTimeout:DurationInSecondsOptional "
        "tagList:TagList taskStartToCloseTimeout:DurationInSecondsOptional childPolicy:ChildPolicy lambdaRole:Arn"
    ),
    "TagResource": "resourceArn*:Arn tags*:ResourceTagList",
    "TerminateWorkflowExecution": (
        "domain*:DomainName workflowId*:WorkflowId runId:WorkflowRunIdOptional reason:TerminateReason details:Data "
        "childPolicy:ChildPolicy"
    ),
    "UndeprecateActivityType": "domain*:DomainName activityType*:ActivityType",
    "UndeprecateDomain": "name*:DomainName",
    "UndeprecateWorkflowType": "domain*:DomainName workflowType*:WorkflowType",
    "UntagResource": "resourceArn*:Arn tagKeys*:ResourceTagKeyList",
}
"""The 39 operations: members of their requests."""

STRUCTURES: Final[dict[str, str]] = {
    "ExecutionTimeFilter": "oldestDate*:Timestamp latestDate:Timestamp",
    "WorkflowExecutionFilter": "workflowId*:WorkflowId",
    "WorkflowTypeFilter": "name*:Name version:VersionOptional",
    "TagFilter": "tag*:Tag",
    "CloseStatusFilter": "status*:CloseStatus",
    "TaskList": "name*:Name",
    "ActivityType": "name*:Name version*:Version",
    "WorkflowType": "name*:Name version*:Version",
    "WorkflowExecution": "workflowId*:WorkflowId runId*:WorkflowRunId",
    "ResourceTag": "key*:ResourceTagKey value:ResourceTagValue",
    "Decision": (
        "decisionType*:DecisionType scheduleActivityTaskDecisionAttributes:ScheduleActivityTaskDecisionAttributes "
        "requestCancelActivityTaskDecisionAttributes:RequestCancelActivityTaskDecisionAttributes "
        "completeWorkflowExecutionDecisionAttributes:CompleteWorkflowExecutionDecisionAttributes "
        "failWorkflowExecutionDecisionAttributes:FailWorkflowExecutionDecisionAttributes "
        "cancelWorkflowExecutionDecisionAttributes:CancelWorkflowExecutionDecisionAttributes "
        "continueAsNewWorkflowExecutionDecisionAttributes:ContinueAsNewWorkflowExecutionDecisionAttributes "
        "recordMarkerDecisionAttributes:RecordMarkerDecisionAttributes "
        "startTimerDecisionAttributes:StartTimerDecisionAttributes "
        "cancelTimerDecisionAttributes:CancelTimerDecisionAttributes "
        "signalExternalWorkflowExecutionDecisionAttributes:SignalExternalWorkflowExecutionDecisionAttributes "
        "requestCancelExternalWorkflowExecutionDecisionAttributes:"
        "RequestCancelExternalWorkflowExecutionDecisionAttributes "
        "startChildWorkflowExecutionDecisionAttributes:StartChildWorkflowExecutionDecisionAttributes "
        "scheduleLambdaFunctionDecisionAttributes:ScheduleLambdaFunctionDecisionAttributes"
    ),
    "ScheduleActivityTaskDecisionAttributes": (
        "activityType*:ActivityType activityId*:ActivityId control:Data input:Data "
        "scheduleToCloseTimeout:DurationInSecondsOptional taskList:TaskList taskPriority:TaskPriority "
        "scheduleToStartTimeout:DurationInSecondsOptional startToCloseTimeout:DurationInSecondsOptional "
        "heartbeatTimeout:DurationInSecondsOptional"
    ),
    "RequestCancelActivityTaskDecisionAttributes": "activityId*:ActivityId",
    "CompleteWorkflowExecutionDecisionAttributes": "result:Data",
    "FailWorkflowExecutionDecisionAttributes": "reason:FailureReason details:Data",
    "CancelWorkflowExecutionDecisionAttributes": "details:Data",
    "ContinueAsNewWorkflowExecutionDecisionAttributes": (
        "input:Data executionStartToCloseTimeout:DurationInSecondsOptional taskList:TaskList "
        "taskPriority:TaskPriority taskStartToCloseTimeout:DurationInSecondsOptional childPolicy:ChildPolicy "
        "tagList:TagList workflowTypeVersion:Version lambdaRole:Arn"
    ),
    "RecordMarkerDecisionAttributes": "markerName*:MarkerName details:Data",
    "StartTimerDecisionAttributes": "timerId*:TimerId control:Data startToFireTimeout*:DurationInSeconds",
    "CancelTimerDecisionAttributes": "timerId*:TimerId",
    "SignalExternalWorkflowExecutionDecisionAttributes": (
        "workflowId*:WorkflowId runId:WorkflowRunIdOptional signalName*:SignalName input:Data control:Data"
    ),
    "RequestCancelExternalWorkflowExecutionDecisionAttributes": (
        "workflowId*:WorkflowId runId:WorkflowRunIdOptional control:Data"
    ),
    "StartChildWorkflowExecutionDecisionAttributes": (
        "workflowType*:WorkflowType workflowId*:WorkflowId control:Data input:Data "
        "executionStartToCloseTimeout:DurationInSecondsOptional taskList:TaskList taskPriority:TaskPriority "
        "taskStartToCloseTimeout:DurationInSecondsOptional childPolicy:ChildPolicy tagList:TagList lambdaRole:Arn"
    ),
    "ScheduleLambdaFunctionDecisionAttributes": (
        "id*:FunctionId name*:FunctionName control:Data input:FunctionInput "
        "startToCloseTimeout:DurationInSecondsOptional"
    ),
}
"""Structures in requests."""

STRINGS: Final[dict[str, tuple[int, int | None]]] = {
    "ActivityId": (1, 256),
    "Arn": (1, 1600),
    "Data": (0, 32768),
    "Description": (0, 1024),
    "DomainName": (1, 256),
    "DurationInDays": (1, 8),
    "DurationInSeconds": (1, 8),
    "DurationInSecondsOptional": (0, 8),
    "FailureReason": (0, 256),
    "FunctionId": (1, 256),
    "FunctionInput": (0, 32768),
    "FunctionName": (1, 64),
    "Identity": (0, 256),
    "LimitedData": (0, 2048),
    "MarkerName": (1, 256),
    "Name": (1, 256),
    "PageToken": (0, 2048),
    "ResourceTagKey": (1, 128),
    "ResourceTagValue": (0, 256),
    "SignalName": (1, 256),
    "Tag": (0, 256),
    "TaskPriority": (0, None),
    "TaskToken": (1, 1024),
    "TerminateReason": (0, 256),
    "TimerId": (1, 256),
    "Version": (1, 64),
    "VersionOptional": (0, 64),
    "WorkflowId": (1, 256),
    "WorkflowRunId": (1, 64),
    "WorkflowRunIdOptional": (0, 64),
}
"""Strings: least and greatest length in characters."""

ENUMS: Final[dict[str, tuple[str, ...]]] = {
    "ChildPolicy": ("TERMINATE", "REQUEST_CANCEL", "ABANDON"),
    "CloseStatus": ("COMPLETED", "FAILED", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW", "TIMED_OUT"),
    "DecisionType": (
        "ScheduleActivityTask",
        "RequestCancelActivityTask",
        "CompleteWorkflowExecution",
        "FailWorkflowExecution",
        "CancelWorkflowExecution",
        "ContinueAsNewWorkflowExecution",
        "RecordMarker",
        "StartTimer",
        "CancelTimer",
        "SignalExternalWorkflowExecution",
        "RequestCancelExternalWorkflowExecution",
        "StartChildWorkflowExecution",
        "ScheduleLambdaFunction",
    ),
    "RegistrationStatus": ("REGISTERED", "DEPRECATED"),
}
"""Strings of a few values, in the model's order (SWF's messages list them in it)."""

INTEGERS: Final[dict[str, tuple[int | None, int | None]]] = {
    "PageSize": (0, 1000),
}
"""Numbers: least and greatest value."""

LISTS: Final[dict[str, tuple[str, int | None, int | None]]] = {
    "DecisionList": ("Decision", None, None),
    "ResourceTagKeyList": ("ResourceTagKey", None, None),
    "ResourceTagList": ("ResourceTag", None, None),
    "TagList": ("Tag", None, 5),
}
"""Lists: what they hold, least and greatest length."""

OTHERS: Final[dict[str, str]] = {
    "ReverseOrder": "boolean",
    "StartAtPreviousStartedEvent": "boolean",
    "Timestamp": "timestamp",
}
"""Booleans and timestamps."""

RESPONSE_TIMES: Final[dict[str, tuple[str, ...]]] = {
    "events": ("eventTimestamp",),
    "executionInfo": ("startTimestamp", "closeTimestamp"),
    "executionInfos": ("startTimestamp", "closeTimestamp"),
    "latestActivityTaskTimestamp": (),
    "typeInfo": ("creationDate", "deprecationDate"),
    "typeInfos": ("creationDate", "deprecationDate"),
}
"""Timestamps in responses: members of a response that are a structure or a list of structures, with the members of
these that are timestamps; a member without any is itself a timestamp."""
