"""Cancel requests: an activity that cleans up, and a workflow that does.

    simpleflow workflow.start --local examples.cancellation.Export
    python -m examples.cancellation

`Export` gives a slow activity one second and then cancels its future. The activity learns of it at its next heartbeat,
removes its half-written file, and says in the history how far it had come.

`Booking` is canceled from outside, as `simpleflow workflow.cancel` does. With `cancellation = "raise"` the request is
raised where `run` waits, once: what was booked is given back, and the execution closes as canceled. `python -m` starts
it, waits until both are booked and asks it to cancel.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import ActivityCanceled, WorkflowCanceled, WorkflowExecutionCanceled


@activity.with_attributes(task_list="cancellation", version="example", heartbeat_timeout=30)
def write_rows(rows: int) -> int:
    """A tenth of a second each, to a file that nobody should find half-written."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "rows.csv").open("w") as file:
        for row in range(rows):
            try:
                activity.heartbeat(row)
            except ActivityCanceled as asked:
                raise ActivityCanceled(details="the file is removed") from asked  # leaving the block removes it
            file.write(f"{row}\n")
            time.sleep(0.1)
    return rows


class Export(Workflow):
    name = "cancellation"
    version = "example"
    task_list = "cancellation"

    def run(self, rows: int = 600) -> str:
        written = self.submit(write_rows, rows)
        futures.wait(written, timeout=1)
        if not written.done:
            written.cancel()
            written.wait()  # until the activity has cleaned up
        return f"{written.state}: {written.exception}"


@activity.with_attributes(task_list="cancellation", version="example", raises_on_failure=True)
def book(what: str) -> str:
    return f"{what} booked"


@activity.with_attributes(task_list="cancellation", version="example", raises_on_failure=True)
def give_back(booking: str) -> str:
    return f"{booking} and given back"


class Booking(Workflow):
    name = "cancellation-booking"
    version = "example"
    task_list = "cancellation"
    cancellation = "raise"

    def run(self) -> list[str]:
        bookings: list[str] = []
        try:
            for what in ("flight", "hotel"):
                bookings.append(self.submit(book, what).result)
            self.submit(self.record_marker("booked", bookings))
            self.submit(self.wait_signal("paid")).wait()
        except WorkflowCanceled:
            for undone in futures.wait([self.submit(give_back, booking) for booking in reversed(bookings)]):
                print(undone)
            raise
        return bookings


def main(store: str = ":memory:") -> None:
    """Book, change one's mind, and see what is left."""
    with Lab(store) as lab:
        execution = lab.start(Booking)
        for _ in execution.watch(timeout=30):
            if any(event.type == "MarkerRecorded" for event in execution.history()):
                break
        execution.request_cancel()
        try:
            execution.result(timeout=30)
        except WorkflowExecutionCanceled:
            print(f"the execution is {execution.status}")


if __name__ == "__main__":
    main(*sys.argv[1:])
