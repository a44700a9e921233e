"""The commands as plain records, for the notebook's completion and the documentation. They are read from the table."""

from __future__ import annotations

from dataclasses import dataclass

import click

from simpleflow_lab.commands.command_table import table


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """An option or argument of a command."""

    names: tuple[str, ...]
    """Of an option its spellings, as `-i` and `--input`; of an argument its metavar."""
    kind: str
    """The type of its values: `flag`, `choice`, `workflow`, `execution`, `domain`, `module`, `path` or click's name."""
    choices: tuple[str, ...]
    """The values that a choice may have; of another kind none."""
    is_option: bool
    """Whether it is an option; else it is an argument."""
    multiple: bool
    """Whether it may be given more than once."""
    help: str
    """Its sentence in the help."""


@dataclass(frozen=True, kw_only=True)
class CommandSpec:
    """A command."""

    name: str
    """The word that is typed; "" for the options that go before the command."""
    summary: str
    """The first sentence of its help."""
    parameters: tuple[ParameterSpec, ...]
    """Its options and arguments, in the order of its help."""


def describe() -> tuple[CommandSpec, ...]:
    """Every command with its parameters; the first has no name and the options that go before the command."""
    commands = [table, *table.all_commands().values()]
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
