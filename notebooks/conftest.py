"""What nbval compares: nothing that depends on how fast a run was.

A cell that waits for an execution for a moment shows it live, with a still picture for pages without a kernel; a quick
run shows neither. Where such a picture is a cell's value, `sanitize.cfg` makes it what a quick run shows.

Kernels are reached by files, not by ports: a port that is free when it is chosen may be another process's when the
kernel binds it, and then the kernel dies.

How long nbval waits for a kernel's next message only ends what hangs: on a busy machine a kernel may stand still for
longer than the 5 and 10 seconds that nbval gives it, and than the 2 seconds in which a cell is checked against recorded
executions.
"""

from __future__ import annotations

import functools
import itertools
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import nbval.kernel
import nbval.plugin
import pytest
from jupyter_client.manager import KernelManager
from nbval.plugin import IPyNbCell

LIMIT_S = 200
"""For the next message of a kernel, in seconds. Below the `timeout` of pytest."""

Outputs = Sequence[Mapping[str, Any]]
UNHURRIED = {"SIMPLEFLOW_LAB_CHECK_SECONDS": "200", "SIMPLEFLOW_LAB_STEP_SECONDS": "200"}
STILL = '<section class="sfl-still"'

_folder = tempfile.TemporaryDirectory(prefix="kernels-")
_numbers = itertools.count()


class _Manager(KernelManager):
    def __init__(self, **options: Any) -> None:
        super().__init__(transport="ipc", ip=f"{_folder.name}/{next(_numbers)}", **options)

    def start_kernel(self, **options: Any) -> Any:
        return super().start_kernel(env={**os.environ, **UNHURRIED}, **options)


nbval.kernel.KernelManager = _Manager


class _PatientKernel(nbval.kernel.RunningKernel):
    def await_reply(self, msg_id: str, timeout: float | None = None) -> Any:
        return super().await_reply(msg_id, None if timeout is None else max(timeout, LIMIT_S))


nbval.plugin.RunningKernel = _PatientKernel


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Compare the outputs of a cell without those pictures."""
    if isinstance(item, IPyNbCell):
        item.output_timeout = LIMIT_S
        item.compare_outputs = functools.partial(_compare_without_stills, item.compare_outputs)


def _compare_without_stills(compare: Callable[..., bool], test: Outputs, reference: Outputs, **options: Any) -> bool:
    return compare(_without_stills(test), _without_stills(reference), **options)


def _without_stills(outputs: Outputs) -> Outputs:
    return [each for each in outputs if not _is_still(each)]


def _is_still(output: Mapping[str, Any]) -> bool:
    html = output.get("data", {}).get("text/html", "")
    return output["output_type"] == "display_data" and "".join(html).startswith(STILL)
