"""The input of an execution as a person types it: JSON, a file, or arguments by their names.

Rule: `NAME=VALUE` is no JSON, so no text is both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from simpleflow_lab.commands.files import input_text
from simpleflow_lab.exceptions import UsageError

if TYPE_CHECKING:
    from simpleflow_lab.commands.session import Session


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--input` and `--input-file` of a command that starts an execution."""
    of_file = click.option(
        "--input-file", "file", metavar="FILE", type=click.Path(), help="The JSON from a FILE; - is standard input."
    )
    typed = click.option(
        "-i",
        "--input",
        "given",
        multiple=True,
        metavar="JSON",
        help="Arguments of its run: '[1, 5]', '{\"kwargs\": {…}}', or NAME=VALUE, which may be repeated.",
    )
    return typed(of_file(command))


def typed_arguments(
    session: Session, definition: type[Any], given: Sequence[str], file: str | None
) -> tuple[list[Any], dict[str, Any]]:
    """`(args, kwargs)` of `--input` and `--input-file`.

    The session tells of a JSON object that is one argument and has names of arguments. Raises `UsageError`.
    """
    from simpleflow_lab.data.codec import decode_input

    named = [_named(text) for text in given]
    if any(named):
        if file is not None or not all(named):
            raise UsageError("--input NAME=VALUE stands beside no other input: give each argument by its name, or JSON")
        return [], _arguments_by_name([pair for pair in named if pair is not None])
    if len(given) > 1:
        raise UsageError("--input is given once as JSON: '[1, 5]' has several arguments; NAME=VALUE may be repeated")
    source = input_text(given[0] if given else None, file)
    if source is None:
        return [], {}
    args, kwargs = decode_input(source[0], where=source[1])
    if not kwargs and len(args) == 1 and source[0].lstrip().startswith("{"):
        _tell_of_one_object(session, definition, args[0])
    return args, kwargs


def _named(text: str) -> tuple[str, str] | None:
    """The name and the value of NAME=VALUE; `None` for any other text."""
    name, equals, value = text.partition("=")
    return (name, value) if equals and name.isidentifier() else None


def _arguments_by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    for name, text in pairs:
        if name in kwargs:
            raise UsageError(f"--input {name}=… is given twice")
        kwargs[name] = _value(name, text)
    return kwargs


def _value(name: str, text: str) -> Any:
    """The value of a typed text: its JSON, or the text itself if that is none.

    Raises `UsageError` for what is meant as JSON and is none: what begins as an array, object or string, and numbers.
    """
    from simpleflow_lab.data.codec import decode_typed

    try:
        return decode_typed(text, where=f"--input {name}=…")
    except UsageError:
        if text.lstrip().startswith(("[", "{", '"')) or _is_a_number(text):
            raise
        return text


def _is_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _tell_of_one_object(session: Session, definition: type[Any], value: Any) -> None:
    from simpleflow_lab.executions.start_requests import argument_names

    if isinstance(value, dict) and value and set(value) <= set(argument_names(definition)):
        name = next(iter(value))
        session.tell(
            f"--input is one argument here, an object with {', '.join(value)}. If these are arguments of "
            f'{definition.__name__}.run: --input {name}=…, or \'{{"kwargs": {{"{name}": …}}}}\''
        )
