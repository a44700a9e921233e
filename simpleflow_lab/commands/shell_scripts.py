"""`completion`: the script with which a shell completes `simpleflow`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import click

from simpleflow_lab.commands.records import TextRecord

_NAMES: Final = ("bash", "zsh", "fish")


@dataclass(frozen=True, kw_only=True)
class CompletionScript(TextRecord):
    """`completion`."""

    script: str
    """The script, to be sourced by the shell."""

    def text(self) -> str:
        """The script."""
        return self.script


@click.command("completion")
@click.argument("shell", type=click.Choice(_NAMES))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> CompletionScript:
    """The script that lets a SHELL complete commands, options, columns, and ids of executions and tasks.

    \b
    bash, in ~/.bashrc:  eval "$(simpleflow completion bash)"
    zsh, in ~/.zshrc:    eval "$(simpleflow completion zsh)"
    fish:                simpleflow completion fish > ~/.config/fish/completions/simpleflow.fish
    """
    from simpleflow_lab.commands.command_table import COMPLETE_VARIABLE
    from simpleflow_lab.commands.shell_completion import SHELLS

    parent = ctx.parent
    assert parent is not None
    script = SHELLS[shell](parent.command, {}, "simpleflow", COMPLETE_VARIABLE)
    # click's own `source` runs bash to look at its version; the scripts are the same.
    return CompletionScript(script=script.source_template % script.source_vars())


ACTING: Final = (completion,)
