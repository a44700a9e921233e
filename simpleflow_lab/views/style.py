"""The styles of states, wherever they are shown: a word, a colour, and never the colour alone.

Every state that is not plain success also has a pattern (for bars) and a symbol (for points and badges). The colours
differ for people who don't see red or green, and are readable on a light and on a dark page.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from simpleflow_lab.views.summary import OPEN


class Style(NamedTuple):
    """The style in which a state is drawn."""

    word: str
    """The word for the state."""
    colour: str
    """The colour of its bars and symbols, as CSS writes it."""
    pattern: str = ""
    """plotly's pattern shape of its bars."""
    symbol: str | None = None
    """plotly's marker symbol at the end of its bars."""
    glyph: str = ""
    """A character before its word in text."""


_BLUE, _TEAL, _GREY = "#4c8fcc", "#2a9d8f", "#8b95a5"
_RED, _ORANGE, _PURPLE, _BROWN = "#d1495b", "#dd8a1c", "#9d78c2", "#a0705a"

_SLATE = "#5b6b82"

DECIDING: Final = Style("deciding", _SLATE, glyph="▶")
"""A decision task that a decider has taken, or had."""
WAITING: Final = Style("waiting", _GREY, glyph="…")
"""The part of an attempt before a worker took it."""
UNRELATED: Final = Style("not of its lineage", "rgba(139,149,165,.4)")
"""An attempt that the task whose lineage is shown has nothing to do with."""
STATES: Final[dict[str, Style]] = {
    "completed": Style("completed", _BLUE, glyph="✓"),
    "reused": Style("reused from another run", _GREY, "\\", "circle-open", "↺"),
    "fired": Style("timer fired", _GREY, glyph="✓"),
    "started": Style("running", _TEAL, "/", glyph="▶"),
    "scheduled": Style("not started", _GREY, ".", glyph="…"),
    "initiated": Style("not started", _GREY, ".", glyph="…"),
    "failed": Style("failed", _RED, "x", "x", "✗"),
    "timed_out": Style("timed out", _ORANGE, "|", "hourglass", "◔"),
    "canceled": Style("canceled", _PURPLE, "-", "circle-x", "⊘"),
    "terminated": Style("terminated", _BROWN, "+", "square-x", "■"),
    "unfinished": Style("not finished", _BROWN, "+", "square-cross", "⊟"),
    "schedule_failed": Style("refused", _RED, "x", "triangle-left", "✗"),
    "start_failed": Style("start refused", _RED, "x", "triangle-right", "✗"),
}
"""By the state of an attempt."""
NOT_STARTED: Final = STATES["scheduled"]
"""The style of what waited to the end of the chart, whether its execution is open or not."""
_OTHER: Final = Style("other", _GREY, "\\", "diamond", "?")


def style_of(state: str) -> Style:
    """The style of a state; all states that the table doesn't know have one."""
    return STATES.get(state) or _OTHER._replace(word=state or _OTHER.word)


STATUSES: Final[dict[str, Style]] = {
    OPEN: Style("OPEN", _TEAL, glyph="▶"),
    "COMPLETED": Style("COMPLETED", _BLUE, glyph="✓"),
    "FAILED": Style("FAILED", _RED, glyph="✗"),
    "TIMED_OUT": Style("TIMED_OUT", _ORANGE, glyph="◔"),
    "CANCELED": Style("CANCELED", _PURPLE, glyph="⊘"),
    "TERMINATED": Style("TERMINATED", _BROWN, glyph="■"),
    "CONTINUED_AS_NEW": Style("CONTINUED_AS_NEW", _GREY, glyph="↻"),
    "DAMAGED": Style("DAMAGED", _RED, glyph="✗"),
}
"""By the status of an execution."""

SEGMENT_STYLES: Final[dict[str, Style]] = {
    "running": Style("running", _TEAL, glyph="▶"),
    "child": Style("child runs", _TEAL, "/", glyph="▶"),
    "retry": Style("pause before retry", _ORANGE, "|", glyph="…"),
    "queued": Style("queued", _GREY, ".", glyph="…"),
    "not taken": Style("queued, none of it runs", _GREY, "x", glyph="…"),
    "max_parallel": Style("max_parallel", _PURPLE, "-", glyph="…"),
    "open limit": Style("open limit", _PURPLE, "+", glyph="…"),
    "timer": Style("timer", _GREY, "/", glyph="…"),
    "signal": Style("signal awaited", _ORANGE, "\\", glyph="…"),
    "request": Style("request on its way", _GREY, "-", glyph="…"),
    "deciding": DECIDING,
    "no decider": Style("no decider", _BROWN, "|", glyph="…"),
    "code": Style("nothing open", _GREY, "x", glyph="…"),
}
"""By the kind of a segment of the critical path."""

POINT_EVENT_STYLES: Final[dict[str, Style]] = {
    "marker": Style("marker", _PURPLE, symbol="diamond"),
    "signal": Style("signal received", _ORANGE, symbol="triangle-down"),
    "external_signal": Style("signal sent", _ORANGE, symbol="triangle-up-open"),
    "external_cancel": Style("cancel request sent", _BROWN, symbol="square-open"),
    "decision_failure": Style("decision refused", _RED, symbol="x"),
    "unknown": Style("event of an unknown type", _GREY, symbol="circle-open"),
}
"""By the kind of a point event."""
