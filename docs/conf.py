"""Sphinx: the hand-written pages of this folder, and the reference, which tools/reference.py makes from docstrings.

`script/docs` builds it. Nothing is fetched; every warning fails the build.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import simpleflow_lab
from tools import reference

project = "Simpleflow Lab"
author = "Simpleflow Lab contributors"
project_copyright = author
version = release = simpleflow_lab.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]  # myst_nb reads Markdown, too
exclude_patterns = ["_build", "jupyter_execute"]  # the second one is what myst_nb writes
myst_heading_anchors = 3  # [links](page.md#to-a-heading), as GitHub makes them
nb_execution_mode = "off"  # the tutorials are shown with their saved outputs
html_theme = "furo"
html_title = project
html_copy_source = False

default_role = "literal"  # `code` in a table of a docstring
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
autodoc_preserve_defaults = True

# Types of Python, pandas, … and our own inner ones are named and not linked.
_modules = "|".join(module.replace(".", r"\.") for page in reference.PAGES for module in page.modules)
nitpick_ignore_regex = [("py:.*", rf"(?!{reference.PACKAGE}\.({_modules})(\.|$)).*|.*\._\w+|.*\.([PT]|Key|Definition)")]
suppress_warnings = [
    "ref.python",  # "more than one target": Python's `type` is taken for an attribute of that name
    "mystnb.unknown_mime_type",  # plotly's own form of a chart: its picture is shown
]


def copy_tutorials(notebooks: Path, folder: Path) -> None:
    """The tutorials as they are saved, in a folder of this one: Sphinx reads nothing outside of it."""
    saved = {path.name: path.read_bytes() for path in sorted(notebooks.glob("*.ipynb"))}
    for old in folder.glob("*.ipynb"):
        if old.name not in saved:
            old.unlink()
    for name, content in saved.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:  # what is as it was is not read again
            path.write_bytes(content)


def setup(app: Any) -> None:
    """Sphinx's hook."""
    app.connect("builder-inited", lambda _: reference.write_pages(HERE / "reference"))
    app.connect("builder-inited", lambda _: copy_tutorials(HERE.parent / "notebooks", HERE / "tutorials"))
    app.connect("autodoc-process-docstring", reference.process_docstring)
