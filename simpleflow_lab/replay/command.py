"""Commands: what the workflow's code asks of SWF, as far as deciding needs to know it.

A command is made when a task's arguments are ready. It becomes a decision when it is sent, and is matched with the
event that SWF records for it. What differs between kinds of task is in the modules of `commands`; each declares its
`CommandKind`s.
"""

from __future__ import annotations

import datetime
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.futures import Future
from simpleflow_lab.replay.dependencies import task_ids
from simpleflow_lab.replay.lines import Line, line_text, shortened
from simpleflow_lab.swf.control import write_control
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.task import Task


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CommandKind:
    """A kind of command: all that its commands have in common."""

    name: str
    """Its name in messages, such as "activity" or "cancel of timer"."""
    build: Callable[[Command], Decision]
    """The decision that asks SWF for a command of this kind."""
    id_attribute: str | None
    """The attribute of a recording event that holds the command's id; `None` of a close."""
    input_attribute: str | None = "input"
    """The attribute of a recording event that must equal the command's input; `None` if there is none."""
    is_same: Callable[[HistoryEvent, Command], bool] | None = None
    """Compares a recording event with a command, where equal inputs are not the rule."""
    has_unique_ids: bool = False
    """An id names one command of a run: the same id is the same command."""
    is_followed: bool = False
    """Later events, after the recording one, are about it, too."""
    is_lost_at_close: bool = False
    """SWF drops it when the execution closes: in the same answer it would stay open for ever."""

    def __repr__(self) -> str:
        return f"<CommandKind {self.name}>"


class AttemptCounts:
    """The numbers of attempts of one task so far, by how they ended."""

    # Defaults of the class: of most tasks nothing else is ever known.
    _failures: Counter[str] | None = None
    first_at: datetime.datetime | None = None
    """When the first attempt was scheduled."""
    lost = 0
    """Number of the latest attempts that ended with their worker's process, one after the other."""
    lost_beside = 0
    """Number of the latest attempts that ended with a process that had other tasks, too."""
    not_here = 0
    """Number of the latest attempts that came to workers which don't define the activity, one after the other."""
    refusals = 0
    """Number of times that SWF refused it because too much was open or requested at once."""
    type_missing = 0
    """Number of times that SWF did not know its type."""

    @property
    def failures(self) -> Counter[str]:
        """Attempts that failed: by timeout type, and under "" those that no timeout ended."""
        if self._failures is None:  # most tasks have none
            self._failures = Counter()
        return self._failures


class Command:
    """One thing that the code, or the replay by itself, asks of SWF."""

    __slots__ = (
        "alias",
        "arguments",
        "attempts",
        "backoff",
        "cancel_requested",
        "dependencies",
        "future",
        "id",
        "input",
        "kind",
        "line",
        "of",
        "options",
        "sent",
        "started",
        "task",
        "type",
    )

    def __init__(
        self,
        kind: CommandKind,
        id: str,
        *,
        task: Task | None = None,
        future: Future | None = None,
        type: tuple[str, str] | None = None,
        alias: str | None = None,
        input: str | None = None,
        arguments: tuple[list[Any], dict[str, Any]] = ([], {}),
        line: Line | None = None,
        options: dict[str, Any] | None = None,
        of: Command | None = None,
        dependencies: Sequence[Future] = (),
    ) -> None:
        self.kind = kind
        self.id = id
        """activityId, workflowId, timerId, marker or signal name; of a close the decision type."""
        self.task = task
        """The author's task behind it; `None` for what the replay commands by itself."""
        self.future = future if future is not None else Future()
        """The future that is done when the command is; of a command without one, a future that nothing waits for."""
        self.type = type
        """Name and version of the activity or workflow type."""
        self.alias = alias
        """Another name that the type may have in a history: upstream's for child workflows."""
        self.input = input
        """The part that must be the same in every replay: input, details, or a timer's duration in seconds."""
        self.of = of
        """Of a cancel request: the command that is to be canceled, whichever future that has by then."""
        self.arguments = arguments
        """Of an activity or child workflow: the arguments that `input` was made of."""
        self.line = line
        """The author's line that made it."""
        self.dependencies = dependencies
        """The futures among the arguments; all of them are done."""
        self.options = options or {}
        """Further arguments of the decision's builder."""
        self.sent = False
        """It was sent to SWF, or the history records it."""
        self.started = False
        """Of a child: it runs, and so a cancel request can be sent."""
        self.cancel_requested = False
        """The author canceled it: a cancel request is sent, and it is not retried."""
        self.attempts = AttemptCounts()
        self.backoff: Command | None = None
        """The timer for which its next attempt waits."""

    @property
    def closed(self) -> bool:
        """Its future is done: no further decision is needed."""
        return self.future.done if self.of is None else self.of.closed

    def reset(self) -> Command:
        """The same command, as it was before it was sent."""
        self.sent = self.started = False
        return self

    def __repr__(self) -> str:
        return f"<Command {self.describe()}>"

    def describe(self) -> str:
        """The command in one line of a message."""
        text = self.input if self.kind.name != CLOSE_KIND else closed_with(self.options)
        return describe(self.kind.name, self.id, self.type, text)

    @property
    def line_text(self) -> str | None:
        """The author's line that made it, for a message, or `None`."""
        return None if self.line is None else line_text(self.line)

    @property
    def control(self) -> str | None:
        """The `control` of its decision: a later replay shows this line, and a table what depended on what."""
        limit: int | None = getattr(self.future.deferred_in, "max_parallel", None)
        if not self.dependencies and limit is None:
            return _control_of(self.line_text)
        return write_control(self.line_text, task_ids(self.dependencies), limit)

    def decision(self) -> Decision:
        """The decision that asks SWF for it."""
        return self.kind.build(self)


class PendingCommands:
    """The commands that SWF has not recorded yet, in the order they were made."""

    def __init__(self) -> None:
        self._commands: dict[Command, None] = {}
        self._named: dict[tuple[CommandKind, str], list[Command]] = {}
        self.on_added: Callable[[Command], None] | None = None
        """Called with each command that is added; set for an observer."""
        self.fresh: list[Command] | None = None
        """The commands that were added since somebody took them from here; `None` if nobody does."""

    def add(self, command: Command) -> None:
        """Append a command."""
        self._commands[command] = None
        self._named.setdefault((command.kind, command.id), []).append(command)
        if self.fresh is not None:
            self.fresh.append(command)
        if self.on_added is not None:
            self.on_added(command)

    def remove(self, command: Command) -> None:
        """Take out a command that is recorded or canceled. Raises `KeyError` if it is not here."""
        del self._commands[command]
        named = self._named[command.kind, command.id]
        named.remove(command)
        if not named:
            del self._named[command.kind, command.id]

    def rename(self, command: Command, id: str) -> None:
        """Give a command another id; it keeps its place, if it is here."""
        if command not in self._commands:
            command.id = id
            return
        named = self._named[command.kind, command.id]
        named.remove(command)
        if not named:
            del self._named[command.kind, command.id]
        command.id = id
        self._named.setdefault((command.kind, id), []).append(command)

    def named(self, kind: CommandKind, id: str) -> list[Command]:
        """The commands of this kind and id."""
        return self._named.get((kind, id), [])

    def __contains__(self, command: Command) -> bool:
        return command in self._commands

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


_control_of = functools.lru_cache(maxsize=256)(write_control)
"""Of a line alone, which many tasks share."""
CLOSE_KIND: Final = "close"
"""The name of the kind of commands that close the execution."""


def closed_with(attributes: Mapping[str, Any]) -> str | None:
    """The content of a close, from the attributes of its decision or event: the result, the reason, the next input."""
    return next((str(attributes[name]) for name in ("result", "reason", "input") if attributes.get(name)), None)


def describe(kind: str, id: str, type: tuple[str, str] | None, input: str | None) -> str:
    """A command as `activity double (version example) [activity-double-1] with {"args":[2]}`, cut where it is long."""
    parts = [kind]
    if type is not None:
        parts.append(f"{type[0]} (version {type[1]})")
    parts.append(f"[{shortened(id)}]" if type is not None else shortened(id))
    if input:
        parts.append(f"with {shortened(input)}")
    return " ".join(parts)
