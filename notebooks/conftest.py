"""The kernels of the notebooks are reached by files, not by ports.

A port that is free when it is chosen may be another process's when the kernel binds it: then the kernel dies.
"""

from __future__ import annotations

import itertools
import tempfile
from typing import Any

import nbval.kernel
from jupyter_client.manager import KernelManager

_folder = tempfile.TemporaryDirectory(prefix="kernels-")
_numbers = itertools.count()


def _manager(**options: Any) -> KernelManager:
    return KernelManager(transport="ipc", ip=f"{_folder.name}/{next(_numbers)}", **options)


nbval.kernel.KernelManager = _manager
