"""Messages of the shell to people. They go to stderr: stdout has the answer of the command and nothing else."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final

from simpleflow_lab import settings
from simpleflow_lab.commands.session import Session
from simpleflow_lab.views.advice_text import PROGRAM, shell_words
from simpleflow_lab.views.text_tables import visible_lines

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution

_MAX_LINE: Final = 400
"""Characters of an error in one line."""


def report(text: str) -> None:
    """Write a message of the command to stderr."""
    print(f"simpleflow: {visible_lines(text)}", file=sys.stderr, flush=True)


def one_line(error: object) -> str:
    """An error in one line of bounded length: its beginning and its end."""
    text = " ".join(str(error).split())
    return text if len(text) <= _MAX_LINE else f"{text[: _MAX_LINE // 2]} … {text[-_MAX_LINE // 2 :]}"


def program(session: Session) -> str:
    """The first words of a command on the store of this session."""
    return shlex.join([PROGRAM] if session.store is None else [PROGRAM, "--store", session.store])


def resume_command(session: Session, execution: Execution) -> str:
    """The command line that resumes an execution which the session leaves open."""
    words = ["resume"]
    for module in session.modules or ["MODULE"]:
        words += ["--module", module]
    if execution.domain != settings.default_domain():
        words += ["--domain", execution.domain]
    return f"{program(session)} {shlex.join(words)} {shell_words(execution.workflow_id)}"
