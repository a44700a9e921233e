"""What `docs/coming_from_simpleflow.md` says of upstream, as workflows and facts of its own; never imported here.

`python upstream_differences.py` prints, as one JSON object, what needs no decider.
"""

import contextlib
import datetime
import json
import os
import pathlib
import sys

from simpleflow import Workflow, activity, futures
from simpleflow.canvas import Group, GroupFuture

NOTES = pathlib.Path(os.environ.get("NOTES", "."))
"""The folder in which workflows and activities note what happened."""
LIST = "differences"


def note(what):
    """Note that this happened, once more."""
    with open(NOTES / what, "a") as file:
        file.write(f"{os.getpid()}\n")


def noted(what):
    """The processes in which it happened, in order."""
    with contextlib.suppress(FileNotFoundError):
        return (NOTES / what).read_text().split()
    return []


class Here(Workflow):
    """A workflow of this file."""

    version, task_list, execution_timeout, decision_tasks_timeout = "1", LIST, 600, 60


@activity.with_attributes(task_list=LIST, version="1")
def double(x):
    return 2 * x


@activity.with_attributes(task_list=LIST, version="1")
def same(value=None):
    return value


@activity.with_attributes(task_list=LIST, version="1")
def noting(what):
    note(what)
    return noted(what)[-1]


@activity.with_attributes(task_list=LIST, version="1")
def fails():
    raise ValueError("on purpose")


@activity.with_attributes(task_list=LIST, version="1", raises_on_failure=True)
def raises():
    raise ValueError("on purpose")


def plain_function(x):
    """A function that no decorator makes an activity."""
    return 3 * x


class Numbers(Here):
    name = "numbers"

    def run(self):
        first = self.submit(double, 1)
        second, third = self.submit(double, first), self.submit(double, 300)
        return [second.result, third.result]


class Changed(Here):
    name = "changed"

    def run(self):
        return self.submit(noting, "changed elsewhere" if noted("changed") else "changed").result


class Enters(Here):
    name = "enters"

    def run(self):
        note("entered")
        print("a line of run", flush=True)
        return self.submit(double, 1).result


class HeldUp(Here):
    name = "held-up"

    def run(self):
        pending = self.submit(self.start_timer("later", 1))
        self.submit(same, [{"x": pending}])
        return self.submit(double, 1).result


class Raises(Here):
    name = "raises"

    def run(self):
        futures.wait(self.submit(raises), self.submit(self.start_timer("a day", 24 * 3600)))


class Passes(Here):
    name = "passes"

    def run(self):
        return self.submit(fails).result


class Broken(Here):
    name = "broken"

    def before_replay(self, history):
        raise OSError("no disk")

    def run(self):
        return 1


class Errs(Here):
    name = "errs"

    def run(self):
        raise ValueError("mine")


class Cancels(Here):
    name = "cancels"

    def run(self):
        never = self.submit(beats)
        futures.wait(self.submit(self.start_timer("meanwhile", 3)))
        never.cancel()
        futures.wait(never)


@activity.with_attributes(task_list=LIST, version="1", heartbeat_timeout=30)
def beats():
    import time

    time.sleep(300)


class Positional(Here):
    name = "positional"

    def run(self, how):
        if how == "signal":
            return self.submit(self.signal("s", 1, propagate=False)).result
        return self.submit(self.continue_as_new(2)).result


class Child(Here):
    name = "child"

    @classmethod
    def get_workflow_id(cls, *args):
        return f"got-{args[0].__name__}-{args[-1]}"

    def run(self, *args):
        return list(args)


class Listens(Here):
    name = "listens"

    def run(self):
        signal = self.submit(self.wait_signal("s"))
        futures.wait(signal, self.submit(self.start_timer("long enough", 6)))


class Signals(Here):
    name = "signals"

    def run(self):
        self.submit(Listens)
        for n in (1, 2):
            timer = self.submit(self.start_timer(f"t{n}", n))
            futures.wait(timer)
            self.submit(self.signal("s", n=n))
        futures.wait(self.submit(self.start_timer("end", 4)))


class Starts(Here):
    name = "starts"

    def run(self):
        return self.submit(Child, 7).result


class OneId(Here):
    name = "one-id"

    @classmethod
    def get_workflow_id(cls, *args):
        return "one-id-of-all"

    def run(self, n):
        return n


class Twice(Here):
    name = "twice"

    def run(self):
        children = [self.submit(OneId, n).result for n in (1, 2)]
        for seconds in (1, 24 * 3600):
            futures.wait(self.submit(self.start_timer("t", seconds)))
        return children


class Marks(Here):
    name = "marks"

    def run(self):
        self.submit(self.record_marker("m", {"a": 1}))
        details = self.get_event_details("marker", "m")
        if details is None:
            note("no details yet")
        return self.submit(double, 1).result


class Contexts(Here):
    name = "contexts"

    def run(self):
        return self.submit(context_of).result


@activity.with_attributes(task_list=LIST, version="1")
def context_of():
    return [sorted(context_of.context), os.getpid(), os.getppid()]


class Large(Here):
    name = "large"

    def run(self):
        return len(self.submit(same, "x" * 40_000).result)


plain = activity.Activity(
    plain_function,
    task_list=LIST,
    version="1",
    schedule_to_start_timeout=60,
    start_to_close_timeout=60,
    schedule_to_close_timeout=60,
    heartbeat_timeout=60,
)


class Undecorated(Here):
    name = "undecorated"

    def run(self):
        return self.submit(plain, 4).result


class Tagged(Here):
    name = "tagged"
    execution_timeout, tag_list = 7200, ["a"]

    def run(self):
        return 1


def facts():
    """What needs no decider."""
    from simpleflow.exceptions import ExecutionBlocked
    from simpleflow.local.executor import Executor
    from simpleflow.utils import json_dumps, json_loads_or_raw

    def refused(value):
        try:
            json_dumps(value)
        except Exception as error:
            return type(error).__name__
        return ""

    deep = []
    for _ in range(150):
        deep = [deep]
    attempts = []

    @activity.with_attributes(task_list=LIST, version="1", retry=3)
    def tried():
        attempts.append(1)
        raise ValueError("each time")

    class Tries(Workflow):
        name, version, task_list = "tries", "1", LIST

        def run(self):
            return self.submit(tried).result

    with contextlib.suppress(Exception):
        Executor(Tries).run({"args": [], "kwargs": {}})
    quiet = Group(raises, raises_on_failure=False)
    before = raises.raises_on_failure
    task = Group(raises, raises_on_failure=False).activities[0]
    late = Group(fails)
    late.raises_on_failure = True
    noon = datetime.datetime(2026, 1, 2, 12, 0, 0, 123456, datetime.UTC)
    return {
        "blocked is an exception": issubclass(ExecutionBlocked, Exception),
        "attempts of the local executor": len(attempts),
        "raises in a quiet group": [before, task.activity.raises_on_failure, quiet.activities[0].activity is raises],
        "raises in a group that is set later": late.activities[0].activity.raises_on_failure,
        "time": json_dumps(noon),
        "bytes": json_dumps(b"\xff\xfea"),
        "sets": sorted({json_dumps(set("abcdef")) for _ in range(3)}),
        "mixed keys": refused({1: "a", None: "b"}),
        "keys and NaN": json_dumps({1: float("nan")}),
        "surrogates": refused("\ud800"),
        "nesting": refused(deep),
        "NaN is read": repr(json_loads_or_raw("[NaN, Infinity]")),
        "computed by the future": [hasattr(GroupFuture, "sync_state"), hasattr(GroupFuture, "sync_result")],
    }


if __name__ == "__main__":
    json.dump(facts(), sys.stdout)
