"""Requests: what the workflow asked for, as far as deciding needs to know it.

A request is made when a task's arguments are there. It becomes a decision when it is sent, and is bound to the event
that SWF recorded for it. One table says, for each kind, how it is written as a decision.
"""

from __future__ import annotations

import datetime
import functools
import linecache
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from simpleflow_lab.futures import Future
from simpleflow_lab.replay.dependencies import task_ids
from simpleflow_lab.replay.fibers import Line
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.control import write_control
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.task import Task

ACTIVITY: Final = "activity"
CHILD: Final = "child workflow"
CANCEL_ACTIVITY: Final = "cancel of activity"
CANCEL_CHILD: Final = "cancel of child workflow"
TIMER: Final = "timer"
CANCEL_TIMER: Final = "cancel of timer"
MARKER: Final = "marker"
SIGNAL: Final = "signal"
CLOSE: Final = "close"


class Attempts:
    """How one task fared so far."""

    __slots__ = ("_failures", "first_at", "refusals", "type_missing")

    def __init__(self) -> None:
        self._failures: Counter[str] | None = None
        self.first_at: datetime.datetime | None = None
        """When the first one was scheduled."""
        self.refusals = 0
        """How often SWF refused it because too much was asked of it at once."""
        self.type_missing = 0
        """How often SWF did not know its type."""

    @property
    def failures(self) -> Counter[str]:
        """Attempts that failed: by timeout type, and under "" those that no timeout ended."""
        if self._failures is None:  # of most tasks none does
            self._failures = Counter()
        return self._failures


class Request:
    """One thing asked for."""

    __slots__ = (
        "alias",
        "arguments",
        "attempts",
        "dependencies",
        "future",
        "given_up",
        "id",
        "input",
        "kind",
        "line",
        "members",
        "of",
        "sent",
        "started",
        "task",
        "type",
    )

    def __init__(
        self,
        kind: str,
        id: str,
        *,
        task: Task | None = None,
        future: Future | None = None,
        type: tuple[str, str] | None = None,
        alias: str | None = None,
        input: str | None = None,
        arguments: tuple[list[Any], dict[str, Any]] = ([], {}),
        line: Line | None = None,
        members: dict[str, Any] | None = None,
        of: Request | None = None,
        dependencies: Sequence[Future] = (),
    ):
        self.kind = kind
        self.id = id
        """activityId, workflowId, timerId, marker or signal name; for a close the decision type."""
        self.task = task
        self.future = future
        self.type = type
        """Name and version of the activity or workflow type."""
        self.alias = alias
        """Another name that the type may have in a history: upstream's for child workflows."""
        self.input = input
        """What must be the same in every replay: input, details, or a timer's duration."""
        self.of = of
        """Of a cancel: what is to be canceled, with whatever future that has by then."""
        self.arguments = arguments
        """Of an activity or child workflow: what `input` was made of."""
        self.line = line
        """The author's line that asked."""
        self.dependencies = dependencies
        """The futures among the arguments; all of them are done."""
        self.members = members or {}
        """Further arguments of the decision's builder."""
        self.sent = False
        """Answered to SWF, or recorded in the history."""
        self.started = False
        """Of a child: it runs, and so can be asked to cancel."""
        self.given_up = False
        """The author canceled it: SWF is asked to, and it is not tried again."""
        self.attempts = Attempts()

    @property
    def closed(self) -> bool:
        """Its future is done: nothing more is to be asked."""
        if self.of is not None:
            return self.of.closed
        return self.future is not None and self.future.done

    def again(self) -> Request:
        """The same request for one more attempt."""
        self.sent = self.started = False
        return self

    def __repr__(self) -> str:
        return f"<Request {self.describe()}>"

    def describe(self) -> str:
        """What it is, for a message of one line."""
        return describe(self.kind, self.id, self.type, self.input)

    def decision(self) -> Decision:
        """The decision that asks SWF for it."""
        return _DECISIONS[self.kind](self)


class Asked:
    """The requests that SWF has not recorded yet, in the order they were made."""

    def __init__(self) -> None:
        self._requests: dict[Request, None] = {}
        self._named: dict[tuple[str, str], list[Request]] = {}

    def add(self, request: Request) -> None:
        """One more."""
        self._requests[request] = None
        self._named.setdefault((request.kind, request.id), []).append(request)

    def remove(self, request: Request) -> None:
        """It is recorded, or given up."""
        del self._requests[request]
        named = self._named[request.kind, request.id]
        named.remove(request)
        if not named:
            del self._named[request.kind, request.id]

    def named(self, kind: str, id: str) -> list[Request]:
        """Those of this kind and id."""
        return self._named.get((kind, id), [])

    def __contains__(self, request: Request) -> bool:
        return request in self._requests

    def __iter__(self) -> Iterator[Request]:
        return iter(self._requests)

    def __len__(self) -> int:
        return len(self._requests)


def describe(kind: str, id: str, type: tuple[str, str] | None, input: str | None) -> str:
    """`activity double [activity-double-1] of version example with {"args":[2]}`, within reason."""
    parts = [kind]
    if type is not None:
        parts.append(f"{type[0]} (version {type[1]})")
    parts.append(f"[{_short(id)}]" if type is not None else _short(id))
    if input:
        parts.append(f"with {_short(input)}")
    return " ".join(parts)


def control_of(request: Request) -> str | None:
    """The `control` of a decision, so that a later replay can show both lines, and a table what depended on what."""
    line = None if request.line is None else line_text(request.line)
    return write_control(line, task_ids(request.dependencies) if request.dependencies else ())


def line_text(line: Line) -> str:
    """`basic.py:25, z = self.submit(double, y)`; a notebook's cell has no file name worth telling."""
    place = f"{_file_of(line.filename)}{line.lineno}"
    source = linecache.getline(line.filename, line.lineno).strip()
    return f"{place}, {_short(source, 120)}" if source else place


@functools.lru_cache(maxsize=256)
def _file_of(filename: str) -> str:
    """What stands before the number of a line."""
    is_cell = filename.startswith("<ipython-input") or f"{os.sep}ipykernel_" in filename
    return "cell line " if is_cell else f"{os.path.basename(filename)}:"


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _schedule_activity(request: Request) -> Decision:
    assert request.type is not None
    return decisions.schedule_activity_task(
        activity_id=request.id,
        name=request.type[0],
        version=request.type[1],
        input=request.input,
        control=control_of(request),
        **request.members,
    )


def _start_child(request: Request) -> Decision:
    assert request.type is not None
    return decisions.start_child_workflow_execution(
        workflow_id=request.id,
        name=request.type[0],
        version=request.type[1],
        input=request.input,
        control=control_of(request),
        **request.members,
    )


def _start_timer(request: Request) -> Decision:
    control = request.members.get("control")
    return decisions.start_timer(
        timer_id=request.id, start_to_fire_timeout=request.input or "0", control=control or control_of(request)
    )


def _signal(request: Request) -> Decision:
    return decisions.signal_external_workflow_execution(
        signal_name=request.id, input=request.input, control=control_of(request), **request.members
    )


_CLOSES: Final[dict[str, Callable[..., Decision]]] = {
    "CompleteWorkflowExecution": decisions.complete_workflow_execution,
    "FailWorkflowExecution": decisions.fail_workflow_execution,
    "CancelWorkflowExecution": decisions.cancel_workflow_execution,
    "ContinueAsNewWorkflowExecution": decisions.continue_as_new_workflow_execution,
}

_DECISIONS: Final[dict[str, Callable[[Request], Decision]]] = {
    ACTIVITY: _schedule_activity,
    CHILD: _start_child,
    TIMER: _start_timer,
    CANCEL_ACTIVITY: lambda request: decisions.request_cancel_activity_task(activity_id=request.id),
    CANCEL_CHILD: lambda request: decisions.request_cancel_external_workflow_execution(
        workflow_id=request.id, control=control_of(request)
    ),
    CANCEL_TIMER: lambda request: decisions.cancel_timer(timer_id=request.id),
    MARKER: lambda request: decisions.record_marker(name=request.id, details=request.input),
    SIGNAL: _signal,
    CLOSE: lambda request: _CLOSES[request.id](**request.members),
}
