"""`--await`: a command that waits for an execution, in a cell that stays free meanwhile.

    %simpleflow workflow.start Pipeline --input '[5]' --await

IPython awaits no magic. So the call of ours that has the word `--await` is awaited by the cell's own code, into which
IPython has turned the line by then; the magic gives a coroutine.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.notebook.command_lines import split_line

AWAIT: Final = "--await"
"""The word that asks for it."""
NO_RAISE: Final = "--no-raise"
"""The word with which an execution that did not complete is given like any other."""
WAITING: Final = ("workflow.start", "resume")
"""The commands that take both."""
_CALL: Final = re.compile(
    r"^(?P<before>\s*(?:[\w.\[\]'\", ]+\s*=\s*)?)(?P<call>get_ipython\(\)\.run_(?:line|cell)_magic\('simpleflow', .*)$",
    re.DOTALL,
)


@contextmanager
def awaiting_magics(shell: InteractiveShell) -> Iterator[None]:
    """Within this context the shell awaits our magics that have `--await`."""
    transformers: Any = shell.input_transformers_post
    transformers.append(_awaiting)
    try:
        yield
    finally:
        if _awaiting in transformers:
            transformers.remove(_awaiting)


def _awaiting(lines: list[str]) -> list[str]:
    return [_awaited(line) if AWAIT in line else line for line in lines]


def _awaited(line: str) -> str:
    found = _CALL.match(line)
    if found is None or not _asks(found["call"]):
        return line
    return f"{found['before']}await {found['call']}"


def _asks(call: str) -> bool:
    """Whether the line of the magic has the word, and not only a value that holds it."""
    literal = re.match(r"'(?:[^'\\]++|\\.)*+'|\"(?:[^\"\\]++|\\.)*+\"", call.partition("('simpleflow', ")[2])
    if literal is None or AWAIT not in literal[0]:
        return False
    try:
        return AWAIT in split_line(ast.literal_eval(literal[0]))
    except (UsageError, SyntaxError):  # the magic says the one when it runs, Python the other before
        return False


def take_out(words: list[str], word: str) -> tuple[list[str], bool]:
    """The words without this one, and whether it was among them. A command that does not take it keeps it: an error."""
    if word not in words or not words[0] or not any(each in words for each in WAITING):
        return words, False
    return [each for each in words if each != word], True
