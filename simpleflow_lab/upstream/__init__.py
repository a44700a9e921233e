"""Module paths of upstream simpleflow that this package does not use itself, for programs that import them.

A program written for simpleflow runs when `simpleflow` becomes `simpleflow_lab` in its import lines. The modules that
authors write with stand at the top of the package. What stands here is thin: it gives upstream's names to classes that
live elsewhere, under upstream's paths, which `PATHS` lists. Type checkers don't know these paths: they find the modules
as `simpleflow_lab.upstream.…`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Final

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


def install() -> None:
    """Make every path of `PATHS` importable, as an attribute of its parent too. The package calls it once."""
    for path, module in PATHS.items():
        sys.modules[path] = importlib.import_module(module)
        parent, _, name = path.rpartition(".")
        setattr(sys.modules[parent], name, sys.modules[path])
