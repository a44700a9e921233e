"""The runs of a store, indexed by what they are looked up and listed by.

Rule: no look-up and no list reads all runs. Every index is kept up to date when a run is added, closes or is deleted.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator

from simpleflow_lab.engine.execution_state import Run

Place = tuple[int, int]
"""Where a run stands in a sorted list: a time in milliseconds since 1970, and the run's number."""


class SortedRuns:
    """Runs in the order of a time, and of their numbers where times are equal."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Run]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, time: int, run: Run) -> None:
        """Add a run with the time by which it is listed, in milliseconds since 1970."""
        bisect.insort(self._entries, (time, run.key, run))

    def holds(self, time: int, run: Run) -> bool:
        """Whether a run was added with this time."""
        position = bisect.bisect_left(self._entries, (time, run.key))
        return position < len(self._entries) and self._entries[position][:2] == (time, run.key)

    def remove(self, time: int, run: Run) -> None:
        """Remove a run that was added with this time."""
        del self._entries[bisect.bisect_left(self._entries, (time, run.key))]

    def between(
        self, oldest: int, latest: int, *, after: Place | None = None, latest_first: bool = False
    ) -> Iterator[Run]:
        """The runs whose time is at least `oldest` and at most `latest`; only those `after` that place, if it is given.

        What comes after a place depends on the direction. The index must not change meanwhile.
        """
        entries = self._entries
        begin, end = bisect.bisect_left(entries, (oldest,)), bisect.bisect_left(entries, (latest + 1,))
        if latest_first:
            if after is not None:
                end = min(end, bisect.bisect_left(entries, after))
            return (entries[position][2] for position in range(end - 1, begin - 1, -1))
        if after is not None:
            begin = max(begin, bisect.bisect_left(entries, (after[0], after[1] + 1)))
        return (entries[position][2] for position in range(begin, end))


class RunIndex:
    """Every run of a store, open and closed."""

    def __init__(self) -> None:
        self.by_key: dict[int, Run] = {}
        """Every run by its number."""
        self._by_id: dict[tuple[str, str, str], Run] = {}
        self._by_workflow_id: dict[tuple[str, str], dict[int, Run]] = {}
        self._open: dict[str, SortedRuns] = {}
        self._closed_by_start: dict[str, SortedRuns] = {}
        self._closed_by_close: dict[str, SortedRuns] = {}

    def add(self, run: Run) -> None:
        """Add a run. It is listed if it is closed."""
        self._replace(run)
        if run.closed_at is not None:
            self.closed(run.domain, by_start=True).add(run.started_at, run)
            self.closed(run.domain).add(run.closed_at, run)

    def add_open(self, run: Run) -> None:
        """List a run as open; it may have been added before."""
        self._replace(run)
        self.open(run.domain).add(run.started_at, run)

    def close(self, run: Run) -> None:
        """Replace the record of an open run by that of the closed run."""
        self.open(run.domain).remove(run.started_at, run)
        self.add(run)

    def delete(self, run: Run) -> None:
        """Delete a closed run."""
        assert run.closed_at is not None
        self.closed(run.domain, by_start=True).remove(run.started_at, run)
        self.closed(run.domain).remove(run.closed_at, run)
        del self.by_key[run.key]
        del self._by_id[run.domain, run.workflow_id, run.run_id]
        runs = self._by_workflow_id[run.domain, run.workflow_id]
        del runs[run.key]
        if not runs:
            del self._by_workflow_id[run.domain, run.workflow_id]

    def find(self, domain: str, workflow_id: str, run_id: str) -> Run | None:
        """The run with these ids."""
        return self._by_id.get((domain, workflow_id, run_id))

    def of_workflow_id(self, domain: str, workflow_id: str) -> list[Run]:
        """The runs with this workflowId, in the order of their numbers."""
        return list(self._by_workflow_id.get((domain, workflow_id), {}).values())

    def open(self, domain: str) -> SortedRuns:
        """The open runs of a domain, by the time at which they started."""
        return self._open.setdefault(domain, SortedRuns())

    def closed(self, domain: str, *, by_start: bool = False) -> SortedRuns:
        """The closed runs of a domain, by the time at which they closed, or at which they started."""
        index = self._closed_by_start if by_start else self._closed_by_close
        return index.setdefault(domain, SortedRuns())

    def _replace(self, run: Run) -> None:
        self.by_key[run.key] = run
        self._by_id[run.domain, run.workflow_id, run.run_id] = run
        self._by_workflow_id.setdefault((run.domain, run.workflow_id), {})[run.key] = run
