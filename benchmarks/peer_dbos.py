"""The same of DBOS, on SQLite as it comes. Run in the peers' virtual environment; speaks as `benchmarks.ours` does."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time

from dbos import DBOS

logging.disable(logging.CRITICAL)
folder = tempfile.mkdtemp()
DBOS(
    config={
        "name": "benchmark",
        "system_database_url": f"sqlite:///{folder}/benchmark.sqlite",
        "log_level": "CRITICAL",
        "run_admin_server": False,
    }
)


@DBOS.step()
def increment(x: int) -> int:
    """A no-op step."""
    return x + 1


@DBOS.workflow()
def chain(n: int) -> int:
    """Each step takes the result of the one before."""
    y = 0
    for _ in range(n):
        y = increment(y)
    return y


@DBOS.workflow()
def child(x: int) -> int:
    """One step, as a workflow of its own."""
    return increment(x)


@DBOS.workflow()
def fan_out(n: int) -> int:
    """All children side by side."""
    handles = [DBOS.start_workflow(child, number) for number in range(n)]
    return sum(handle.get_result() for handle in handles)


DBOS.launch()
for line in sys.stdin:
    name, n = line.split()[0], int(line.split()[1])
    wall, cpu = time.perf_counter(), time.process_time()
    if name == "chain":
        assert chain(n) == n
    else:
        assert fan_out(n) == n * (n + 1) // 2
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), flush=True)
os._exit(0)
