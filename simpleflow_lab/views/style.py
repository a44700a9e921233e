"""What states look like, wherever they are shown: a word, a colour, and never the colour alone.

Every state that is not plain success also has a pattern (for bars) and a symbol (for points and badges). The colours
are told apart by people who don't see red or green, and are readable on a light and on a dark page.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from simpleflow_lab.views.summary import OPEN


class Look(NamedTuple):
    """How a state is drawn."""

    word: str
    """What it is called."""
    colour: str
    """Of its bars and symbols."""
    pattern: str = ""
    """plotly's pattern shape of its bars."""
    symbol: str | None = None
    """plotly's marker symbol at the end of its bars."""
    sign: str = ""
    """A character before its word in text."""


_BLUE, _TEAL, _GREY = "#4c8fcc", "#2a9d8f", "#8b95a5"
_RED, _ORANGE, _PURPLE, _BROWN = "#d1495b", "#dd8a1c", "#9d78c2", "#a0705a"

WAITING: Final = Look("waiting", _GREY, sign="…")
"""The part of an attempt before a worker took it."""
STATES: Final[dict[str, Look]] = {
    "completed": Look("completed", _BLUE, sign="✓"),
    "fired": Look("timer fired", _GREY, sign="✓"),
    "started": Look("running", _TEAL, "/", sign="▶"),
    "scheduled": Look("not started", _GREY, ".", sign="…"),
    "initiated": Look("not started", _GREY, ".", sign="…"),
    "failed": Look("failed", _RED, "x", "x", "✗"),
    "timed_out": Look("timed out", _ORANGE, "|", "hourglass", "◔"),
    "canceled": Look("canceled", _PURPLE, "-", "circle-x", "⊘"),
    "terminated": Look("terminated", _BROWN, "+", "square-x", "■"),
    "schedule_failed": Look("refused", _RED, "x", "triangle-left", "✗"),
    "start_failed": Look("start refused", _RED, "x", "triangle-right", "✗"),
}
"""By the state of an attempt."""
_OTHER: Final = Look("other", _GREY, "\\", "diamond", "?")


def look(state: str) -> Look:
    """The look of a state; states that the table doesn't know look alike."""
    return STATES.get(state, _OTHER)


STATUSES: Final[dict[str, Look]] = {
    OPEN: Look("OPEN", _TEAL, sign="▶"),
    "COMPLETED": Look("COMPLETED", _BLUE, sign="✓"),
    "FAILED": Look("FAILED", _RED, sign="✗"),
    "TIMED_OUT": Look("TIMED_OUT", _ORANGE, sign="◔"),
    "CANCELED": Look("CANCELED", _PURPLE, sign="⊘"),
    "TERMINATED": Look("TERMINATED", _BROWN, sign="■"),
    "CONTINUED_AS_NEW": Look("CONTINUED_AS_NEW", _GREY, sign="↻"),
}
"""By the status of an execution."""

POINT_EVENT_STYLES: Final[dict[str, Look]] = {
    "marker": Look("marker", _PURPLE, symbol="diamond"),
    "signal": Look("signal received", _ORANGE, symbol="triangle-down"),
    "external_signal": Look("signal sent", _ORANGE, symbol="triangle-up-open"),
    "external_cancel": Look("cancel request sent", _BROWN, symbol="square-open"),
    "decision_failure": Look("decision refused", _RED, symbol="x"),
    "unknown": Look("event of an unknown type", _GREY, symbol="circle-open"),
}
"""By the kind of a point event."""
