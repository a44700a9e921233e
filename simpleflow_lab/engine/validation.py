"""Validation of requests against SWF's service model, and defaults from the registered type.

Rule: validation is pure and comes before any change: a request that breaks the model is refused with all its problems,
in SWF's words. The checks are made from the tables of `swf.shapes` once, at import.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import ValidationException
from simpleflow_lab.swf import limits, shapes
from simpleflow_lab.swf.decisions import CLOSING_DECISIONS, attributes_key
from simpleflow_lab.swf.names import NAME_PATTERN

Request = Mapping[str, Any]
_Check = Callable[[Any, str, list[str]], None]
"""`check(value, path, problems)` adds the problems of the value at this path."""


class _Shape(NamedTuple):
    """The check of values of one shape."""

    check: _Check
    valid: AbstractSet[str] = frozenset()
    """Strings that are known to be valid, so that `check` need not be called."""


def check(operation: str, request: Request) -> None:
    """Raise `ValidationException` with all problems of a request for this operation, if it has any."""
    problems: list[str] = []
    _OPERATIONS[operation].check(request, "", problems)
    if not problems and operation == "RespondDecisionTaskCompleted":
        _check_decisions(request.get("decisions", ()), problems)
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise ValidationException(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


def check_close_is_last(decisions: Sequence[Mapping[str, Any]]) -> None:
    """Raise `ValidationException` if a decision follows one that closes the execution."""
    for decision in decisions[:-1]:
        if decision["decisionType"] in CLOSING_DECISIONS:
            raise ValidationException("Close must be last decision in list")


# -- one check per shape -----------------------------------------------------------------------------------------------


def _failed(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: Member must {constraint}"


def _string(least: int, greatest: int | None) -> _Shape:
    longest = greatest if greatest is not None else 1 << 62

    def check_string(value: Any, path: str, problems: list[str]) -> None:
        if not isinstance(value, str):
            problems.append(_failed(value, path, "be a string" if value is not None else "not be null"))
        elif len(value) > longest:
            problems.append(_failed(value, path, f"have length less than or equal to {greatest}"))
        elif len(value) < least:
            problems.append(_failed(value, path, f"have length greater than or equal to {least}"))

    return _Shape(check_string)


_CACHED: Final = 500
"""Most valid strings of one shape that are cached: the same names and timeouts come in request after request."""


class _Range(NamedTuple):
    """The limits of a string beside its pattern."""

    holds: Callable[[str], bool]
    words: str
    """The words for what it must be, as in "be …"."""


def _pattern(pattern: str, plain: _Shape, range_: _Range | None = None) -> _Shape:
    match = re.compile(pattern).fullmatch
    valid: set[str] = set()

    def check_pattern(value: Any, path: str, problems: list[str]) -> None:
        before = len(problems)
        plain.check(value, path, problems)
        if len(problems) > before:
            return
        if not match(value):
            problems.append(_failed(value, path, f"satisfy regular expression pattern: {pattern}"))
        elif range_ is not None and not range_.holds(value):
            problems.append(_failed(value, path, f"be {range_.words}"))
        elif len(valid) < _CACHED:
            valid.add(str(value))

    return _Shape(check_pattern, valid)


def _enum(values: Sequence[str]) -> _Shape:
    allowed = frozenset(values)
    listed = ", ".join(values)

    def check_enum(value: Any, path: str, problems: list[str]) -> None:
        if value is None:
            problems.append(_failed(value, path, "not be null"))
        elif not isinstance(value, str) or value not in allowed:
            problems.append(_failed(value, path, f"satisfy enum value set: [{listed}]"))

    return _Shape(check_enum, allowed)


def _integer(least: int | None, greatest: int | None) -> _Shape:
    def check_integer(value: Any, path: str, problems: list[str]) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            problems.append(_failed(value, path, "be an integer" if value is not None else "not be null"))
        elif greatest is not None and value > greatest:
            problems.append(_failed(value, path, f"have value less than or equal to {greatest}"))
        elif least is not None and value < least:
            problems.append(_failed(value, path, f"have value greater than or equal to {least}"))

    return _Shape(check_integer)


def _list(item: str, least: int | None, greatest: int | None) -> _Shape:
    def check_list(value: Any, path: str, problems: list[str]) -> None:
        if type(value) is not list and (isinstance(value, str | Mapping) or not isinstance(value, Sequence)):
            problems.append(_failed(value, path, "be a list" if value is not None else "not be null"))
            return
        if greatest is not None and len(value) > greatest:
            problems.append(_failed(value, path, f"have length less than or equal to {greatest}"))
        check_item = _SHAPES[item].check
        for position, each in enumerate(value, start=1):
            check_item(each, f"{path}.{position}.member", problems)

    return _Shape(check_list)


def _structure(members: str) -> _Shape:
    table: dict[str, tuple[bool, str]] = {}
    for member in members.split():
        name, shape = member.split(":")
        table[name.rstrip("*")] = (name.endswith("*"), shape)
    required = tuple(name for name, (needed, _) in table.items() if needed)
    checks: dict[str, _Shape] = {}

    def check_structure(value: Any, path: str, problems: list[str]) -> None:
        # `type(…) is dict` first: isinstance of an abstract class takes ten times as long.
        if type(value) is not dict and not isinstance(value, Mapping):
            problems.append(_failed(value, path, "be a structure" if value is not None else "not be null"))
            return
        if not checks:
            checks.update({name: _SHAPES[shape] for name, (_, shape) in table.items()})
        within = f"{path}." if path else ""
        for name in required:
            if name not in value:
                problems.append(_failed(None, within + name, "not be null"))
        for name, member in value.items():
            found = checks.get(name)
            if found is None:
                problems.append(f'Unknown parameter in input: "{within}{name}", must be one of: {", ".join(table)}')
            elif type(member) is not str or member not in found.valid:
                found.check(member, within + name, problems)

    return _Shape(check_structure)


def _boolean(value: Any, path: str, problems: list[str]) -> None:
    if not isinstance(value, bool):
        problems.append(_failed(value, path, "be a boolean" if value is not None else "not be null"))


def _timestamp(value: Any, path: str, problems: list[str]) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        problems.append(_failed(value, path, "be a finite number"))
        return
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if not numeric and not (isinstance(value, datetime.datetime) and value.tzinfo is not None):
        problems.append(_failed(value, path, "be a timestamp with a time zone" if value is not None else "not be null"))


_DIGITS: Final = 10
"""A number of more digits is out of every range."""

# Constraints that only the documentation of the model has.
_NAMES: Final = frozenset(
    {"DomainName", "Name", "Version", "WorkflowId", "ActivityId", "TimerId", "MarkerName", "SignalName"}
)
_DOCUMENTED: Final[dict[str, tuple[str, _Range | None]]] = {
    **dict.fromkeys(_NAMES, (NAME_PATTERN, None)),
    "Description": (r"[^\ud800-\udfff]*", None),  # a store keeps it as UTF-8, which has no lone surrogates
    "DurationInSeconds": (r"[0-9]+", None),
    "DurationInSecondsOptional": (r"NONE|[0-9]+", None),
    "DurationInDays": (
        r"NONE|[0-9]+",
        _Range(
            lambda days: days == "NONE" or (len(days) < _DIGITS and int(days) <= limits.MAX_RETENTION_DAYS),
            f"from 0 to {limits.MAX_RETENTION_DAYS}, or NONE",
        ),
    ),
    "TaskPriority": (
        r"-?[0-9]{1,10}",
        _Range(lambda priority: -(1 << 31) <= int(priority) < 1 << 31, f"from {-(1 << 31)} to {(1 << 31) - 1}"),
    ),
}
# Where the model says "optional" and its documentation forbids NONE.
_NEVER_NONE: Final = re.compile(
    r"(executionStartToCloseTimeout|defaultExecutionStartToCloseTimeout):DurationInSecondsOptional"
)


def _scalar(name: str, bounds: tuple[int, int | None]) -> _Shape:
    plain = _string(*bounds)
    documented = _DOCUMENTED.get(name)
    return plain if documented is None else _pattern(documented[0], plain, documented[1])


def _finite(members: str) -> str:
    return _NEVER_NONE.sub(r"\1:DurationInSeconds", members)


_SHAPES: Final[dict[str, _Shape]] = {
    **{name: _scalar(name, bounds) for name, bounds in shapes.STRINGS.items()},
    **{name: _enum(values) for name, values in shapes.ENUMS.items()},
    **{name: _integer(*bounds) for name, bounds in shapes.INTEGERS.items()},
    **{name: _list(*row) for name, row in shapes.LISTS.items()},
    **{name: _Shape(_boolean if kind == "boolean" else _timestamp) for name, kind in shapes.OTHERS.items()},
    **{name: _structure(_finite(members)) for name, members in shapes.STRUCTURES.items()},
}
_OPERATIONS: Final[dict[str, _Shape]] = {
    name: _structure(_finite(members)) for name, members in shapes.OPERATIONS.items()
}

_ATTRIBUTES_REQUIRED: Final[dict[str, str]] = {
    decision_type: attributes_key(decision_type)
    for decision_type in shapes.ENUMS["DecisionType"]
    if "*:" in shapes.STRUCTURES[f"{decision_type}DecisionAttributes"]
}


def _check_decisions(decisions: Sequence[Mapping[str, Any]], problems: list[str]) -> None:
    for position, decision in enumerate(decisions, start=1):
        key = _ATTRIBUTES_REQUIRED.get(decision["decisionType"])
        if key is not None and key not in decision:
            problems.append(_failed(None, f"decisions.{position}.member.{key}", "not be null"))


# -- defaults ----------------------------------------------------------------------------------------------------------


class Default(NamedTuple):
    """A member whose default the registered type may have."""

    member: str
    """Its name in requests and events."""
    default: str
    """Its name in the type's configuration."""
    cause: str | None
    """The cause with which SWF refuses a request if both lack it; `None` for a member that is optional."""


EXECUTION_DEFAULTS: Final = (
    Default(
        "executionStartToCloseTimeout",
        "defaultExecutionStartToCloseTimeout",
        "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED",
    ),
    Default("taskList", "defaultTaskList", "DEFAULT_TASK_LIST_UNDEFINED"),
    Default(
        "taskStartToCloseTimeout", "defaultTaskStartToCloseTimeout", "DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED"
    ),
    Default("childPolicy", "defaultChildPolicy", "DEFAULT_CHILD_POLICY_UNDEFINED"),
    Default("taskPriority", "defaultTaskPriority", None),
    Default("lambdaRole", "defaultLambdaRole", None),
)
"""Members of an execution, in the order in which SWF looks for them."""

ACTIVITY_DEFAULTS: Final = (
    Default("taskList", "defaultTaskList", "DEFAULT_TASK_LIST_UNDEFINED"),
    Default(
        "scheduleToStartTimeout", "defaultTaskScheduleToStartTimeout", "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED"
    ),
    Default("startToCloseTimeout", "defaultTaskStartToCloseTimeout", "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
    Default(
        "scheduleToCloseTimeout", "defaultTaskScheduleToCloseTimeout", "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED"
    ),
    Default("heartbeatTimeout", "defaultTaskHeartbeatTimeout", "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED"),
    Default("taskPriority", "defaultTaskPriority", None),
)
"""Members of an activity task, in the order in which SWF looks for them."""


def with_defaults(
    request: Mapping[str, Any], defaults: Mapping[str, Any], table: Sequence[Default]
) -> tuple[dict[str, Any], Default | None]:
    """The members of `table` from the request or else from the type, and the first required one that neither has."""
    resolved: dict[str, Any] = {}
    for row in table:
        value = request.get(row.member)
        if value is None:
            value = defaults.get(row.default)
        if value is not None:
            resolved[row.member] = value if type(value) is str else _copied(value)
        elif row.cause is not None:
            return resolved, row
    return resolved, None


def picked(request: Mapping[str, Any], *members: str) -> dict[str, Any]:
    """Copies of those of these members that the request has."""
    found = {}
    for name in members:
        value = request.get(name)
        if type(value) is str:
            found[name] = value
        elif name in request:
            found[name] = _copied(value)
    return found


def _copied(value: Any) -> Any:
    if type(value) is dict or isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, list | tuple) else value
