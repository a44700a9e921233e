"""The command table: every command, and `run`, which takes words and gives a record.

`run` prints nothing, and raises `UsageError` in one line for whatever was typed wrong. Shell completion, the notebook's
completion and both helps are made from this table.

Rule: a module of commands is imported when one of its commands is asked for. It has them in `READING`, those that
only read and can be watched, and `ACTING`, the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from simpleflow_lab.commands.imports import import_module
from simpleflow_lab.commands.output_options import default_output, options, take, with_output_options
from simpleflow_lab.commands.parameters import Word
from simpleflow_lab.commands.records import Record, TextRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.record = record


def _help_option() -> click.Option:
    def show_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            raise _Answered(Help(help=ctx.get_help()))

    return click.Option(
        ["-h", "--help"], is_flag=True, is_eager=True, expose_value=False, callback=show_help, help="Show this help."
    )


def _completed(command: click.Command, *, reads: bool) -> click.Command:
    """A command with the options that all have: those of the output, and --help."""
    with_output_options(command, watch=reads)
    command.add_help_option = False
    command.params.append(_help_option())
    _read_before_completion(command)
    return command


def _read_before_completion(command: click.Command) -> None:
    """Let a shell that completes the value of an option know the words before it: click reads none of them then."""
    parse = command.parse_args

    def parse_args(ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and args:
            options = [option for option in command.params if isinstance(option, click.Option) and not option.is_flag]
            if any(args[-1] in option.opts for option in options):
                args = args[:-1]
        return parse(ctx, args)

    command.parse_args = parse_args  # type: ignore[method-assign]


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from simpleflow_lab.commands import environment

        raise _Answered(Version(version=environment.version()))


# -- the table ---------------------------------------------------------------------------------------------------------


MODULES: Final[Mapping[str, str]] = {
    "activity.rerun": "one_task",
    "completion": "shell_scripts",
    "debug": "debug",
    "decider.start": "processes",
    "doctor": "doctor",
    "domain.deprecate": "domains",
    "domain.info": "domains",
    "domain.list": "domains",
    "domain.register": "domains",
    "domain.undeprecate": "domains",
    "engine.start": "engine",
    "gantt": "inspection",
    "info": "environment",
    "open": "inspection",
    "resume": "workflow",
    "standalone": "standalone",
    "task.info": "one_task",
    "task_list.list": "backlog",
    "worker.list": "processes",
    "worker.start": "processes",
    "worker.stop": "processes",
    "workflow.cancel": "requests",
    "workflow.compare": "compare",
    "workflow.explain": "explain",
    "workflow.filter": "executions",
    "workflow.fork": "forking",
    "workflow.history": "inspection",
    "workflow.info": "inspection",
    "workflow.list": "executions",
    "workflow.logs": "inspection",
    "workflow.profile": "inspection",
    "workflow.replay": "offline_replay",
    "workflow.restart": "requests",
    "workflow.retry_decision": "requests",
    "workflow.signal": "requests",
    "workflow.start": "workflow",
    "workflow.statistics": "executions",
    "workflow.tasks": "inspection",
    "workflow.terminate": "requests",
    "workflow.to_test": "recorded_tests",
}
"""The module of each command."""
_NOUN: Final = "simpleflow_lab.noun"
"""Where a context keeps the noun whose verb is still to be typed."""
_SUPERVISORS: Final = ("decider.start", "worker.start")
"""The commands that, in a shell, leave it to the processes that they start to import modules: what supervises these
runs no code of authors."""
COMPLETE_VARIABLE: Final = "_SIMPLEFLOW_COMPLETE"
"""The variable with which a shell asks for what may stand in a place of the command line."""


class _Table(click.Group):
    """The group of all commands. `workflow list` means `workflow.list`, and an unknown one is an error of one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*self.commands, *MODULES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, of a module that is imported for it; `None` if there is none."""
        if cmd_name not in self.commands and cmd_name in MODULES:
            module = importlib.import_module(f"simpleflow_lab.commands.{MODULES[cmd_name]}")
            for reads, commands in ((True, "READING"), (False, "ACTING")):
                for command in getattr(module, commands, ()):
                    self.add_command(_completed(command, reads=reads))
        return self.commands.get(cmd_name)

    def all_commands(self) -> dict[str, click.Command]:
        """Every command by its name, all modules imported."""
        names = self.list_commands(click.Context(self))
        found = {name: self.get_command(click.Context(self), name) for name in names}
        return {name: command for name, command in found.items() if command is not None}

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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin so; behind `workflow`, the verbs of that noun."""
        noun = ctx.meta.get(_NOUN)
        if not noun:
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        begin = f"{noun}.{incomplete}"
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx) if name.startswith(begin)}
        return [
            CompletionItem(name.removeprefix(f"{noun}."), help=command.get_short_help_str())
            for name, command in found.items()
            if command is not None
        ]

    def joined(self, ctx: click.Context, words: list[str]) -> list[str]:
        """The words of a command line, with `workflow list` as `workflow.list`.

        Raises `UsageError` for a noun alone, with the commands that it has.
        """
        noun, *rest = words
        of_noun = [name for name in self.list_commands(ctx) if name.startswith(f"{noun}.")]
        if not of_noun or self.get_command(ctx, noun) is not None:
            return words
        if rest and f"{noun}.{rest[0]}" in of_noun:
            return [f"{noun}.{rest[0]}", *rest[1:]]
        if ctx.resilient_parsing:
            ctx.meta[_NOUN] = "" if rest else noun
            return words
        if rest and rest[0] in ("-h", "--help"):
            raise _Answered(self.help_of_noun(ctx, noun))
        if rest and not rest[0].startswith("-"):
            raise UsageError(_unknown("command", f"{noun} {rest[0]}", of_noun, f"there are {', '.join(of_noun)}"))
        raise UsageError(f"which command of {noun}? there are {', '.join(of_noun)}")

    def help_of_noun(self, ctx: click.Context, noun: str) -> Help:
        """The commands of a noun as `--help` lists them. Raises `UsageError` if it has none."""
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx) if name.startswith(f"{noun}.")}
        if not found:
            raise UsageError(_unknown("command", noun, self.list_commands(ctx), "help alone lists them"))
        formatter = ctx.make_formatter()
        formatter.write_usage(ctx.command_path, f"{noun} COMMAND …")
        width = formatter.width - 6 - max(map(len, found))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name.replace(".", " "), command.get_short_help_str(width))
                    for name, command in found.items()
                    if command is not None
                ]
            )
        return Help(help=formatter.getvalue().rstrip("\n"))


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
    here = session.serves_here or ctx.invoked_subcommand not in _SUPERVISORS
    for module in modules:
        if here:
            import_module(module)
        session.remember_module(module)
    return Help(help=ctx.get_help()) if ctx.invoked_subcommand is None else None


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]")
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> Help:
    """List the commands, or those of a noun as `workflow`, or show the help of a COMMAND."""
    parent = ctx.parent
    assert parent is not None
    if not words:
        return Help(help=parent.get_help())
    command, *more = table.joined(parent, list(words)) if len(words) > 1 else words
    if more:
        raise UsageError(f"help is about one command, not {len(words)}: {' '.join(words)}")
    found = table.get_command(parent, command)
    if found is None:
        return table.help_of_noun(parent, command)
    return Help(help=found.get_help(click.Context(found, info_name=command, parent=parent)))


table.params[2:2] = options()
table.params.append(_help_option())
table.add_command(_completed(help_command, reads=False))


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
        raise UsageError(_in_one_line(error, argv)) from None
    assert isinstance(record, Record)
    return record


def _unknown(kind: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """A sentence on a name that is not known, with those that are spelled like it, or else `otherwise`."""
    import difflib

    if kind == "command":
        from simpleflow_lab.commands.other_names import here

        known = list(known)
        found = here(name.replace(" ", "."), known)
        if found is not None:
            return f"unknown {kind} {name!r}: here it is {found}"
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"unknown {kind} {name!r}: " + (f"did you mean {' or '.join(close)}?" if close else otherwise)


_WORDS: Final = {
    "is not a valid integer range.": "is no whole number",
    "is not a valid integer.": "is no whole number",
    "is not a valid float range.": "is no number",
}
"""Types of values by click's names, in a person's words."""
_NO_WATCH: Final = (
    "--watch is for commands that only read: what waits for an execution says in a terminal how far it is; for another "
    "one, workflow.info ID --watch 2"
)


def _in_one_line(error: click.ClickException, words: Sequence[str]) -> str:
    context = getattr(error, "ctx", None)
    command: click.Command | None = context.command if context is not None else None
    of = f"{command.name}: " if command is not None and command is not table else ""
    if isinstance(error, click.NoSuchOption) and command is not None:
        name = error.option_name
        if command is not table and name in _options_of(table):
            return f"{of}{name} goes before the command, as in: simpleflow {name} … {command.name} …"
        behind = _behind_command(name, error.ctx, words) if command is table and error.ctx is not None else None
        if behind is not None:
            return behind
        otherwise = f"help {command.name} lists them" if command is not table else "help lists them"
        if name == "--watch":
            return f"{of}{_NO_WATCH}"
        takes_id = any(isinstance(each.type, Word) and each.type.name == "execution" for each in command.params)
        dashes = "; an id that begins with - goes after --" if takes_id else ""
        return of + _unknown("option", name, _options_of(command), otherwise) + dashes
    text = " ".join(error.format_message().split())
    for clicks, ours in _WORDS.items():
        text = text.replace(clicks, ours)
    return of + text


def _behind_command(option: str, context: click.Context, words: Sequence[str]) -> str | None:
    """A sentence on an option before the command that commands take behind them; `None` if none does."""
    for place, word in enumerate(words):
        verb = "".join(words[place + 1 : place + 2])
        typed = next((name for name in (word, f"{word}.{verb}") if table.get_command(context, name) is not None), None)
        command = None if typed is None else table.get_command(context, typed)
        if command is not None and option in _options_of(command):
            return f"{option} goes behind the command, as in: simpleflow {typed} {option} …"
    for name, command in table.all_commands().items():
        if option in _options_of(command):
            return f"{option} goes behind a command that takes it, as in: simpleflow {name} {option} …"
    return None


def _options_of(command: click.Command) -> list[str]:
    return [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]
