"""Signals: to oneself, to a child, to the parent, between siblings, in a canvas."""

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.canvas import Chain, Group
from simpleflow_lab.task import ActivityTask


@activity.with_attributes(task_list="quickstart", version="example", idempotent=True)
def work(*args):
    return list(args)


@activity.with_attributes(task_list="quickstart", version="example")
def another_round():
    pass


class BaseWorkflow(Workflow):
    version = "example"
    task_list = "example"


class SelfWorkflow(BaseWorkflow):
    name = "programs-signal-self"

    def run(self):
        came = self.submit(self.wait_signal("go"))
        worked = self.submit(work, 1)
        sent = self.submit(self.signal("go", x=1))
        futures.wait(came, worked, sent)
        return came.result["kwargs"]


class CanvasWorkflow(BaseWorkflow):
    name = "programs-signal-canvas"

    def run(self):
        sender = Chain(Group((work, 1), (work, 2)), self.signal("go"), (work, 3))
        receiver = Chain(Group((work, 4), (work, 5)), self.wait_signal("go"), (work, 6))
        group = self.submit(Group(sender, receiver))
        futures.wait(group)
        return [group.result[0][2], group.result[1][2]]


class Receiver(BaseWorkflow):
    """Waits for a signal."""

    name = "programs-signal-receiver"

    def run(self):
        came = self.submit(self.wait_signal("go"))
        futures.wait(came, self.submit(work))
        return came.result["kwargs"]


class Sender(BaseWorkflow):
    """Sends a signal to itself, and so to its parent."""

    name = "programs-signal-sender"

    def run(self):
        self.submit(self.signal("go", sender="child")).result


class WorksUntilSignal(BaseWorkflow):
    name = "programs-signal-worker"

    def run(self):
        came = self.submit(self.wait_signal("go"))
        while not came.finished:
            futures.wait(self.submit(another_round))
        return "heard it"


class ToChildWorkflow(BaseWorkflow):
    name = "programs-signal-to-child"

    def run(self):
        child = self.submit(Receiver)
        futures.wait(child, self.submit(self.signal("go", a=1)))
        return child.result


class BetweenChildrenWorkflow(BaseWorkflow):
    name = "programs-signal-between-children"

    def run(self):
        receiver = self.submit(Receiver)
        futures.wait(receiver, self.submit(Sender))
        return receiver.result


class FromChildWorkflow(BaseWorkflow):
    name = "programs-signal-from-child"

    def run(self):
        child = self.submit(Sender)
        came = self.submit(self.wait_signal("go"))
        futures.wait(child, came)
        return came.result["kwargs"]


class UntilSignalWorkflow(BaseWorkflow):
    name = "programs-signal-until"

    def run(self):
        child = self.submit(WorksUntilSignal)
        futures.wait(child, self.submit(Chain(ActivityTask(work, 1), self.signal("go"))))
        return child.result


class SaysReady(BaseWorkflow):
    """Sends its parent a signal by its ids."""

    name = "programs-signal-child"

    def run(self):
        context = self.get_run_context()
        sent = self.signal(
            "ready",
            workflow_id=context.get("parent_workflow_id"),
            run_id=context.get("parent_run_id"),
            me={"has_id": bool(context.get("workflow_id"))},
        )
        futures.wait(self.submit(sent))


class ReadyWorkflow(BaseWorkflow):
    name = "programs-signal-ready"

    def run(self):
        futures.wait(self.submit(SaysReady))
        came = self.submit(self.wait_signal("ready"))
        futures.wait(came)
        return came.result["kwargs"]


class KeepsToItself(BaseWorkflow):
    """Has the type name of `SaysReady`."""

    name = "programs-signal-child"

    def run(self):
        sent = self.submit(self.signal("private", propagate=False))
        futures.wait(sent, self.submit(self.wait_signal("private")))


class PrivateWorkflow(BaseWorkflow):
    name = "programs-signal-private"

    def run(self):
        futures.wait(self.submit(KeepsToItself))
        return self.submit(self.wait_signal("private")).finished


class ReceivesTwo(BaseWorkflow):
    name = "programs-signal-receives-two"

    def run(self):
        both = self.submit(Chain(Group(self.wait_signal("one"), self.wait_signal("two"))))
        return len(both.result[0])


class SendsTwo(BaseWorkflow):
    name = "programs-signal-sends-two"

    def run(self):
        sent = Group(ReceivesTwo, self.signal("one", propagate=True), self.signal("two", propagate=True))
        return self.submit(Chain(sent)).result[0][0]


class TwoLevelsWorkflow(BaseWorkflow):
    """A grandchild and a child both hear what a child sends."""

    name = "programs-signal-two-levels"

    def run(self):
        return self.submit(Group(ReceivesTwo, SendsTwo)).result
