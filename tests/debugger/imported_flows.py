"""Flows in a module of their own, which a test imports, edits and loads again."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest


@contextmanager
def imported(folder: Path, name: str, program: str) -> Iterator[ModuleType]:
    """The module of this name that a program in this folder makes; it is forgotten at the end."""
    (folder / f"{name}.py").write_text(program)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(sys, "dont_write_bytecode", True)  # two versions may have one time and one size
        yield importlib.import_module(name)
        del sys.modules[name]
