"""Records that the store keeps of processes that had sessions: their definitions, for the next owner to know.

An execution uses the definitions of the process that started it, also when that has died together with the owner of
the store. So the record of a process is written when its session opens, and when it defines something else; it stays
as long as an open execution uses it, and until many others have ended since (`REMEMBERED_SESSIONS`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

TypeKey = tuple[str, str, str]
"""The kind of its tasks (`DECISION_TASK` or `ACTIVITY`), and the name and the version of a type."""
ListKey = tuple[str, str, str]
"""The kind of its tasks, the domain and the name of a task list."""

NOTHING: Final[frozenset[ListKey]] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessRecord:
    """A process that has or had a session. A change for the store."""

    instance: str
    """The id of the process's instance."""
    pid: int
    """Its process id."""
    definitions: Mapping[TypeKey, str] = field(default_factory=dict)
    """The fingerprints of what it defines or defined."""
    serves: frozenset[ListKey] = NOTHING
    """The task lists that it polls or polled."""
    own_executions_only: bool = False
    """Whether it takes only tasks of executions that it started or attached, and of their children."""
    has_ended: bool = False
    """Whether its session has ended."""

    def takes_of(self, origin: str | None) -> bool:
        """Whether it takes tasks of an execution that the process `origin` started or attached."""
        return origin == self.instance or not self.own_executions_only

    def is_silent(self, now: float) -> bool:
        """A process that has not come back is."""
        return True

    def to_json(self) -> str:
        """The text of its row."""
        return json.dumps(
            {
                "pid": self.pid,
                "definitions": [[*key, print_] for key, print_ in sorted(self.definitions.items())],
                "serves": sorted(self.serves),
                "ownExecutionsOnly": self.own_executions_only,
                "hasEnded": self.has_ended,
            }
        )

    @classmethod
    def from_json(cls, instance: str, text: str) -> ProcessRecord:
        """The record of a row. Raises one of `integrity.DECODE_ERRORS` if it is none."""
        found = json.loads(text)
        return cls(
            instance=str(instance),
            pid=int(found["pid"]),
            definitions={
                (str(kind), str(name), str(version)): str(mark) for kind, name, version, mark in found["definitions"]
            },
            serves=frozenset((str(kind), str(domain), str(name)) for kind, domain, name in found["serves"]),
            own_executions_only=bool(found["ownExecutionsOnly"]),
            has_ended=bool(found["hasEnded"]),
        )


class ProcessForgotten(NamedTuple):
    """A change for the store: the record of a process goes."""

    instance: str
    """The id of the process's instance."""
