"""The `control` of our deciders' decisions: the line of the author's code that made the command, and the tasks on which
it depends, and the `max_parallel` that held it back.

SWF stores `control` with a task and returns it in the history, without reading it. So a later replay can show the line
that made a command then, and a table of tasks can show what depended on what, without the workflow's code.

Rule: a history may come from anybody. What is read here is bounded and of the declared types; a `control` that
somebody else wrote reads as an empty `Control`, and never raises.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii
from typing import Final, NamedTuple

MAX_DEPENDENCIES: Final = 100
"""Most ids that one `control` names."""
MAX_DEPENDENCIES_LENGTH: Final = 4_000
"""Most characters of JSON that these ids take. SWF limits the whole field to 32,768 characters."""
MAX_MAX_PARALLEL: Final = 1_000_000
"""The largest `max_parallel` that is read."""

_LINE: Final = "at"
_DEPENDENCIES: Final = "after"
_LEFT_OUT: Final = "more"
_HELD_BY: Final = "max_parallel"


class Control(NamedTuple):
    """The contents of one `control`."""

    line: str | None = None
    """The line of the author's code that made the command, as `basic.py:25, z = self.submit(double, y)`."""
    depends_on: tuple[str, ...] = ()
    """Ids of the tasks whose futures were among the task's arguments, in order, each once; at most 100."""
    left_out: int = 0
    """Number of further ids that `depends_on` does not name."""
    max_parallel: int | None = None
    """The `max_parallel` of the group that held the task back; `None` if none did."""


_EMPTY: Final = Control()


def write_control(line: str | None, depends_on: Iterable[str] = (), max_parallel: int | None = None) -> str | None:
    """The text for `control`, or `None` if it would be empty.

    Ids are written once each, in order, and no more than 100 of them or 4,000 characters; the rest are only counted.
    """
    members = [] if line is None else [f'"{_LINE}": {encode_basestring_ascii(line)}']
    named: list[str] = []
    length, left_out = 0, 0
    for id in dict.fromkeys(depends_on):
        text = encode_basestring_ascii(id)
        length += len(text) + len(", ")
        if left_out or len(named) == MAX_DEPENDENCIES or length > MAX_DEPENDENCIES_LENGTH:
            left_out += 1
        else:
            named.append(text)
    if named or left_out:
        members.append(f'"{_DEPENDENCIES}": [{", ".join(named)}]')
    if left_out:
        members.append(f'"{_LEFT_OUT}": {left_out}')
    if max_parallel is not None:
        members.append(f'"{_HELD_BY}": {max_parallel}')
    return f"{{{', '.join(members)}}}" if members else None


@functools.lru_cache(maxsize=256)  # tasks of one line without dependencies share their control
def read_control(text: str | None) -> Control:
    """The contents of this `control`; an empty `Control` if a decider of ours didn't write it."""
    if not text:
        return _EMPTY
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _EMPTY
    if not isinstance(found, dict):
        return _EMPTY
    line, ids, left_out = found.get(_LINE), found.get(_DEPENDENCIES), found.get(_LEFT_OUT)
    held_by = found.get(_HELD_BY)
    named = tuple(id for id in ids[:MAX_DEPENDENCIES] if isinstance(id, str)) if isinstance(ids, list) else ()
    return Control(
        line=line if isinstance(line, str) else None,
        depends_on=named,
        left_out=left_out if isinstance(left_out, int) and left_out > 0 and named else 0,
        max_parallel=held_by if type(held_by) is int and 0 < held_by <= MAX_MAX_PARALLEL else None,
    )
