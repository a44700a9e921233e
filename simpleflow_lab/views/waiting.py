"""The waits of an open execution, as rows for people: what, since when, until when, and what can be done about it.

`views.history_waits` makes the rows.

Rule: every text is one line, bounded, and not escaped: each face escapes for itself.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, LAMBDA, TIMER
from simpleflow_lab.views.formatting import beginning, duration, shortened, utc_time
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing

_MAX_NAMED: Final = 3
"""The most waits that a phrase names."""

BLOCKED: Final = "blocked decision"
DECISION: Final = "decision"
SIGNAL: Final = "signal"
RETRY: Final = "retry"
LIMIT: Final = "limit"
REQUEST: Final = "request"
CODE: Final = "code"
DISK: Final = "disk"

KINDS: Final = (BLOCKED, DISK, DECISION, SIGNAL, ACTIVITY, LAMBDA, CHILD, RETRY, TIMER, LIMIT, REQUEST, CODE)
"""The kinds of waits, in the order in which they are shown: first what people may have to act on."""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One thing that an execution waits for."""

    workflow_id: str
    """The execution that waits: the one that was asked for, or a child of it at some depth."""
    depth: int = 0
    """0 for the execution that was asked for, 1 for its children, …"""
    kind: str
    """`blocked decision`, `decision`, `signal`, `activity`, `lambda`, `child`, `retry`, `timer`, `limit`, `request`,
    `disk` or `code`."""
    id: str | None = None
    """activityId, timerId, workflowId of a child, name of a signal; `None` where there is none."""
    run_id: str | None = None
    """The run of a child: its first one."""
    what: str
    """The thing that it waits for, in words."""
    since: datetime.datetime | None = None
    """The time since which it waits, as far as the history or the engine tells."""
    until: datetime.datetime | None = None
    """When the wait ends at the latest, by a timer or a timeout; `None` if nothing limits it."""
    to_do: str = ""
    """The action that ends the wait, if that is up to people."""
    more: int = 0
    """This row stands for so many further ones of its kind."""
    unlisted: int = 0
    """Of those, so many are in the task list of this row and are queued, or run, as it is: told in one row of each."""
    has_reason: bool = False
    """The engine said why nobody takes it."""
    goes_on: bool = False
    """It is being done: a worker runs the task, a decider decides."""


class Waits(ListingView[Wait]):
    """The waits of an execution. It displays itself, in a notebook as HTML; `to_pandas()` gives a frame."""

    _nothing = "nothing: the execution has closed"

    def __init__(self, rows: Iterable[Wait], *, now: datetime.datetime | None = None) -> None:
        """`now` is the time against which it is told for how long; by default the real one."""
        super().__init__(rows)
        self._now = now or datetime.datetime.now(datetime.UTC)

    def listing(self) -> Listing:
        """One row for each wait; what a child waits for is set in below it."""
        rows = [(wait.kind, _indented(wait), wait.since, wait.until, wait.to_do) for wait in self]
        return Listing(columns=_COLUMNS, rows=rows)

    def in_words(self) -> str:
        """All of it in a phrase, as `signal go, 3 activities`: of the execution itself, and of a child what blocks."""
        return phrase(self)

    def lines(self) -> list[str]:
        """Each row as one line: what, for how long, until when, and what to do."""
        return [self._line(wait) for wait in self]

    def _line(self, wait: Wait) -> str:
        parts = [_indented(wait)]
        if wait.since is not None:
            parts.append(f"for {duration(max((self._now - wait.since).total_seconds(), 0))}")
        if wait.until is not None:
            parts.append(f"until {_clock(wait.until, self._now)}")
        line = ", ".join(parts)
        return f"{line}: {wait.to_do}" if wait.to_do else line


_COLUMNS: Final = {
    "kind": Kind.TEXT,
    "waits for": Kind.TEXT,
    "since": Kind.TIME,
    "until": Kind.TIME,
    "what to do": Kind.TEXT,
}


def phrase(waits: Sequence[Wait], *, limit: int = _MAX_NAMED) -> str:
    """The waits in a few words, as `signal go, 3 activities`; empty if nothing is.

    It is about the execution itself; a blocked decision of a child at any depth is named, too, and first.
    """
    parts = [
        f"{shortened(wait.workflow_id, 40)}: {beginning(wait.what, 160)}"
        for wait in waits
        if wait.kind == BLOCKED and wait.depth > 0
    ][:1]
    for kind in KINDS:
        rows = [wait for wait in waits if wait.depth == 0 and wait.kind == kind]
        if not rows:
            continue
        number = sum(wait.more or 1 for wait in rows)
        noun = _COUNTED.get(kind)
        reason = next((wait.what for wait in rows if wait.has_reason), None)
        if noun is None or number == 1:
            parts += [beginning(wait.what, 160) if kind == BLOCKED else shortened(wait.what, 100) for wait in rows]
        elif reason is not None:
            parts.append(f"{number:,} {noun} ({shortened(reason, 160)}, …)")
        else:
            parts.append(f"{number:,} {noun}")
    more = ", …" if len(parts) > limit else ""
    return ", ".join(parts[:limit]) + more


def reasons(waits: Sequence[Wait]) -> list[Wait]:
    """The waits that say why nothing goes on: without what is being done, unless a process does not answer."""
    return [wait for wait in waits if not wait.goes_on]


_COUNTED: Final = {ACTIVITY: "activities", CHILD: "children", LAMBDA: "lambdas", TIMER: "timers", RETRY: "retries"}
"""Kinds of which a phrase gives the number, if there are several."""


def _indented(wait: Wait) -> str:
    return (
        wait.what if wait.depth == 0 else f"{'  ' * (wait.depth - 1)}└ {shortened(wait.workflow_id, 40)}: {wait.what}"
    )


def _clock(time: datetime.datetime, now: datetime.datetime) -> str:
    """A time as `14:02:05 UTC`, with its date if that is not today's."""
    time = time.astimezone(datetime.UTC)
    return f"{time:%H:%M:%S} UTC" if time.date() == now.astimezone(datetime.UTC).date() else utc_time(time)
