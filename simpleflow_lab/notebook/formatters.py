"""IPython formatters: the HTML of histories, futures, activities and Labs as values of cells.

They are registered while the extension is loaded, by the names of the classes, so that showing an object imports
nothing that its class did not. `text/plain` stays `repr`, which is the same in two runs. Executions have HTML of their
own, with the extension or without it, and plotly shows figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.lab import Lab
from simpleflow_lab.views.formatting import HOVER_LIMIT, LABEL_LIMIT, count
from simpleflow_lab.views.html import Html, escape, execution_html, piece
from simpleflow_lab.views.style import style_of


def add_formatters(shell: InteractiveShell) -> None:
    """Show our classes as HTML."""
    for name, function in _FORMATTERS.items():
        module, _, short = name.rpartition(".")
        _html(shell).for_type_by_name(module, short, function)
    for name in _FRAMES:
        if name not in _html(shell):  # else the user shows frames in another way
            _html(shell).for_type_by_name(*name.rsplit(".", 1), _frame_html)


def remove_formatters(shell: InteractiveShell) -> None:
    """Show our classes by their `repr` again."""
    for name in _FORMATTERS:
        _html(shell).pop(name, None)
    for name in _FRAMES:
        if name in _html(shell) and _html(shell).lookup_by_type(name) is _frame_html:
            _html(shell).pop(name)


def _html(shell: Any) -> Any:
    return shell.display_formatter.formatters["text/html"]


# -- the HTML of each class --------------------------------------------------------------------------------------------


def _history_html(history: Any) -> str:
    return execution_html(history)


def _future_html(future: Any) -> str:
    if not future.done:
        style, outcome = style_of("scheduled" if future.state == "PENDING" else "started"), ""
    elif (error := future.peek_exception()) is not None:  # a failure that is shown is not handled by that
        style, outcome = style_of("failed"), f"{type(error).__name__}: {error}"
    else:
        style, outcome = style_of("completed"), repr(future.result)
    return piece(
        Html('<span class="sfl-badge" style="color: {}">{} {}</span> <strong>{}</strong> {}').format(
            style.colour,
            style.glyph,
            style.word,
            escape(future.task_id or "future", LABEL_LIMIT),
            escape(outcome, HOVER_LIMIT),
        )
    )


def _activity_html(activity: Any) -> str:
    properties = (
        ("type", activity.name),
        ("version", activity.version),
        ("task list", activity.task_list),
        ("retry", activity.retry or None),
        ("raises on failure", "yes" if activity.raises_on_failure else "no"),
    )
    name = escape(activity.callable.__name__, LABEL_LIMIT)
    return piece(Html("<h3>{}</h3>").format(name), _property_list(properties))


def _lab_html(lab: Lab) -> str:
    try:
        infos = lab.execution_infos()
    except SimpleflowLabError as error:
        executions = str(error)
    else:
        states = Counter(info.get("closeStatus", "OPEN") for info in infos)
        words = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
        executions = f"{count(len(infos), 'execution')}{f': {words}' if words else ''}"
    decisions, activities = lab.task_lists
    properties = (
        ("store", lab.address),
        ("domain", lab.domain),
        ("executions", executions),
        ("decides for", ", ".join(decisions)),
        ("works for", ", ".join(activities)),
    )
    return piece(Html("<h3>Lab</h3>"), _property_list(properties))


def _executions_html(executions: Any) -> str | None:
    """The HTML of several executions: that of the table of them."""
    return _frame_html(executions.executions())


def _frame_html(frame: Any) -> str | None:
    """The HTML of a frame: of our tables of tasks and of executions it is the columns that are read most, unless pandas
    is told to show all (`display.max_columns` is `None`); of any other what pandas writes."""
    from simpleflow_lab.data.pandas_library import pd  # noqa: PLC0415  there is a frame
    from simpleflow_lab.notebook.table_renderers import own_html  # noqa: PLC0415  imports pandas

    of_pandas: str | None = frame._repr_html_()
    if of_pandas is None or type(frame) is not pd.DataFrame or pd.get_option("display.max_columns") is None:
        return of_pandas
    return own_html(frame) or of_pandas


_FRAMES: Final = ("pandas.DataFrame", "pandas.core.frame.DataFrame")
"""The names by which formatters know the class of frames, of pandas 3 and of those before."""


def _property_list(properties: Sequence[tuple[str, Any]]) -> Html:
    item = Html("<dt>{}</dt><dd>{}</dd>")
    return Html("<dl>{}</dl>").format(Html("").join(item.format(name, value) for name, value in properties if value))


_FORMATTERS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "simpleflow_lab.swf.history.History": _history_html,
    "simpleflow_lab.futures.Future": _future_html,
    "simpleflow_lab.activity.Activity": _activity_html,
    "simpleflow_lab.lab.Lab": _lab_html,
    "simpleflow_lab.execution_sets.Executions": _executions_html,
}
