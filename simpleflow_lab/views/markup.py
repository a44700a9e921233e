"""HTML that escapes by default.

`Html` is text that is HTML already. Whatever else is put into it, by `format`, `join`, `+` or `%`, is escaped, so that
forgetting to escape is impossible:

    Html("<td>{}</td>").format(task_id)

Rule: `Html(…)` is called with literals only, never with an f-string or a value; a test reads the calls. Values are
bounded first and escaped last.
"""

from __future__ import annotations

import html
import re
from typing import Any, Final, Self

from markupsafe import Markup

from simpleflow_lab.views.formatting import VALUE_LIMIT, bounded

_SPECIAL: Final = re.compile("[&<>\"'$\n]")
"""The characters that are escaped."""
_UNSEEN: Final = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    # What changes the direction of the text around it could make a value read as something else.
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C), 0xFFFD),
    **dict.fromkeys((*range(0x80, 0xA0), 0xFFFE, 0xFFFF), 0xFFFD),
    0x2028: 0x0A,
    0x2029: 0x0A,
}
"""Characters that can't be seen, and what stands for them."""


class Html(Markup):
    """HTML content, or plotly's pseudo-HTML. A value that is put in is bounded and escaped, unless it is markup."""

    __slots__ = ()

    @classmethod
    def escape(cls, s: Any, /) -> Self:
        """The markup of anything: markup as it is, any other value escaped by `escape`."""
        if type(s) is cls:
            return s
        return cls(s) if hasattr(s, "__html__") else cls(_escaped(s, VALUE_LIMIT))


class Unbroken(str):
    """A short text that stands on one line where it is the cell of a table."""


def escape(value: Any, limit: int = VALUE_LIMIT) -> Html:
    """At most `limit` characters of a value for HTML content, a quoted HTML attribute, or plotly's pseudo-HTML.

    Quotes become numbers, the one way to write them that plotly reads too; `$` becomes an entity, so that no MathJax
    reading the source takes it for a formula, and the end of a line a number: in a page of Markdown, as nbconvert
    makes it, HTML ends with a line, and what follows would be Markdown. A page that MathJax reads after parsing also
    needs the class `mathjax_ignore`.
    """
    return Html(_escaped(value, limit))


def _escaped(value: Any, limit: int) -> str:
    text = bounded(value, limit)
    if not text.isprintable():
        text = text.translate(_UNSEEN)
    if _SPECIAL.search(text) is None:
        return text
    escaped = html.escape(text, quote=True).replace("&quot;", "&#34;").replace("$", "&#36;")
    return escaped.replace("\n", "&#10;")
