"""huey on SQLite: a queue, which keeps tasks and results and no workflow.

Run in the peers' virtual environment; speaks as `benchmarks.ours` does.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time

from huey import SqliteHuey

logging.disable(logging.CRITICAL)
huey = SqliteHuey("benchmark", filename=f"{tempfile.mkdtemp()}/benchmark.sqlite")


@huey.task()
def increment(x: int) -> int:
    """A no-op task."""
    return x + 1


consumer = huey.create_consumer(workers=2, worker_type="thread", initial_delay=0.001, max_delay=0.001, periodic=False)
consumer.start()
for line in sys.stdin:
    n = int(line.split()[1])
    wall, cpu = time.perf_counter(), time.process_time()
    handles = [increment(number) for number in range(n)]
    assert sum(handle.get(blocking=True, max_delay=0.001) for handle in handles) == n * (n + 1) // 2
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), flush=True)
os._exit(0)
