"""Files that are written whole or not at all: whoever reads one meanwhile sees the one of before.

Rule: what is no regular file, as a pipe or `/dev/stdout`, is written as it is. A file keeps its mode, and a symbolic
link its place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NAME: Final = 64
"""Characters of a file's name that the name of the one beside it ends with: how a name ends may say what is written."""


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Within this context a file is written to the path that it gives; at its end that is the file at `path`.

    If the context ends with an error, what was at `path` is still there. Raises `OSError`.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    final = Path(os.path.realpath(path))
    beside = final.with_name(f".{os.urandom(4).hex()}-{final.name[-_NAME:]}")
    try:
        beside.touch(exist_ok=False)
    except PermissionError:  # a folder in which one may only write the files that are there
        yield path
        return
    try:
        yield beside
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(final, beside)
        beside.replace(final)
    finally:
        beside.unlink(missing_ok=True)
