"""The notes of steps done, and the two activities that read and write them.

A note is an object: `<prefix>/<step name>` in the bucket that the workflow names, or else `STEP_BUCKET` where the
activity runs, as upstream writes it, so that what upstream did is done; `steps/<prefix>/<step name>` where the Lab
keeps its own objects, among others. Only the names count. What is in a note says who did the step, for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab import settings
from simpleflow_lab.activity import Activity
from simpleflow_lab.data.codec import encode
from simpleflow_lab.data.objects import MAX_KEY, current_storage
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.step.constants import STEP_ACTIVITY_PARAMS_DEFAULT, UNKNOWN_CONTEXT

_USE: Final = "steps"
"""First part of the keys where the Lab keeps its own objects."""


class GetStepsDoneTask:
    """Gives the names of the steps that are done, in order."""

    context: Mapping[str, Any]

    def __init__(self, bucket: str | None, path: str) -> None:
        self.bucket = bucket
        self.path = path

    def execute(self) -> list[str]:
        """The names under this path."""
        bucket = _bucket(self.bucket)
        folder = _folder(bucket, self.path)
        keys = current_storage().at(bucket).keys(folder)
        return sorted(key[len(folder) :] for key in keys if key != folder)


class MarkStepDoneTask:
    """Notes that a step is done."""

    context: Mapping[str, Any] = UNKNOWN_CONTEXT

    def __init__(self, bucket: str | None, path: str, step_name: str) -> None:
        self.bucket = bucket
        self.path = path
        self.step_name = step_name

    def execute(self) -> None:
        """Write the note. A second time it is written again."""
        content = {name: self.context.get(name, unknown) for name, unknown in UNKNOWN_CONTEXT.items()}
        bucket = _bucket(self.bucket)
        key = note_key(bucket, self.path, self.step_name)
        current_storage().at(bucket).put(key, encode(content).encode())


def note_key(bucket: str | None, path: str, step_name: str) -> str:
    """Key of a step's note. Raises `UsageError` for a name that is too long."""
    key = _folder(bucket, path) + step_name
    length = len(key.encode("utf-8", "surrogatepass"))
    if length > MAX_KEY:
        raise UsageError(
            f"step {step_name[:40]}…: its note's key has {length} bytes, and {MAX_KEY} is the most: "
            "give the step a shorter name, or its workflow another get_step_path_prefix()"
        )
    return key


def _bucket(named: str | None) -> str | None:
    """The bucket of the notes. Asked where the activity runs: a decider's settings are in no history."""
    bucket: str | None = named or settings.read("step_bucket")
    return bucket


def _folder(bucket: str | None, path: str) -> str:
    """The prefix of the keys of this path's notes. Ends with a slash: "runs" is not "runs2"."""
    inside = path if path.endswith("/") or not path else f"{path}/"
    return inside if bucket is not None else f"{_USE}/{inside}"


def step_activity(task: type[Any], **params: Any) -> Activity:
    """One of the two tasks as an activity, by upstream's name: a history of upstream's is replayed here."""
    return Activity(task, name=f"simpleflow.step.tasks.{task.__name__}", **params)


# Activity workers run what is registered in their process, also one that never decides.
for _task in (GetStepsDoneTask, MarkStepDoneTask):
    step_activity(_task, **STEP_ACTIVITY_PARAMS_DEFAULT)
