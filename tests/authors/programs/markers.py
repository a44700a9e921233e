"""Markers, by themselves and in a chain."""

from simpleflow_lab import Workflow, futures
from simpleflow_lab.canvas import Chain


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
