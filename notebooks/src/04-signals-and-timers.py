# %% [markdown]
# # Signals and timers
#
# Much of what a pipeline does is waiting: for a person who says yes, for rows that come one by one, for six in the
# morning. A workflow waits in its own code, on the line that needs the answer. What it waits for is of two kinds: a
# **signal** is a message from outside, a **timer** is a moment to come.

# %%
# %load_ext simpleflow_lab

# %%
import tempfile

store = tempfile.mkdtemp() + "/signals.sqlite"
# %simpleflow connect store

# %% [markdown]
# ## How does a workflow wait for a person?
#
# The week's figures are calculated, an editor checks them, and only then they are published. `wait_signal` gives
# a future like any other.

# %%
# %%simpleflow
import time

from simpleflow_lab import Workflow, activity, futures

TASKS = {"task_list": "figures", "version": "example", "raises_on_failure": True}


@activity.with_attributes(name="calculate", **TASKS)
def calculate(week):
    time.sleep(0.3)
    return {"week": week, "sold": 1204}


@activity.with_attributes(name="publish", **TASKS)
def publish(figures, approved_by):
    time.sleep(0.3)
    return f"week {figures['week']}: {figures['sold']} sold, approved by {approved_by}"


class Release(Workflow):
    name = "release"
    version = "example"
    task_list = "release"

    def run(self, week):
        figures = self.submit(calculate, week)
        approval = self.submit(self.wait_signal("approve"))
        futures.wait(figures, approval)
        return self.submit(publish, figures, approval.signal.args[0]).result


# %% [markdown]
# `--detach` gives the cell back at once; the execution goes on in this kernel until it can go no further.

# %%
# %simpleflow workflow.start Release --input '[47]' --workflow-id week-47 --detach -o release
release.status

# %% [markdown]
# Now it waits, and costs nothing: its history is in the store, and this kernel may be shut down until the person is
# back from holidays. Whoever asks the service is told what it waits for:

# %%
for _ in release.watch(timeout=30):  # comes back whenever something has happened
    if "latestExecutionContext" in release.describe():
        break
release.describe()["latestExecutionContext"]

# %% [markdown]
# The person answers from another cell, another kernel, or a shell: `simpleflow workflow.signal week-47 approve`. The
# input is JSON, so a text has quotes of its own.

# %%
time.sleep(1)  # the person reads the figures
# %simpleflow workflow.signal week-47 approve --input '"Ada"'

# %%
release.result()

# %% [markdown]
# In the chart the signal is the triangle between the two tasks. A signal that comes early is not lost: it stands in
# the history, and `wait_signal` finds it there.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt week-47

# %% [markdown]
# **The trap:** a future's `result` is the input as it was sent: `"Ada"` from the cell above, but `{"args": ["Ada"],
# "kwargs": {}, …}` from another workflow. `approval.signal.args` is `["Ada"]` for both.
#
# ## What if nobody answers?
#
# Wait with a deadline. `futures.wait` takes a `timeout` in seconds, and `return_when=FIRST_COMPLETED` where the first
# of several answers is enough. It gives the futures that are done and those that are not, and raises nothing.


# %%
# %%simpleflow
HOUR = 3600


@activity.with_attributes(name="remind", **TASKS)
def remind(number):
    return f"reminder {number} sent"


class PatientRelease(Workflow):
    name = "patient_release"
    version = "example"
    task_list = "release"

    @classmethod
    def get_workflow_id(cls, week):  # its id when it is a child, as below
        return f"release-of-week-{week}"

    def run(self, week):
        figures = self.submit(calculate, week).result
        yes = self.submit(self.wait_signal("approve"))
        no = self.submit(self.wait_signal("reject"))
        for number in (1, 2, 3):
            done, _ = futures.wait(yes, no, return_when=futures.FIRST_COMPLETED, timeout=12 * HOUR)
            if yes in done:
                return self.submit(publish, figures, yes.signal.args[0]).result
            if no in done:
                return f"rejected by {no.signal.args[0]}"
            self.submit(remind, number).wait()
        return "nobody answered, nothing published"


# %% [markdown]
# Nobody wants to try that for a day and a half. On a **virtual clock** time jumps to the next timer whenever nothing
# else can happen. `Lab(clock="virtual")` begins now; the clock here begins on a Friday at four, so that this page is
# the same whenever you run it.

# %%
import datetime

from simpleflow_lab import Lab
from simpleflow_lab.engine.clock import ManualClock

friday = datetime.datetime(2026, 11, 20, 16, tzinfo=datetime.UTC)


def on_friday():
    return Lab(":memory:", clock=ManualClock(int(friday.timestamp() * 1000), jumps=True))


weekend = on_friday()
# %simpleflow connect weekend

# %%
# %simpleflow workflow.start PatientRelease --input '[47]' --workflow-id silence

# %% [markdown]
# Each wait is a timer, and here each of them fired:

# %%
# %simpleflow workflow.tasks -o tasks
tasks[["id", "state", "running", "result"]]

# %% [markdown]
# How does one try out the answer? From a cell it always comes too late: a virtual clock waits for nobody. So let
# another workflow play the person. It starts the release as its child, thinks for fifteen hours, and answers.


# %%
# %%simpleflow
class Rehearsal(Workflow):
    name = "rehearsal"
    version = "example"
    task_list = "release"

    def run(self, answer, hours):
        release = self.submit(PatientRelease, 47)
        self.submit(self.start_timer("thinking", hours * HOUR)).wait()
        self.submit(self.signal(answer, "Ada", workflow_id="release-of-week-47", propagate=False))
        return release.result


# %%
# %simpleflow workflow.start Rehearsal --input '["approve", 15]' --workflow-id rehearsal -o rehearsal

# %%
rehearsal.result()

# %% [markdown]
# The child's chart: the first deadline fired, the second one was called off when the signal came.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt release-of-week-47

# %% [markdown]
# ## How do I take many signals, each once?
#
# `wait_signal` gives the latest signal of a name, also if it has been seen before. A queue is read with
# `self.signals(name)`: it gives each one once, in the order they came, and waits for the next.

# %%
# %%simpleflow
ROWS = {"task_list": "rows", "version": "example"}


@activity.with_attributes(name="load", **ROWS)
def load(row):
    time.sleep(0.2)
    return f"loaded {row}"


class Loader(Workflow):
    name = "loader"
    version = "example"
    task_list = "loader"

    def run(self):
        loaded = []
        for signal in self.signals("row"):
            if signal.args == ["end"]:
                return loaded
            loaded.append(self.submit(load, *signal.args).result)


# %%
# %simpleflow connect store
# %simpleflow workflow.start Loader --workflow-id rows --detach -o rows

for row in ['"north"', '"east"', '"south"', '"end"']:
    rows.signal("row", row)
rows.result()

# %% [markdown]
# All four signals came while the first row was being loaded, and none was lost. The chart has them in its first line.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt rows

# %% [markdown]
# **The trap:** a queue without an end makes a history without an end, and SWF closes an execution at 25,000 events. Go
# on in a new run before that; the tutorial on child workflows shows how.
#
# ## How do I wait until six in the morning?
#
# Ask `self.now()` what time it is, and start a timer of so many seconds. This one works on three mornings of a
# weekend, and leaves a note each time: a **marker** is a line of your own in the history.

# %%
# %%simpleflow
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")


class Mornings(Workflow):
    name = "mornings"
    version = "example"
    task_list = "mornings"

    def run(self, mornings):
        for _ in range(mornings):
            now = self.now().astimezone(PARIS)
            six = now.replace(hour=6, minute=0, second=0, microsecond=0)
            if six <= now:
                six += datetime.timedelta(days=1)
            seconds = (six - self.now()).total_seconds()  # `six - now` is wrong when the clocks change
            self.submit(self.start_timer(f"until {six:%A} at six", seconds)).wait()
            self.submit(self.record_marker("woke up", f"{self.now().astimezone(PARIS):%a %H:%M}"))
            self.submit(calculate, 47).wait()
        return [note.details for note in self.list_markers(all=True)]


# %%
weekend = on_friday()
# %simpleflow connect weekend
# %simpleflow workflow.start Mornings --input '[3]' --workflow-id mornings -o mornings
mornings.result()

# %% [markdown]
# Two and a half days, in a few milliseconds:

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt mornings

# %% [markdown]
# What takes no time, signals and markers, has a table of its own:

# %%
mornings.point_events()[["kind", "name", "at", "text"]]

# %% [markdown]
# **The trap:** the id of a timer is one timer for the whole run. In a loop, make a new id each time, as above; a
# second `start_timer` of the same id gives the future of the first, which has fired long ago.
#
# ## Why not `datetime.now()`?
#
# Because the code of a workflow runs again to get to where it stood: after a crash, or on another machine. What a
# clock says then is something else, and so the code might turn another way than it did. `self.now()` is the time of
# the decision, `self.random` draws the same numbers each time, `self.uuid4()` gives the same ids. Activities are not
# run again in a replay: there you may do as you like.


# %%
# %%simpleflow
class Careless(Workflow):
    name = "careless"
    version = "example"
    task_list = "careless"

    def run(self):
        batch = f"batch {self.uuid4()}"
        jitter = self.random.randrange(60)
        self.submit(self.start_timer("jitter", jitter)).wait()
        return [batch, datetime.datetime.now().year >= 2026]


# %% [markdown]
# The Lab has an eye on it. It warns, and `warnings` has the line:

# %%
careless = weekend.start(Careless)
careless.result()

# %%
print(*careless.warnings)

# %% [markdown]
# With `determinism = "raise"` in the class, such a line stops the decision until it is mended.
#
# ## Where to go next
#
# * `05-child-workflows`: signals to children, and work without end.
# * `help(Workflow.next_signal)`: one signal of a queue, beside other futures.
# * `help(Workflow.start_timer)` and `cancel_timer`.
