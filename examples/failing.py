"""Three ways to fail, and what becomes of each.

    simpleflow workflow.start --local examples.failing.Failing
    simpleflow workflow.start --local examples.failing.Failing --input '{"kwargs": {"strict": true}}'

* `flaky` fails twice and has two retries: its third attempt is the result, and the table of tasks shows all three.
* `broken` raises where its result is read, because it says `raises_on_failure`; the workflow catches that.
* `forgotten` sets nothing, and its error is never read: its result is `None`, the workflow goes on and completes.
  That is simpleflow's way; the lab warns of such failures wherever it shows the execution. With `strict` the workflow
  looks, and fails with the activity's own error and traceback.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir

from simpleflow_lab import Workflow, activity
from simpleflow_lab.exceptions import TaskFailed


@activity.with_attributes(task_list="failing", version="example", retry=2, raises_on_failure=True)
def flaky(key: str) -> int:
    """Fails until it was tried three times: a file remembers, as the world outside would."""
    tries = Path(gettempdir()) / f"simpleflow-lab-flaky-{key}"
    with tries.open("a+") as file:
        file.write(".")
        count = file.tell()
    if count < 3:
        raise ConnectionError(f"try {count}: the server is busy")
    tries.unlink()
    return count


@activity.with_attributes(task_list="failing", version="example", raises_on_failure=True)
def broken(x: int) -> float:
    return 1 / x


@activity.with_attributes(task_list="failing", version="example")
def forgotten(name: str) -> None:
    raise LookupError(f"no mail address for {name}")


class Failing(Workflow):
    name = "failing"
    version = "example"
    task_list = "failing"

    def run(self, strict: bool = False) -> dict[str, object]:
        tried = self.submit(flaky, str(self.uuid4()))
        mail = self.submit(forgotten, "Ada")
        quotient: float | None
        try:
            quotient = self.submit(broken, 0).result
        except TaskFailed as error:
            print(f"caught: {error.reason}")
            quotient = None
        if strict and mail.exception is not None:
            raise mail.exception
        return {"tries": tried.result, "quotient": quotient, "mail": mail.result}
