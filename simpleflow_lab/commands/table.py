"""The command table: every command, and `run`, which takes words and gives a record.

`run` prints nothing, and raises `UsageError` in one line for whatever was typed wrong. Shell completion, the notebook's
completion and both helps are made from this table.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from simpleflow_lab import settings
from simpleflow_lab.commands import engine, workflow
from simpleflow_lab.commands import environment as info
from simpleflow_lab.commands import inspection as look
from simpleflow_lab.commands.parameters import Word, import_module
from simpleflow_lab.commands.records import Help, Record, Version
from simpleflow_lab.commands.session import Output, Session
from simpleflow_lab.exceptions import UsageError

FORMATS: Final = ("tabular", "human", "csv", "tsv", "json", "prettyjson")
"""How tables may be printed."""


class _Answer(Exception):
    """An option that answers instead of the command: --help, --version."""

    def __init__(self, record: Record):
        super().__init__(record)
        self.record = record


def _help_option() -> click.Option:
    def answer(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            raise _Answer(Help(text=ctx.get_help()))

    return click.Option(
        ["-h", "--help"], is_flag=True, is_eager=True, expose_value=False, callback=answer, help="Show this help."
    )


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        raise _Answer(Version(version=info.version()))


class _Table(click.Group):
    """The commands; an unknown one is told with those that look like it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise UsageError(unknown("command", args[0], self.list_commands(ctx), f"{ctx.info_name} --help lists them"))
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Table,
    invoke_without_command=True,
    subcommand_metavar="COMMAND …",
    add_help_option=False,
    context_settings={"max_content_width": 100},
)
@click.option(
    "--store",
    metavar="ADDRESS",
    help="File of the embedded engine, or aws://REGION/DOMAIN.  [env var: SIMPLEFLOW_LAB_STORE]",
)
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it first; more than one is fine.")
@click.option(
    "--format",
    "format",
    type=click.Choice(FORMATS),
    default=lambda: settings.read("format") or FORMATS[0],
    help=f"How tables and results are printed.  [env var: SIMPLEFLOW_FORMAT; default: {FORMATS[0]}]",
)
@click.option("--header/--no-header", default=False, help="Titles of columns, too.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@click.option("--raw", is_flag=True, help="Print values as they are, control characters and CSV formulas included.")
@click.option("--debug", is_flag=True, help="Show errors with their Python traceback.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def table(ctx: click.Context, /, store: str | None, modules: tuple[str, ...], **output: Any) -> Help | None:
    """Distributed dataflow as Python workflows, on an embedded Amazon SWF."""
    session: Session = ctx.obj
    session.store = store
    session.output = Output(**output)
    for module in modules:
        import_module(module)
        session.came_from(module)
    return Help(text=ctx.get_help()) if ctx.invoked_subcommand is None else None


@click.command("help")
@click.argument("command", required=False)
@click.pass_context
def help_command(ctx: click.Context, command: str | None) -> Help:
    """Show what there is, or the help of a COMMAND."""
    parent = ctx.parent
    assert parent is not None
    if command is None:
        return Help(text=parent.get_help())
    found = table.get_command(parent, command)
    if found is None:
        raise UsageError(unknown("command", command, table.list_commands(parent), "help alone lists them"))
    return Help(text=found.get_help(click.Context(found, info_name=command, parent=parent)))


table.params.append(_help_option())
for _command in (*workflow.COMMANDS, *look.COMMANDS, *engine.COMMANDS, *info.COMMANDS, help_command):
    _command.add_help_option = False
    _command.params.append(_help_option())
    table.add_command(_command)


def run(argv: Sequence[str], session: Session, *, prog_name: str = "simpleflow") -> Record:
    """Run a command; gives its record.

    `prog_name` is what the help calls the program. Raises `UsageError` for what was typed wrong, in one line, and
    otherwise the errors of the Lab. An execution that fails is not an error here: its `Outcome` says so.
    """
    try:
        with table.make_context(prog_name, list(argv), obj=session) as ctx:
            record = table.invoke(ctx)
    except _Answer as answer:
        record = answer.record
    except click.ClickException as error:
        raise UsageError(_in_one_line(error)) from None
    assert isinstance(record, Record)
    return record


def unknown(kind: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """A sentence on a name that is not known, with the one that looks like it."""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"unknown {kind} {name!r}: " + (f"did you mean {' or '.join(close)}?" if close else otherwise)


def _in_one_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    command: click.Command | None = context.command if context is not None else None
    of = f"{command.name}: " if command is not None and command is not table else ""
    if isinstance(error, click.NoSuchOption) and command is not None:
        name = error.option_name
        if command is not table and name in _options_of(table):
            return f"{of}{name} goes before the command, as in: simpleflow {name} … {command.name} …"
        return of + unknown("option", name, _options_of(command), f"help {command.name or ''} lists them")
    return of + " ".join(error.format_message().split())


def _options_of(command: click.Command) -> list[str]:
    return [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]


# -- for completion and documentation ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """An option or argument of a command."""

    names: tuple[str, ...]
    """`-i`, `--input`; of an argument its metavar."""
    kind: str
    """What it takes: `flag`, `choice`, `workflow`, `execution`, `domain`, `module`, `path`, or click's name."""
    choices: tuple[str, ...]
    """What it may be, of a choice."""
    is_option: bool
    """An option, or an argument."""
    multiple: bool
    """It may be given more than once."""
    help: str
    """What it is for."""


@dataclass(frozen=True, kw_only=True)
class CommandSpec:
    """A command."""

    name: str
    """As it is typed; "" for the options that go before the command."""
    summary: str
    """What it does, in a sentence."""
    parameters: tuple[ParameterSpec, ...]
    """In the order of its help."""


def describe() -> tuple[CommandSpec, ...]:
    """Every command with its parameters; the first has no name and the options that go before the command."""
    commands = [table, *(table.commands[name] for name in sorted(table.commands))]
    return tuple(
        CommandSpec(
            name="" if command is table else str(command.name),
            summary=command.get_short_help_str(120),
            parameters=tuple(_parameter(parameter) for parameter in command.params),
        )
        for command in commands
    )


def _parameter(parameter: click.Parameter) -> ParameterSpec:
    is_option = isinstance(parameter, click.Option)
    names = (*parameter.opts, *parameter.secondary_opts) if is_option else (parameter.human_readable_name,)
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else ()
    return ParameterSpec(
        names=tuple(names),
        kind="flag" if flag else parameter.type.name,
        choices=tuple(str(choice) for choice in choices),
        is_option=is_option,
        multiple=parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs == -1,
        help=(parameter.help or "") if isinstance(parameter, click.Option) else "",
    )
