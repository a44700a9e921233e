"""Markers, by themselves and in a chain."""

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.canvas import Chain, Group


class MarkerWorkflow(Workflow):
    name = "programs-marker"
    version = "example"
    task_list = "example"

    def run(self):
        self.submit(self.record_marker("one"))
        marker = self.submit(self.record_marker("one", "some details"))
        self.submit(self.record_marker("two", {"more": ["details"]}))
        futures.wait(marker)
        latest = [[marker.name, marker.details] for marker in self.list_markers()]
        every = [[marker.name, marker.details] for marker in self.list_markers(all=True)]
        return [latest, every, self.get_event_details("marker", "two")["details"]]


class MarkerInChainWorkflow(Workflow):
    name = "programs-marker"
    version = "example"
    task_list = "example"

    def run(self):
        chain = Chain(
            self.record_marker("one"),
            self.record_marker("one", "some details"),
            self.record_marker("two", "its details"),
        )
        futures.wait(self.submit(chain))
        return [len(self.list_markers()), len(self.list_markers(all=True))]


@activity.with_attributes(task_list="quickstart", version="example")
def same(x):
    return x


class MarkersInGroupWorkflow(Workflow):
    name = "programs-markers-in-group"
    version = "example"
    task_list = "example"

    def run(self):
        one = Chain(self.record_marker("a"), (same, 1), self.record_marker("b"), self.record_marker("c"))
        futures.wait(self.submit(Group(one, Chain((same, 2), self.record_marker("d", 1), (same, 3)))))
        return len(self.list_markers())


class ManyMarkersWorkflow(Workflow):
    """Records more of them than one decision holds."""

    name = "programs-many-markers"
    version = "example"
    task_list = "example"

    def run(self):
        futures.wait(*[self.submit(self.record_marker(f"marker {number}", number)) for number in range(120)])
        return len(self.list_markers())
