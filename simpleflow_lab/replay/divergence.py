"""A divergence: the code commands something else than its history records.

Rule: data only. What finds a divergence returns it; the replay raises it as an error, or an observer keeps it.
"""

from __future__ import annotations

from typing import NamedTuple

from simpleflow_lab.exceptions import EDITED_CODE, DivergenceCause, NondeterminismError


class Divergence(NamedTuple):
    """Both sides of the first difference between a history and the code."""

    event_id: int | None
    """Id of the event that records something else, or of the `DecisionTaskCompleted` that lacks a command; `None` if
    two runs of the code from its start differ."""
    recorded: str | None
    """The recorded decision, in one line; `None` if the history records none."""
    commanded: str | None
    """The command of the code, in one line; `None` if it makes none."""
    recorded_line: str | None = None
    """The author's line that made the recorded command, if the history has it."""
    commanded_line: str | None = None
    """The author's line that makes the command now."""
    author_error: str | None = None
    """The error that the code itself raised in this decision, with its line; it is reported first."""
    cause: DivergenceCause = EDITED_CODE
    """The cause that may have made the two differ."""

    def error(self) -> NondeterminismError:
        """The error that says so."""
        return NondeterminismError(
            event_id=self.event_id,
            recorded=self.recorded,
            requested=self.commanded,
            recorded_line=self.recorded_line,
            requested_line=self.commanded_line,
            author_error=self.author_error,
            cause=self.cause,
        )
