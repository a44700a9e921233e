"""The line of a magic as the words of a command, with what a notebook adds to them: `-o NAME`, and variables as input.

Nothing in a line is evaluated: a variable is looked up by its name, and its value becomes JSON.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.data.codec import encode
from simpleflow_lab.exceptions import EncodingError, UsageError

_OUT: Final = ("-o", "--out")
_INPUT: Final = ("-i", "--input")


# One part of a word, or what stands between two. No part can be matched in two ways, so a line is read once.
_PART: Final = re.compile(
    r"""(?P<between>[ \t\r\n]+)|(?P<plain>[^ \t\r\n'"\\]+)|\\(?P<escaped>.)"""
    r"""|'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]++|\\.)*+)\"""",
    re.DOTALL,
)


def split_line(line: str) -> list[str]:
    """The words of a line: those of `shlex.split`, whose time grows with the square of a word's length. The input of a
    workflow may have a million characters. Raises `UsageError`."""
    words: list[str] = []
    parts: list[str] = []  # of the word that has begun
    position = 0
    while position < len(line):
        part = _PART.match(line, position)
        if part is None:
            reason = "no escaped character" if line[position] == "\\" else "no closing quotation"
            raise UsageError(f"{reason}: put JSON and whatever holds a quote between '…'")
        position = part.end()
        text = part[part.lastgroup or 0]
        if part.lastgroup != "between":
            parts.append(re.sub(r'\\(["\\])', r"\1", text) if part.lastgroup == "double" else text)
        elif parts:
            words.append("".join(parts))
            parts = []
    return [*words, "".join(parts)] if parts else words


def take_out_name(words: list[str]) -> tuple[list[str], str | None]:
    """The words without `-o NAME`, and NAME, `None` if there is none. Raises `UsageError`."""
    rest: list[str] = []
    name: str | None = None
    found = iter(words)
    for word in found:
        option, equals, value = word.partition("=")
        if option not in _OUT:
            rest.append(word)
            continue
        name = value if equals else next(found, None)
        if name is None or not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(
                f"{option} takes the name of a variable, not {name!r}: a command's own options have long names here, "
                "as in --output FILE"
            )
    return rest, name


def with_variables(words: list[str], variables: Mapping[str, Any]) -> list[str]:
    """The words, in which the JSON of a variable replaces its name after `--input`. Raises `UsageError`."""
    done: list[str] = []
    for i, word in enumerate(words):
        option, equals, value = word.partition("=")
        if equals and option in _INPUT:
            done.append(f"{option}={_input(value, variables)}")
        elif i and words[i - 1] in _INPUT:
            done.append(_input(word, variables))
        else:
            done.append(word)
    return done


def _input(text: str, variables: Mapping[str, Any]) -> str:
    if not text.isidentifier() or _is_json(text):
        return text
    if text not in variables:
        raise UsageError(f"--input {text}: it is not JSON, and there is no variable of this name")
    try:
        return encode(variables[text])
    except EncodingError as error:
        raise UsageError(f"--input {text}: {error}") from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
