"""One line of an explanation, and what lines have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from simpleflow_lab.views.formatting import HOVER_LIMIT, shortened

STATUS: Final = "status"
WAITS: Final = "waits"
FORKED: Final = "forked"
CONTINUED: Final = "continued"
RESULT: Final = "result"
UNHANDLED: Final = "unhandled"
HANDLED: Final = "handled"
RETRIED: Final = "retried"
LOST: Final = "lost"
REFUSED: Final = "refused"
UNFINISHED: Final = "unfinished"
COMPARED: Final = "compared"
DIVERGENCE: Final = "divergence"
TIME: Final = "time"
SLACK: Final = "slack"

MAX_NAMED: Final = 3
"""The most things that one line names."""
ROOM: Final = HOVER_LIMIT - 80
"""Characters of a line for the things that it names, beside what it says of them."""


@dataclass(frozen=True, kw_only=True)
class ExplanationLine:
    """One line of an explanation."""

    kind: str
    """Its subject: `status`, `forked`, `continued`, `waits`, `result`, `unhandled`, `handled`, `retried`, `lost`,
    `refused`, `unfinished`, `compared`, `time` or `slack`; of a comparison and a simulation also `divergence`."""
    text: str
    """The words of the line."""
    to_do: str = ""
    """The call or the command that helps or shows more."""
    seconds: float | None = None
    """The time that it is about."""

    def __str__(self) -> str:
        return f"{self.text} → {self.to_do}" if self.to_do else self.text

    @classmethod
    def of(cls, kind: str, text: str, *, to_do: str = "", seconds: float | None = None) -> ExplanationLine:
        """A line with its text on one line, bounded."""
        return cls(kind=kind, text=shortened(text, HOVER_LIMIT), to_do=to_do, seconds=seconds)


def first_few(texts: Iterable[str]) -> str:
    """The first of these texts and how many more there are, as `load-1, load-2 and 5 more`: as many as a line has room
    for, and one at least."""
    found = list(texts)
    named = found[:MAX_NAMED]
    while len(named) > 1 and sum(map(len, named)) > ROOM:
        named.pop()
    left = len(found) - len(named)
    return ", ".join(named) + (f" and {left:,} more" if left else "")
