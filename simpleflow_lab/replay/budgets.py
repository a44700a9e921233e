"""SWF's limits for one execution, and what its author is told before they hurt.

=================================  ==========================================  ========================================
limit                              at the limit                                warned
=================================  ==========================================  ========================================
1,000 open activity tasks          further ones are deferred                  when one is deferred
1,000 open child executions        further ones are deferred                  when one is deferred
1,000 open timers                  SWF refuses; asked again when one has       at 800
                                   ended
25,000 events                      SWF terminates the execution                at `continue_as_new_after`, and at 22,500
32,768 characters of a field       refused, unless there is a place for large  at 26,214, where there is none
                                   fields
100 decisions, 1 MB of a request   what does not fit comes with the next one   never: it costs one more decision task
=================================  ==========================================  ========================================

Rule: a warning is the same text each time, so that it is shown once; it names the author's line where one line is the
cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.data.json_encoder import encoder
from simpleflow_lab.data.references import is_reference
from simpleflow_lab.replay.command import Command
from simpleflow_lab.swf import decisions as swf_decisions
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.limits import (
    MAX_DATA,
    MAX_DECISIONS,
    MAX_HISTORY_EVENTS,
    MAX_OPEN_ACTIVITIES,
    MAX_OPEN_CHILDREN,
    MAX_OPEN_TIMERS,
    MAX_REQUEST_BYTES,
)

REQUEST_BYTES: Final = MAX_REQUEST_BYTES - 2 * MAX_DATA - 8_000
"""Bytes of decisions in one request. The rest is for the execution context, each of whose characters may take two, the
task token, the names of the members, and the headers."""
NEAR_EVENTS: Final = MAX_HISTORY_EVENTS * 9 // 10
NEAR_TIMERS: Final = MAX_OPEN_TIMERS * 8 // 10
NEAR_FIELD: Final = MAX_DATA * 8 // 10


class RequestSize:
    """The size of one answer so far: it counts as decisions are added."""

    def __init__(self) -> None:
        self._count = 0
        self._bytes = 0
        self._first: Decision | None = None
        """The first decision, while its bytes are not counted yet: most answers have no other."""

    def takes(self, decision: Decision) -> bool:
        """Add a decision, if it leaves a place for one more: the close, or the timer that brings the next answer.

        The first one is always taken: SWF's limits of its members leave it small enough.
        """
        if not self._count:
            self._count, self._first = 1, decision
            return True
        size = size_of(decision)
        if self._count == MAX_DECISIONS - 1 or self._counted() + size > REQUEST_BYTES:
            return False
        self._count += 1
        self._bytes += size
        return True

    def takes_last(self, decision: Decision) -> bool:
        """Add the decision that closes the execution: it takes the last place, if it is not too long."""
        return not self._count or self._counted() + size_of(decision) <= REQUEST_BYTES

    def _counted(self) -> int:
        """The number of bytes that the decisions take."""
        if self._first is not None:
            self._bytes, self._first = self._bytes + size_of(self._first), None
        return self._bytes


def size_of(decision: Decision) -> int:
    """The bytes that a decision adds to the request: boto3 sends ASCII, in which a character takes up to twelve."""
    return len(_as_sent(decision)) + len(", ")


_as_sent: Final = encoder()


@dataclass(kw_only=True, slots=True, eq=False)
class Room:
    """The number of tasks that may still be opened, and what must wait."""

    activities: int
    children: int
    is_own_limit: bool = False
    """Whether the workflow or a setting says how many activity tasks may be open, and not SWF."""
    held_activities: int = 0
    """Number of activity tasks that wait until fewer are open."""
    first_activity: Command | None = None
    """The first of them."""
    first_child: Command | None = None
    """The first child execution that waits until fewer are open."""

    def takes_activity(self, command: Command) -> bool:
        """Take a place for an activity task; if there is none, it is deferred."""
        if self.activities > 0:
            self.activities -= 1
            return True
        self.held_activities += 1
        self.first_activity = self.first_activity or command
        return False

    def takes_child(self, command: Command) -> bool:
        """Take a place for a child execution; if there is none, it is deferred."""
        if self.children > 0:
            self.children -= 1
            return True
        self.first_child = self.first_child or command
        return False


def warnings_of_room(room: Room, open_timers: int) -> Iterator[str]:
    """Warnings of tasks that are deferred, and of timers that soon are refused."""
    if room.first_activity is not None and not room.is_own_limit:
        yield (
            f"an execution has at most {MAX_OPEN_ACTIVITIES:,} activity tasks open at a time: further ones wait until "
            f"others have closed{_at(room.first_activity)}"
        )
    if room.first_child is not None:
        yield (
            f"an execution has at most {MAX_OPEN_CHILDREN:,} child executions open at a time: further ones wait until "
            f"others have closed{_at(room.first_child)}"
        )
    if open_timers >= NEAR_TIMERS:
        yield (
            f"more than {NEAR_TIMERS} timers are open; SWF lets an execution have {MAX_OPEN_TIMERS:,}, and the waits "
            "before retries are among them: further ones wait until others have ended"
        )


def warnings_of_fields(command: Command, decision: Decision) -> Iterator[str]:
    """Warnings of a text that almost does not fit, where there is no place for large fields."""
    attributes: Mapping[str, Any] = swf_decisions.attributes(decision)
    for name in ("input", "result", "details", "control"):
        text = attributes.get(name)
        if type(text) is str and len(text) > NEAR_FIELD and not is_reference(text):
            yield (
                f"the {name} of {command.kind.name} {command.id} has more than {NEAR_FIELD:,} characters; SWF takes "
                f"{MAX_DATA:,}, and longer ones need a bucket, in SIMPLEFLOW_JUMBO_FIELDS_BUCKET{_at(command)}"
            )


def warning_of_result(activity: str, length: int) -> str | None:
    """The warning of an activity's result that almost does not fit, likewise."""
    if not NEAR_FIELD < length <= MAX_DATA:
        return None
    return (
        f"a result of activity {activity} has more than {NEAR_FIELD:,} characters; SWF takes {MAX_DATA:,}, and longer "
        "ones need a bucket, in SIMPLEFLOW_JUMBO_FIELDS_BUCKET"
    )


def warnings_of_length(events: int, continue_as_new_after: int) -> Iterator[str]:
    """Warnings of a history of so many events."""
    if events >= continue_as_new_after:
        yield (
            f"the history has {continue_as_new_after:,} events and more; SWF ends a run at {MAX_HISTORY_EVENTS:,}: "
            "continue_as_new goes on with an empty one"
        )
    if events >= NEAR_EVENTS:
        yield (
            f"the history has more than {NEAR_EVENTS:,} events: at {MAX_HISTORY_EVENTS:,} SWF terminates the run, "
            "whatever is open then. continue_as_new soon"
        )


def _at(command: Command) -> str:
    line = command.line_text
    return "" if line is None else f" (at {line})"
