# %% [markdown]
# # Quickstart
#
# A **workflow** is plain Python that says which tasks to do, in what order, and what to make of their results. Its
# tasks are **activities**: ordinary functions, run by workers while the workflow waits, for milliseconds or for days.
# Everything that happens is written down as it happens, in the terms of Amazon SWF; so a run can be watched, measured
# and drawn, and when its process dies, it goes on where it stood.
#
# Nothing here needs an account, a server or a network: the engine is in this kernel.

# %%
# %load_ext simpleflow_lab

# %% [markdown]
# Runs are kept in a *store*, a single file. Without a word from you it is one in your home; this tutorial takes a new
# one, so that it starts empty.

# %%
import tempfile

store = tempfile.mkdtemp() + "/quickstart.sqlite"
# %simpleflow connect store

# %% [markdown]
# ## Define
#
# Two activities that calculate, at leisure, so that there is something to see; one that takes the time you say; and a
# workflow that joins them. `submit` returns at once, with a *future*. A future among the arguments of the next task
# makes that task wait; reading `.result` makes the workflow wait.

# %%
# %%simpleflow
import time

from simpleflow_lab import Workflow, activity, futures


@activity.with_attributes(task_list="quickstart", version="example")
def increment(x):
    time.sleep(0.4)
    return x + 1


@activity.with_attributes(task_list="quickstart", version="example")
def double(x):
    time.sleep(1)
    return x * 2


@activity.with_attributes(task_list="quickstart", version="example")
def delay(t, x):
    time.sleep(t)
    return x


class BasicWorkflow(Workflow):
    name = "basic"
    version = "example"
    task_list = "example"

    def run(self, x, t=1):
        y = self.submit(increment, x)
        yy = self.submit(delay, t, y)
        z = self.submit(double, y)
        print(f"({x} + 1) * 2 = {z.result}")
        futures.wait(yy, z)
        return z.result


# %% [markdown]
# The cell ran as any cell does, and says what it defined. Edit it and run it again: its definitions are replaced.
#
# ## Run
#
# The input is JSON: here `x` is 1 and `t` is 2. The id is yours to choose; by it you find the run again. `-o` puts what
# a command gives into a variable.

# %%
# %simpleflow workflow.start BasicWorkflow --input '[1, 2]' --workflow-id first-run -o execution

# %% [markdown]
# `delay` held it up for two seconds, and for as long this place showed how far it was. The workflow's code stands still
# where it reads a result that is not there yet, be it for days. Where it has to run again, after a crash, it gets the
# results that are recorded, and is quiet about what it printed before.
#
# What you see is an `Execution`. This is how you wait for its result in Python:

# %%
execution.result()

# %% [markdown]
# ## Look
#
# The next commands show the run that you started last, or the one whose id you give. Its tasks, one row for each
# attempt:

# %%
# %simpleflow workflow.tasks

# %% [markdown]
# Behind it is a pandas table, with more columns than are shown. What took long?

# %% tags=["nbval-ignore-output"]
# %simpleflow workflow.tasks -o tasks
tasks.nlargest(2, "running")[["id", "state", "task_list", "result"]]

# %% [markdown]
# Where the time went, as a chart. The thin grey line is waiting, the bar is running; `double` and `delay` both needed
# only `y`, so they ran side by side. Point at a bar to see its input and result.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt

# %% [markdown]
# And as numbers, for each activity:

# %% tags=["nbval-ignore-output"]
# %simpleflow workflow.profile

# %% [markdown]
# ## When a task fails
#
# Invitations to three people, one after the other. One of them has no address.

# %%
# %%simpleflow
ADDRESSES = {"Ada": "ada@example.org", "Edsger": "ewd@example.org"}


@activity.with_attributes(task_list="quickstart", version="example")
def invite(name):
    address = ADDRESSES[name]
    return f"invited {address}"


class Invitations(Workflow):
    name = "invitations"
    version = "example"
    task_list = "example"

    def run(self, names):
        answers = []
        for name in names:
            answers.append(self.submit(invite, name).result)
        return answers


# %% [markdown]
# The input may also be a variable.

# %%
guests = {"kwargs": {"names": ["Ada", "Grace", "Edsger"]}}
# %simpleflow workflow.start Invitations --input guests --workflow-id careless

# %% [markdown]
# By simpleflow's rule the result of a failed task is `None`, and the workflow goes on. It is easily overlooked: so the
# lab puts a warning on every run that completed over an unhandled failure. Mostly you want the other rule. Say
# `raises_on_failure`, and reading the result raises:


# %%
# %%simpleflow
@activity.with_attributes(task_list="quickstart", version="example", raises_on_failure=True)
def invite(name):
    address = ADDRESSES[name]
    return f"invited {address}"


# %%
# %simpleflow workflow.start Invitations --input guests --workflow-id careful --no-raise -o careful

# %% [markdown]
# Now the run has failed, and Edsger was not invited. A failure ends *Run all* as any error does, but for `--no-raise`,
# with which the cell shows the failed execution and the notebook goes on. In Python, asking for its result raises; the
# message names the task and ends with the traceback from where the task ran, which was in another thread, and may have
# been on another machine.

# %%
from simpleflow_lab.exceptions import WorkflowExecutionFailed

try:
    careful.result()
except WorkflowExecutionFailed as error:
    print(error)

# %% [markdown]
# ## When the process dies
#
# `examples/survivor.py` has a workflow of slow steps, one after the other. Each step notes in a file when it begins and
# when it has ended, and returns the id of the process that ran it. The step `killed_in` kills that process, once.

# %%
import inspect
import sys

sys.path.append("..")
from examples import survivor

print(inspect.getsource(survivor.Survivor))

# %% [markdown]
# Another process runs it, on a store of its own. In the middle of step 2 that process is killed with `SIGKILL`, as by
# `kill -9` or the kernel's out-of-memory killer: it can't say goodbye.

# %%
import json
import signal
import subprocess
from pathlib import Path

folder = Path(tempfile.mkdtemp())
notes = folder / "notes.txt"
command = ["--store", folder / "trip.sqlite", "workflow.start", "examples.survivor.Survivor"]
command += ["--workflow-id", "trip", "--input", json.dumps({"args": [str(notes), 4], "kwargs": {"killed_in": 2}})]
process = subprocess.run([sys.executable, "-m", "simpleflow_lab.cli", *command], cwd="..", stderr=subprocess.DEVNULL)

print("killed by", signal.Signals(-process.returncode).name)
print(notes.read_text(), end="")

# %% [markdown]
# This kernel takes over the store, finds the run open, and goes on with it.

# %%
trip = folder / "trip.sqlite"
# %simpleflow connect trip

# %%
# %simpleflow resume trip

# %% [markdown]
# Four steps, run by two processes. The notes show that 0 and 1 were not run again. Step 2 was: nobody can know how far
# it had come. In the chart, which counts tasks from 1, it is the one with two attempts.

# %%
print(notes.read_text(), end="")

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt

# %% [markdown]
# The same happens when it is this kernel that dies: load the extension, run the cell with the definitions, and
# `%simpleflow resume`.
#
# ## Where to go next
#
# * `%simpleflow help` lists the commands, `%simpleflow help workflow.start` the options of one. In a shell the same
#   commands are `simpleflow workflow.start …`.
# * In Python: `from simpleflow_lab import Lab`, then `Lab().start(BasicWorkflow, 1, t=2)` and `Lab().executions()`.
# * `examples/` has more workflows: groups and chains, retries and failures, signals and timers.
# * A history from Amazon SWF is viewed in the same way: `%simpleflow open history.json`, then `%simpleflow gantt`.
