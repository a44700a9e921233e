"""A workflow that has no end: it continues as a new run before its history grows too long.

    simpleflow workflow.start --local --virtual-time --workflow-id meter examples.continue_as_new.Meter --input '[30]'
    simpleflow workflow.list --started-since 60

SWF ends a run at 25,000 events, and each decision costs more the longer the history is. `continue_as_new` closes this
run and starts the next one with an empty history and the arguments given: they carry what is to be remembered. The
workflow id stays; who waits for the result waits for that of the last run.
"""

from __future__ import annotations

from simpleflow_lab import Workflow, activity
from simpleflow_lab.constants import DAY


@activity.with_attributes(task_list="continue_as_new", version="example", raises_on_failure=True)
def read_meter(day: int) -> int:
    return 10 + day % 7


class Meter(Workflow):
    """Reads a meter each day. A real one would never stop; this one does after so many days."""

    name = "continue-as-new"
    version = "example"
    task_list = "continue_as_new"
    execution_timeout = 60 * DAY  # of each run; seven days unless said
    continue_as_new_after = 120  # events; 10,000 unless said

    def run(self, days: int, day: int = 0, total: int = 0, runs: int = 1) -> dict[str, int]:
        while day < days:
            total += self.submit(read_meter, day).result
            day += 1
            self.submit(self.start_timer(f"day {day}", DAY)).wait()
            if self.continue_as_new_suggested:
                print(f"day {day}: the history has {self.history_length} events")
                self.submit(self.continue_as_new(days, day, total=total, runs=runs + 1)).wait()
        return {"days": day, "total": total, "runs": runs}
