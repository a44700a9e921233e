"""The open and the closed executions of a service, which lists them apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def each_once(open_infos: Iterable[Mapping[str, Any]], closed_infos: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The `executionInfos` of both lists, the open ones first, each execution once.

    The open ones must have been listed first: then an execution that closed meanwhile is in both lists, and has closed;
    none is missing.
    """
    closed = list(closed_infos)
    run_ids = {info["execution"]["runId"] for info in closed}
    return [*(info for info in open_infos if info["execution"]["runId"] not in run_ids), *closed]
