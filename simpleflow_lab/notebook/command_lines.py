"""The line of a magic as the words of a command, with what a notebook adds to them: `-o NAME`, and variables.

`$name` and `{name}` stand for the text or number of a variable, as in IPython's own magics, also with attributes, as
`$execution.run_id`; between quotes, behind a backslash, and in what is written as input they are these characters. As
input, `name`, `$name` and `{name}` stand for the JSON of a variable.

Rule: nothing in a line is evaluated: a variable is looked up by its name. What it stands for is never an option: it may
come from a history.
"""

from __future__ import annotations

import json
import keyword
import numbers
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.data.codec import encode
from simpleflow_lab.exceptions import EncodingError, UsageError

_OUT: Final = ("-o", "--out")
_INPUT: Final = ("-i", "--input")
_INPUTS: Final = tuple(f"{option}=" for option in _INPUT)
_SPACES: Final = ("", " ", "\t", "\r", "\n")
_BEFORE_INPUT: Final = tuple([option] for option in _INPUT)


# One part of a word, or what stands between two. No part can be matched in two ways, so a line is read once.
_PART: Final = re.compile(
    r"""(?P<between>[ \t\r\n]+)|(?P<plain>[^ \t\r\n'"\\]+)|\\(?P<escaped>.)"""
    r"""|'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]++|\\.)*+)\"""",
    re.DOTALL,
)


_NAME: Final = r"[^\W\d]\w*+"
_ATTRIBUTE: Final = r"[^\W\d_]\w*+"
_VARIABLE: Final = re.compile(
    rf"\$(?P<dollar>{_NAME}(?:\.{_ATTRIBUTE})*+)|\$(?P<escape>\$)"
    rf"|(?<!\{{)\{{(?P<braces>{_NAME}(?:\.{_ATTRIBUTE})*+)\}}(?!\}})"
)
"""The forms of a variable, and `$$`, which stands for `$`."""
_OPTION: Final = re.compile(r"-(?:-|[^\W\d])")
"""The start of a word that a command takes for an option."""
_TEXTS: Final = (str, numbers.Number, os.PathLike)
"""The types of values that can be part of a word; numbers of numpy, as from a table, are among them."""


def split_line(line: str, variables: Mapping[str, Any] | None = None) -> list[str]:
    """The words of a line: those of `shlex.split`, whose time grows with the square of a word's length. The input of a
    workflow may have a million characters. With `variables`, what stands for one is replaced.

    Raises `UsageError`.
    """
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
            if part.lastgroup == "double":
                text = re.sub(r'\\(["\\])', r"\1", text)
            elif variables is not None and part.lastgroup == "plain":
                begin = parts[0] if parts else text
                is_input = words[-1:] in _BEFORE_INPUT or begin.startswith(_INPUTS)
                if not is_input:
                    written, text = text, _with_values(text, variables)
                    if not (parts or "--" in words or written.startswith("-")) and _OPTION.match(text):
                        raise UsageError(
                            f"{written}: its value {text[:40]!r} would be read as an option: put -- before it, or "
                            f"write --option={written} if it is an option's value"
                        )
                elif not parts and line[position : position + 1] in _SPACES:  # it is the whole word
                    text = _input_name(text)
            parts.append(text)
        elif parts:
            words.append("".join(parts))
            parts = []
    return [*words, "".join(parts)] if parts else words


def _input_name(text: str) -> str:
    """The word of an input: `$name` and `{name}` as `name`, which stands for a variable; else as it is."""
    option, equals, value = text.partition("=") if text.startswith(_INPUTS) else ("", "", text)
    found = _VARIABLE.fullmatch(value)
    name = None if found is None else found["dollar"] or found["braces"]
    return text if name is None or not name.isidentifier() else f"{option}{equals}{name}"


def _with_values(text: str, variables: Mapping[str, Any]) -> str:
    """The text with the values of the variables that it names. Raises `UsageError` for one that is none."""

    def value(found: re.Match[str]) -> str:
        if found["escape"]:
            return "$"
        name, *attributes = (found["dollar"] or found["braces"]).split(".")
        if name not in variables:
            raise UsageError(f"{found[0]}: there is no variable {name}; for the characters themselves put them in '…'")
        thing, path = variables[name], name
        while attributes:
            try:
                thing = getattr(thing, attributes[0])
            except AttributeError:
                if found["braces"] or not isinstance(thing, _TEXTS):
                    raise UsageError(f"{found[0]}: {path} has no attribute {attributes[0]}") from None
                break  # as the ending of a name of a file
            path += f".{attributes.pop(0)}"
        if not isinstance(thing, _TEXTS):
            raise UsageError(
                f"{found[0]}: {path} is of type {type(thing).__name__}, and a word of a command is a text or number"
            )
        return ".".join([os.fspath(thing) if isinstance(thing, os.PathLike) else str(thing), *attributes])

    return _VARIABLE.sub(value, text)


def take_out_name(words: list[str]) -> tuple[list[str], str | None]:
    """The words without `-o NAME`, and NAME, `None` if there is none. Raises `UsageError`."""
    rest: list[str] = []
    name: str | None = None
    found = iter(words)
    for word in found:
        if word == "--":  # what follows is no option
            rest += [word, *found]
            break
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
