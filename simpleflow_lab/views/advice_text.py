"""Writes and reads advice: words, calls of Python among them, and at the end the command that does the same.

    start more workers: lab.start_workers(4, task_list='etl'); lab.pollers() shows who polls
    execution.signal('go'), or simpleflow workflow.signal shop-1 go

Rule: what stands in a literal is a name that somebody gave, and never a call or a command.
"""

from __future__ import annotations

import re
import shlex
from typing import Final, NamedTuple

PROGRAM: Final = "simpleflow"
MAX_TYPED: Final = 160
"""The most characters of an id or a name that people are told to type."""

_LITERAL: Final = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ARGUMENTS: Final = rf"(?:[^()'\"]|{_LITERAL})*"
_CALL: Final = re.compile(
    rf"(?<![\w.])(?P<of>execution|lab|comparison)\.(?P<name>\w+)\((?P<arguments>{_ARGUMENTS})\)"
    rf"(?P<then>(?:\.\w+\({_ARGUMENTS}\))*)"
)
_OPENING: Final = re.compile(r"(?<![\w.])(?:execution|lab|comparison)\.\w+\(")
"""The start of a call, whether it can be read or not."""
_CLAUSE: Final = re.compile(rf"(?:{_LITERAL}|[^;'\"])+")
_WITH_COMMAND: Final = re.compile(rf"(?P<call>(?:[^'\"]|{_LITERAL})*?), or {PROGRAM} (?P<command>.*)", re.DOTALL)


class Call(NamedTuple):
    """A call in advice, as it is written there."""

    of: str
    """`execution`, `lab` or `comparison`."""
    name: str
    """The method."""
    arguments: str
    """The text between its parentheses."""
    then: str
    """Further calls on what it returns, as `.explain()`; empty without any."""

    def __str__(self) -> str:
        return f"{self.of}.{self.name}({self.arguments}){self.then}"


class Advice(NamedTuple):
    """One piece of advice, in its parts."""

    parts: tuple[str | Call, ...]
    """Words and calls, in order."""
    command: str = ""
    """The words behind `simpleflow` of the command that does the same, quoted for a shell; empty without one."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Its calls, in order."""
        return tuple(part for part in self.parts if isinstance(part, Call))

    @property
    def is_command(self) -> bool:
        """Whether it is a command alone."""
        return bool(self.command) and not self.parts

    @property
    def is_read(self) -> bool:
        """Whether none of its words begin a call that could not be read as one."""
        return not any(_OPENING.search(part) for part in self.parts if isinstance(part, str))

    def clauses(self) -> tuple[Advice, ...]:
        """The parts between its semicolons, without the command; it as a whole if its quotation marks don't pair."""
        text = "".join(map(str, self.parts))
        found = tuple(clause.strip() for clause in _CLAUSE.findall(text))
        return tuple(map(read_advice, found)) if "; ".join(found) == text else (Advice(self.parts),)

    def __str__(self) -> str:
        text = "".join(map(str, self.parts))
        if not self.command:
            return text
        return f"{text}, or {PROGRAM} {self.command}" if text else f"{PROGRAM} {self.command}"


def read_advice(text: str) -> Advice:
    """The parts of advice. Of what can't be read as a call, nothing is one."""
    if text.startswith(f"{PROGRAM} "):
        return Advice((), text.removeprefix(f"{PROGRAM} "))
    found = _WITH_COMMAND.fullmatch(text)
    words, command = (text, "") if found is None else (found["call"], found["command"])
    parts: list[str | Call] = []
    end = 0
    for call in _CALL.finditer(words):
        parts += [words[end : call.start()], Call(**call.groupdict())]
        end = call.end()
    return Advice(tuple(part for part in (*parts, words[end:]) if part), command)


def with_command(call: str, command: str, *words: str) -> str:
    """A call, and the command that does the same, about these words: an id, and what follows it."""
    return f"{call}, or {PROGRAM} {command} {shell_words(*words)}"


def in_domain(to_do: str, domain: str) -> str:
    """The advice on an execution of a domain that commands have to name."""
    advice = read_advice(to_do)
    if not advice.command or advice.is_command:
        return to_do
    command, *words = shlex.split(advice.command)
    if words[:1] == ["--"]:
        del words[0]
    return str(advice._replace(command=f"{command} {shell_words(domain, *words)}"))


def shell_words(*words: str) -> str:
    """Words behind the name and the options of a command; `--` keeps those that begin with `-` from being options."""
    return shlex.join([*(["--"] if any(word.startswith("-") for word in words) else []), *words])


def can_be_typed(name: str) -> bool:
    """Whether people can be told to type this id or name: it is printable, and not too long."""
    return name.isprintable() and 0 < len(name) <= MAX_TYPED
