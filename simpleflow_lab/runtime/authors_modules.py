"""Tells which modules are the author's, and makes a digest of what stands in them."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import os
import sys
import types
from typing import Final

from simpleflow_lab.runtime.function_texts import parsed

_PACKAGE: Final = __name__.partition(".")[0]
_STANDARD_LIBRARY: Final = os.path.join(os.path.dirname(os.__file__), "")


def is_authors(module: str | None, of_definition: str) -> bool:
    """Whether a module is the author's: the definition's own package, or one that was not installed."""
    top = (module or "").partition(".")[0]
    if top in ("__main__", "__mp_main__", ""):
        return True
    if top == _PACKAGE:
        return False
    return top == of_definition.partition(".")[0] or not _is_installed(top)


@functools.lru_cache(maxsize=4096)
def _is_installed(top: str) -> bool:
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    found = sys.modules.get(top)
    file = str(getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", ())), ""))
    return file.startswith(_STANDARD_LIBRARY) or "site-packages" in file or "dist-packages" in file


def source_digest(module: types.ModuleType) -> str:
    """A digest of the source of a module without its comments; of one that has none, its name."""
    with contextlib.suppress(OSError, TypeError, SyntaxError, ValueError):
        return _digest_of(inspect.getsource(module))
    return f"<{module.__name__}>"


@functools.lru_cache(maxsize=64)
def _digest_of(source: str) -> str:
    return hashlib.sha256(ast.unparse(parsed(source)).encode("utf-8", "surrogatepass")).hexdigest()
