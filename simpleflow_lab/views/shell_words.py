"""Commands of a shell about an execution.

*Rule:* what is printed can be pasted: it is quoted, an id is no option, and no execution of another domain is meant.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

_COMMAND: Final = re.compile(r"(?P<before>.*, or simpleflow )(?P<name>\S+) (?:-- )?(?P<words>.*)")
"""What helps, as a call and as the command that does the same."""


def shell_words(*words: str) -> str:
    """Words behind the name and the options of a command; `--` keeps those that begin with `-` from being options."""
    return shlex.join([*(["--"] if any(word.startswith("-") for word in words) else []), *words])


def in_domain(to_do: str, domain: str) -> str:
    """What helps with an execution of a domain that commands have to name."""
    found = _COMMAND.fullmatch(to_do)
    if found is None:
        return to_do
    return f"{found['before']}{found['name']} {shell_words(domain, *shlex.split(found['words']))}"
