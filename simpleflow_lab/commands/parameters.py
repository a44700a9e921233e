"""What options and arguments may be: the words that people type, checked before anything happens.

Their click types have names by which a completion knows what to offer: `workflow`, `execution`, `domain`, `module`.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.lab import find_workflow

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_INPUT_FILE: Final = 1_000_000
"""Bytes of an input file that are read; an execution takes fewer."""
_MAX_SECONDS: Final = 31_536_000
"""SWF's limit on every timeout: one year."""
_MAX_NAME: Final = 256
_NOT_IN_NAMES: Final = re.compile("[\x00-\x1f\x7f-\x9f:/|\ud800-\udfff]")
_MAX_TAGS: Final = 5
_MAX_TAG: Final = 256


class _Type(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    """A click type."""


class Word(_Type):
    """Any text; its name tells a completion what to offer."""

    def __init__(self, name: str):
        self.name = name


class Name(_Type):
    """What SWF takes as an id or a name of something new."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name."""
        text = str(value)
        if not 0 < len(text) <= _MAX_NAME:
            self.fail(f"a name has 1 to {_MAX_NAME} characters, this has {len(text)}", param, ctx)
        if _NOT_IN_NAMES.search(text) or text != text.strip() or text == "arn":
            self.fail(
                f"{text!r}: a name has no : / | or control characters, no space at its ends, and is not arn", param, ctx
            )
        return text


class Seconds(_Type):
    """A timeout: whole seconds, up to a year; SWF's word for no limit is NONE."""

    name = "seconds"

    def __init__(self, *, none: bool = False):
        self._none = none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As SWF writes it."""
        if self._none and value == "NONE":
            return "NONE"
        if isinstance(value, str) and value.isascii() and value.isdigit() and 0 < int(value[:10]) <= _MAX_SECONDS:
            return str(int(value))
        also = ", or NONE" if self._none else ""
        self.fail(f"{value!r} is no timeout: whole seconds from 1 to {_MAX_SECONDS}{also}", param, ctx)


class Tags(_Type):
    """Tags, with commas between them."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """The tags."""
        tags = [tag.strip() for tag in str(value).split(",") if tag.strip()]
        if len(tags) > _MAX_TAGS:
            self.fail(f"{len(tags)} tags: SWF takes {_MAX_TAGS}", param, ctx)
        if any(len(tag) > _MAX_TAG for tag in tags):
            self.fail(f"a tag is longer than the {_MAX_TAG} characters that SWF takes", param, ctx)
        return tags


# -- shared by several commands --


def target(function: Function) -> Function:
    """`[DOMAIN] [WORKFLOW_ID] [RUN_ID]` and `--domain`: one execution, by default the session's last."""
    function = click.argument("words", nargs=-1, metavar="[DOMAIN] [WORKFLOW_ID] [RUN_ID]", type=Word("execution"))(
        function
    )
    return domain_option(function)


def domain_option(function: Function) -> Function:
    """`-d/--domain`."""
    return click.option(
        "-d", "--domain", type=Word("domain"), metavar="DOMAIN", help="SWF domain.  [env var: SWF_DOMAIN; default: lab]"
    )(function)


def wait_option(function: Function) -> Function:
    """`--wait/--detach`."""
    return click.option(
        "--wait/--detach",
        default=True,
        show_default=True,
        help="Wait for its end. Detached in a shell, it stands still until `simpleflow resume`; "
        "in a notebook it goes on in the kernel.",
    )(function)


# -- names to things --


def import_module(name: str) -> Any:
    """A module that the user named. Raises `UsageError` in one line, whatever the module does when it is imported."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{name!r} is no name of a module: write it with dots, as in examples.basic")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(f"no module {error.name!r}: is it installed, or in the current directory?") from error
        raise UsageError(f"module {name!r} can't be imported: {_in_one_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"module {name!r} can't be imported: {_in_one_line(error)}") from error


def workflow_named(name: str) -> Any:
    """A workflow class: one that is defined in this process, or `module.Class`, imported. Raises `UsageError`."""
    try:
        return find_workflow(name)
    except UsageError as error:
        module_name, _, class_name = name.rpartition(".")
        if not module_name:
            raise UsageError(f"{error}; one of a module is named module.Class") from None
    module = import_module(module_name)
    found = getattr(module, class_name, None)
    if found is None:
        raise UsageError(f"module {module_name!r} has no {class_name!r}")
    try:
        if inspect.isclass(found):
            return find_workflow(f"{found.__module__}.{found.__qualname__}")
    except UsageError:
        pass
    raise UsageError(f"{name} is no workflow: name a subclass of simpleflow_lab.Workflow")


def function_named(name: str) -> Any:
    """A function that the user named as `module.function`, imported. Raises `UsageError`."""
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise UsageError(f"{name!r} is no function: one of a module is named module.function")
    found = getattr(import_module(module_name), function_name, None)
    if not callable(found):
        raise UsageError(f"module {module_name!r} has no function {function_name!r}")
    return found


def text_of(given: str | None, file: str | None) -> tuple[str, str] | None:
    """The text of `--input` or `--input-file` and the name of its source; `None` if there is neither.

    `-` is what is piped in. Raises `UsageError`.
    """
    if given is not None and file is not None:
        raise UsageError("--input and --input-file: give one of them")
    if "-" in (given, file):
        return _standard_input(), "the standard input"
    if given is not None:
        return given, "--input"
    return None if file is None else (_read(Path(file)), f"--input-file {file}")


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            if path.exists():
                raise UsageError(f"--input-file {path} is no regular file: pipe it in as --input-file -")
            raise UsageError(f"--input-file {path}: there is no such file")
        with path.open("rb") as file:
            return _decoded(file.read(MAX_INPUT_FILE + 1), f"--input-file {path}")
    except OSError as error:
        raise UsageError(f"--input-file {path}: {error.strerror or error}") from None
    except ValueError:
        raise UsageError(f"--input-file {str(path)!r} is no name of a file") from None


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("the standard input is closed: pipe the input in, or give it as --input")
    if sys.stdin.isatty():
        raise UsageError("the standard input is this terminal: pipe the input in, or give it as --input")
    try:
        return _decoded(sys.stdin.buffer.read(MAX_INPUT_FILE + 1), "the standard input")
    except (OSError, AttributeError) as error:
        raise UsageError(f"the standard input can't be read: {error}") from None


def _decoded(data: bytes, where: str) -> str:
    if len(data) > MAX_INPUT_FILE:
        raise UsageError(f"{where} has more than {MAX_INPUT_FILE} bytes: pass the name of a file instead")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{where} is not UTF-8 text") from None


def written(path: str, text: str) -> Path:
    """A file that the user named, written. Raises `UsageError`."""
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror or error}") from None
    return Path(path)


def _in_one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
