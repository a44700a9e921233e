"""Code of today checked against executions that are recorded: would it decide what they did?

Rule: what differs is shown with both lines. `debugger.checking` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.runtime.source_versions import OF_THIS_PROCESS, lines_around, source_of
from simpleflow_lab.views.formatting import count, shortened
from simpleflow_lab.views.html import piece, quiet
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.markup import Html
from simpleflow_lab.views.text_tables import visible, visible_lines
from simpleflow_lab.workflow import Workflow

MAX_TEXT: Final = 400
"""Most characters of what was recorded, and of what is commanded now."""
MAX_SHOWN: Final = 3
"""Most executions that differ and are shown one by one where the checks display themselves."""


@dataclass(frozen=True, kw_only=True)
class RecordedCheck:
    """One recorded execution, replayed with the code of today."""

    workflow_id: str
    """Its workflow id, or the name of its file."""
    run_id: str
    is_open: bool
    """It goes on with this code."""
    events: int
    """Number of events of its history."""
    decisions: int
    """Number of decisions that it records."""
    decision: int | None = None
    """The number of the decision in which the code differs; `None` if it does not."""
    event_id: int | None = None
    """The event that records something else."""
    recorded: str | None = None
    """The decision that is recorded there; `None` if none is."""
    recorded_line: str | None = None
    """The line from which that was, with its text."""
    now: str | None = None
    """The command of the code now; `None` if there is none."""
    now_line: str | None = None
    """The line that commands it."""
    error: str | None = None
    """Why it could not be checked, or the whole of what differs, in one line."""
    decided_at: float | None = None
    """When that was decided, in seconds since 1970, if a decider of this process did; `None` if another one did."""

    @property
    def is_same(self) -> bool:
        """The code makes the recorded decisions."""
        return self.error is None

    def __str__(self) -> str:
        if self.error is None:
            return f"{shortened(self.workflow_id)}: the same {count(self.decisions, 'decision')}"
        where = f"{shortened(self.workflow_id)}{' (open)' if self.is_open else ''}"
        if self.decision is None or (self.recorded is None and self.now is None):
            return visible(f"{where}: {shortened(self.error, MAX_TEXT)}")
        then = self.recorded or "nothing"
        now = self.now or "nothing"
        then_line = f" from {self.recorded_line}" if self.recorded_line else ""
        now_line = f" from {self.now_line}" if self.now_line else ""
        return visible(
            f"differs in {where} at decision {self.decision}, event {self.event_id}: "
            f"recorded {then}{then_line}; now {now}{now_line}"
        )


class RecordedChecks(ListingView[RecordedCheck]):
    """Recorded executions of one workflow, each checked with its code of today. They display themselves."""

    def __init__(
        self,
        workflow: str,
        checks: Iterable[RecordedCheck],
        *,
        total: int,
        stopped: str | None = None,
        sources: tuple[str | None, str | None] = (None, None),
        edited: Sequence[str] = (),
        place: str | None = None,
    ) -> None:
        super().__init__(checks)
        self.place = place
        """Where they are recorded, if other checks of the same workflow are of another place; `None` if none are."""
        self.edited = edited
        """Names that the code uses and that have something else now, if that is why it was checked: of functions and
        constants."""
        self.sources = sources
        """Lines around the recorded line and around the line now, of the first execution that differs, if known."""
        self.workflow = workflow
        """The name of the workflow class."""
        self.total = total
        """Number of executions that are recorded; fewer are checked if the time was over."""
        self.stopped = stopped
        """Why not all were checked; `None` if they were."""

    @property
    def _nothing(self) -> str:
        return f"{self._title}: nothing is recorded"

    @property
    def different(self) -> Sequence[RecordedCheck]:
        """The checks in which the code decides otherwise, or which can't be replayed."""
        return tuple(check for check in self if not check.is_same)

    @property
    def is_safe(self) -> bool:
        """The code makes the recorded decisions of all that were checked."""
        return not self.different

    @property
    def summary(self) -> str:
        """All of it in one line: `safe with 14 of 14 recorded executions`."""
        different = self.different
        if not len(self) and self.stopped:
            return self.stopped
        if not different:
            line = f"safe with {len(self):,} of {count(self.total, 'recorded execution')}"
        else:
            line = str(different[0])
            if len(different) > 1:
                line += f"; and in {len(different) - 1:,} more of {len(self):,}"
        return f"{line}; {self.stopped}" if self.stopped else line

    @property
    def advice(self) -> str | None:
        """The advice for open executions that differ to finish: both ways in the code, told apart by `patched`."""
        first = next((check for check in self.different if check.is_open and (check.recorded or check.now)), None)
        if first is None:
            return None
        new, old = _source_in(first.now_line), _source_in(first.recorded_line)
        name = "a name for this change"
        then = now = ""
        if new is not None and new == old:  # what it uses was edited
            names = ", ".join(map(shortened, self.edited[:MAX_SHOWN])) or "what it uses"
            now, then = f", with {names} as of now", f", with {names} as before, under another name"
        return "\n".join(
            [
                "open executions go on if the code has both ways (docs/determinism.md):",
                f'    if self.patched("{name}"):',
                f"        {new or '…'}  # new executions{now}",
                "    else:",
                f"        {old or '…'}  # those that ran past this line before{then}",
            ]
        )

    def listing(self) -> Listing:
        """One row for each execution that was checked."""
        rows = [
            (
                check.workflow_id,
                "yes" if check.is_open else "no",
                check.decisions,
                check.events,
                "yes" if check.is_same else "no",
                check.decision,
                check.event_id,
                check.recorded,
                check.recorded_line,
                check.now,
                check.now_line,
                check.error,
            )
            for check in self
        ]
        return Listing(columns=_COLUMNS, rows=rows)

    def beside(self, recorded: str | None, now: str | None) -> RecordedChecks:
        """The same with these lines around both lines of the first that differs."""
        return self._with(sources=(recorded, now))

    def because_of(self, edited: Sequence[str]) -> RecordedChecks:
        """The same, made because these names that the code uses have something else now."""
        return self._with(edited=edited)

    def in_place(self, place: str) -> RecordedChecks:
        """The same, of executions that are recorded there, as others of the workflow are elsewhere."""
        return self._with(place=place)

    @property
    def _title(self) -> str:
        return self.workflow if self.place is None else f"{self.workflow} in {shortened(self.place, MAX_TEXT)}"

    def _with(self, **changed: Any) -> RecordedChecks:
        same: dict[str, Any] = {
            "total": self.total,
            "stopped": self.stopped,
            "sources": self.sources,
            "edited": self.edited,
            "place": self.place,
        }
        return RecordedChecks(self.workflow, self, **{**same, **changed})

    @property
    def _reason(self) -> str | None:
        """Why it was checked, if the workflow itself is as it was."""
        if not self.edited:
            return None
        more = f" and {len(self.edited) - MAX_SHOWN:,} more" if len(self.edited) > MAX_SHOWN else ""
        return f"checked because it uses what was edited: {', '.join(map(shortened, self.edited[:MAX_SHOWN]))}{more}"

    def with_sources(self, workflow: type[Workflow]) -> RecordedChecks:
        """The same with the sources of the first that differs: that of the workflow now, and that which was recorded if
        this process decided it, with code of a cell or of a module."""
        first = next(iter(self.different), None)
        if first is None:
            return self
        key, source = (workflow.type_name(), workflow.type_version()), source_of(workflow)
        then = OF_THIS_PROCESS.around(key, first.recorded_line, at=first.decided_at)
        now = None if source is None else lines_around(source, first.now_line)
        return self.beside(then or (_NOT_KNOWN if now is not None and first.recorded_line else None), now)

    def __repr__(self) -> str:
        if not len(self) and self.stopped is None:
            return self._nothing
        shown = [str(check) for check in self.different[1:MAX_SHOWN]]
        sources = [
            f"{title}:\n{visible_lines(source)}"
            for title, source in zip(("recorded", "now"), self.sources, strict=True)
            if source is not None
        ]
        return "\n".join(
            [
                f"{self._title}: {self.summary}",
                *filter(None, [self._reason]),
                *shown,
                *sources,
                *filter(None, [self.advice]),
            ]
        )

    @property
    def _glyph(self) -> str:
        if not self.is_safe:
            return "✗"
        return "✓" if len(self) else "?"  # none was checked before it was stopped

    def _repr_html_(self) -> str:
        if not len(self) and self.stopped is None:
            return str(quiet(self._nothing))
        shown = Html("").join(Html("<div>{}</div>").format(check) for check in map(str, self.different[1:MAX_SHOWN]))
        reason = Html("") if self._reason is None else quiet(self._reason)
        pairs = zip(("recorded", "now"), self.sources, strict=True)
        beside = Html("").join(
            Html('<div style="flex: 1 1 20em; min-width: 0"><div class="sfl-quiet">{}</div><pre>{}</pre></div>').format(
                title, source
            )
            for title, source in pairs
            if source is not None
        )
        advice = Html("<pre>{}</pre>").format(self.advice) if self.advice is not None else Html("")
        return str(
            piece(
                Html("<div>{} <strong>{}</strong>: {}</div>").format(self._glyph, self._title, self.summary),
                reason,
                shown,
                Html('<div style="display: flex; flex-wrap: wrap; gap: 1em">{}</div>').format(beside),
                advice,
            )
        )


_DEFINES: Final = re.compile(r"(async\s+)?def\s|class\s|@")
_NOT_KNOWN: Final = (
    "(what was around this line is not known: another process decided it, or its file was edited before)"
)
_COLUMNS: Final = {
    "workflow id": Kind.TEXT,
    "open": Kind.TEXT,
    "decisions": Kind.COUNT,
    "events": Kind.COUNT,
    "same": Kind.TEXT,
    "decision": Kind.COUNT,
    "event": Kind.COUNT,
    "recorded": Kind.TEXT,
    "recorded line": Kind.TEXT,
    "now": Kind.TEXT,
    "line now": Kind.TEXT,
    "error": Kind.TEXT,
}


def _source_in(line: str | None) -> str | None:
    """The text of the source in `flows.py:12, y = self.submit(double, x)`; `None` of a line that begins a definition,
    which is no statement of two ways."""
    text = (line or "").partition(", ")[2]
    return text if text and not _DEFINES.match(text) else None
