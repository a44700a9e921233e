"""Sources of definitions as they were, so that a line that was recorded can be shown after it was edited.

A history has the text of a line, and nothing of what is around it. Which source that was is known of what this process
decided, by the time: the version that was defined then. What cells define is stored when it is defined, and what
modules define when a decider of this process takes it up.

Rule: bounded: the latest versions of each definition, none of them long; definitions of one file share its text. It
stays in this process. What may be of another version is not shown, and the text of a file only if it has the code.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import re
import threading
import tokenize
import types
import weakref
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from simpleflow_lab.definitions.redefinitions import codes_in, instructions_of, methods_of
from simpleflow_lab.replay.lines import shortened

MAX_VERSIONS: Final = 10
"""Most versions of one definition that are stored."""
MAX_DEFINITIONS: Final = 200
"""Of most definitions: those that were made last."""
MAX_SOURCE: Final = 20_000
"""Characters of the longest source that is stored."""
AROUND: Final = 3
"""Number of lines that are shown before and after a line."""

_LINE: Final = re.compile(r"(?:.*:|cell line )(\d+), (.*)", re.DOTALL)
"""A line as `replay.lines.line_text` writes it."""


class _Source(NamedTuple):
    lines: list[str]
    first: int


class _Version(NamedTuple):
    source: _Source | None
    """`None` if it could not be found or is too long."""
    earliest: float
    latest: float
    """Between these times it was defined."""


class SourceVersions:
    """The sources of definitions, by a key."""

    def __init__(self) -> None:
        self._versions: OrderedDict[Any, list[_Version]] = OrderedDict()
        self._taken_up: weakref.WeakSet[type] = weakref.WeakSet()
        self._lock = threading.Lock()

    def take_up(self, key: Any, definition: type, *, at: float) -> None:
        """Store the source of a class that a decider takes up for a decision that began at this time, if a file has it:
        once for each class."""
        with self._lock:
            if definition in self._taken_up:
                return
            self._taken_up.add(definition)
        if _file_of(definition) is not None:
            before = at - 0.0005  # events have milliseconds: this decision is the first one of this version
            self.add(key, definition, since=before, now=before)

    def add(self, key: Any, thing: Any, *, since: float, now: float) -> None:
        """Store the source of a class or function, if it can be found; else that of its `run`.

        It was defined between these two times.
        """
        filename = _file_of(thing)
        source = source_of(thing) if filename is None else _source_of_file(thing, filename)
        if source is not None and sum(map(len, source.lines)) > MAX_SOURCE:
            source = None
        with self._lock:
            self._add(key, source, since, now)

    def _add(self, key: Any, source: _Source | None, since: float, now: float) -> None:
        versions = self._versions.setdefault(key, [])
        self._versions.move_to_end(key)
        if source is None or not versions or versions[-1].source != source:
            versions.append(_Version(source, since, now))
        del versions[:-MAX_VERSIONS]
        while len(self._versions) > MAX_DEFINITIONS:
            self._versions.popitem(last=False)

    def around(self, key: Any, line: str | None, *, at: float | None) -> str | None:
        """Some lines around this one, in the version that was defined at this time; `line` is as `replay.lines` has it.

        `None` if the version is not stored, does not have the line, or if it may have been one of several that differ.
        """
        if at is None:
            return None
        with self._lock:
            versions = list(self._versions.get(key, ()))
        if not versions:
            return None
        ends = [each.latest for each in versions[1:]] + [math.inf]
        then = [each.source for each, end in zip(versions, ends, strict=True) if each.earliest <= at <= end]
        found = {None if source is None else lines_around(source, line) for source in then}
        return found.pop() if len(found) == 1 else None


OF_THIS_PROCESS: Final = SourceVersions()
"""The sources that cells of this process have defined and its deciders have taken up, by name and version of the
type."""


def source_of(thing: Any) -> _Source | None:
    """The source of a class or function, or else of its `run`, as it is now; `None` if it can't be found."""
    return _source_of(thing) or _source_of(getattr(thing, "run", None))


def lines_around(source: _Source, line: str | None) -> str | None:
    """Some lines around this one; `None` if the source does not have it at this place."""
    found = _LINE.fullmatch(line or "")
    if found is None:
        return None
    place, text = int(found[1]) - source.first, " ".join(found[2].rstrip(".… ").split())
    if 0 <= place < len(source.lines) and " ".join(source.lines[place].split()).startswith(text):
        return _excerpt(source, place)
    return None


def _file_of(thing: Any) -> str | None:
    """The file that defines it; `None` of what a cell, or a text without a file, defines."""
    code = getattr(inspect.unwrap(getattr(thing, "run", thing)), "__code__", None)
    return code.co_filename if code is not None and os.path.isfile(code.co_filename) else None


def _source_of_file(definition: type, filename: str) -> _Source | None:
    """The text of the file that defines a class, of a long one from its first method to its last; `None` if the file
    was edited since."""
    try:
        # Not by `linecache`: that would have the new text of a file for the lines of code that runs on.
        with tokenize.open(filename) as file:
            text = file.read()
        there = _codes_in(text, filename)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # it was edited, and is no program now
        return None
    own = [each for each in methods_of(definition) if each.co_filename == filename]
    for each in own:
        same = there.get((each.co_qualname, each.co_firstlineno))
        if same is None or instructions_of(same) != instructions_of(each):
            return None
    lines = _lines_of(text)
    if len(text) <= MAX_SOURCE or not own:
        return _Source(lines, 1)
    first, last = (choose(each.co_firstlineno for each in own) for choose in (min, max))
    end = last - 1 + len(inspect.getblock([f"{line}\n" for line in lines[last - 1 :]]))
    return _Source(lines[first - 1 : end], first)


@functools.lru_cache(maxsize=8)
def _codes_in(text: str, filename: str) -> dict[tuple[str, int], types.CodeType]:
    """The code of each function of a text, by its name and first line: once for all definitions of a file."""
    code = compile(text, filename, "exec", dont_inherit=True)
    return {(each.co_qualname, each.co_firstlineno): each for each in codes_in(code)}


@functools.lru_cache(maxsize=64)
def _lines_of(text: str) -> list[str]:
    """The lines of a text; the definitions of one file share them."""
    return text.splitlines()


def _source_of(thing: Any) -> _Source | None:
    try:
        lines, first = inspect.getsourcelines(thing)
    except (OSError, TypeError, IndexError, SyntaxError):
        return None
    return _Source([line.rstrip("\n") for line in lines], max(first, 1))


def _excerpt(source: _Source, place: int) -> str:
    begin, end = max(0, place - AROUND), min(len(source.lines), place + AROUND + 1)
    return "\n".join(
        f"{'→' if each == place else ' '} {source.first + each:>4} {shortened(source.lines[each], 160)}"
        for each in range(begin, end)
    )
