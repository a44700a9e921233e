"""Module paths of upstream simpleflow that this package does not use itself, for programs that import them.

A program written for simpleflow runs when `simpleflow` becomes `simpleflow_lab` in its import lines. The modules that
authors write with stand at the top of the package. What stands here is thin: it gives upstream's names to classes that
live elsewhere, under upstream's paths, which `PATHS` lists. Type checkers don't know these paths: they find the modules
as `simpleflow_lab.upstream.…`.

Rule: a path costs nothing until somebody imports it.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

PATHS: Final[Mapping[str, str]] = {
    "simpleflow_lab.base": "simpleflow_lab.upstream.base",
    "simpleflow_lab.download": "simpleflow_lab.upstream.download",
    "simpleflow_lab.history": "simpleflow_lab.upstream.history",
    "simpleflow_lab.local": "simpleflow_lab.upstream.local",
    "simpleflow_lab.local.executor": "simpleflow_lab.upstream.local.executor",
    "simpleflow_lab.registry": "simpleflow_lab.upstream.registry",
    "simpleflow_lab.swf.executor": "simpleflow_lab.upstream.swf.executor",
    "simpleflow_lab.swf.task": "simpleflow_lab.upstream.swf.task",
}
"""Upstream's module path, and the module that it is here."""


class _Paths:
    """Finds a module under upstream's path: it is the module of `PATHS`, not a copy.

    A finder and loader as `importlib.abc` describes them. That module is not imported for it: it brings a dozen others.
    """

    def __init__(self) -> None:
        self._specs: dict[str, importlib.machinery.ModuleSpec | None] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        loader: Any = self
        return importlib.machinery.ModuleSpec(name, loader) if name in PATHS else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        found = importlib.import_module(PATHS[spec.name])
        self._specs[spec.name] = found.__spec__
        return found

    def exec_module(self, module: ModuleType) -> None:
        # The import system has given the module the spec of the path; its own says where its source is.
        assert module.__spec__ is not None
        module.__spec__ = self._specs.pop(module.__spec__.name)


def install() -> None:
    """Make every path of `PATHS` importable. The package calls it once."""
    sys.meta_path.insert(0, _Paths())
