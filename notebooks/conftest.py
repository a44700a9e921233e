"""How nbval runs and compares the notebooks here.

Their kernels are reached by files, not by ports: a port that is free when it is chosen may be another process's when
the kernel binds it, and then the kernel dies.

What a cell waited for is displayed if that took longer than a moment, which a slow machine alone may cause. So these
displays are left out on both sides before outputs are compared.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import nbval.kernel
import nbval.plugin
from jupyter_client.manager import KernelManager

_folder = tempfile.TemporaryDirectory(prefix="kernels-")
_numbers = itertools.count()


def _manager(**options: Any) -> KernelManager:
    return KernelManager(transport="ipc", ip=f"{_folder.name}/{next(_numbers)}", **options)


def without_waits(outputs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """These outputs without the still pictures of executions that a cell displayed beside its value."""
    return [one for one in outputs if not (one["output_type"] == "display_data" and _is_still(one["data"]))]


def _is_still(data: Mapping[str, Any]) -> bool:
    return "".join(data.get("text/html", "")).startswith('<section class="sfl-still">')


_compare = nbval.plugin.IPyNbCell.compare_outputs


def _compare_without_waits(cell: Any, test: Any, ref: Any, skip_compare: Any = None) -> Any:
    return _compare(cell, without_waits(test), without_waits(ref), skip_compare)


nbval.kernel.KernelManager = _manager
nbval.plugin.IPyNbCell.compare_outputs = _compare_without_waits
