"""Our figures: plotly's for exploring, which carry a picture drawn without a browser.

A notebook shows the first; nbconvert, code hosts, reports and documentation, where plotly does not run, the second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.plotly_library import go
from simpleflow_lab.views.svg import WIDTH, svg_of
from simpleflow_lab.views.svg_text import plain_text, title_on_one_line


class Chart(go.Figure):  # type: ignore[misc]
    """A plotly figure with a picture of itself."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Made as a `plotly.graph_objects.Figure` is."""
        super().__init__(*arguments, **options)

    def to_svg(self, *, width: int = WIDTH) -> str:
        """The figure as an SVG picture, `width` pixels wide: one element, with nothing that is loaded or run.

        Raises `UsageError` for a width below 300 or above 10,000.
        """
        return svg_of(self, width=width)

    def write_svg(self, path: str | Path, *, width: int = WIDTH) -> Path:
        """Write that picture to a file, which is replaced; gives its path."""
        path = Path(path)
        path.write_text(self.to_svg(width=width) + "\n", encoding="utf-8")
        return path

    _ipython_display_ = None
    """IPython would call plotly's, which shows plotly's own forms and nothing else."""
    _repr_html_ = None
    """plotly's loads plotly.js from the network; what its renderer for notebooks gives is in the bundle."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **options: Any) -> Any:
        """plotly's own forms, and the picture."""
        bundle = super()._repr_mimebundle_(include, exclude, **options)
        forms = dict(bundle[0]) if isinstance(bundle, tuple) else dict(bundle or {})
        forms["image/svg+xml"] = self.to_svg()
        forms["text/plain"] = f"<Chart {shortened(plain_text(title_on_one_line(self.layout.title.text)))}>"
        return forms
