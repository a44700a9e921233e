"""The two ways run."""

from simpleflow_lab import Workflow, activity


@activity.with_attributes(name="authors.double", task_list="authors", version="1")
def double(x):
    return 2 * x


class Waits(Workflow):
    name = "authors.waits"
    task_list = "authors"

    def run(self, x):
        y = self.submit(double, x).result
        self.submit(self.start_timer("a day", 86_400)).wait()
        return self.submit(double, y).result


def test_a_day_passes_at_once(virtual_lab):
    assert virtual_lab.start(Waits, 1).result(timeout=200) == 4
