"""Sources of definitions as they were, so that a line that was recorded can be shown after it was edited.

A history has the text of a line, and nothing of what is around it. Which source that was is known of what this process
decided, by the time: the version that was defined then.

*Rule:* bounded: the latest versions of each definition, none of them long. What may be of another version is not shown.
"""

from __future__ import annotations

import inspect
import math
import re
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from simpleflow_lab.replay.lines import shortened

MAX_VERSIONS: Final = 10
"""Most versions of one definition that are kept."""
MAX_DEFINITIONS: Final = 200
"""Of most definitions: those that were made last."""
MAX_SOURCE: Final = 20_000
"""Characters of the longest source that is kept."""
AROUND: Final = 3
"""How many lines are shown before and after a line."""

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


class KeptSources:
    """The sources of definitions, by a key."""

    def __init__(self) -> None:
        self._versions: OrderedDict[Any, list[_Version]] = OrderedDict()

    def keep(self, key: Any, thing: Any, *, since: float, now: float) -> None:
        """Keep the source of a class or function, if it can be found; else that of its `run`.

        It was defined between these two times.
        """
        source = source_of(thing)
        if source is not None and sum(map(len, source.lines)) > MAX_SOURCE:
            source = None
        versions = self._versions.setdefault(key, [])
        self._versions.move_to_end(key)
        if source is None or not versions or versions[-1].source != source:
            versions.append(_Version(source, since, now))
        del versions[:-MAX_VERSIONS]
        while len(self._versions) > MAX_DEFINITIONS:
            self._versions.popitem(last=False)

    def around(self, key: Any, line: str | None, *, at: float | None) -> str | None:
        """Some lines around this one, in the version that was defined at this time; `line` is as `replay.lines` has it.

        `None` if the version is not kept, does not have the line, or if it may have been one of several that differ.
        """
        if at is None:
            return None
        versions = self._versions.get(key)
        if not versions:
            return None
        ends = [each.latest for each in versions[1:]] + [math.inf]
        then = [each.source for each, end in zip(versions, ends, strict=True) if each.earliest <= at <= end]
        found = {None if source is None else lines_around(source, line) for source in then}
        return found.pop() if len(found) == 1 else None


OF_THIS_PROCESS: Final = KeptSources()
"""What cells of this process have defined, by the name and version of the type."""


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
