"""The options on how an answer is shown: they stand before the command, or behind it.

Rule: they change nothing but the display. `--watch` is for commands that only read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab import settings
from simpleflow_lab.commands.parameters import Number
from simpleflow_lab.commands.session import Output, Session
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.listing_shape import Shape

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS: Final = ("tabular", "human", "csv", "tsv", "json", "prettyjson")
"""The formats in which the shell prints listings."""
MIN_WATCH: Final = 0.1
"""The least seconds between two displays."""


class _Columns(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    """Columns with commas between them."""

    name = "a,b"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The kind of words to be offered in this place; `shell_completion` finds the words for it."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="columns", ctx=ctx, param=param)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The words."""
        return tuple(word.strip() for word in str(value).split(",") if word.strip())


def options(*, hidden: bool = False) -> list[click.Option]:
    """The options of the output. Behind a command they are taken without being listed in its help."""
    return [
        click.Option(
            ["--format"],
            type=click.Choice(FORMATS),
            help=f"How tables and results are printed.  [env var: SIMPLEFLOW_FORMAT; default: {FORMATS[0]}]",
            hidden=hidden,
        ),
        click.Option(
            ["--header/--no-header"],
            default=None,
            help="Show the titles of columns.  [default: as the format needs it]",
            hidden=hidden,
        ),
        click.Option(["--columns"], type=_Columns(), metavar="A,B", help="Show these columns only.", hidden=hidden),
        click.Option(
            ["--sort"],
            type=_Columns(),
            metavar="A,-B",
            help="Sort by these columns; -B is from the largest down.",
            hidden=hidden,
        ),
        click.Option(
            ["--filter", "filters"],
            multiple=True,
            metavar="A=TEXT",
            help="Rows whose column A is TEXT (* and ? are any); also !=, <, >, <=, >=. May be repeated.",
            hidden=hidden,
        ),
        click.Option(["--limit"], type=click.IntRange(min=0), metavar="N", help="At most N rows.", hidden=hidden),
        click.Option(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            help="Color states.  [default: auto, in a terminal]",
            hidden=hidden,
        ),
        click.Option(
            ["--raw/--no-raw"],
            default=None,
            help="Print values as they are, with control characters, and with formulas in CSV with titles.",
            hidden=hidden,
        ),
        click.Option(
            ["--debug/--no-debug"], default=None, help="Show errors with their Python traceback.", hidden=hidden
        ),
    ]


NAMES: Final = ("format", "header", "columns", "sort", "filters", "limit", "color", "raw", "debug")
"""The parameters of `options`."""
OF_A_SHELL: Final = {
    "format": ("--format",),
    "header": ("--header", "--no-header"),
    "color": ("--color",),
    "raw": ("--raw", "--no-raw"),
    "debug": ("--debug", "--no-debug"),
    "watch": ("--watch",),
}
"""Parameters on how text is printed, with their options: the value of a notebook's cell has no such form."""


def take(session: Session, given: Mapping[str, Any]) -> None:
    """Let the session show answers as these options of the output say; what is not given stays as it is.

    Raises `UsageError` for an option that means nothing in a notebook.
    """
    _refuse_in_a_notebook(session, given)
    values = {name: given.get(name) for name in NAMES}
    shape = {name: values.pop(name) or () for name in ("columns", "sort", "filters")}
    limit = values.pop("limit")
    before = session.output.shape
    session.output = session.output._replace(
        shape=Shape(
            columns=shape["columns"] or before.columns,
            sort=shape["sort"] or before.sort,
            filters=(*before.filters, *shape["filters"]),
            limit=before.limit if limit is None else limit,
        ),
        **{name: value for name, value in values.items() if value is not None},
    )


def _refuse_in_a_notebook(session: Session, given: Mapping[str, Any]) -> None:
    for name, spellings in OF_A_SHELL.items():
        if session.serves_here and given.get(name) is not None:
            raise UsageError(
                "a cell shows what there is: leave out --watch, and run it again to see more"
                if name == "watch"
                else f"{spellings[0]} is for text in a shell: leave it out; a cell shows a value, which -o NAME keeps"
            )


def default_output() -> Output:
    """The format of answers if the command line doesn't say. Raises `UsageError` for a format in the environment."""
    format = settings.read("format") or FORMATS[0]
    if format not in FORMATS:
        raise UsageError(f"SIMPLEFLOW_FORMAT is {format!r}: it can be {', '.join(FORMATS)}")
    return Output(format=format)


@functools.cache
def _behind() -> tuple[click.Option, ...]:
    """The options of the output as every command takes them."""
    return tuple(options(hidden=True))


def with_output_options(command: click.Command, *, watch: bool) -> None:
    """Let a command take the options of the output behind its name; `watch` adds `--watch`."""
    callback = command.callback
    assert callback is not None
    taken = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    own = [option for option in _behind() if not taken & {*option.opts, *option.secondary_opts}]
    command.params.extend(own)
    if watch:
        command.params.append(
            click.Option(
                ["--watch"],
                type=Number(min=MIN_WATCH, max=86_400),
                metavar="SECONDS",
                help="Show it again every SECONDS until Ctrl-C.",
            )
        )
    command.callback = _taking(callback, [str(option.name) for option in own], watch=watch)


def _taking(callback: Callable[..., Any], names: list[str], *, watch: bool) -> Callable[..., Any]:
    def command(*args: Any, **given: Any) -> Any:
        session: Session = click.get_current_context().obj
        output = {name: given.pop(name) for name in (*names, *(["watch"] if watch else []))}
        take(session, output)
        if watch:
            session.output = session.output._replace(watch=output["watch"])
        return callback(*args, **given)

    command.__wrapped__ = callback  # type: ignore[attr-defined]
    command.__doc__ = callback.__doc__
    return command
