"""What a failed task leaves in a history: a reason for people, details for tools.

The reason is `Type: message`, cut to SWF's 256 characters. The details are the JSON object that upstream writes too:
`{"error", "error_type", "message", "traceback"}`, the traceback as a list of lines. Cutting can never fail, whatever
the exception says of itself.
"""

from __future__ import annotations

import json
import os
import traceback
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.codec import decode

MAX_REASON: Final = 256
MAX_DETAILS: Final = 32_768
_MAX_MESSAGE: Final = 4_096
_PACKAGE_FOLDER: Final = os.path.dirname(__file__) + os.sep


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureDetails:
    """A recorded failure, as far as its details can be read."""

    error_type: str
    """Qualified name of the exception's class, or "" if the worker did not say."""
    message: str
    """The exception's message."""
    traceback: str
    """The traceback's lines, or the raw details of a worker that writes something else."""


def reason_of(error: BaseException) -> str:
    """`Type: message` within SWF's limit."""
    return _cut(f"{type(error).__name__}: {_message(error)}".rstrip(": "), MAX_REASON)


def details_of(error: BaseException, *, skip_package: bool = True, whole: bool = False) -> str:
    """The JSON details of an exception, within SWF's limit; with `whole`, however long they are.

    With `skip_package` the frames of this package are left out: they are not the author's.
    """
    kind = type(error)
    message = _message(error) if whole else _cut(_message(error), _MAX_MESSAGE)
    lines = [line.rstrip("\n") for line in format_traceback(error, skip_package=skip_package)]
    record = {
        "error": kind.__name__,
        "error_type": f"{kind.__module__}.{kind.__qualname__}",
        "message": message,
        "traceback": lines,
    }
    text = json.dumps(record)
    if whole:
        return text
    while len(text) > MAX_DETAILS and len(lines) > 2:
        # Keep both ends: where it was called from, and what happened.
        middle = len(lines) // 2
        lines[middle - len(lines) // 4 - 1 : middle + 1] = ["    [...]"]
        text = json.dumps(record)
    if len(text) > MAX_DETAILS:
        record["traceback"] = []
        text = json.dumps(record)
    return text


def read_details(details: str | None) -> FailureDetails | None:
    """The details of a failed task; whatever a foreign worker wrote becomes the traceback."""
    if not details:
        return None
    try:
        record = decode(details)
    except ValueError:
        record = None
    if not isinstance(record, dict) or "message" not in record:
        return FailureDetails(error_type="", message="", traceback=details)
    lines = record.get("traceback")
    text = "\n".join(str(line) for line in lines) if isinstance(lines, list) else str(lines or "")
    kind = str(record.get("error_type") or record.get("error") or "")
    return FailureDetails(error_type=kind, message=str(record["message"]), traceback=text)


def format_traceback(error: BaseException, *, skip_package: bool = True) -> list[str]:
    """The lines of an exception's traceback, without the frames of this package: they are not the author's."""
    found = traceback.TracebackException.from_exception(error)
    if skip_package:
        _leave_out_ours(found)
    return list(found.format())


def _leave_out_ours(found: traceback.TracebackException | None) -> None:
    """Of the exception and of those that led to it."""
    while found is not None:
        authors = [frame for frame in found.stack if not frame.filename.startswith(_PACKAGE_FOLDER)]
        if authors:
            found.stack = traceback.StackSummary.from_list(authors)
        _leave_out_ours(found.__context__)
        found = found.__cause__


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # an author's __str__ may do anything; the failure it describes must still be told
        return f"<{type(error).__name__}.__str__ raised {type(failure).__name__}>"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 4] + " ..."
