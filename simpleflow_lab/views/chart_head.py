"""The head of every chart of an execution, and its colours: title, status, duration, and what else stands below it."""

from __future__ import annotations

import re
from typing import Any, Final

from simpleflow_lab.views.formatting import duration, shortened
from simpleflow_lab.views.markup import escape
from simpleflow_lab.views.style import STATUSES
from simpleflow_lab.views.summary import ExecutionSummary
from simpleflow_lab.views.svg_text import plain_text

INK: Final = "#888"
"""The colour of text and lines, on light and on dark pages."""


HEAD: Final = 76
"""Pixels above the plot, for a title of one line and its subtitle."""
_LINE: Final = 22
_LINE_LIMIT: Final = 30
"""Characters of a line of the title: as many as there is room for on a page of 320 pixels."""
_SUBTITLE_LINE: Final = 17
_SUBTITLE_LIMIT: Final = 42
"""Those of a line of the subtitle."""


def head_height(layout: Any) -> int:
    """Pixels above the plot of a chart with this layout."""
    title = layout["title"]
    return (
        HEAD + _LINE * str(title["text"]).count("<br>") + _SUBTITLE_LINE * str(title["subtitle"]["text"]).count("<br>")
    )


def chart_layout(summary: ExecutionSummary, *parts: str, title: str | None) -> dict[str, Any]:
    """The common layout of all charts. The subtitle ends with these parts, which are escaped."""
    status = STATUSES[summary.status]
    subtitle = _subtitle(" · ".join([f"{status.glyph} {status.word}", duration(summary.duration), *parts]))
    lines = _lines(shortened(title or summary.workflow_type))
    return {
        "title": {
            "text": "<br>".join(str(escape(line)) for line in lines),
            "subtitle": {"text": subtitle, "font": {"size": 13}},
            "x": 0,
            "xref": "container",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 14 if len(lines) == 1 else 26, "l": 14},  # plotly sets several lines higher than one
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 12},
        "hoverlabel": {"bgcolor": "#22272e", "bordercolor": "#555", "font": {"color": "#f2f2f2"}},
        "hovermode": "closest",
        # Below the plot, from edge to edge: plotly makes room there for as many lines as it takes on a narrow page.
        "legend": {"orientation": "h", "x": 0, "xref": "container", "y": 0, "yref": "container", "yanchor": "bottom"},
        "showlegend": True,
    }


def _subtitle(text: str) -> str:
    """A subtitle, which is escaped, in lines that end at a space."""
    if len(text) <= _SUBTITLE_LIMIT:
        return text
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if len(plain_text(longer)) <= _SUBTITLE_LIMIT:
            lines[-1] = longer
        else:
            lines.append(word)
    return "<br>".join(line for line in lines if line)


def _lines(title: str) -> list[str]:
    """A title in lines that end where a part of the name does."""
    lines = [""]
    for part in re.findall(rf"[^-._/ ]{{0,{_LINE_LIMIT - 1}}}.", title):
        if len(lines[-1]) + len(part) > _LINE_LIMIT:
            lines.append("")
        lines[-1] += part
    return lines
