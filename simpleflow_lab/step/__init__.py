"""Steps: parts of a workflow that are done once, whatever number of executions it takes.

    class Import(Workflow, WorkflowStepMixin):
        name = "import"
        task_list = "import"

        def run(self):
            self.submit(Chain(self.step("load", (load, "a.csv")), self.step("clean", (clean, "a.csv")))).wait()

A step's activities run, then a note is kept that the step is done. The next execution with the same workflow id finds
the note and skips the step. Notes are kept by the Lab, beside its histories, or in an S3 bucket.
"""
