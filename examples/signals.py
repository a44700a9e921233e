"""Signals: an approval that must come in time, and a queue of things to do.

    simpleflow workflow.start --local --detach --workflow-id press examples.signals.Purchase --input '["a press"]'
    simpleflow workflow.signal press approve --input '"Ada"'
    simpleflow resume --module examples.signals press

A detached execution goes no further until it is resumed; a signal waits for it. With nobody to sign, three days pass:

    simpleflow workflow.start --local --virtual-time examples.signals.Purchase --input '["a press"]'

`Till` takes each signal of one name once, in the order they came, until somebody pays:

    simpleflow workflow.start --local --detach --workflow-id till examples.signals.Till
    simpleflow workflow.signal till scan --input '["tea", 4]'
    simpleflow workflow.signal till scan --input '["milk", 2]'
    simpleflow workflow.signal till pay --input '"cash"'
    simpleflow resume --module examples.signals till
"""

from __future__ import annotations

from simpleflow_lab import Workflow, activity, futures
from simpleflow_lab.constants import DAY


@activity.with_attributes(task_list="signals", version="example", raises_on_failure=True)
def order(what: str, signed_by: str) -> str:
    return f"{what} is ordered, signed {signed_by}"


class Purchase(Workflow):
    """A signal or a deadline, whichever comes first."""

    name = "signals"
    version = "example"
    task_list = "signals"

    def run(self, what: str, days: int = 3) -> str:
        approval = self.submit(self.wait_signal("approve"))
        futures.wait(approval, timeout=days * DAY)
        if not approval.done:
            return f"{what} is not ordered: nobody approved it in {days} days"
        ordered: str = self.submit(order, what, approval.result).result
        return ordered


class Till(Workflow):
    """Each occurrence of a signal, one by one, and another signal that ends it."""

    name = "signals-till"
    version = "example"
    task_list = "signals"

    def run(self) -> dict[str, object]:
        total = 0
        paid = self.submit(self.wait_signal("pay"))
        while True:
            scanned = self.submit(self.next_signal("scan"))
            futures.wait(scanned, paid, return_when=futures.FIRST_COMPLETED)
            if not scanned.done:
                scanned.cancel()  # or it would take the next one
                return {"total": total, "paid": paid.result}
            article, price = scanned.result
            print(f"{article}: {price}")
            total += price
