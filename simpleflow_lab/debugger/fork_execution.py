"""Forks: a new execution that goes on from where another one was, with the results that had been recorded by then.

    execution.fork(at="first failure")
    execution.fork(at=7)
    execution.fork(at="fetch-3", replace={"increment-1": 5})

What is inherited stands in the start of the fork (`swf.fork_start`); `replay.inherited` says how it is replayed. So a
fork needs no event of another execution, no worker of its own, and nothing but SWF's StartWorkflowExecution.

Rule: the execution that is forked is only read.
"""

from __future__ import annotations

import contextvars
import dataclasses
import re
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from simpleflow_lab.data.codec import arguments_of, encode
from simpleflow_lab.data.fields import PATHS_KEY, Fields
from simpleflow_lab.data.references import MAX_FIELD
from simpleflow_lab.debugger.fork_plan import ChildRun, ForkPlan, Planner
from simpleflow_lab.debugger.steps import ReplayStep
from simpleflow_lab.exceptions import (
    EncodingError,
    HistoryError,
    JumboTooLargeError,
    UnknownResourceFault,
    UsageError,
    WorkflowExecutionAlreadyStartedFault,
)
from simpleflow_lab.replay.inherited import InheritedRun, from_text, to_text
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.swf.decisions import seconds
from simpleflow_lab.swf.fork_start import EXTRA, KEY, ForkedFrom, forked_from, tags_of_fork
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_ID
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.workflow import registry

CONTINUED: Final = "WorkflowExecutionContinuedAsNew"
"""The type of the event that closes a run and names the next one."""
_COPIED: Final = (
    "taskList",
    "taskPriority",
    "executionStartToCloseTimeout",
    "taskStartToCloseTimeout",
    "childPolicy",
    "lambdaRole",
)
"""The options with which a fork starts: those of the execution that it is forked from."""


def fork_execution(
    pool: WorkerPool,
    history: Sequence[HistoryEvent],
    *,
    domain: str,
    workflow_id: str,
    run_id: str,
    read: Callable[[str, str], Sequence[HistoryEvent]],
    at: Any = None,
    replace: Mapping[str, Any] | None = None,
    anew: Any = (),
    new_workflow_id: str | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[str, str]:
    """Start a fork of this execution; gives its workflow id and run id. See `Execution.fork`.

    `read` gets the history of another execution, by workflow id and run id. `anew` says for the ids and type names of
    the tasks which of them run again, too: a pattern or a sequence of ids.
    Raises `UsageError`, `StoreError`.
    """
    _check_replace(replace)
    fields = pool.context.fields
    planner = Planner(history, workflow_id=workflow_id, run_id=run_id, inherited=inherited_runs(history[0], fields))
    if isinstance(at, ReplayStep) and at.steps.run_id not in ("", run_id):
        raise UsageError(
            f"this is a step of {at.steps.workflow_id}, not of {workflow_id}: give one of its own replay()"
        )
    point = at.number if isinstance(at, ReplayStep) else at
    _check_children(pool, domain, planner)
    plan = planner.plan(point, _fields_of(planner, replace or {}, fields), _matching(planner, anew))
    started = history[0].attributes
    new_id = new_workflow_id or _new_id(workflow_id)
    request: dict[str, Any] = {name: started[name] for name in _COPIED if started.get(name) is not None}
    request |= _changed(options)
    tags = tags_of_fork(request.pop("tagList", None) or started.get("tagList"), run_id)
    if tags:
        request["tagList"] = tags
    origin = ForkedFrom(
        workflow_id=workflow_id,
        run_id=run_id,
        at=plan.at,
        results=plan.results,
        replaced=tuple(planner.task_id(id) for id in replace or {}),
        inherited="",
    )
    request["input"] = _input_of(started, _with_children(plan, fields, read), origin, fields)
    kind = started["workflowType"]
    pool.registration.register_workflow_type(kind["name"], kind["version"])
    pool.serve_execution(request["taskList"]["name"])
    before = pool.set_output_context(new_id, contextvars.copy_context())
    try:
        new_run = pool.context.service.start_workflow_execution(
            domain=domain,
            workflowId=new_id,
            workflowType={"name": kind["name"], "version": kind["version"]},
            **request,
        )["runId"]
    except WorkflowExecutionAlreadyStartedFault:
        pool.set_output_context(new_id, before)
        raise UsageError(f"an open execution has the id {new_id!r}: choose another workflow_id for the fork") from None
    return new_id, new_run


def _with_children(plan: ForkPlan, fields: Fields, read: Callable[[str, str], Sequence[HistoryEvent]]) -> ForkPlan:
    """The plan with what children inherit that are commanded anew, and their own children in turn.

    One that had continued as new goes on in the run in which it was. A child that can't be read any more starts anew.
    """
    inputs: dict[str, str] = {}
    for child in plan.children:
        try:
            history = read(child.id, child.run_id)
        except UnknownResourceFault:  # its retention is over
            continue
        if history[0].attributes.get("input") != child.initiated.attributes.get("input"):
            continue
        run_id, history = _run_at(child, history, read)
        started = history[0].attributes
        planner = Planner(history, workflow_id=child.id, run_id=run_id, inherited=inherited_runs(history[0], fields))
        its = planner.plan_until(child.until)
        origin = ForkedFrom(
            workflow_id=child.id, run_id=run_id, at=its.at, results=its.results, replaced=(), inherited=""
        )
        inputs[child.id] = _input_of(started, _with_children(its, fields, read), origin, fields)
    last = plan.runs[-1]._replace(children=inputs)
    return dataclasses.replace(plan, runs=[*plan.runs[:-1], last])


def _run_at(
    child: ChildRun, history: Sequence[HistoryEvent], read: Callable[[str, str], Sequence[HistoryEvent]]
) -> tuple[str, Sequence[HistoryEvent]]:
    """The run id and the history of the run in which a child was at the point, which began with this one.

    It is one before that if the next one can't be read any more, or is of another version: its parent asks for the
    version of the first.
    """
    run_id, type = child.run_id, history[0].attributes["workflowType"]
    while True:
        last = history[-1]
        if last.type != CONTINUED or (child.until is not None and last.timestamp > child.until):
            return run_id, history
        next_id = str(last.attributes["newExecutionRunId"])
        try:
            following = read(child.id, next_id)
        except UnknownResourceFault:
            return run_id, history
        if following[0].attributes["workflowType"] != type:
            return run_id, history
        run_id, history = next_id, following


_CHANGED: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "task_list": ("taskList", lambda name: {"name": str(name)}),
    "tag_list": ("tagList", list),
    "execution_start_to_close_timeout": ("executionStartToCloseTimeout", seconds),
    "task_start_to_close_timeout": ("taskStartToCloseTimeout", seconds),
}
"""Options of a fork that may differ from those of what it is forked from: SWF's member, and how it is written."""


def _changed(options: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(options) - set(_CHANGED)
    if unknown:
        raise UsageError(f"a fork has no option {min(unknown)!r}: it has {', '.join(_CHANGED)}")
    return {_CHANGED[name][0]: _CHANGED[name][1](value) for name, value in options.items() if value is not None}


def _check_replace(replace: Any) -> None:
    if replace is not None and not (isinstance(replace, Mapping) and all(isinstance(id, str) for id in replace)):
        raise UsageError(f'replace gives results by the ids of tasks, as {{"fetch-1": 5}}, not {replace!r:.80}')


def _check_children(pool: WorkerPool, domain: str, planner: Planner) -> None:
    """Raises `UsageError` for a child that is open under an id that its class gives: the fork could not start it."""
    for id, (name, version) in planner.open_children().items():
        workflow = registry.get((name, version))
        if not hasattr(workflow, "get_workflow_id"):
            continue  # the fork gives it another one
        still_open = pool.context.service.list_open_workflow_executions(
            domain=domain,
            startTimeFilter={"oldestDate": 0},
            executionFilter={"workflowId": id},
        )["executionInfos"]
        if still_open:
            raise UsageError(
                f"the child {shortened(id)} is open, and the fork would start one with the same id, for "
                f"get_workflow_id of {shortened(name)} gives it: terminate it first, or let it close"
            )


def inherited_runs(started: HistoryEvent, fields: Fields) -> list[InheritedRun]:
    """The runs that the execution with this first event inherits itself; none if it is no fork. Raises `StoreError`."""
    origin = forked_from(started.attributes)
    return [] if origin is None else from_text(fields.text(origin.inherited) or "")


def _fields_of(planner: Planner, replace: Mapping[str, Any], fields: Fields) -> dict[str, str]:
    """The results that are given, as fields. Raises `UsageError` before anything is written."""
    texts: dict[str, str] = {}
    for id, value in replace.items():
        task_id = planner.task_id(id)
        if task_id in texts:
            raise UsageError(f"replace gives two results for {task_id}: once is enough")
        try:
            texts[task_id] = encode(value)
        except EncodingError as error:
            raise UsageError(f"the result given for {task_id}: {error}") from None
    return {task_id: _stored(fields, text, f"result given for {task_id}") for task_id, text in texts.items()}


def _matching(planner: Planner, anew: Any) -> list[str]:
    if not isinstance(anew, str):
        if not isinstance(anew, Collection) or not all(isinstance(each, str) for each in anew):
            raise UsageError(f"anew is a regular expression, or ids of tasks, not {anew!r:.80}")
        return list(anew)
    try:
        pattern = re.compile(anew)
    except re.error as error:
        raise UsageError(f"{anew!r:.80} is no regular expression: {error}") from None
    found = [id for id, name in planner.names().items() if pattern.search(name) or pattern.search(id)]
    if not found:
        raise UsageError(f"no task of this execution matches {anew!r:.80}")
    return found


def _input_of(started: Mapping[str, Any], plan: ForkPlan, origin: ForkedFrom, fields: Fields) -> str:
    """The input of the fork: the arguments, and beside them what it inherits. Large ones are stored by themselves, so
    that who looks at the start sees that it is a fork."""
    text = started.get("input")
    value = fields.decode_input(text) if text else None
    extra = value.pop(EXTRA, {}) if isinstance(value, dict) else {}
    args, kwargs = arguments_of(value, where="the input of the execution") if value else ([], {})
    label = f"input of a fork of {origin.workflow_id}"
    inherited = _stored(fields, _text_of(plan), f"history that a fork of {origin.workflow_id} inherits", inline=20_000)
    member = ForkedFrom(
        workflow_id=origin.workflow_id,
        run_id=origin.run_id,
        at=origin.at,
        results=origin.results,
        replaced=origin.replaced[:100],
        inherited=inherited,
    ).member()
    given = {"args": args, "kwargs": kwargs, EXTRA: {**(extra if isinstance(extra, dict) else {}), KEY: member}}
    whole = encode(given)
    if len(whole) <= MAX_FIELD:
        return whole
    given |= {
        "args": _stored(fields, encode(args), label, inline=0),
        "kwargs": _stored(fields, encode(kwargs), label, inline=0),
        PATHS_KEY: [["args"], ["kwargs"]],
    }
    whole = encode(given)
    if not fields.has_place or len(whole) > MAX_FIELD:
        raise UsageError(
            f"the {label} has {len(whole):,} characters with what it inherits, SWF takes {MAX_FIELD:,}: name a bucket "
            "for large fields in SIMPLEFLOW_JUMBO_FIELDS_BUCKET, or fork before an earlier decision"
        )
    return whole


def _text_of(plan: ForkPlan) -> str:
    try:
        return to_text(plan.runs)
    except HistoryError as error:
        raise UsageError(str(error)) from None


def _stored(fields: Fields, text: str, label: str, *, inline: int = MAX_FIELD) -> str:
    """A text as a field; one of more characters than `inline` as an object, if there is a place for objects."""
    try:
        return fields.store(text, label, inline=inline)
    except JumboTooLargeError as error:
        raise UsageError(str(error)) from None


def _new_id(workflow_id: str) -> str:
    """`nightly-3-fork-3f6c0d1e`: of a fork of a fork no longer."""
    base = re.sub(r"-fork-[0-9a-f]{8}$", "", workflow_id)
    return f"{base[: MAX_ID - 14]}-fork-{uuid.uuid4().hex[:8]}"
