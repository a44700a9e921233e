"""Metrology: how much each step of an activity reads and writes, and how fast.

    @activity.with_attributes(task_list="etl", version="1")
    def load(path):
        with metrology.step("parse") as step:
            step.read.bytes = os.path.getsize(path)
            rows = parse(path)
            step.write.records = len(rows)

An activity that is a class derives from `MetrologyTask` and calls `self.step("parse")`. A workflow that derives from
`MetrologyWorkflow` writes one `metrology.json` when it closes. `execution.metrology()` is the table of all steps.

The figures of one attempt of a task are one object beside the histories, in the Lab's storage or in `METROLOGY_BUCKET`:

    metrology/<workflow id>/<run id>/activity.<activity id>.<started event id>.json

Times that a history records are in `execution.profile()` and `execution.tasks()`.

Rule: figures are notes. If they can't be written, that is logged, and fails neither the activity nor the workflow.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from simpleflow_lab import activity, settings
from simpleflow_lab.data.codec import encode, parse
from simpleflow_lab.data.objects import Objects, Storage, current_storage, has_storage
from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.workflow import Workflow

logger = logging.getLogger(__name__)

MEGABYTE: Final = 1024 * 1024
MAX_OBJECT: Final = 5 * MEGABYTE
"""Largest object of figures that is read."""
_MAX_PART: Final = 200


class StepIO:
    """The amount that a step reads, or writes. Set `bytes`, `records` and `sampled` (the figures are of a sample)."""

    def __init__(self) -> None:
        self.bytes = 0
        self.records = 0
        self.sampled = False

    def get_stats(self, time_total: float) -> dict[str, Any]:
        """The figures, and those per second: `mb_s` (of 1,048,576 bytes) and `rec_s`, or `None` if there are none."""
        return {
            "bytes": self.bytes,
            "records": self.records,
            "mb_s": round(self.bytes / MEGABYTE / time_total, 2) if self.bytes and time_total > 0 else None,
            "rec_s": int(self.records / time_total) if self.records and time_total > 0 else None,
            "sampled": self.sampled,
        }


class Step:
    """One step of a task. Set the figures of `read` and `write`; `metadata` is free, and is stored with them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.read, self.write = StepIO(), StepIO()
        self.metadata: dict[str, Any] = {}
        self.time_started = time.time()
        self.time_finished: float | None = None
        self.time_total: float | None = None
        self._clock = time.monotonic()

    def done(self) -> None:
        """End the step now."""
        self.time_total = time.monotonic() - self._clock
        self.time_finished = self.time_started + self.time_total

    def get_stats(self) -> dict[str, Any]:
        """The figures. Times are in seconds since 1970, `time_total` in seconds."""
        total = self.time_total if self.time_total is not None else time.monotonic() - self._clock
        return {
            "name": self.name,
            "metadata": self.metadata,
            "time_started": self.time_started,
            "time_finished": self.time_finished,
            "time_total": self.time_total,
            "read": self.read.get_stats(total),
            "write": self.write.get_stats(total),
        }


class _Running:
    """The steps of one attempt of an activity task."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self.context = context
        self.steps: list[Step] = []
        self.open = 0


_running: contextvars.ContextVar[_Running | None] = contextvars.ContextVar("metrology", default=None)


def _current() -> _Running:
    """The steps of the running activity task; outside of one, new ones that nobody reads."""
    context, found = activity.current_context(), _running.get()
    if not context:
        return _Running(context)
    if found is None or found.context is not context:
        found = _Running(context)
        _running.set(found)
    return found


@contextlib.contextmanager
def step(name: str) -> Iterator[Step]:
    """Measure the block as a step of the running activity task. Its figures are stored when it ends, however it ends.

    Outside an activity task they are measured, and not stored.
    """
    with _step(_current(), name) as begun:
        yield begun


@contextlib.contextmanager
def _step(running: _Running, name: str) -> Iterator[Step]:
    begun = Step(name)
    running.steps.append(begun)
    running.open += 1
    try:
        yield begun
    finally:
        begun.done()
        running.open -= 1
        if not running.open:
            _save(running, None)


class MetrologyTask:
    """For activities that are classes: `with self.step("parse") as step: …`. Upstream's name."""

    context: Mapping[str, Any]
    meta: Mapping[str, Any] | None = None
    """Stored with the figures."""

    def step(self, name: str) -> contextlib.AbstractContextManager[Step]:
        """See `metrology.step`."""
        return _step(self._own, name)

    @property
    def _own(self) -> _Running:
        """The steps of the running activity task; outside of one, those of this object."""
        if activity.current_context():
            return _current()
        own: _Running = self.__dict__.setdefault("_steps_of_this", _Running({}))
        return own

    @property
    def steps(self) -> list[Step]:
        """The steps so far."""
        return self._own.steps

    def upload_stats(self) -> None:
        """Store the figures now. Outside an activity task nothing is stored."""
        _save(self._own, self.meta)

    def post_execute(self) -> None:
        """Store the figures. It is called when `execute` has returned."""
        self.upload_stats()


class MetrologyWorkflow(Workflow):
    """A workflow that writes the figures of all its tasks to one object, `metrology.json`, when it closes."""

    def after_closed(self, history: Any) -> None:
        """See `Workflow`. A method that overrides it must call it."""
        super().after_closed(history)
        self.push_metrology(history)

    def push_metrology(self, history: Any) -> None:
        """Write `metrology.json`: for each attempt of an activity a pair of its id and its record, with its figures.

        Only a decider writes it; a replay that is watched does not.
        """
        if not has_storage():
            return
        context = self.get_run_context()
        try:
            objects = _objects(current_storage())
            folder = folder_of(context["workflow_id"], context["run_id"])
            found = {record["started_event_id"]: record for record in _records(objects, folder)}
            objects.put(f"{folder}metrology.json", encode(list(_with_figures(history, found))).encode())
        except SimpleflowLabError as error:
            logger.warning("the metrology of %s could not be stored: %s", context["workflow_id"], error)


def records_of(where: Storage, workflow_id: str, run_id: str) -> list[Mapping[str, Any]]:
    """The stored figures of an execution, one record for each attempt. Raises `StoreError` or `UsageError`."""
    return list(_records(_objects(where), folder_of(workflow_id, run_id)))


def folder_of(workflow_id: str, run_id: str) -> str:
    """The prefix of the keys of an execution's figures."""
    return f"metrology/{_part(workflow_id)}/{_part(run_id)}/"


def _part(text: str) -> str:
    """A part of a key. An id may have any character and length; a part is quoted, or hashed if it is too long."""
    quoted = quote(text, safe="")
    return quoted if len(quoted) <= _MAX_PART else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _objects(where: Storage) -> Objects:
    """The place where figures are stored."""
    found = settings.current()
    if found.metrology_bucket is None:
        return where.default
    return where.at("/".join(filter(None, [found.metrology_bucket, (found.metrology_path_prefix or "").strip("/")])))


def _save(running: _Running, meta: Mapping[str, Any] | None) -> None:
    context = running.context
    if not has_storage() or not all(context.get(name) for name in ("workflow_id", "run_id", "activity_id")):
        return
    started = context.get("started_event_id", 0)
    record = {
        "activity_id": context["activity_id"],
        "name": context.get("name"),
        "started_event_id": started,
        "meta": meta,
        "steps": [begun.get_stats() for begun in running.steps],
    }
    key = (
        folder_of(context["workflow_id"], context["run_id"])
        + f"activity.{_part(context['activity_id'])}.{started}.json"
    )
    try:
        _objects(current_storage()).put(key, encode(record).encode())
    except SimpleflowLabError as error:
        logger.warning("the metrology of %s could not be stored: %s", context["activity_id"], error)


def _records(objects: Objects, folder: str) -> Iterator[Mapping[str, Any]]:
    for key in objects.keys(f"{folder}activity."):
        try:
            record = parse(objects.get(key, max_bytes=MAX_OBJECT).decode())
        except ValueError:
            record = None
        if isinstance(record, dict) and isinstance(record.get("started_event_id"), int):
            yield record
        else:
            logger.warning("the object %s holds no figures of a task: it is ignored", key)


def _with_figures(history: Any, records: Mapping[int, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id of each attempt of an activity task with its name, version, state, times and figures."""
    for attempt in history.attempts():
        shown = {key: value for key, value in attempt.items() if key in _SHOWN or key.endswith("_timestamp")}
        if "started_id" in attempt:
            shown["metrology"] = records.get(attempt["started_id"])
        yield attempt["id"], shown


_SHOWN: Final = frozenset({"type", "id", "name", "version", "state"})
