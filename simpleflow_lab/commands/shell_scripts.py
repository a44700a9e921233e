"""`completion`: the script with which a shell completes `simpleflow`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import click

from simpleflow_lab.commands.records import TextRecord

SHELLS: Final = ("bash", "zsh", "fish")


@dataclass(frozen=True, kw_only=True)
class CompletionScript(TextRecord):
    """`completion`."""

    script: str
    """The script, to be sourced by the shell."""

    def text(self) -> str:
        """The script."""
        return self.script


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> CompletionScript:
    """The script that lets a SHELL complete commands, options, and ids of executions.

    \b
    bash, in ~/.bashrc:  eval "$(simpleflow completion bash)"
    zsh, in ~/.zshrc:    eval "$(simpleflow completion zsh)"
    fish:                simpleflow completion fish > ~/.config/fish/completions/simpleflow.fish
    """
    from click.shell_completion import get_completion_class

    from simpleflow_lab.commands.command_table import COMPLETE_VARIABLE

    parent = ctx.parent
    assert parent is not None
    found = get_completion_class(shell)
    assert found is not None
    script = found(parent.command, {}, "simpleflow", COMPLETE_VARIABLE)
    # click's own `source` runs bash to look at its version; the scripts are the same.
    return CompletionScript(script=script.source_template % script.source_vars())


ACTING: Final = (completion,)
