"""A timer cancels another one."""

from simpleflow_lab import Workflow, futures
from simpleflow_lab.canvas import Chain, Group


class TimerWorkflow(Workflow):
    name = "programs-timer"
    version = "example"
    task_list = "example"

    def run(self, t1=1, t2=120):
        group = Group(
            self.start_timer("second", t2),
            Chain(self.start_timer("first", t1), self.cancel_timer("second")),
        )
        future = self.submit(group)
        futures.wait(future)
        return [self.get_event_details("timer", name)["state"] for name in ("first", "second")]
