"""A workflow that goes on in a new run with an empty history."""

from simpleflow_lab import Workflow, futures, logger


class CountingWorkflow(Workflow):
    name = "programs-counting"
    version = "1.0"
    task_list = "example"

    def run(self, i=0):
        logger.info("last event: %d", self.executor.history.last_event_id)
        if i >= 3:
            return [
                i,
                self.executor.history.last_event_id,
                self.get_run_context()["continued_execution_run_id"] is None,
            ]
        futures.wait(self.submit(self.continue_as_new(i=i + 1)))
