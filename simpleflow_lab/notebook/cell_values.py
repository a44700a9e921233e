"""The values that our magics give to cells, beside executions, figures and tables: texts, commands and definitions.

Each has a `repr` and HTML. All HTML is `Html`, which escapes every plain text that is put into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.commands.command_specs import CommandSpec
from simpleflow_lab.notebook.cell_definitions import Change, Definition
from simpleflow_lab.views import html
from simpleflow_lab.views.formatting import LABEL_LIMIT
from simpleflow_lab.views.markup import Html
from simpleflow_lab.views.style import Style


class Text:
    """Text in a font of fixed width."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return html.piece(Html("<pre>{}</pre>").format(html.escape(self._text, _MAX_TEXT)))


_MAX_TEXT: Final = 20_000
"""Characters of a text that are shown."""


class Commands:
    """Every command, as a table."""

    def __init__(self, specs: Iterable[CommandSpec]) -> None:
        self._rows = [(spec.name, spec.summary) for spec in specs if spec.name]

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._rows)
        lines = [f"%simpleflow {name.ljust(width)}  {summary}" for name, summary in self._rows]
        return "\n".join([*lines, _MORE_HELP])

    def _repr_html_(self) -> str:
        row = Html("<tr><td><code>%simpleflow {}</code></td><td>{}</td></tr>")
        rows = [row.format(name, summary) for name, summary in self._rows]
        return html.piece(
            _html_table(("command", "what it does"), rows),
            Html('<div class="sfl-quiet">{}</div>').format(_MORE_HELP),
        )


_MORE_HELP: Final = (
    "%simpleflow help COMMAND shows its options. -o NAME keeps the result in a variable; --input takes JSON or the "
    "name of a variable. workflow.start and resume also take --await, which leaves the cell free while it waits, and "
    "--no-raise, which gives an execution that failed. %%simpleflow runs the definitions of a cell and lists them."
)


class CellDefinitions(Sequence[Definition]):
    """The definitions of a cell, shown below it."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._definitions = list(definitions)

    def __len__(self) -> int:
        return len(self._definitions)

    def __getitem__(self, index: Any) -> Any:
        return self._definitions[index]

    def __repr__(self) -> str:
        if not self._definitions:
            return _NOTHING
        rows = [_HEADERS, *(_row(definition) for definition in self._definitions)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADERS))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        if not self._definitions:
            return html.piece(Html('<div class="sfl-quiet">{}</div>').format(_NOTHING))
        table = _html_table(_HEADERS, [_html_row(definition) for definition in self._definitions])
        return html.piece(Html('<div class="sfl-scroll">{}</div>').format(table))


_NOTHING: Final = "this cell defines no workflow and no activity"
_HEADERS: Final = ("defined", "name", "type", "version", "task list", "kind")
_CHANGES: Final[Mapping[Change, Style]] = {
    "new": Style("new", "#2a9d8f", glyph="+"),
    "replaced": Style("replaced", "#dd8a1c", glyph="↻"),
    "unchanged": Style("unchanged", "#8b95a5", glyph="="),
    "removed": Style("removed", "#a0705a", glyph="−"),
}


def _row(definition: Definition) -> tuple[str, ...]:
    of = _CHANGES[definition.change]
    return (
        f"{of.glyph} {of.word}",
        definition.label,
        definition.name,
        definition.version,
        definition.task_list or "default",
        definition.kind,
    )


def _html_row(definition: Definition) -> Html:
    change, label, *others = _row(definition)
    return Html('<tr><td class="sfl-state" style="color: {}">{}</td><td><strong>{}</strong></td>{}</tr>').format(
        _CHANGES[definition.change].colour,
        change,
        html.escape(label, LABEL_LIMIT),
        Html("").join(Html("<td>{}</td>").format(html.escape(cell, LABEL_LIMIT)) for cell in others),
    )


def _html_table(headers: Iterable[str], rows: Iterable[Html]) -> Html:
    """A table of rows that are HTML already."""
    return Html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(
        Html("").join(Html("<th>{}</th>").format(header) for header in headers), Html("").join(rows)
    )
