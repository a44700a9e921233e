"""Texts of a figure as SVG: plotly's pseudo-HTML read, and written again as escaped runs of text.

Rule: what is read is text with `<b>`, `<i>` and `<br>`, nothing else; any other tag is left out and its text stays.
Whatever is written is escaped here.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Final, NamedTuple

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""
_NARROW: Final = frozenset("ijltfrI.,:;'|!()[]{} ·")
_WIDE: Final = frozenset("mwMWQ@%…⁄—")


class TextRun(NamedTuple):
    """A piece of text in one style."""

    text: str
    bold: bool
    italic: bool


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[list[TextRun]] = [[]]
        self._open = {"b": 0, "i": 0}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.lines.append([])
        elif tag in self._open:
            self._open[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            self._open[tag] -= 1

    def handle_data(self, data: str) -> None:
        self.lines[-1].append(TextRun(data, self._open["b"] > 0, self._open["i"] > 0))


def runs_of(text: str) -> list[list[TextRun]]:
    """The lines of a text of plotly's, each in its runs."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.lines


def plain_text(text: str) -> str:
    """A text of plotly's as people read it, on one line."""
    return " ".join("".join(run.text for run in line) for line in runs_of(text))


def title_on_one_line(text: str | None) -> str:
    """A chart's title without its breaks, which stand within words; still a text of plotly's."""
    return (text or "").replace("<br>", "")


def escaped(text: object) -> str:
    """A text as the content of an element or of a quoted attribute."""
    return html.escape(_NOT_XML.sub("�", str(text)), quote=True)


def width_of(text: str, size: float = 12) -> float:
    """About how many pixels a text of plotly's takes in a sans-serif font: that of its longest line."""
    return max(
        sum(_width(run.text) * (1.06 if run.bold else 1.0) for run in line) * size for line in runs_of(text) or [[]]
    )


def _width(text: str) -> float:
    return sum(0.3 if char in _NARROW else 0.85 if char in _WIDE or ord(char) > 0x2E80 else 0.59 for char in text)


def text_element(
    text: str,
    x: float,
    y: float,
    *,
    size: float = 12,
    anchor: str = "start",
    colour: str | None = None,
    middle: bool = False,
    length: float | None = None,
) -> str:
    """An element with this text: `y` is the base line of its first line, or the middle of all of them; `length` is how
    many pixels a text of one line takes, in whatever font."""
    lines = runs_of(text)
    height = size * 1.25
    first = y + size * 0.36 - height * (len(lines) - 1) / 2 if middle else y
    fill = "" if colour is None else f' fill="{escaped(colour)}"'
    fixed = "" if length is None or len(lines) > 1 else f' textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
    parts = [
        f'<text x="{x:.1f}" y="{first + height * number:.1f}" font-size="{size:g}" text-anchor="{anchor}"{fill}{fixed}>'
        f"{''.join(_tspan(run) for run in line)}</text>"
        for number, line in enumerate(lines)
        if line
    ]
    return "".join(parts)


def _tspan(run: TextRun) -> str:
    if not run.bold and not run.italic:
        return escaped(run.text)
    style = (' font-weight="bold"' if run.bold else "") + (' font-style="italic"' if run.italic else "")
    return f"<tspan{style}>{escaped(run.text)}</tspan>"
