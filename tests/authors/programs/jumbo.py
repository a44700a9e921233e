"""Values that are larger than SWF takes."""

from simpleflow_lab import Workflow, activity


@activity.with_attributes(task_list="quickstart", version="example", raises_on_failure=True)
def repeat(text, times):
    return text * times


@activity.with_attributes(task_list="quickstart", version="example", raises_on_failure=True)
def length(text):
    return len(text)


class JumboWorkflow(Workflow):
    name = "programs-jumbo"
    version = "example"
    task_list = "example"

    def run(self, text):
        return self.submit(length, self.submit(repeat, text, 50_000)).result
