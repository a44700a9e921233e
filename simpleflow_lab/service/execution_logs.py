"""The log of an execution: what its code printed and logged, as numbered records within a bound.

A history has no place for it. The embedded engine keeps the log of each execution with its store; for Amazon SWF, which
knows no such thing, the process keeps it in memory.

Rule: a log is bounded, in records and in bytes: the oldest records go. Records are numbered 1, 2, 3, … as they came,
and those that went, or never came, leave a gap: so a reader can say how many are missing.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.exceptions import ValidationException
from simpleflow_lab.locking.process_lock import process_lock

MAX_RECORDS: Final = 10_000
"""Records that the log of an execution may hold."""
MAX_BYTES: Final = 4 << 20
"""Bytes, in UTF-8, that the texts in the log of an execution may have."""
MAX_TEXT: Final = 8_000
"""Characters of a record's text. Longer lines are several records."""
PAGE_RECORDS: Final = 1_000
"""Records that are appended, or read, at once, at most."""
PAGE_BYTES: Final = 128 << 10
"""Bytes of the texts that are appended, or read, at once, at most: they fit into a request, even if JSON needs six for
each."""
RETAINED_SHARE: Final = 0.9
"""The share of a bound that is retained of a log that exceeds it, so that not every record costs a deletion."""
MAX_EXECUTIONS: Final = 1_000
"""Executions of which a log is in memory, where no store has it: the latest."""
MAX_MEMORY_BYTES: Final = 16 * MAX_BYTES
"""Bytes of the texts of all logs in memory, where no store keeps them."""
_MAX_SOURCE: Final = 64
_MAX_TASK: Final = 256


class LogRecord(NamedTuple):
    """A line that code of an execution printed, or a record that it logged."""

    timestamp: int
    """When, in milliseconds since 1970."""
    task: str | None
    """The `activityId` of the activity; `None` for the workflow's own code."""
    started_event_id: int | None
    """The `ActivityTaskStarted` event of the attempt; `None` for the workflow's own code."""
    source: str
    """`stdout`, `stderr`, or the level at which it was logged, as `WARNING`."""
    text: str
    """The text, without the end of its line."""

    @property
    def size(self) -> int:
        """Bytes of the text."""
        return len(self.text) if self.text.isascii() else len(self.text.encode("utf-8", "surrogatepass"))


class NumberedRecord(NamedTuple):
    """A record with its place in the log."""

    number: int
    """1 for the first record that the execution ever wrote, then 2, 3, …"""
    record: LogRecord
    """The record."""


# -- as JSON, between processes ----------------------------------------------------------------------------------------


def record_to_json(record: LogRecord) -> dict[str, Any]:
    """A record as a JSON object."""
    members = zip(_MEMBERS, record, strict=True)
    return {name: value for name, value in members if value is not None}


def page_to_json(records: Iterable[NumberedRecord]) -> dict[str, Any]:
    """Records with their numbers as a response."""
    return {"records": [{"number": number, **record_to_json(record)} for number, record in records]}


def page_from_json(response: Mapping[str, Any]) -> list[NumberedRecord]:
    """The records of a response. Raises `ValidationException`."""
    records: Sequence[Mapping[str, Any]] = response["records"]
    return [NumberedRecord(int(record["number"]), _record(record)) for record in records]


def checked_records(records: Iterable[Any], dropped: Any) -> list[LogRecord]:
    """The records of JSON objects that are to be appended. Raises `ValidationException`."""
    checked = [_record(record) for record in records]
    if len(checked) > PAGE_RECORDS or sum(record.size for record in checked) > PAGE_BYTES:
        raise ValidationException(f"at most {PAGE_RECORDS} records of {PAGE_BYTES} bytes are appended at once")
    if type(dropped) is not int or not 0 <= dropped < 1 << 53:
        raise ValidationException("dropped is the number of records that went before these")
    return checked


_MEMBERS: Final = ("timestamp", "task", "startedEventId", "source", "text")


def _record(value: Any) -> LogRecord:
    """The record of a JSON object, as a store can hold it."""
    if not isinstance(value, Mapping):
        raise ValidationException("a record of a log is an object")
    timestamp, task, started_event_id, source, text = (value.get(name) for name in _MEMBERS)
    if not (
        type(timestamp) is int
        and 0 <= timestamp < 1 << 53
        and (task is None or (isinstance(task, str) and len(task) <= _MAX_TASK))
        and (started_event_id is None or (type(started_event_id) is int and 0 < started_event_id < 1 << 53))
        and isinstance(source, str)
        and 0 < len(source) <= _MAX_SOURCE
        and isinstance(text, str)
        and len(text) <= MAX_TEXT
    ):
        raise ValidationException(
            "a record of a log has timestamp, source and text, and may have task and startedEventId; its text has at "
            f"most {MAX_TEXT} characters"
        )
    return LogRecord(
        timestamp, None if task is None else encodable(task), started_event_id, encodable(source), encodable(text)
    )


def encodable(text: str) -> str:
    """The text with � for half surrogate pairs, which UTF-8 can't hold."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# -- in memory ---------------------------------------------------------------------------------------------------------


class MemoryLog:
    """The log of one execution in memory."""

    def __init__(self) -> None:
        self._records: deque[NumberedRecord] = deque()
        self._last = 0
        self.bytes = 0
        """Bytes of the texts."""

    def append(self, records: Sequence[LogRecord], dropped: int) -> None:
        """Append records, before which `dropped` others went."""
        self._last += dropped
        for record in records:
            self._last += 1
            self._records.append(NumberedRecord(self._last, record))
            self.bytes += record.size
        while len(self._records) > MAX_RECORDS or self.bytes > MAX_BYTES:
            self.bytes -= self._records.popleft().record.size

    def page(self, after: int) -> list[NumberedRecord]:
        """The first records whose number is greater, as many as may be read at once."""
        return page_of(each for each in self._records if each.number > after)


class MemoryLogs:
    """The logs of executions in memory; those are forgotten that were not written longest."""

    def __init__(self) -> None:
        self._logs: OrderedDict[tuple[str, ...], MemoryLog] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, place: str) -> MemoryLogs:
        """Those of the service at this place, which all of this process that use it share."""
        with _lock:
            found = _by_place.get(place)
            if found is None:
                found = _by_place[place] = cls()
            return found

    def append(self, key: tuple[str, ...], records: Sequence[LogRecord], dropped: int) -> None:
        """Append records to the log of an execution, before which `dropped` others went."""
        with self._lock:
            self._logs.setdefault(key, MemoryLog()).append(records, dropped)
            self._logs.move_to_end(key)
            while len(self._logs) > 1 and sum(log.bytes for log in self._logs.values()) > MAX_MEMORY_BYTES:
                self._logs.popitem(last=False)
            while len(self._logs) > MAX_EXECUTIONS:
                self._logs.popitem(last=False)

    def page(self, key: tuple[str, ...], after: int) -> list[NumberedRecord]:
        """The first records of an execution whose number is greater, as many as may be read at once."""
        with self._lock:
            found = self._logs.get(key)
            return [] if found is None else found.page(after)


_lock: Final = process_lock()
_by_place: Final[weakref.WeakValueDictionary[str, MemoryLogs]] = weakref.WeakValueDictionary()


def page_of(records: Iterable[NumberedRecord]) -> list[NumberedRecord]:
    """The first of these, as many as may be read at once."""
    page: list[NumberedRecord] = []
    size = 0
    for each in records:
        size += each.record.size
        if page and (len(page) >= PAGE_RECORDS or size > PAGE_BYTES):
            break
        page.append(each)
    return page
