"""What nbval compares: nothing that depends on how fast a run was.

A cell that waits for an execution for a moment shows it live, with a still picture for pages without a kernel; a quick
run shows neither. Where such a picture is a cell's value, `sanitize.cfg` makes it what a quick run shows.

Kernels are reached by files, not by ports: a port that is free when it is chosen may be another process's when the
kernel binds it, and then the kernel dies.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import nbval.kernel
import pytest
from jupyter_client.manager import KernelManager
from nbval.plugin import IPyNbCell

Outputs = Sequence[Mapping[str, Any]]
STILL = '<section class="sfl-still"'

_folder = tempfile.TemporaryDirectory(prefix="kernels-")
_numbers = itertools.count()


def _manager(**options: Any) -> KernelManager:
    return KernelManager(transport="ipc", ip=f"{_folder.name}/{next(_numbers)}", **options)


nbval.kernel.KernelManager = _manager


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Compare the outputs of a cell without those pictures."""
    if isinstance(item, IPyNbCell):
        item.compare_outputs = functools.partial(_compare_without_stills, item.compare_outputs)


def _compare_without_stills(compare: Callable[..., bool], test: Outputs, reference: Outputs, **options: Any) -> bool:
    return compare(_without_stills(test), _without_stills(reference), **options)


def _without_stills(outputs: Outputs) -> Outputs:
    return [each for each in outputs if not _is_still(each)]


def _is_still(output: Mapping[str, Any]) -> bool:
    html = output.get("data", {}).get("text/html", "")
    return output["output_type"] == "display_data" and "".join(html).startswith(STILL)
