"""The head of every chart of an execution, and its colours: title, status, duration, and what else stands below it."""

from __future__ import annotations

from typing import Any, Final

from simpleflow_lab.views.formatting import LABEL_LIMIT, duration
from simpleflow_lab.views.markup import escape
from simpleflow_lab.views.style import STATUSES
from simpleflow_lab.views.summary import ExecutionSummary

INK: Final = "#888"
"""The colour of text and lines, on light and on dark pages."""


def chart_layout(summary: ExecutionSummary, *parts: str, title: str | None) -> dict[str, Any]:
    """What the layouts of all charts have. The subtitle ends with these parts, which are escaped."""
    status = STATUSES[summary.status]
    subtitle = " · ".join([f"{status.glyph} {status.word}", duration(summary.duration), *parts])
    return {
        "title": {
            "text": str(escape(title or summary.workflow_type, LABEL_LIMIT)),
            "subtitle": {"text": subtitle, "font": {"size": 13}},
            "x": 0,
            "xref": "container",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 14, "l": 14},
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
