"""Going on in another run: both forms of arguments, and when it is time (CN-01, CN-02, UB-02, UB-07)."""

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import ExecutionStillOpenError

TASKS = {"task_list": "again", "version": "1"}


@activity.with_attributes(name="again.add", **TASKS)
def add(x, y=1):
    return x + y


class Counts(Workflow):
    name = "again.counts"
    task_list = "again"

    def run(self, n, how, total=0):
        total = self.submit(add, total, y=n).result
        if n == 1:
            return [total, self.get_run_context()["continued_execution_run_id"] is not None]
        if how == "positional":
            return self.submit(self.continue_as_new(n - 1, how, total)).result
        return self.submit(self.continue_as_new(n=n - 1, how=how, total=total)).result


@pytest.mark.parametrize("how", ["positional", "keyword"])
def test_arguments_of_the_next_run_in_both_forms(lab, how):
    """UB-07: upstream raises TypeError for positional ones; UB-02: and fails locally for all."""
    execution = lab.start(Counts, 3, how)
    assert execution.result(200) == [6, True]
    assert execution.status == "CONTINUED_AS_NEW"
    assert execution.history()[-1].type == "WorkflowExecutionContinuedAsNew"


class Long(Workflow):
    name = "again.long"
    task_list = "again"
    continue_as_new_after = 40

    def run(self, done, lengths):
        while done < 12:
            done = self.submit(add, done).result
            if self.continue_as_new_suggested:
                self.submit(self.continue_as_new(done, [*lengths, self.history_length])).wait()
        return [done, lengths]


def test_a_long_history_suggests_to_continue_as_new(lab):
    execution = lab.start(Long, 0, [])
    done, lengths = execution.result(200)
    assert done == 12
    assert lengths == [45]
    assert execution.history()[-1].type == "WorkflowExecutionContinuedAsNew"


def test_a_history_that_has_become_long_is_a_warning(lab):
    class TooLong(Workflow):
        name = "again.too_long"
        task_list = "again"
        continue_as_new_after = 20

        def run(self):
            for n in range(6):
                self.submit(add, n).wait()

    execution = lab.start(TooLong)
    execution.result(200)
    [warning] = execution.warnings
    assert warning.startswith("the history has 20 events and more")
    short = lab.start(Counts, 1, "positional")
    short.result(200)
    assert short.warnings == ()


class GoesOnForEver(Workflow):
    name = "again.goes_on_for_ever"
    task_list = "again"

    def run(self):
        self.submit(self.continue_as_new()).wait()


def test_a_timeout_is_that_of_all_runs_together():
    with Lab(":memory:") as lab:
        execution = lab.start(GoesOnForEver)
        execution.wait(200)
        with pytest.raises(ExecutionStillOpenError):  # though each run that it comes to has closed
            execution.result(0.5)


def test_a_timeout_that_is_over_gives_the_result_of_a_run_that_closed_before(lab):
    execution = lab.start(Counts, 3, "keyword")
    assert execution.result(200) == [6, True]
    assert execution.result(0) == [6, True]
    assert execution.latest_run.status == "COMPLETED"
    assert execution.latest_run.latest_run.run_id == execution.latest_run.run_id
    again = lab.start(Counts, 2, "keyword", workflow_id=execution.workflow_id)
    assert again.result(200) == [3, True]
    assert execution.result(0) == [6, True]
    assert execution.latest_run.run_id != again.latest_run.run_id
