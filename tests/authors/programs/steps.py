"""Steps, that are skipped when an earlier run did them."""

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.canvas import Group
from simpleflow_lab.step.submittable import Step
from simpleflow_lab.step.workflow import WorkflowStepMixin


@activity.with_attributes(task_list="example", version="example", idempotent=True)
def product(*numbers):
    found = 1
    for number in numbers:
        found *= number
    return found


class StepWorkflow(Workflow, WorkflowStepMixin):
    name = "programs-step"
    version = "example"
    task_list = "example"

    def run(self):
        group = Group((product, 1), (product, 2, 3))
        futures.wait(self.submit(Step("numbers", group)))
        futures.wait(self.submit(Step("forced", group, force=True)))
        futures.wait(self.submit(Step("aloud", group, emit_signal=True)))
        steps = [marker.details for marker in self.list_markers(all=True) if marker.name == "log.step"]
        return sorted({step["step"] for step in steps})
