"""The record of a failed task in a history: a reason for people, details for tools.

The reason is `Type: message`, cut to SWF's 256 characters. The details are the JSON object that upstream writes too:
`{"error", "error_type", "message", "traceback"}`, the traceback as a list of lines, and `error_bases`, the classes that
the error's class derives from: a retry policy with `on=[OSError]` must recognise a `ConnectionError` without importing
it.

Rule: writing never fails, whatever the exception's own methods do. Reading imports nothing that a history names.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import sys
import traceback
from types import ModuleType
from typing import Final, NamedTuple

from simpleflow_lab.constants import MAX_DETAILS_LENGTH, MAX_REASON_LENGTH
from simpleflow_lab.data.codec import parse
from simpleflow_lab.exceptions import SimpleflowLabError, TaskFailed

_MAX_MESSAGE: Final = 4_096
_MAX_NAME: Final = 512
_MAX_BASES: Final = 32
_LEVEL: Final = re.compile("TaskFailed: ([^:]*): ")
"""The first words of the reason of a task that failed: its id has no colon."""
_SHORTEST_ID: Final = 100
"""Characters that the id of a task may have in a reason in any case."""
_LEFT_OUT: Final = "... "
_CUT: Final = " ..."
_PACKAGE_FOLDER: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep


class FailureDetails(NamedTuple):
    """A recorded failure, as far as its details can be read."""

    error_type: str
    """Qualified name of the exception's class, or "" if the worker did not record it."""
    message: str
    """The exception's message."""
    traceback: str
    """The traceback's lines, or the raw details of a worker that writes something else."""
    error: str = ""
    """Name of the exception's class without its module, or ""."""
    bases: tuple[str, ...] = ()
    """Qualified names of the classes that it derives from, nearest first, if the worker recorded them."""


def reason_of(error: BaseException) -> str:
    """`Type: message` within SWF's limit. Of a failure in a child of a child, and so on, the innermost error is told
    before the ids of those between."""
    text = f"{type(error).__name__}: {message_of(error)}".rstrip(": ")
    return text if len(text) <= MAX_REASON_LENGTH else _cut(_without_levels_between(text), MAX_REASON_LENGTH)


def _without_levels_between(text: str) -> str:
    """`TaskFailed: a: ... ValueError: no` for `TaskFailed: a: TaskFailed: b: TaskFailed: c: ValueError: no`; the first
    id is cut, too, if there is no room for it."""
    first = _LEVEL.match(text)
    if first is None:
        return text
    last = first
    while (level := _LEVEL.match(text, last.end())) is not None:
        last = level
    id, between = first[1], "" if last is first else _LEFT_OUT
    error = text[last.end() :].removeprefix(_LEFT_OUT)
    room = max(MAX_REASON_LENGTH - len(f"TaskFailed: : {between}{error}"), _SHORTEST_ID)
    if len(id) > room:
        id = f"{id[: room - 3]}..."
    return f"TaskFailed: {id}: {between}{error}"


def same_reason(recorded: str, reason: str) -> bool:
    """Whether a recorded reason is this one. Earlier deciders cut the end of one that is too long, whatever it was."""
    begins, left_out, _ = reason.partition("...")
    was_cut = recorded.endswith(_CUT) and recorded.startswith(begins)
    return recorded == reason or (bool(left_out) and begins.startswith("TaskFailed: ") and was_cut)


def details_of(error: BaseException, *, skip_package: bool = True, whole: bool = False) -> str:
    """The JSON details of an exception, within SWF's limit; with `whole`, however long they are.

    With `skip_package` the frames of this package are left out: they are not the author's.
    """
    kind = type(error)
    lines = [line.rstrip("\n") for line in format_traceback(error, skip_package=skip_package)]
    record = {
        "error": _cut(kind.__name__, _MAX_NAME),
        "error_type": _qualified(kind),
        "error_bases": [_qualified(base) for base in kind.__mro__[1:-1]][:_MAX_BASES],
        "message": message_of(error) if whole else _cut(message_of(error), _MAX_MESSAGE),
        "traceback": lines,
    }
    text = json.dumps(record)
    if whole:
        return text
    while len(text) > MAX_DETAILS_LENGTH and len(lines) > 2:
        # Keep both ends: where it was called from, and what happened.
        middle = len(lines) // 2
        lines[middle - len(lines) // 4 - 1 : middle + 1] = ["    [...]"]
        text = json.dumps(record)
    # What is left is too much by itself, as a message of 4,000 emoji is: JSON needs twelve characters for each.
    for name, less in (("traceback", []), ("error_bases", []), ("message", _cut(message_of(error), _MAX_NAME))):
        if len(text) > MAX_DETAILS_LENGTH:
            record[name] = less
            text = json.dumps(record)
    return text


def read_details(details: str | None) -> FailureDetails | None:
    """The details of a failed task, or `None` if there are none; the text of a foreign worker becomes the traceback."""
    if not details:
        return None
    try:
        record = parse(details)
    except ValueError:
        record = None
    if not isinstance(record, dict) or "message" not in record:
        return FailureDetails(error_type="", message="", traceback=details)
    lines = record.get("traceback")
    text = "\n".join(str(line) for line in lines) if isinstance(lines, list) else str(lines or "")
    name = str(record.get("error") or "")
    bases = record.get("error_bases")
    return FailureDetails(
        error_type=str(record.get("error_type") or name),
        message=str(record["message"]),
        traceback=text,
        error=name,
        bases=tuple(str(base) for base in bases[:_MAX_BASES]) if isinstance(bases, list) else (),
    )


def error_names(error: BaseException) -> frozenset[str]:
    """Class names of an attempt's error, for a retry policy to match: only those that the history itself gives.

    They are the class of the task's own error and its bases, where the worker recorded them; those of Python's own
    exceptions are known anyway. Of a child workflow, and of workers that record no details, it is the name that begins
    the reason. The class that stands for the failure here, such as `TaskFailed` or `TimeoutError`, is always among
    them.
    """
    names = {_qualified(kind) for kind in type(error).__mro__[:-1]}
    if isinstance(error, TaskFailed):
        details = read_details(error.details)
        recorded = details.error_type if details is not None else ""
        recorded = recorded or leading_name(error.reason)
        if recorded:
            names.add(recorded)
            names.update(details.bases if details is not None else ())
            names.update(_bases_of_builtin(recorded))
    return frozenset(names)


def loaded_error_class(name: str) -> type[BaseException] | None:
    """The exception class of this qualified name, if its module is loaded in this process: nothing is imported."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:end]))
        if isinstance(module, ModuleType):
            # Not by `getattr`: a module's own __getattr__, or a lazy module, may import.
            found: object = ModuleType.__getattribute__(module, "__dict__").get(parts[end])
            for part in parts[end + 1 :]:
                found = type.__getattribute__(found, "__dict__").get(part) if isinstance(found, type) else None
            return found if isinstance(found, type) and issubclass(found, BaseException) else None
    return None


def _bases_of_builtin(name: str) -> list[str]:
    """The bases of one of Python's own exceptions, named with or without its module."""
    module, _, short = name.rpartition(".")
    kind = getattr(builtins, short, None) if module in ("", "builtins") else None
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return []
    return [_qualified(base) for base in kind.__mro__[:-1]]


def leading_name(reason: str | None) -> str:
    """The class name that begins a reason: `KeyError` of `KeyError: 'x'`, or ""."""
    name = (reason or "").partition(":")[0].strip()
    return name if name.isidentifier() else ""


def _qualified(kind: type) -> str:
    return _cut(f"{kind.__module__}.{kind.__qualname__}", _MAX_NAME)


def format_traceback(error: BaseException, *, skip_package: bool = True) -> list[str]:
    """The lines of an exception's traceback, without the frames of this package: they are not the author's.

    An error of ours that passed none of the author's lines, such as that of a value that JSON can't hold, is its text.
    """
    found = traceback.TracebackException.from_exception(error)
    if not skip_package:
        return list(found.format())
    if isinstance(error, SimpleflowLabError) and not _authors_frames(found):
        return list(found.format_exception_only())
    _remove_package_frames(found)
    return list(found.format())


def _authors_frames(found: traceback.TracebackException) -> list[traceback.FrameSummary]:
    return [frame for frame in found.stack if not frame.filename.startswith(_PACKAGE_FOLDER)]


def _remove_package_frames(found: traceback.TracebackException | None) -> None:
    """Remove the package's frames, of the exception and of those that led to it."""
    while found is not None:
        authors = _authors_frames(found)
        if authors:
            found.stack = traceback.StackSummary.from_list(authors)
        _remove_package_frames(found.__context__)
        found = found.__cause__


def message_of(error: BaseException) -> str:
    """The text of an exception, or a note that its `__str__` raised."""
    try:
        return str(error)
    except Exception as failure:  # an author's __str__ may do anything; the failure must be recorded all the same
        return f"<{type(error).__name__}.__str__ raised {type(failure).__name__}>"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT
