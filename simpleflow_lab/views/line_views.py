"""Lines that display themselves: as text, as HTML in a notebook, and as a pandas frame on request.

Rule: what is printed holds no control character; `lines()` gives the texts as they are.
"""

from __future__ import annotations

from typing import Final

from simpleflow_lab.views.explanation_lines import ExplanationLine
from simpleflow_lab.views.html import explanation_html, piece
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.text_tables import visible


class LineView(ListingView[ExplanationLine]):
    """Lines, each with what helps. It displays itself, in a notebook as HTML; `to_pandas()` gives a frame."""

    _nothing = "nothing is recorded"

    def listing(self) -> Listing:
        """One row for each line."""
        return Listing(columns=_COLUMNS, rows=[(line.kind, line.text, line.seconds, line.to_do) for line in self])

    def lines(self) -> list[str]:
        """Each line as text: what there is to say, and what helps."""
        return [str(line) for line in self]

    def __repr__(self) -> str:
        return "\n".join(visible(line) for line in self.lines()) or self._nothing

    def _repr_html_(self) -> str:
        return str(piece(explanation_html(self))) if len(self) else super()._repr_html_()


_COLUMNS: Final = {"about": Kind.TEXT, "what": Kind.TEXT, "seconds": Kind.SECONDS, "what helps": Kind.TEXT}
