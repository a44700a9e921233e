"""Lines of the author's code that are others now than when a decision was recorded.

A history has the text of each line that made a command. A replay shows the code as it is here and now: where that reads
otherwise, because the file, module or cell was edited since, it is said, with the line that was recorded.

Rule: a line that only moved is not edited, and of a line whose source is not known nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simpleflow_lab.replay.lines import line_text
from simpleflow_lab.replay.trace import CommandRecord, DecisionRecord
from simpleflow_lab.swf.control import read_control


class EditedLine(NamedTuple):
    """One of them."""

    command: CommandRecord
    """The command that it makes."""
    recorded: str
    """As it was: `flows.py:12, self.submit(fetch, 3)`."""
    now: str
    """As it is here."""

    def __str__(self) -> str:
        return f"{self.command.id} was asked for at {self.recorded}; the code here is newer: {self.now}"


def edited_lines(record: DecisionRecord) -> Sequence[EditedLine]:
    """Those of one decision, in the order in which its commands are recorded."""
    events = {event.id: event for event in record.recorded}
    found = []
    for command, event_id in record.matches:
        recorded = read_control(events[event_id].attributes.get("control")).line if event_id in events else None
        now = None if command.line is None else line_text(command.line)
        if recorded and now and _differ(recorded, now):
            found.append(EditedLine(command, recorded, now))
    return found


def _differ(recorded: str, now: str) -> bool:
    _, has_text, then = recorded.partition(", ")
    _, is_known, text = now.partition(", ")
    return bool(has_text and is_known) and then != text
