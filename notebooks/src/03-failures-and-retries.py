# %% [markdown]
# # Failures and retries
#
# A pipeline that runs every night meets every failure in the end: a server that is busy, a password that has changed, a
# task that hangs, a colleague who presses stop, an edit of the code while it runs. This is what becomes of each, and
# what you can say about it.

# %%
# %load_ext simpleflow_lab

# %% [markdown]
# Retries take minutes, nights take hours. So the first part runs on a clock that jumps: whenever nothing runs, it goes
# to the next timer or timeout. It starts at one in the morning. An activity that calls `clock.advance` pretends to take
# long. (Where it need not, `Lab(clock="virtual")` does.)

# %%
import datetime
import tempfile
from pathlib import Path

from simpleflow_lab import Lab
from simpleflow_lab.engine.clock import ManualClock

one_oclock = datetime.datetime(2026, 11, 23, 1, 0, tzinfo=datetime.UTC)
clock = ManualClock(int(one_oclock.timestamp() * 1000), jumps=True)
folder = Path(tempfile.mkdtemp())
lab = Lab(folder / "night.sqlite", clock=clock)
# %simpleflow connect lab

# %% [markdown]
# ## What becomes of a task that fails?
#
# By simpleflow's rule its result is `None`, and the workflow goes on.

# %%
# %%simpleflow
from simpleflow_lab import Retry, Workflow, activity
from simpleflow_lab.exceptions import TaskFailed

RATES = {"USD": 1.09, "JPY": 168.2}


@activity.with_attributes(name="rate", task_list="night", version="tutorial")
def rate(currency):
    return RATES[currency]


class Careless(Workflow):
    name = "careless"
    task_list = "night"

    def run(self, currencies):
        return [future.result for future in self.map(rate, currencies)]


# %%
careless = lab.start(Careless, ["USD", "XAU", "JPY"], workflow_id="careless")
careless.result()

# %% [markdown]
# The `None` travels on, into a report perhaps. The lab counts unhandled failures; here is what it found:

# %%
careless.unhandled_failures()[["id", "state", "reason"]]

# %% [markdown]
# To handle a failure is to read `future.exception`. It waits as `result` does, and never raises. To be told instead,
# say `raises_on_failure`: then reading the result raises, and a workflow that does not catch it fails. (And so does one
# that never reads it: such an error can't be overlooked.)


# %%
# %%simpleflow
@activity.with_attributes(name="rate_or_raise", task_list="night", version="tutorial", raises_on_failure=True)
def rate_or_raise(currency):
    return RATES[currency]


class Careful(Workflow):
    name = "careful"
    task_list = "night"

    def run(self, currency):
        looked = self.submit(rate, currency).exception
        try:
            raised = self.submit(rate_or_raise, currency).result
        except TaskFailed as error:
            raised = f"caught {error}"
        return [looked.reason, looked.details, raised]


# %%
import json

reason, details, raised = lab.start(Careful, "XAU", workflow_id="careful").result()
print("looked:", reason)
print("raised:", raised)
print(*json.loads(details)["traceback"], sep="\n")

# %% [markdown]
# `reason` is a line; `details` is all that the worker recorded, with the traceback from where the task ran.
#
# ## How do I try again?
#
# `retry=2` is two more attempts, one right after the other. To have failures that come in the same way each time, the
# partner's server here answers from a list.


# %%
# %%simpleflow
from collections import defaultdict

ANSWERS = {"orders": ["503 busy", "503 busy", 1204], "prices": ["403 who are you?"] * 3}
asked = defaultdict(int)


def partner(table):
    """What the partner's server says; each run of a workflow finds it in the same mood."""
    call = activity.current_context()["workflow_id"], table
    answer = ANSWERS[table][asked[call]]
    asked[call] += 1
    clock.advance(20)
    if str(answer).startswith("503"):
        raise ConnectionError(answer)
    if str(answer).startswith("403"):
        raise PermissionError(answer)
    return answer


@activity.with_attributes(name="fetch", task_list="night", version="tutorial", retry=2)
def fetch(table):
    return partner(table)


class Fetch(Workflow):
    name = "fetch"
    task_list = "night"

    def run(self):
        orders = self.submit(fetch, "orders").result
        refused = self.submit(fetch, "prices").exception
        return {"orders": orders, "prices": str(refused)}


# %%
lab.start(Fetch, workflow_id="retry-2").result()

# %%
# %simpleflow workflow.tasks retry-2

# %% [markdown]
# `orders` came with the third attempt. Of the failed ones nothing is seen but in the history. `prices` shows what a
# plain number is bad at: a wrong password is no better at the second attempt, and three wrong ones may lock you out.
# And where a server is busy, the next second is the worst time to ask again.
#
# ## How do I wait between attempts, and choose which errors?
#
# With a policy. Waits that double are the usual choice, and a `jitter` keeps a hundred tasks that failed together from
# coming back together.


# %%
# %%simpleflow
patient = Retry(
    maximum_attempts=5,
    initial_interval=60,  # seconds: 60, 120, 240, …
    backoff_coefficient=2,
    maximum_interval=600,
    jitter=0.2,  # a fifth more or less
    not_on=[PermissionError],
)


@activity.with_attributes(name="fetch", task_list="night", version="tutorial", retry=patient)
def fetch(table):
    return partner(table)


# %%
ANSWERS["orders"] = ["503 busy"] * 4 + [1204]
lab.start(Fetch, workflow_id="patient").result()

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt patient

# %% [markdown]
# Five attempts at `orders`, and between them the timers, each about twice as long as the one before. They are timers of
# SWF: a restart of your process does not shorten the wait. The jitter is drawn from the ids of the run and the task, so
# a replay waits as long. `prices` was tried once.
#
# Errors are matched by the names of the class and of those it derives from, as the worker recorded them. So
# `on=[OSError]` also means `ConnectionError`, and a name such as `"shop.errors.SoldOut"` does if the class is
# elsewhere.
#
# ## What about tasks that hang?
#
# They run into a timeout. SWF has four of them, and they mean different things:
#
# | timeout | what took too long | mostly because |
# |---|---|---|
# | `schedule_to_start_timeout` | no worker took the task | too few workers, or none for this task list |
# | `start_to_close_timeout` | one attempt | it hangs, or has more to do than you thought |
# | `schedule_to_close_timeout` | one attempt, with its waiting | either |
# | `heartbeat_timeout` | the next sign of life | its worker's machine or process has died |
#
# Unless you say otherwise each of them is 300 seconds: a task that takes longer has to say so.
#
# Workers send signs of life by themselves. So a heartbeat that is missing says something about the machine, and a
# second attempt will do; an hour that was not enough will not be enough next time. `timeouts` gives each type retries
# of its own.


# %%
# %%simpleflow
MINUTES = {"hiccup": [60, 20], "too much": [60, 60]}  # after 60 an attempt is given up


@activity.with_attributes(
    name="rebuild_index",
    task_list="night",
    version="tutorial",
    start_to_close_timeout=3600,
    schedule_to_start_timeout=None,
    schedule_to_close_timeout=None,
    heartbeat_timeout=None,
    retry=Retry(initial_interval=900, timeouts={"START_TO_CLOSE": 1, "HEARTBEAT": 5}),
)
def rebuild_index(name):
    call = activity.current_context()["workflow_id"], name
    asked[call] += 1
    clock.advance(60 * MINUTES[name][asked[call] - 1])
    return f"{name}: done"


class Rebuild(Workflow):
    name = "rebuild"
    task_list = "night"

    def run(self):
        first = self.submit(rebuild_index, "hiccup").result
        error = self.submit(rebuild_index, "too much").exception
        return [first, f"too much: {error}"]


# %% tags=["nbval-ignore-output"]
rebuild = lab.start(Rebuild, workflow_id="rebuild")
rebuild.result()

# %% tags=["nbval-ignore-output"]
rebuild.gantt()

# %%
rebuild.tasks().query("kind == 'activity'")[["id", "attempt", "state", "result"]]

# %% [markdown]
# The first index hung once, and was done at its second attempt. The second was given up after two hours, although a
# policy has three attempts unless you say otherwise: timeouts that are named have a count of their own.
#
# The trap is in the word *timeout*: the service gave up waiting, but nobody has stopped the code. It still runs in its
# thread, and may write where the next attempt writes. A task that sends heartbeats of its own learns of it; see below.
#
# ## May the workflow itself decide?
#
# Yes: `on_task_failure` is asked before all this, for each failed attempt. It may wait for as long as the error says,
# and it may change the arguments of the next attempt.


# %%
# %%simpleflow
class Maintenance(Exception):
    """The server says until when."""


class TooLarge(Exception):
    """It does not give so many rows at once."""


@activity.with_attributes(name="download", task_list="night", version="tutorial", raises_on_failure=True)
def download(table, page_size):
    call = activity.current_context()["workflow_id"], table
    asked[call] += 1
    clock.advance(60)
    if asked[call] == 1:
        raise Maintenance("2026-11-23T08:00Z")
    if page_size > 300:
        raise TooLarge(f"{page_size} rows")
    return page_size


class Download(Workflow):
    name = "download"
    task_list = "night"

    def run(self, table):
        return self.submit(download, table, 1000).result

    def on_task_failure(self, failure_context):
        if failure_context.task_error == "Maintenance":
            until = datetime.datetime.fromisoformat(failure_context.task_message)
            return failure_context.decide_retry(int((until - self.now()).total_seconds()))
        if failure_context.task_error == "TooLarge":
            task = failure_context.a_task
            table, page_size = task.args
            task.args = [table, page_size // 2]
            return failure_context.decide_retry()
        return None  # the task's own rules


# %%
lab.start(Download, "orders", workflow_id="download").result()

# %%
tasks = lab.execution("download").tasks()
tasks[["kind", "attempt", "state", "running", "input"]]

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt download

# %% [markdown]
# One task, four attempts, one long wait; the third and fourth have other arguments. The hook is part of the workflow's
# code and is run again in a replay: it takes the time from `self.now()`, never from the computer's clock.
#
# What else it may say: `decide_ignore()` (as if it had completed), `decide_abort()` (the workflow fails),
# `decide_handled(task, future)` (something else takes its place), `decide_cancel()`.
#
# ## How far is it, and how do I stop it?
#
# From here on the clock is a real one. `activity.heartbeat` says how far a task is; it is also where the task learns
# that it should stop, by an `ActivityCanceled` that is raised there. This one copies files. Its fifth is a very large
# one.

# %%
lab = Lab(folder / "day.sqlite")
# %simpleflow connect lab

# %%
# %%simpleflow
import time

from simpleflow_lab.exceptions import ActivityCanceled, WorkflowCanceled


@activity.with_attributes(name="copy", task_list="day", version="tutorial", heartbeat_timeout=60)
def copy(target, number):
    written = []
    try:
        for i in range(number):
            path = Path(target) / f"part-{i}"
            path.write_text("rows, rows, rows")
            written.append(path)
            while i == 4:  # chunk after chunk
                activity.heartbeat(i / number, f"copying {path.name}")
                time.sleep(0.02)
    except ActivityCanceled:
        for path in written:
            path.unlink()
        raise ActivityCanceled(details=f"{len(written)} files removed") from None
    return len(written)


class Copy(Workflow):
    name = "copy all"
    task_list = "day"
    cancellation = "raise"

    def run(self, target):
        copying = self.submit(copy, target, 8)
        try:
            return copying.result
        except WorkflowCanceled:
            copying.wait()  # for its cleaning up
            raise


# %%
target = folder / "target"
target.mkdir()
copying = lab.start(Copy, str(target), workflow_id="copy")
while not any(one.has_progress for one in copying.progress().activities):
    time.sleep(0.02)

[(one.activity_id, one.progress, one.details) for one in copying.progress().activities]

# %%
sorted(path.name for path in target.iterdir())

# %% [markdown]
# While a cell waits for an execution, this is part of the status below it. Now stop it:

# %%
# %simpleflow workflow.cancel copy
copying.wait()
print(copying.status, "- files left:", len(list(target.iterdir())))

# %%
copying.tasks()[["id", "state", "details"]]

# %% [markdown]
# A cancel request goes to the workflow. By default that closes at once; its tasks hear of it with their next
# heartbeat, clean up, and nobody waits for them. With `cancellation = "raise"` it stands in the workflow's code
# instead: open tasks are asked to cancel, `WorkflowCanceled` is raised where `run` waits, and `run` may wait for their
# cleaning up, and do its own.
#
# `ActivityCanceled` is no `Exception`, so that an `except Exception` in a loop does not swallow it. A task in a thread
# that never calls `heartbeat` can't be stopped; with `executor="processes"` its process can.
#
# ## What if the workflow's own code is wrong?
#
# If `run` raises, the execution has failed, and that is that. It is another matter when the code was *changed* while an
# execution is open. Replaying the history with the new code has to lead to where the execution stands.
#
# This one has extracted its rows, and waits for a person to approve them.


# %%
# %%simpleflow
@activity.with_attributes(name="extract", task_list="day", version="tutorial")
def extract(table):
    return f"rows of {table}"


@activity.with_attributes(name="load", task_list="day", version="tutorial")
def load(rows):
    return f"loaded {rows}"


@activity.with_attributes(name="check", task_list="day", version="tutorial")
def check(table):
    return f"{table} is complete"


class Nightly(Workflow):
    name = "nightly"
    task_list = "day"

    def run(self, table):
        rows = self.submit(extract, table).result
        self.submit(self.wait_signal("approved")).wait()
        return self.submit(load, rows).result


# %%
nightly = lab.start(Nightly, "orders", workflow_id="nightly")
while nightly.progress().completed < 1:
    time.sleep(0.02)

nightly.status

# %% [markdown]
# Meanwhile somebody has an idea: the table should be checked first.


# %%
# %%simpleflow
class Nightly(Workflow):
    name = "nightly"
    task_list = "day"

    def run(self, table):
        self.submit(check, table).wait()
        rows = self.submit(extract, table).result
        self.submit(self.wait_signal("approved")).wait()
        return self.submit(load, rows).result


# %%
import textwrap

from simpleflow_lab.exceptions import NondeterminismError

nightly.signal("approved")
try:
    nightly.result()
except NondeterminismError as error:
    print(textwrap.fill(str(error), 100))
print(nightly.status)

# %% [markdown]
# The new code asks for `check` where the history has `extract`. Going on would mean to guess, so no decision is made.
# But the execution is open, and nothing is lost. It goes on as soon as the code is right again.
#
# The old code would do. Better is code that knows both ways: `self.patched` is `False` for executions that came past
# here before the patch was there, and `True` for all others, in each replay.


# %%
# %%simpleflow
class Nightly(Workflow):
    name = "nightly"
    task_list = "day"

    def run(self, table):
        checked = None
        if self.patched("check first"):
            checked = self.submit(check, table).result
        rows = self.submit(extract, table).result
        self.submit(self.wait_signal("approved")).wait()
        return [checked, self.submit(load, rows).result]


# %%
while nightly.decision_error:
    time.sleep(0.02)

print("old:", nightly.result())
new = lab.start(Nightly, "prices", workflow_id="nightly-2")
new.signal("approved")
print("new:", new.result())

# %% [markdown]
# Without any edit, the same error comes from code that does not do the same each time: that reads the clock, or draws
# by chance. The lab sees such lines and warns before they do harm; `determinism = "raise"` in the class lets it refuse
# them.


# %%
# %%simpleflow
class Dated(Workflow):
    name = "dated"
    task_list = "day"

    def run(self):
        table = "orders" if datetime.datetime.now().hour < 25 else "prices"
        return self.submit(extract, table).result


# %%
lab.start(Dated, workflow_id="dated").result()

# %% [markdown]
# ## What to read next
#
# * `docs/failures.md`: every failure of every kind of task, what its future says, and what becomes of the workflow.
# * `02-canvas` has failures in groups and chains.
# * `Workflow.patched` in the reference: the life of a patch, from its first day to its removal.
