"""Still pictures of what is shown live: what a saved notebook, a page made of it, or a front end without widgets shows.

A front end keeps the outputs of a cell, not the state of widgets: of a saved view it says that there is no model. So
each live view has a still picture in the output before it, or in one of those behind it, as what a cell waited for.

Rule: a style sheet alone decides which of the two is seen, by what is there: a view hides the picture of the same
place, and without a kernel the output of the view is hidden. The order of a cell's outputs tells nothing: what workers
print meanwhile comes between the two.
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

_SWITCH: Final = Html("""<style>
.jp-OutputArea:has(:is(.sfl-live, .sfl-debugger)[data-place="{place}"])
  > .jp-OutputArea-child:has(.sfl-still[data-place="{place}"]) {{ display: none; }}
.jp-OutputArea:has(> .jp-OutputArea-child .sfl-still)
  > .jp-OutputArea-child:has(> .jp-OutputArea-output:not([class*="jp-Rendered"])):not(
  :has(> .jp-OutputArea-output > :not(script))) {{ display: none; }}
.sfl-still img {{ max-width: 100%; }}
.jp-OutputArea:has(> .jp-OutputArea-child .sfl-still[data-of="execution"])
  > .jp-OutputArea-child > [data-mime-type^="application/vnd.jupyter.std"] {{ max-height: 18em; overflow-y: auto; }}
</style>""")
"""In JupyterLab, and in pages made by nbconvert: the picture, or the view of the same place. An output of a widget that
holds no element has no model, or none yet. In JupyterLab what is printed beside an execution is scrolled within some
lines: the prints of hundreds of tasks would push it out of sight."""

NO_STILL: Final = {"text/plain": "", "text/html": '<section class="sfl-still"></section>'}
"""In the place of a picture that is not needed any more: an output can't be taken back, and one that has no data is an
error to some readers of notebooks."""


def still_html(execution: Execution, *, place: int) -> str:
    """The summary of an execution, with the picture of its Gantt chart if that is small enough; `place` is the number
    of its view among those of the cell."""
    seen = ""
    if execution.status == "OPEN":
        seen = Html('<div class="sfl sfl-quiet">as it was at {}, while it was open</div>').format(
            utc_time(execution.now())
        )
    # Each part is HTML that is escaped already.
    return _still(f"{execution._repr_html_()}{_picture(execution)}{seen}", place, of="execution")


def with_view(html: str, *, seen_at: datetime.datetime, place: int, of: str) -> str:
    """Some HTML, escaped already, as the still picture of the view of this place: of an `execution` or a `lab`."""
    seen = Html('<div class="sfl sfl-quiet">as it was at {}</div>').format(utc_time(seen_at))
    return _still(f"{html}{seen}", place, of=of)


def still_of_step(debugger: Debugger, *, place: int) -> dict[str, str]:
    """The step at which a debugger stands, as outputs that need no kernel."""
    return {"text/plain": repr(debugger), "text/html": _still(debugger._repr_html_(), place, of="step")}


def _still(html: str, place: int, *, of: str) -> str:
    """Some HTML, escaped already, that the view of this place hides."""
    return (
        f'<section class="sfl-still" data-place="{place}" data-of="{of}">{_SWITCH.format(place=place)}{html}</section>'
    )


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
