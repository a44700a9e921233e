"""Programs that upstream downloads before it runs a task: refused.

There `meta["binaries"]` in a task's input names programs in S3. Upstream's worker downloads them, makes them executable
and puts them first on PATH: a person who can write an input or that bucket runs code on every worker.

Rule: nothing that a history names is ever run. The names of upstream's module exist, and raise an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from simpleflow_lab.exceptions import UsageError

__all__ = ["RemoteBinary", "download_binaries", "refuse_binaries", "with_binaries"]


class RemoteBinary:
    """Upstream's program in S3. Making one raises `UsageError`."""

    def __init__(self, name: str, remote_location: str) -> None:
        _refuse({name: remote_location})


def download_binaries(binaries_map: Mapping[str, str]) -> None:
    """Raises `UsageError`."""
    _refuse(binaries_map)


def with_binaries(binaries_map: Mapping[str, str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Raises `UsageError`."""
    _refuse(binaries_map)


def refuse_binaries(meta: Any) -> None:
    """Raise `UsageError` for the `meta` of a task's input that names programs to download."""
    if isinstance(meta, Mapping) and meta.get("binaries"):
        _refuse(meta["binaries"])


def _refuse(binaries: Any) -> NoReturn:
    names = ", ".join(sorted(map(str, binaries))) if isinstance(binaries, Mapping) else str(binaries)
    raise UsageError(
        f"programs are not downloaded and run for a task ({names[:200]}): its input would decide which code runs "
        "here. Install them on the workers' PATH, and leave meta['binaries'] out"
    )
