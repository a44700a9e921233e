"""What is measured of stores with many executions: opening one, listing them, finding one."""

from __future__ import annotations

import atexit
import functools
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.stopwatch import Seconds, Stopwatch
from simpleflow_lab import Lab
from simpleflow_lab.engine.embedded import EmbeddedSWF

DOMAIN: Final = "lab"
OPEN_SHARE: Final = 100
"""One of so many executions is open."""
REPEATS: Final = 20
"""How often something short is done in one measurement."""


@functools.cache
def store(n: int) -> Path:
    """A store of n executions, most of them closed."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with Lab(folder / "store.sqlite"):
        pass  # makes it, with its domain
    with EmbeddedSWF(folder / "store.sqlite") as engine:
        engine.register_workflow_type(domain=DOMAIN, name="many", version="1")

        def add(k: int) -> None:
            workflow_id = f"many-{k:06}"
            engine.start_workflow_execution(
                domain=DOMAIN,
                workflowId=workflow_id,
                workflowType={"name": "many", "version": "1"},
                taskList={"name": "nobody"},
                childPolicy="TERMINATE",
                executionStartToCloseTimeout="100000",
                taskStartToCloseTimeout="300",
            )
            if k % OPEN_SHARE:
                engine.terminate_workflow_execution(domain=DOMAIN, workflowId=workflow_id)

        with ThreadPoolExecutor(16) as pool:  # those that come together share a commit
            list(pool.map(add, range(n)))
    return folder / "store.sqlite"


def opening(n: int) -> Seconds:
    """Seconds in which a store of n executions is opened."""
    path = store(n)
    with Stopwatch() as stopwatch:
        engine = EmbeddedSWF(path)
    engine.close()
    return stopwatch.seconds


def reading_rows(n: int) -> Seconds:
    """Seconds in which SQLite alone reads the rows of as many executions, and the events of those that are open."""
    connection = sqlite3.connect(store(n))
    with Stopwatch() as stopwatch:
        connection.execute("SELECT * FROM execution").fetchall()
        connection.execute(
            "SELECT * FROM event WHERE execution IN (SELECT key FROM execution WHERE closed_at IS NULL)"
        ).fetchall()
    connection.close()
    return stopwatch.seconds


_labs: Final[dict[int, Lab]] = {}


def _lab(n: int) -> Lab:
    if n not in _labs:
        _labs[n] = Lab(store(n), serve="nothing")
        atexit.register(_labs[n].close)
    return _labs[n]


def listing(n: int) -> Seconds:
    """Seconds of the first page of the closed executions, and of the open ones, in a store of n."""
    service = _lab(n).service
    since = {"oldestDate": time.time() - 86_400}
    with Stopwatch() as stopwatch:
        for _ in range(REPEATS):
            service.list_closed_workflow_executions(domain=DOMAIN, startTimeFilter=since, maximumPageSize=50)
            service.list_open_workflow_executions(domain=DOMAIN, startTimeFilter=since, maximumPageSize=50)
    return stopwatch.seconds


def finding(n: int) -> Seconds:
    """Seconds of `Lab.execution` with the id of a closed execution, in a store of n."""
    lab = _lab(n)
    with Stopwatch() as stopwatch:
        for k in range(1, REPEATS + 1):
            lab.execution(f"many-{k:06}")
    return stopwatch.seconds


MEASURED: Final[Mapping[str, Callable[[int], Seconds]]] = {
    "opening": opening,
    "reading-rows": reading_rows,
    "listing": listing,
    "finding": finding,
}
