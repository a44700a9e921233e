"""Seconds of a block of code, on the wall and of the processor."""

from __future__ import annotations

import time

Seconds = dict[str, float]
"""Seconds under `wall`, and of processor time under `cpu`; or megabytes under `memory`."""


class Stopwatch:
    """A context that takes the time of its block; of the whole process, not of its child processes."""

    def __enter__(self) -> Stopwatch:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds: Seconds = {"wall": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}
