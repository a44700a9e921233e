"""Names and limits that both ends of the loopback endpoint share: Amazon SWF's 39 operations, and those of our own.

Rule: an operation of our own has a target namespace of its own, so that no SWF client can meet it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import ValidationException
from simpleflow_lab.swf import shapes

CONTENT_TYPE: Final = "application/x-amz-json-1.0"
STORE_PAUSED: Final = "simpleflow_lab#StorePaused"
"""The `__type` of the response to a call that can't read what it should, because the disk is full. SDKs try again."""
MAX_BODY: Final = 1 << 20
"""SWF's limit for the size of a request, in bytes."""
TOO_LARGE: Final = "RequestEntityTooLarge"
"""The code of the refusal of a larger request."""
SWF_NAMESPACE: Final = "SimpleWorkflowService"
OWN_NAMESPACE: Final = "SimpleflowLab"
USER_AGENT: Final = "simpleflow_lab"
"""The `User-Agent` of our own client. It keeps its connections to its own thread and process, so they are kept alive;
those of other programs are closed after each response, see `http.server`."""

METHODS: Final[Mapping[str, str]] = {name: re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in shapes.OPERATIONS}
"""boto3's names of methods by SWF's names of operations."""
SWF_NAMES: Final[Mapping[str, str]] = {method: name for name, method in METHODS.items()}
TARGETS: Final[Mapping[str, str]] = {method: f"{SWF_NAMESPACE}.{name}" for method, name in SWF_NAMES.items()}
"""The header `X-Amz-Target` by boto3's names of methods."""
MAX_HOLD_SECONDS: Final = 20.0
"""The most seconds for which the engine holds a `WaitForHistory`. A client that waits for longer sends another."""
WAIT_FOR_HISTORY: Final = "wait_for_history"
OPEN_SESSION: Final = "open_session"
KEEP_SESSION: Final = "keep_session"
ANSWER_AND_POLL: Final = "remote_answer"
HAND_OVER: Final = "hand_over"
"""Of the process that owns the store, and not of its engine: it gives the ownership to the process that asks."""
INSTANCE_HEADER: Final = "X-Simpleflow-Lab-Instance"
"""The header with which our clients say who starts an execution: the id of the process's instance."""


REQUEST_HEADER: Final = "X-Simpleflow-Lab-Request"
"""The header with the id of a request that our clients may make again: the next owner, too, carries it out once."""
_CHANGES: Final = (
    "start_",
    "signal_",
    "request_cancel_",
    "terminate_",
    "register_",
    "deprecate_",
    "undeprecate_",
    "delete_",
)
ONCE: Final = frozenset(method for method in TARGETS if method.startswith(_CHANGES))
"""The operations for which that counts, by boto3's names: made twice, they would do something twice, or be refused."""
POLL_HEADER: Final = "X-Simpleflow-Lab-Poll"
"""The header with the number of a poll among those of its client: an integer."""


class _Kind(NamedTuple):
    """A kind of values that a member may have."""

    types: tuple[type, ...]
    holds: Callable[[Any], bool] | None = None
    """Whether a value of these types is one; `None` if each is."""

    def has(self, value: Any) -> bool:
        """Whether a value is one of this kind."""
        return type(value) in self.types and (self.holds is None or self.holds(value))


class OwnOperation(NamedTuple):
    """An operation of our own: a method of `WatchableService` over HTTP."""

    target: str
    """The header `X-Amz-Target`."""
    method: str
    """The method."""
    members: Mapping[str, tuple[str, _Kind]]
    """The members of the request: by name, the argument of the method and the kind of its values."""
    optional: frozenset[str] = frozenset()
    """The members that may be absent."""
    result: str | None = None
    """The member of the response that holds what the method gives; `None` if it gives the response."""

    def arguments(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the method. Raises `ValidationException`."""
        unknown = sorted(request.keys() - self.members.keys())
        if unknown:
            raise ValidationException(f"{self.target} has no member {unknown[0]!r}")
        arguments = {}
        for member, (argument, kind) in self.members.items():
            if member not in request:
                if member not in self.optional:
                    raise ValidationException(f"{self.target} needs {', '.join(self.members)}")
                continue
            value = request[member]
            if not kind.has(value):
                raise ValidationException(f"{self.target}: the value of {member!r} is not one that it may have")
            arguments[argument] = value
        return arguments

    def request(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The request for a call of the method with these arguments."""
        return {member: arguments[argument] for member, (argument, _) in self.members.items() if argument in arguments}


_GREATEST: Final = 1 << 53
"""A number that no count and no time in seconds reaches."""


def _is_execution(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("workflowId"), str) and isinstance(value.get("runId"), str)


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_moderate(value: float) -> bool:
    return -_GREATEST < value < _GREATEST


_EXECUTION: Final = _Kind((dict,), _is_execution)
"""A structure WorkflowExecution."""
_INSTANCE: Final = _Kind((str,), str.isascii)
"""The id of a process's session, which the store keeps as it is."""
_SECONDS: Final = _Kind((int, float), _is_moderate)
_COUNT: Final = _Kind((int,), _is_moderate)
_TEXT: Final = _Kind((str,))
_TEXTS: Final = _Kind((list,), _are_texts)
_LIST: Final = _Kind((list,))
_STRUCTURE: Final = _Kind((dict,))
_FLAG: Final = _Kind((bool,))


_OWN: Final = (
    OwnOperation(
        f"{OWN_NAMESPACE}.WaitForHistory",
        WAIT_FOR_HISTORY,
        {
            "domain": ("domain", _TEXT),
            "execution": ("execution", _EXECUTION),
            "afterEventId": ("after_event_id", _COUNT),
            "timeoutInSeconds": ("timeout", _SECONDS),
            "untilClosed": ("until_closed", _FLAG),
        },
        result="lastEventId",
    ),
    OwnOperation(f"{OWN_NAMESPACE}.Now", "now", {}, result="now"),
    OwnOperation(
        f"{OWN_NAMESPACE}.AnswerDecisionTask",
        "answer_decision_task",
        {
            "taskToken": ("taskToken", _TEXT),
            "decisions": ("decisions", _LIST),
            "executionContext": ("executionContext", _TEXT),
        },
        optional=frozenset({"decisions", "executionContext"}),
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.AnswerAndPoll",
        ANSWER_AND_POLL,
        # An answer by SWF's name of its operation, and the request of the poll that follows.
        {"operation": ("operation", _TEXT), "answer": ("request", _STRUCTURE), "poll": ("then_poll", _STRUCTURE)},
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.OpenSession",
        OPEN_SESSION,
        {"instance": ("instance", _INSTANCE), "record": ("record", _STRUCTURE), "taskTokens": ("taskTokens", _TEXTS)},
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.KeepSession",
        KEEP_SESSION,
        # The session ends with the connection on which the latest request with `holds` came.
        {
            "instance": ("instance", _INSTANCE),
            "record": ("record", _STRUCTURE),
            "holds": ("holds", _FLAG),
            "held": ("held", _STRUCTURE),
        },
        optional=frozenset({"holds", "held"}),
    ),
    OwnOperation(f"{OWN_NAMESPACE}.CloseSession", "close_session", {"instance": ("instance", _INSTANCE)}),
    OwnOperation(f"{OWN_NAMESPACE}.ReleasePolls", "release_polls_of", {"instance": ("instance", _INSTANCE)}),
    OwnOperation(f"{OWN_NAMESPACE}.ReleaseTask", "release_task", {"taskToken": ("taskToken", _TEXT)}),
    OwnOperation(
        f"{OWN_NAMESPACE}.AttachExecution",
        "attach_execution",
        {
            "domain": ("domain", _TEXT),
            "execution": ("execution", _EXECUTION),
            "instance": ("instance", _INSTANCE),
            "takesOver": ("takes_over", _FLAG),
        },
        optional=frozenset({"takesOver"}),
    ),
    OwnOperation(f"{OWN_NAMESPACE}.Pollers", "pollers", {"domain": ("domain", _TEXT)}),
    OwnOperation(f"{OWN_NAMESPACE}.DamagedExecutions", "damaged_executions", {"domain": ("domain", _TEXT)}),
    OwnOperation(
        f"{OWN_NAMESPACE}.DescribeWaiting",
        "describe_waiting",
        {"domain": ("domain", _TEXT), "execution": ("execution", _EXECUTION)},
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.AppendLog",
        "append_log",
        {
            "domain": ("domain", _TEXT),
            "execution": ("execution", _EXECUTION),
            "records": ("records", _LIST),
            "dropped": ("dropped", _COUNT),
            "instance": ("instance", _INSTANCE),
        },
        optional=frozenset({"instance"}),
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.ReadLog",
        "read_log",
        {"domain": ("domain", _TEXT), "execution": ("execution", _EXECUTION), "after": ("after", _COUNT)},
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.ReportDecisionError",
        "report_decision_error",
        {"domain": ("domain", _TEXT), "execution": ("execution", _EXECUTION), "error": ("error", _STRUCTURE)},
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.ReportWarning",
        "report_warning",
        {"domain": ("domain", _TEXT), "execution": ("execution", _EXECUTION), "message": ("message", _TEXT)},
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.DescribeReports",
        "describe_reports",
        {"domain": ("domain", _TEXT), "execution": ("execution", _EXECUTION)},
    ),
    OwnOperation(
        f"{OWN_NAMESPACE}.RetryDecision",
        "retry_decision",
        {"domain": ("domain", _TEXT), "execution": ("execution", _EXECUTION)},
    ),
    OwnOperation(f"{OWN_NAMESPACE}.HandOver", HAND_OVER, {}),
)
OWN_OPERATIONS: Final[Mapping[str, OwnOperation]] = {each.method: each for each in _OWN}
"""Our own operations by the engine's methods, those of `WatchableService`: an operation more is a row more."""
OWN_TARGETS: Final[Mapping[str, OwnOperation]] = {each.target: each for each in _OWN}
"""The same by their targets."""
