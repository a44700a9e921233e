"""Timers: to wait for days, to be called off, to be the deadline of something else.

    simpleflow workflow.start --local --virtual-time examples.timers.Trial --input '["Ada"]'
    simpleflow workflow.start --local --virtual-time examples.timers.Trial --input '["Bob", 2]'

Time is SWF's: a timer fires though this process has died meanwhile, and `self.now()` gives the same in every replay.
With `--virtual-time` the clock jumps to the next timer whenever nothing else can happen, so that months take a moment.
A timer's id is one timer for the whole run: in a loop, each gets an id of its own.
"""

from __future__ import annotations

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.constants import DAY


@activity.with_attributes(task_list="timers", version="example", raises_on_failure=True)
def mail(name: str, text: str) -> str:
    return f"{name}: {text}"


@activity.with_attributes(task_list="timers", version="example", raises_on_failure=True)
def charge(name: str, month: int) -> str:
    return f"{name}: month {month} paid"


class Trial(Workflow):
    """Fourteen days for nothing, then three months; `leaves_after` is the day on which the customer has had enough."""

    name = "timers"
    version = "example"
    task_list = "timers"
    execution_timeout = 365 * DAY  # seven days unless said

    def run(self, name: str, leaves_after: int | None = None) -> list[str]:
        self.began = self.now()
        end_of_trial = self.submit(self.start_timer("end of trial", 14 * DAY))
        reminder = self.submit(self.start_timer("reminder", 11 * DAY, control={"mail": "three days left"}))
        left = [] if leaves_after is None else [self.submit(self.start_timer("leaves", leaves_after * DAY))]

        futures.wait(reminder, *left, return_when=futures.FIRST_COMPLETED)
        if any(timer.done for timer in left):
            reminder.cancel()
            self.submit(self.cancel_timer("end of trial"))  # the same, by the timer's id
            return [self.told(mail, name, "goodbye")]
        done = [self.told(mail, name, "three days left")]
        end_of_trial.wait()
        for month in range(1, 4):
            done.append(self.told(charge, name, month))
            self.submit(self.start_timer(f"month {month}", 30 * DAY)).wait()
        return done

    def told(self, task: activity.Activity, *arguments: object) -> str:
        """Run one task and say on which day."""
        result: str = self.submit(task, *arguments).result
        return f"day {(self.now() - self.began).days}: {result}"
