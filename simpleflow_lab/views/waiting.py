"""What an open execution waits for, as rows for people: what, since when, until when, and what can be done about it.

`views.history_waits` makes the rows.

*Rule:* every text is one line, bounded, and not escaped: each face escapes for itself.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, overload

from simpleflow_lab.swf.event_types import ACTIVITY, CHILD, LAMBDA, TIMER
from simpleflow_lab.views.formatting import duration, shortened, utc_time
from simpleflow_lab.views.html import piece, table
from simpleflow_lab.views.listings import Kind, Listing

if TYPE_CHECKING:
    import pandas as pd

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
    what: str
    """What it waits for, in words."""
    since: datetime.datetime | None = None
    """Since when, as far as the history or the engine tells."""
    until: datetime.datetime | None = None
    """When the wait ends at the latest, by a timer or a timeout; `None` if nothing limits it."""
    to_do: str = ""
    """What ends the wait, if that is up to people."""
    more: int = 0
    """This row stands for so many further ones of its kind."""


class Waits(Sequence[Wait]):
    """What an execution waits for. It displays itself: as a table of text, and in a notebook as HTML."""

    def __init__(self, rows: Iterable[Wait], *, now: datetime.datetime | None = None):
        """`now` is the time that `since` and `until` are told against."""
        self._rows = tuple(rows)
        self._now = now or datetime.datetime.now(datetime.UTC)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Wait: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Wait]: ...
    def __getitem__(self, index: int | slice) -> Wait | Sequence[Wait]:
        return self._rows[index]

    def listing(self) -> Listing:
        """The rows as a typed table."""
        return Listing(
            columns=_COLUMNS,
            rows=[(wait.workflow_id, wait.kind, _indented(wait), wait.since, wait.until, wait.to_do) for wait in self],
        )

    def to_pandas(self) -> pd.DataFrame:
        """One row for each wait, with the attributes of `Wait` as columns; times are timezone-aware."""
        from simpleflow_lab.views.tables import waits_table  # noqa: PLC0415  pandas

        return waits_table(
            [
                (row.workflow_id, row.depth, row.kind, row.id, row.what, row.since, row.until, row.to_do, row.more)
                for row in self
            ]
        )

    def in_words(self, limit: int = _MAX_NAMED) -> str:
        """All of it in a phrase, as `signal go, 3 activities`: of the execution itself, and of a child what matters."""
        return phrase(self._rows, limit=limit)

    def __repr__(self) -> str:
        if not self._rows:
            return "nothing is waited for: the execution has closed"
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for wait in self._rows:
            parts = [f"{_indented(wait)}"]
            if wait.since is not None:
                parts.append(f"for {duration(max((self._now - wait.since).total_seconds(), 0))}")
            if wait.until is not None:
                parts.append(f"until {_clock(wait.until, self._now)}")
            line = ", ".join(parts)
            yield f"{line}: {wait.to_do}" if wait.to_do else line

    def _repr_html_(self) -> str:
        if not self._rows:
            return str(piece())
        rows = [
            (
                wait.kind,
                _indented(wait),
                "" if wait.since is None else duration(max((self._now - wait.since).total_seconds(), 0)),
                "" if wait.until is None else _clock(wait.until, self._now),
                wait.to_do,
            )
            for wait in self._rows
        ]
        return str(piece(table(("kind", "waits for", "for", "until", "what to do"), rows, limit=len(rows))))


_COLUMNS: Final = {
    "execution": Kind.TEXT,
    "kind": Kind.TEXT,
    "waits for": Kind.TEXT,
    "since": Kind.TIME,
    "until": Kind.TIME,
    "what to do": Kind.TEXT,
}


def phrase(waits: Sequence[Wait], *, limit: int = _MAX_NAMED) -> str:
    """What is waited for in a few words, as `signal go, 3 activities`; empty if nothing is.

    It is about the execution itself; a blocked decision of a child at any depth is named, too, and first.
    """
    parts = [
        f"{shortened(wait.workflow_id, 40)}: {shortened(wait.what, 160)}"
        for wait in waits
        if wait.kind == BLOCKED and wait.depth > 0
    ][:1]
    for kind in KINDS:
        rows = [wait for wait in waits if wait.depth == 0 and wait.kind == kind]
        if not rows:
            continue
        number = sum(wait.more or 1 for wait in rows)
        noun = _COUNTED.get(kind)
        if noun is None or number == 1:
            parts += [shortened(wait.what, 160 if kind == BLOCKED else 100) for wait in rows]
        else:
            parts.append(f"{number:,} {noun}")
    more = ", …" if len(parts) > limit else ""
    return ", ".join(parts[:limit]) + more


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
