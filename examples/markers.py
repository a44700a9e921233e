"""Markers: a workflow's notes in its own history.

    simpleflow workflow.start --local --workflow-id audit examples.markers.Audit --input '[[120, 7, 990, 45]]'

A marker is recorded with the next decision and can be read back at once, in this run and in any replay of it. It costs
no task. The same name with the same details is one marker; the same name with others is a new one, and the latest
stands for the name. `simpleflow workflow.history audit` shows them where they happened.
"""

from __future__ import annotations

from simpleflow_lab import Workflow, activity


@activity.with_attributes(task_list="markers", version="example", raises_on_failure=True)
def check(amount: int) -> bool:
    return amount < 500


class Audit(Workflow):
    name = "markers"
    version = "example"
    task_list = "markers"

    def run(self, amounts: list[int]) -> dict[str, object]:
        self.submit(self.record_marker("rule", "below 500"))
        for number, amount in enumerate(amounts, start=1):
            if not self.submit(check, amount).result:
                self.submit(self.record_marker("odd", {"number": number, "amount": amount}))
            self.submit(self.record_marker("checked", number))

        for marker in self.list_markers():  # the latest of each name
            print(f"{marker.name}: {marker.details}")
        latest = self.get_event_details("marker", "odd")
        return {
            "odd": latest["details"] if latest is not None else None,
            "notes": len(self.list_markers(all=True)),
        }
