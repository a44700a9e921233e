"""Sources of definitions as they were, so that a line that was recorded can be shown after it was edited.

*Rule:* bounded: the latest versions of each definition, none of them long.
"""

from __future__ import annotations

import inspect
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


class KeptSources:
    """The sources of definitions, by a key."""

    def __init__(self) -> None:
        self._versions: OrderedDict[Any, list[_Source]] = OrderedDict()

    def keep(self, key: Any, thing: Any) -> None:
        """Keep the source of a class or function as it is now, if it can be found; else that of its `run`."""
        source = _source_of(thing) or _source_of(getattr(thing, "run", None))
        if source is None or sum(map(len, source.lines)) > MAX_SOURCE:
            return
        versions = self._versions.setdefault(key, [])
        self._versions.move_to_end(key)
        if source in versions:
            versions.remove(source)
        versions.append(source)
        del versions[:-MAX_VERSIONS]
        while len(self._versions) > MAX_DEFINITIONS:
            self._versions.popitem(last=False)

    def around(self, key: Any, line: str | None) -> str | None:
        """Some lines around this one, of the latest version that has it; `line` is as `replay.lines` writes it.

        `None` if no version has it.
        """
        found = _LINE.fullmatch(line or "")
        if found is None:
            return None
        number, text = int(found[1]), found[2].rstrip(".… ")
        for source in reversed(self._versions.get(key, ())):
            place = number - source.first
            if 0 <= place < len(source.lines) and source.lines[place].strip().startswith(text):
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
