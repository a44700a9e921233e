"""The command table: every command, and `run`, which takes words and gives a record.

`run` prints nothing, and raises `UsageError` in one line for whatever was typed wrong. Shell completion, the notebook's
completion and both helps are made from this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from simpleflow_lab.commands import (
    backlog,
    doctor,
    domains,
    engine,
    environment,
    executions,
    explain,
    inspection,
    offline_replay,
    one_task,
    processes,
    requests,
    shell_scripts,
    standalone,
    workflow,
)
from simpleflow_lab.commands.imports import import_module
from simpleflow_lab.commands.output_options import default_output, options, take, with_output_options
from simpleflow_lab.commands.parameters import Word
from simpleflow_lab.commands.records import Record, TextRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError

# -- --help and --version ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Help(TextRecord):
    """`--help`, `help`, or no command at all."""

    help: str
    """The help as click lays it out."""

    def text(self) -> str:
        """The help."""
        return self.help


@dataclass(frozen=True, kw_only=True)
class Version(TextRecord):
    """`--version`."""

    version: str
    """The version of simpleflow_lab."""

    def text(self) -> str:
        """The name of the program with its version."""
        return f"simpleflow {self.version}"


class _Answered(Exception):
    """An option gave the answer, and the command does not run: --help, --version."""

    def __init__(self, record: Record):
        super().__init__(record)
        self.record = record


def _help_option() -> click.Option:
    def show_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            raise _Answered(Help(help=ctx.get_help()))

    return click.Option(
        ["-h", "--help"], is_flag=True, is_eager=True, expose_value=False, callback=show_help, help="Show this help."
    )


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        raise _Answered(Version(version=environment.version()))


# -- the table ---------------------------------------------------------------------------------------------------------


class _Table(click.Group):
    """The group of all commands. `workflow list` means `workflow.list`, and an unknown command is told in a line."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command as click does. Raises `UsageError` for an unknown one."""
        args = self.joined(ctx, args)
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise UsageError(
                _unknown("command", args[0], self.list_commands(ctx), f"{ctx.info_name} --help lists them")
            )
        return super().resolve_command(ctx, args)

    def joined(self, ctx: click.Context, words: list[str]) -> list[str]:
        """The words of a command line, with `workflow list` as `workflow.list`.

        Raises `UsageError` for a noun alone, with the commands that it has.
        """
        noun, *rest = words
        of_noun = [name for name in self.list_commands(ctx) if name.startswith(f"{noun}.")]
        if not of_noun or self.get_command(ctx, noun) is not None or ctx.resilient_parsing:
            return words
        if rest and f"{noun}.{rest[0]}" in of_noun:
            return [f"{noun}.{rest[0]}", *rest[1:]]
        if rest and not rest[0].startswith("-"):
            raise UsageError(_unknown("command", f"{noun} {rest[0]}", of_noun, f"there are {', '.join(of_noun)}"))
        raise UsageError(f"which command of {noun}? there are {', '.join(of_noun)}")


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
@click.option("--module", "modules", multiple=True, type=Word("module"), help="Import it first; may be repeated.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
@click.pass_context
def table(ctx: click.Context, /, store: str | None, modules: tuple[str, ...], **output: Any) -> Help | None:
    """Distributed dataflow as Python workflows, on an embedded Amazon SWF."""
    session: Session = ctx.obj
    session.store = store
    session.output = default_output()
    take(session, output)
    for module in modules:
        import_module(module)
        session.remember_module(module)
    return Help(help=ctx.get_help()) if ctx.invoked_subcommand is None else None


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]")
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> Help:
    """List the commands, or show the help of a COMMAND."""
    parent = ctx.parent
    assert parent is not None
    if not words:
        return Help(help=parent.get_help())
    command, *more = table.joined(parent, list(words)) if len(words) > 1 else words
    if more:
        raise UsageError(f"help is about one command, not {len(words)}: {' '.join(words)}")
    found = table.get_command(parent, command)
    if found is None:
        raise UsageError(_unknown("command", command, table.list_commands(parent), "help alone lists them"))
    return Help(help=found.get_help(click.Context(found, info_name=command, parent=parent)))


READING: Final = (
    *executions.COMMANDS,
    *inspection.COMMANDS,
    *explain.COMMANDS,
    *one_task.READING,
    *backlog.COMMANDS,
    *domains.READING,
    *processes.READING,
    *environment.COMMANDS,
    *doctor.COMMANDS,
)
"""Commands that only read: they can be watched."""
ACTING: Final = (
    *workflow.COMMANDS,
    *requests.COMMANDS,
    *one_task.ACTING,
    *domains.ACTING,
    *offline_replay.COMMANDS,
    *engine.COMMANDS,
    *processes.ACTING,
    *standalone.COMMANDS,
    *shell_scripts.COMMANDS,
    help_command,
)
"""The others."""

table.params[2:2] = options()
table.params.append(_help_option())
for _command in (*READING, *ACTING):
    with_output_options(_command, watch=_command in READING)
    _command.add_help_option = False
    _command.params.append(_help_option())
    table.add_command(_command)


def run(argv: Sequence[str], session: Session, *, prog_name: str = "simpleflow") -> Record:
    """Run a command; gives its record.

    `prog_name` is the name of the program in the help. Raises `UsageError` for what was typed wrong, in one line, and
    otherwise the errors of the Lab. An execution that fails is not an error here: its `Outcome` says so.
    """
    try:
        with table.make_context(prog_name, list(argv), obj=session) as ctx:
            record = table.invoke(ctx)
    except _Answered as answered:
        record = answered.record
    except click.ClickException as error:
        raise UsageError(_in_one_line(error)) from None
    assert isinstance(record, Record)
    return record


def _unknown(kind: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """A sentence on a name that is not known, with those that are spelled like it, or else `otherwise`."""
    import difflib

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
        otherwise = f"help {command.name} lists them" if command is not table else "help lists them"
        takes_id = any(isinstance(each.type, Word) and each.type.name == "execution" for each in command.params)
        dashes = "; an id that begins with - goes after --" if takes_id else ""
        return of + _unknown("option", name, _options_of(command), otherwise) + dashes
    return of + " ".join(error.format_message().split())


def _options_of(command: click.Command) -> list[str]:
    return [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]
