"""HTML that escapes by default: what is put into `Html` is text, unless it is markup itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from markupsafe import Markup

import simpleflow_lab
from simpleflow_lab.views.formatting import VALUE_LIMIT
from simpleflow_lab.views.html import piece
from simpleflow_lab.views.markup import Html, escape

HOSTILE = "<b>$x$ \"q\" 'a' & \x1b"
SAFE = "&lt;b&gt;&#36;x&#36; &#34;q&#34; &#x27;a&#x27; &amp; ␛"


@pytest.mark.parametrize(
    "made",
    [
        Html("{}").format(HOSTILE),
        Html("{value}").format(value=HOSTILE),
        Html("").join([HOSTILE]),
        Html("") + HOSTILE,
        HOSTILE + Html(""),
        Html("%s") % HOSTILE,
        Html("%(value)s") % {"value": HOSTILE},
        Html.escape(HOSTILE),
        escape(HOSTILE),
    ],
)
def test_a_value_is_escaped_by_whichever_way_it_is_put_in(made: Html) -> None:
    assert str(made) == SAFE
    assert isinstance(made, Html)


def test_markup_is_put_in_as_it_is() -> None:
    assert str(Html("<i>{}</i>").format(Html("<b>"))) == "<i><b></i>"
    assert str(Html("<br>").join([Markup("<b>"), "<b>"])) == "<b><br>&lt;b&gt;"


def test_a_piece_escapes_a_part_that_is_no_markup() -> None:
    assert piece("<b>").endswith(">&lt;b&gt;</div>")  # type: ignore[arg-type]


def test_a_value_is_bounded_before_it_is_escaped() -> None:
    assert str(escape("<" * 10, 3)) == "&lt;&lt;&lt;… (7 more characters)"
    assert len(Html("{}").format("x" * 100_000)) < VALUE_LIMIT + 50


def test_numbers_keep_their_format() -> None:
    assert str(Html("{:,} {:.2f} {}").format(12_345, 1.005, None)) == "12,345 1.00 None"


def test_html_is_made_of_literals_only() -> None:
    """A value or an f-string in `Html(…)` would be taken for HTML without a look at what it holds."""
    package = Path(simpleflow_lab.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    found = {
        (path.relative_to(package).as_posix(), ast.unparse(call))
        for path, source in sources.items()
        if "Html" in source or "Markup" in source  # to parse all modules takes seconds
        for call in _not_literal(ast.parse(source))
    }

    assert found == {
        ("views/markup.py", "Html(_escaped(value, limit))"),
        ("views/execution_page.py", "Html(chart)"),  # what plotly made
    }


def _not_literal(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Html" | "Markup")) if not all(
                isinstance(argument, ast.Constant) for argument in node.args
            ):
                yield node
