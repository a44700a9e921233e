"""Dates and times as text, in ISO 8601: as upstream spells them where that loses nothing.

Upstream writes UTC as `Z` and cuts a second to three digits; of a time with a fraction it drops the zone. Here `Z` is
written, too, and three digits where they are all there is; else six, and a zone is kept. So one moment may stand in a
history in several spellings, also in those of earlier versions of this package (`+00:00`, always six digits):
`same_time` compares them.

Rule: text that is written always holds the whole value.
"""

from __future__ import annotations

import datetime
import re
from typing import Final

_UTC: Final = "+00:00"
_TIME: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\dT)?(?P<seconds>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{3}|\d{6}))?"
    r"(?P<zone>Z|[+-]\d\d:\d\d(?::\d\d(?:\.\d{6})?)?)?",
    re.ASCII,
)
_SHORTEST: Final = len("00:00:00")
_LONGEST: Final = len("0000-00-00T00:00:00.000000+00:00:00.000000")


def text_of(value: datetime.date | datetime.time) -> str:
    """The text of a date, a time or both (`datetime.datetime` is a date, too)."""
    if not isinstance(value, datetime.datetime | datetime.time):
        return value.isoformat()
    is_short = value.microsecond and value.microsecond % 1000 == 0
    text = value.isoformat(timespec="milliseconds" if is_short else "auto")
    if isinstance(value, datetime.datetime) and text.endswith(_UTC):
        return f"{text.removesuffix(_UTC)}Z"
    return text


def upstream_text_of(value: datetime.date | datetime.time) -> str:
    """The text that upstream writes for such a value; it may lose something of it."""
    text = text_of(value)
    found = _TIME.fullmatch(text)
    if found is None or not found["fraction"]:
        return text
    zone = found["zone"] or "" if found["date"] else ""
    return f"{found['date'] or ''}{found['seconds']}.{found['fraction'][:3]}{zone}"


def same_time(recorded: str, commanded: str) -> bool:
    """Whether both texts are spellings of one time, of which one may be upstream's."""
    if not (_SHORTEST <= len(recorded) <= _LONGEST and _SHORTEST <= len(commanded) <= _LONGEST):
        return False
    one, other = _TIME.fullmatch(recorded), _TIME.fullmatch(commanded)
    if one is None or other is None or one["date"] != other["date"] or one["seconds"] != other["seconds"]:
        return False
    first, second = one["fraction"] or "", other["fraction"] or ""
    if first.ljust(6, "0") != second.ljust(6, "0"):
        shorter = min(first, second, key=len)
        if len(shorter) != len("000") or not (first.startswith(shorter) and second.startswith(shorter)):
            return False
    if one["date"] is None:
        # Upstream drops the zone of a time with a fraction.
        return one["zone"] == other["zone"] or (None in (one["zone"], other["zone"]) and bool(first and second))
    return _zone(one["zone"]) == _zone(other["zone"])


def _zone(zone: str | None) -> str | None:
    return "Z" if zone == _UTC else zone
