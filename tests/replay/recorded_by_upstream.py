"""Workflows whose executions upstream simpleflow recorded on Amazon SWF, written for this package, with the histories.

The workflows are written from what the histories show. Their activities never run here.
"""

from pathlib import Path

from simpleflow_lab import Chain, Workflow, activity, futures
from simpleflow_lab.exceptions import TaskFailed
from simpleflow_lab.replay import task_ids

HISTORIES = Path(__file__).parents[1] / "histories"
INTEGRATION = "tests.integration.workflow"


NAMED: list[tuple[str, str]] = []


def an_activity(name: str, **options):
    """An activity to be named, not run: others may have registered one of this name."""
    registered = activity.registry.get((name, "example"))
    activity.registry.pop((name, "example"), None)
    made = activity.with_attributes(name=name, version="example", **options)(lambda *args: None)
    del activity.registry[name, "example"]
    if registered is not None:
        activity.registry[name, "example"] = registered
    NAMED.append((name, "example"))
    return made


def forget_others(monkeypatch):
    """What is named here may be submitted: no other definition has its type meanwhile."""
    for kind in NAMED:
        monkeypatch.delitem(activity.registry, kind, raising=False)


cancel_workflow = an_activity(f"{INTEGRATION}.cancel_workflow")
increment = an_activity(f"{INTEGRATION}.increment")
double = an_activity(f"{INTEGRATION}.double")
get_uuid = an_activity(f"{INTEGRATION}.get_uuid", idempotent=True)
too_big = an_activity(f"{INTEGRATION}.returns_too_big_data_activity", idempotent=True)
send_unrequested_signal = an_activity(f"{INTEGRATION}.send_unrequested_signal")
basic_increment = an_activity("examples.basic.increment")
basic_double = an_activity("examples.basic.double")
basic_delay = an_activity("examples.basic.Delay")


class CancelRefused(Workflow):
    name = "recorded.cancel_refused"

    def run(self, *args):
        futures.wait(self.submit(cancel_workflow))

    def should_cancel(self, history):
        return False


class CancelAccepted(Workflow):
    name = "recorded.cancel_accepted"

    def run(self, *args):
        futures.wait(self.submit(cancel_workflow))


class Chained(Workflow):
    name = "chaintest"
    version = "example"

    def run(self, x=5):
        return self.submit(Chain((increment, x), (double,), send_result=True)).result


class WithChild(Workflow):
    name = "recorded.with_child"

    def run(self):
        child = self.submit(Chained, 4)
        return futures.wait(child)


# The names under which upstream recorded them as children.
Chained.__module__, Chained.__qualname__ = INTEGRATION, "ChainTestWorkflow"


class ActivityFails(Workflow):
    name = "recorded.activity_fails"

    def run(self):
        return self.submit(too_big).result


class TooBig(Workflow):
    name = "returns_too_big_data"
    version = "example"
    raises_on_failure = False

    def run(self):
        return None


TooBig.__module__, TooBig.__qualname__ = INTEGRATION, "ChildReturnsTooBigDataWorkflow"


class ChildFails(Workflow):
    name = "recorded.child_fails"

    def run(self):
        child = self.submit(TooBig)
        futures.wait(child)
        assert isinstance(child.exception, TaskFailed)


class Idempotent(Workflow):
    name = "recorded.idempotent"

    def run(self):
        first = self.submit(get_uuid)
        again = [self.submit(get_uuid, first) for _ in range(2)]
        assert len(set(futures.wait(*again))) == 1


class SignalsItself(Workflow):
    name = "recorded.signals_itself"

    def run(self, *args):
        self.submit(self.signal("signal", 1))
        assert self.submit(self.wait_signal("signal")).result["args"] == [1]
        for number in (1, 2, 3):
            self.submit(self.record_marker(f"marker {number}"))


class Timers(Workflow):
    name = "recorded.timers"

    def run(self):
        self.submit(self.start_timer("timer 2", 120))
        futures.wait(self.submit(self.start_timer("timer 1", 2)))
        self.submit(self.cancel_timer("timer 2"))


class UnrequestedSignal(Workflow):
    name = "recorded.unrequested_signal"

    def run(self):
        return self.submit(send_unrequested_signal).result


class Markers(Workflow):
    name = "recorded.markers"

    def run(self, *args):
        self.submit(self.record_marker("marker 1"))
        self.submit(self.record_marker("marker 1", "some details"))
        self.submit(self.record_marker("marker 2", "2nd marker's details"))


class Basic(Workflow):
    name = "recorded.basic"

    def run(self, x, t=30):
        y = self.submit(basic_increment, x)
        yy = self.submit(basic_delay, t, y)
        z = self.submit(basic_double, y)
        futures.wait(yy, z)
        return z.result


RECORDED = [
    ("cancel_requested", CancelAccepted),
    ("cancel_requested_refused", CancelRefused),
    ("chain_send_result", Chained),
    ("child_workflow", WithChild),
    ("failing_activity_output", ActivityFails),
    ("failing_workflow_output", ChildFails),
    ("idempotent", Idempotent),
    ("signal_played_once_by_default", SignalsItself),
    ("timer_and_cancel", Timers),
    ("unrequested_signal", UnrequestedSignal),
    ("with_replays", Markers),
    ("without_replays", Markers),
    ("workflow_execution_basic", Basic),
]


def use_run_hash(monkeypatch, history):
    """Children's ids hold a hash of the parent's run id, which is in no history: take it from the recorded ids."""
    for event in history:
        if event.type == "StartChildWorkflowExecutionInitiated":
            recorded = int(event.attributes["workflowId"].split("--")[1], 16)
            monkeypatch.setattr(task_ids.zlib, "adler32", lambda _, recorded=recorded: recorded)
