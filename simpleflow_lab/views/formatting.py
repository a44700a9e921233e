"""Makes text of a value of a history: well-formed and bounded.

Everything that shows a history shows it through these functions. Rule: bound first, escape last, and never twice;
`views.markup` escapes.
"""

from __future__ import annotations

import datetime
import json
import re
from typing import Any, Final

from simpleflow_lab.data.references import NOT_FOR_UPSTREAM, describe, is_reference

VALUE_LIMIT: Final = 2_000
"""Characters of an input, result or traceback that a page or a notebook shows."""
HOVER_LIMIT: Final = 300
"""Characters of a value that a hover box shows."""
ERROR_LIMIT: Final = 400
"""Characters of an error that blocks an execution: what was recorded, and what the code asks for now."""
LABEL_LIMIT: Final = 80
"""Characters of a name, an id or a tag that stands beside other things."""


def well_formed(value: Any) -> str | None:
    """A recorded value as text, `None` if there is none. Half a surrogate pair, which no encoding takes, becomes �."""
    if value is None or (type(value) is str and value.isascii()):
        return value
    text = str(value)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def bounded(value: Any, limit: int = VALUE_LIMIT) -> str:
    """At most `limit` characters of it, and how many were left out; of a large field, where it is, and of a JSON text
    its letters, `readable`."""
    text = well_formed(value) or ""
    if is_reference(text):
        text = describe(text)
    if len(text) <= limit and "\\u" not in text:
        return text
    # A character takes twelve at most, as an escaped pair of surrogates; only as much as is shown is read.
    read = _LONGEST_ESCAPE * (limit + 1)
    shown = readable(text[:read])
    if len(shown) <= limit:
        return shown
    return f"{shown[:limit]}… ({len(shown) - limit + len(text[read:]):,} more characters)"


def readable(text: str) -> str:
    """A recorded JSON text with the letters for which JSON's escapes stand: `\\u00fc` is `ü`. What can't be seen, and
    what ASCII has, stays escaped; any other text is given as it is. It may be cut at its end."""
    if "\\u" not in text or text[0] not in _BEGINS_JSON:
        return text
    return _ESCAPE.sub(_letter, text)


def _letter(escape: re.Match[str]) -> str:
    if not escape["codes"]:
        return escape[0]  # an escaped backslash, or another escape
    letter = bytes.fromhex(escape["codes"].replace("\\u", "")).decode("utf-16-be", "replace")
    return letter if letter != "\ufffd" and letter.isprintable() and not letter.isascii() else escape[0]


_BEGINS_JSON: Final = frozenset('[{"')
_LONGEST_ESCAPE: Final = len(r"\ud83d\ude00")
_ESCAPE: Final = re.compile(
    r"(?P<codes>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4})|\\."
)


def described(input: Any) -> Any:
    """The input of a task with descriptions of large values in the place of the references to them."""
    if not isinstance(input, dict) or _PATHS not in input:
        return input
    return {name: _described(value) for name, value in input.items() if name != _PATHS and value != NOT_FOR_UPSTREAM}


def _described(value: Any) -> Any:
    if isinstance(value, str):
        return describe(value) if is_reference(value) else value
    if isinstance(value, list):
        return [_described(item) for item in value]
    if isinstance(value, dict):
        return {name: _described(item) for name, item in value.items()}
    return value


_PATHS: Final = "__jumbo"
"""Key of an input that says where in it references stand."""


def traceback_text(details: str) -> str:
    """The traceback in the details of a failed task, if they are the JSON that our workers and upstream's write.

    Anything else is given as it stands. Reading JSON runs no code.
    """
    try:
        record = json.loads(details)
    except (ValueError, RecursionError):
        return details
    lines = record.get("traceback") if isinstance(record, dict) else None
    if not isinstance(lines, list) or not lines:
        return details
    return "\n".join(str(line) for line in lines)


def shortened(value: Any, limit: int = LABEL_LIMIT) -> str:
    """A name or an id in at most `limit` characters on one line: its beginning and its end."""
    text = " ".join((well_formed(value) or "").split())
    if len(text) <= limit:
        return text
    tail = limit // 2
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"


def beginning(value: Any, limit: int) -> str:
    """At most `limit` characters of a message on one line: its beginning, which says what happened."""
    text = " ".join((well_formed(value) or "").split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def duration(seconds: float | None) -> str:
    """A duration as people say it: `0 s`, `45 ms`, `3.2 s`, `4 min 5 s`, `2 h 3 min`, `3 d 4 h`; `–` for `None`."""
    if seconds is None or seconds != seconds:
        return "–"
    if seconds == 0:
        return "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, smaller, part in _UNITS:
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count:,} {unit} {rest // part} {smaller}" if rest // part else f"{count:,} {unit}"
    return f"{whole} s"


_UNITS: Final = (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1))


def share(progress: Any) -> str:
    """A progress as text: `40 %` for the fraction 0.4, `1,204` for a number of items, or the words that it is."""
    if isinstance(progress, float) and 0 <= progress <= 1:
        return f"{int(100 * progress)} %"
    if isinstance(progress, int | float):
        return f"{progress:,}"
    return shortened(progress)


def utc_time(when: datetime.datetime | None) -> str:
    """A time as `2026-11-23 14:05:06.789 UTC`, one of another zone with its offset from UTC; `–` for `None`."""
    if when is None:
        return "–"
    text = when.isoformat(" ", "milliseconds")
    return text if when.utcoffset() else f"{text.removesuffix('+00:00')} UTC"


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 task`, `2 tasks`, `1,200 tasks`; `plural` is that of a noun which takes no `s`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
