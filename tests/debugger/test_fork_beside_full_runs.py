"""A fork reuses what another run did: it is compared with no earlier run, and no later run with it."""

from simpleflow_lab import Lab, Workflow


class Waits(Workflow):
    name, version, task_list = "forks.waits", "1", "forks"

    def run(self, seconds: int) -> int:
        self.submit(self.start_timer("long", seconds)).wait()
        return seconds


def test_explanations_leave_forks_out() -> None:
    with Lab(":memory:", clock="virtual") as lab:
        first = lab.start(Waits, 60)
        assert first.result(60) == 60
        fork = first.fork(at=2)
        assert fork.result(60) == 60
        assert "than the run before" not in str(fork.explain()), "it waited for nothing"
        later = lab.start(Waits, 90)
        assert later.result(60) == 90
        assert "30.0 s slower than the run before (1 min)" in str(later.explain()), str(later.explain())
