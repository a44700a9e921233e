"""Completion in a shell: what may stand in a place of the command line, click's way, with what it lacks.

click offers nothing for a value that begins with `-`, as in `--sort=-started`; loses `--sort=` in zsh and fish, and in
bash the command behind `--format=json`. Its script for fish cuts a value at the comma. That for bash puts a value on
the line as it is, where `$(…)` would run, and takes one such as `*` for the names of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from simpleflow_lab.commands.shell_offers import offers

SIGNED: Final = ("--sort",)
"""Options whose value may begin with `-`."""


def _words(item: CompletionItem) -> list[CompletionItem]:
    """The words for what is to be offered; a word that is one stands for itself."""
    return [item] if item.ctx is None else offers(item.type, item.ctx, item.param, item.value)


class _Complete(ShellComplete):
    """The common part of the three shells."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """The words that may stand there; see `ShellComplete`."""
        # bash divides `--sort=x` in three words, the other shells leave it as one.
        args = [word for before, word in zip(["", *args], args, strict=False) if word != "=" or before[:2] != "--"]
        typed = "" if incomplete == "=" else incomplete
        prefix = ""
        if typed.startswith("--") and "=" in typed:
            name, _, typed = typed.partition("=")
            args, prefix = [*args, name], f"{name}="
        if args and args[-1] in SIGNED and typed.startswith("-"):
            typed, prefix = typed[1:], f"{prefix}-"
        found = [word for item in super().get_completions(args, typed) for word in _words(item)]
        return (
            [CompletionItem(prefix + item.value, type=item.type, help=item.help) for item in found] if prefix else found
        )


class _Bash(_Complete, BashComplete):
    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local response type value typed=${COMP_WORDS[COMP_CWORD]}
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete $1)
    while IFS=',' read -r type value; do
        case $type in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain)
                case $typed in
                    \\'*) value=${value//\\'/\\'\\\\\\'\\'} ;;
                    \\"*) value=$(sed 's/[\\\\"$`]/\\\\&/g' <<< "$value") ;;
                    *) [[ $value != *[!A-Za-z0-9_@%%+=:,./-]* ]] || printf -v value %%q "$value" ;;
                esac
                COMPREPLY+=("$value")
                ;;
        esac
    done <<< "$response"
    return 0
}

%(complete_func)s_setup() {
    complete -o nosort -F %(complete_func)s %(prog_name)s
}

%(complete_func)s_setup;
"""


class _Zsh(_Complete, ZshComplete):
    pass


class _Fish(_Complete, FishComplete):
    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


SHELLS: Final[Mapping[str, type[ShellComplete]]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
"""The shells that can complete `simpleflow`."""
