"""A line of code as people name it, `12` or `flows.py:12`, found among those that ran."""

from __future__ import annotations

from typing import NamedTuple

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay.lines import Line


class LineWanted(NamedTuple):
    """A line, as people name it."""

    file: str | None
    lineno: int

    @classmethod
    def of(cls, line: int | str) -> LineWanted:
        """Raises `UsageError`."""
        file, _, number = line.rpartition(":") if isinstance(line, str) else ("", "", str(line))
        if not number.isdecimal():
            raise UsageError(f"no line {line!r:.60}: give its number, or its file and number, as 'flows.py:12'")
        return cls(file or None, int(number))

    def is_at(self, line: Line) -> bool:
        """Whether it is this line."""
        return self.lineno == line.lineno and (
            self.file is None or self.file == line.filename or line.filename.endswith(f"/{self.file}")
        )
