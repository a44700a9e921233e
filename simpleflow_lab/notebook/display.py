"""How our objects look as the value of a cell.

Executions draw themselves; the others get their HTML here, for as long as the extension is loaded, by the names of
their classes, as IPython allows: looking at a thing imports nothing that the thing itself didn't. `text/plain` stays
`repr`, which says the same in two runs. Figures need nothing: in a kernel plotly shows them as data, by its own choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.cell_definitions import Change, Definition
from simpleflow_lab.views.formatting import HOVER_LIMIT, LABEL_LIMIT, count
from simpleflow_lab.views.html import escape, execution_html, piece
from simpleflow_lab.views.style import Look, look


def add_formatters(shell: InteractiveShell) -> None:
    """Show our classes as HTML."""
    for name, function in _FORMATTERS.items():
        module, _, short = name.rpartition(".")
        _html(shell).for_type_by_name(module, short, function)


def remove_formatters(shell: InteractiveShell) -> None:
    """Show them as anything else again."""
    for name in _FORMATTERS:
        _html(shell).pop(name, None)


def _html(shell: Any) -> Any:
    return shell.display_formatter.formatters["text/html"]


# -- definitions -------------------------------------------------------------------------------------------------------


class Definitions(Sequence[Definition]):
    """What a cell defined, to be shown below it."""

    def __init__(self, definitions: Sequence[Definition]):
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
            return piece(f'<div class="sfl-quiet">{_NOTHING}</div>')
        head = "".join(f"<th>{escape(header)}</th>" for header in _HEADERS)
        body = "".join(_html_row(definition) for definition in self._definitions)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return piece(f'<div class="sfl-scroll">{table}</div>')


_NOTHING: Final = "this cell defines no workflow and no activity"
_HEADERS: Final = ("defined", "name", "type", "version", "task list", "kind")
_CHANGES: Final[Mapping[Change, Look]] = {
    "new": Look("new", "#2a9d8f", sign="+"),
    "replaced": Look("replaced", "#dd8a1c", sign="↻"),
    "unchanged": Look("unchanged", "#8b95a5", sign="="),
    "removed": Look("removed", "#a0705a", sign="−"),
}


def _row(definition: Definition) -> tuple[str, ...]:
    of = _CHANGES[definition.change]
    return (
        f"{of.sign} {of.word}",
        definition.label,
        definition.name,
        definition.version,
        definition.task_list or "default",
        definition.kind,
    )


def _html_row(definition: Definition) -> str:
    colour = _CHANGES[definition.change].colour
    change, label, *rest = _row(definition)
    cells = "".join(f"<td>{escape(cell, LABEL_LIMIT)}</td>" for cell in rest)
    return (
        f'<tr><td class="sfl-state" style="color: {colour}">{escape(change)}</td>'
        f"<td><strong>{escape(label, LABEL_LIMIT)}</strong></td>{cells}</tr>"
    )


# -- objects of other modules ------------------------------------------------------------------------------------------


def _history_html(history: Any) -> str:
    return execution_html(history)


def _future_html(future: Any) -> str:
    if not future.done:
        of, said = look("scheduled" if future.state == "PENDING" else "started"), ""
    elif (error := future.peek_exception()) is not None:  # to show a failure is not to have noticed it
        of, said = look("failed"), f"{type(error).__name__}: {error}"
    else:
        of, said = look("completed"), repr(future.result)
    return piece(
        f'<span class="sfl-badge" style="color: {of.colour}">{of.sign} {of.word}</span> '
        f"<strong>{escape(future.task_id or 'future', LABEL_LIMIT)}</strong> {escape(said, HOVER_LIMIT)}"
    )


def _activity_html(activity: Any) -> str:
    known = (
        ("type", activity.name),
        ("version", activity.version),
        ("task list", activity.task_list),
        ("retry", activity.retry or None),
        ("raises on failure", "yes" if activity.raises_on_failure else "no"),
    )
    return piece(f"<h3>{escape(activity.callable.__name__, LABEL_LIMIT)}</h3>", _list(known))


def _lab_html(lab: Lab) -> str:
    try:
        infos = lab.execution_infos()
    except SimpleflowLabError as error:
        standing = str(error)
    else:
        states = Counter(info.get("closeStatus", "OPEN") for info in infos)
        words = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
        standing = f"{count(len(infos), 'execution')}{f': {words}' if words else ''}"
    decisions, activities = lab.task_lists
    known = (
        ("store", lab.address),
        ("domain", lab.domain),
        ("executions", standing),
        ("decides for", ", ".join(decisions)),
        ("works for", ", ".join(activities)),
    )
    return piece("<h3>Lab</h3>", _list(known))


def _list(known: Sequence[tuple[str, Any]]) -> str:
    return f"<dl>{''.join(f'<dt>{word}</dt><dd>{escape(value)}</dd>' for word, value in known if value)}</dl>"


_FORMATTERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "simpleflow_lab.swf.history.History": _history_html,
    "simpleflow_lab.futures.Future": _future_html,
    "simpleflow_lab.activity.Activity": _activity_html,
    "simpleflow_lab.lab.Lab": _lab_html,
}
