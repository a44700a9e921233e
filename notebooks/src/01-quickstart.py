# %% [markdown]
# # Quickstart
#
# A **workflow** is plain Python that says which tasks to do, in what order, and what to make of their results. Its
# tasks are **activities**: ordinary functions that workers run while the workflow waits, for milliseconds or for days.
# Everything that happens is written to a history as it happens, in the terms of Amazon SWF, so a run can be watched,
# measured and drawn, and when its process dies it goes on where it stood.
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
# Two activities that calculate, one that takes its time, and a workflow that joins them. `submit` returns at once, with
# a *future*. Passing a future to the next task makes it wait for the first; reading `.result` makes the workflow wait.

# %%
# %%simpleflow
import time

from simpleflow_lab import Workflow, activity, futures


@activity.with_attributes(task_list="quickstart", version="example")
def increment(x):
    return x + 1


@activity.with_attributes(task_list="quickstart", version="example")
def double(x):
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
# The cell ran as any cell does, and said what it defined. Edit it and run it again: its definitions are replaced.
#
# ## Run
#
# The input is JSON, here for `x` and `t`. A run has an id of your choice, by which you find it again.

# %%
# %simpleflow workflow.start BasicWorkflow --input '[1, 2]' --workflow-id first-run

# %% [markdown]
# `delay` held it up for two seconds; while it ran, this place showed how far it was. What the workflow prints appears
# once, although its code is run again for every decision.
#
# ## Look
#
# The commands below show the run that you started last, unless you name one. The tables are pandas, so you can go on
# with them as with any other.

# %%
# %simpleflow workflow.tasks -o tasks
tasks[["name", "state", "attempt", "waiting", "running", "input", "result"]]
