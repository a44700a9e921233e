"""The files that a command line names: input that a command reads, and pages and histories that it writes.

Whatever is wrong with a file is a `UsageError` in one line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.replaced_files import replaced_file

MAX_INPUT_FILE: Final = 1_000_000
"""Bytes of an input file that are read; an execution takes fewer."""


def input_text(given: str | None, file: str | None) -> tuple[str, str] | None:
    """The text of `--input` or `--input-file` and the name of its source; `None` if there is neither.

    `-` stands for the standard input. Raises `UsageError`.
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


def write_file(path: str, text: str, *, force: bool) -> Path:
    """Write a file that the user named, whole or not at all; gives its path. With `force` one that is there goes.

    Raises `UsageError`.
    """
    try:
        with replaced_file(unused_path(path, force=force)) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror or error}") from None
    return Path(path)


def unused_path(path: str, *, force: bool) -> Path:
    """The path of a file that a command is to write. Raises `UsageError` if it is there and `force` is not given."""
    if not force and os.path.isfile(path):
        raise UsageError(f"{path} is there already: --force replaces it")
    return Path(path)
