"""Still pictures of what is shown live: what a saved notebook, a page made of it, or a front end without widgets shows.

A front end keeps the outputs of a cell, not the state of widgets: of a saved view it says that there is no model. So
each live view has a still picture in the output before it, or in one of those behind it, as what a cell waited for.

*Rule:* a style sheet alone decides which of the two is seen, by what is there: a view hides the picture, and without a
kernel the place of the view is hidden.
"""

from __future__ import annotations

import base64
import datetime
from typing import TYPE_CHECKING, Final

from simpleflow_lab.execution import Execution
from simpleflow_lab.views.formatting import utc_time
from simpleflow_lab.views.markup import Html

if TYPE_CHECKING:
    from simpleflow_lab.debugger.time_travel import Debugger

MAX_PICTURED: Final = 2_000
"""A chart of more attempts is not drawn into a notebook: it would be a large part of its file."""
MAX_PICTURE: Final = 400_000
"""The most characters of a picture."""

SWITCH: Final = Html("""<style>
.jp-OutputArea-child:has(.sfl-still):has(+ .jp-OutputArea-child :is(.sfl-live, .sfl-debugger)) { display: none; }
.jp-OutputArea-child:has(.sfl-still)
  + .jp-OutputArea-child:not(:has(.sfl-live, .sfl-debugger)):not(:has([class*="jp-Rendered"])) { display: none; }
.jp-OutputArea-child:has(.sfl-live) ~ .jp-OutputArea-child:has(.sfl-still),
.jp-OutputArea-child:not(:has(.sfl-live, .sfl-debugger, .sfl-still)):not(:has([class*="jp-Rendered"])):has(
  ~ .jp-OutputArea-child .sfl-still) { display: none; }
.sfl-still img { max-width: 100%; }
</style>""")
"""In JupyterLab, and in pages made by nbconvert: the picture, or the view in the output behind it."""

NO_STILL: Final = {"text/plain": "", "text/html": '<section class="sfl-still"></section>'}
"""In the place of a picture that is not needed any more: an output can't be taken back, and one that has no data is an
error to some readers of notebooks."""


def still_html(execution: Execution) -> str:
    """The summary of an execution, with the picture of its Gantt chart if that is small enough."""
    seen = ""
    if execution.status == "OPEN":
        seen = Html('<div class="sfl sfl-quiet">as it was at {}, while it was open</div>').format(
            utc_time(execution.now())
        )
    # Each part is HTML that is escaped already.
    return f'<section class="sfl-still">{SWITCH}{execution._repr_html_()}{_picture(execution)}{seen}</section>'


def with_view(html: str, *, seen_at: datetime.datetime) -> str:
    """Some HTML, escaped already, as the still picture of a view in the output behind it."""
    seen = Html('<div class="sfl sfl-quiet">as it was at {}</div>').format(utc_time(seen_at))
    return f'<div class="sfl-still">{SWITCH}{html}{seen}</div>'


def still_of_step(debugger: Debugger) -> dict[str, str]:
    """The step at which a debugger stands, as outputs that need no kernel, before the output of its view."""
    html = f'<div class="sfl-still">{SWITCH}{debugger._repr_html_()}</div>'  # both are HTML that is escaped already
    return {"text/plain": repr(debugger), "text/html": html}


def _picture(execution: Execution) -> str:
    attempts = execution.changed_attempts(0)[1]
    if not 0 < len(attempts) <= MAX_PICTURED:
        return ""
    svg = execution.gantt().to_svg()
    if len(svg) > MAX_PICTURE:
        return ""
    # As an image of its own: it takes nothing from the page, and gives it nothing.
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="Gantt chart" src="data:image/svg+xml;base64,{data}">'
