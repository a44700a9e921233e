# %% [markdown]
# # Live work, and why it is waiting
#
# A month is closed: the shops' figures are fetched, checked, approved by an accountant, and the suppliers are paid.
# Most of the time nothing runs. It waits: for a slow shop, for a worker, for a person. This page shows how to watch it
# without giving up the notebook, how to be told what it waits for, and what to do about it.

# %%
# %load_ext simpleflow_lab

# %%
import tempfile

from simpleflow_lab import Lab

lab = Lab(tempfile.mkdtemp() + "/books.sqlite")
# %simpleflow connect lab

# %%
# %%simpleflow
import time

from simpleflow_lab import Workflow, activity, futures

BOOKS = {"version": "tutorial", "raises_on_failure": True}


@activity.with_attributes(name="figures", task_list="shops", **BOOKS)
def figures(shop):
    time.sleep(0.1 * len(shop))
    return 100 * len(shop)


@activity.with_attributes(name="pay", task_list="bank", **BOOKS)
def pay(amount):
    if amount <= 0:
        raise ValueError(f"nothing to pay: {amount}")
    return f"{amount} paid"


class MonthEnd(Workflow):
    name = "month_end"
    version = "tutorial"
    task_list = "books"

    def run(self, shops):
        fetched = [self.submit(figures, shop) for shop in shops]
        futures.wait(fetched)
        total = sum(future.result for future in fetched)
        approval = self.submit(self.wait_signal("approve"))
        approval.wait()
        return self.submit(pay, total).result


# %% [markdown]
# ## Watch it, and keep the notebook
#
# `lab.start` gives the execution at once. As the value of a cell it shows itself **live**: its state, what it waits
# for, a Gantt chart that grows, a table of tasks, failures, output, and buttons. The cell is done: write the next one
# meanwhile. Without a kernel, as on the page of a code host, a still picture stands in the view's place.

# %% tags=["nbval-ignore-output"]
october = lab.start(MonthEnd, ["Basel", "Cork", "Espoo", "Thessaloniki"], workflow_id="october")
time.sleep(1.2)  # so that a saved page has something to show
october

# %% [markdown]
# ## What does it wait for?
#
# The same question in code. First let it come as far as it can by itself; `watch` comes back whenever something
# happens.

# %%
for _ in october.watch(timeout=60):
    if october.waits_in_short() == "signal approve":
        break
october.waits_in_short()

# %% [markdown]
# `waiting_for()` has one row for each thing, the most important first, with what helps:

# %% tags=["nbval-ignore-output"]
october.waiting_for()

# %% [markdown]
# So it is a person's turn. The button *Send signal* of the view does it, with the name filled in; so does this. An
# execution is awaited like any coroutine, and gives its result:

# %% tags=["nbval-ignore-output"]
october.signal("approve", '"Ada"')
await october

# %% [markdown]
# While a cell awaits, the kernel is free: buttons work, timers run. An interrupt (*Stop*) ends the waiting, and the
# execution goes on. What an awaited execution raises is short: the lines of the workflow and of the task that failed.
#
# ## When nobody works
#
# Somebody stopped the worker that pays.

# %%
lab.workers.of("bank").stop()

# %%
november = lab.start(MonthEnd, ["Basel", "Cork"], workflow_id="november")
november.signal("approve", '"Ada"')
for _ in november.watch(timeout=60):
    progress = november.progress()
    if progress.completed == 2 and progress.waiting:  # the figures of both shops are there
        break
progress.waiting

# %% [markdown]
# A task waits, and nothing happens. Before you read a log: ask.

# %% tags=["nbval-ignore-output"]
november.explain()

# %% [markdown]
# It names the task list that nobody works for, and the call that helps. Do what it says:

# %%
lab.start_workers(2, task_list="bank")
november.result(timeout=60)

# %% [markdown]
# ## Many at once
#
# Executions are awaited together, too. A month without shops can't be paid, and says so:

# %%
import asyncio

months = {name: lab.start(MonthEnd, shops, workflow_id=name) for name, shops in {"may": ["Cork"], "june": []}.items()}
for execution in months.values():
    execution.signal("approve", '"Ada"')
results = await asyncio.gather(*months.values(), return_exceptions=True)
[results[0], type(results[1]).__name__]

# %% [markdown]
# In a cell of its own such a failure ends *Run all*, with a short traceback. With `--no-raise` the execution is given
# as it is, to look into:

# %%
# %simpleflow workflow.start MonthEnd --input '[[]]' --workflow-id july --detach -o july
july.signal("approve", '"Ada"')
july.wait(60)

# %% tags=["nbval-ignore-output"]
july

# %% [markdown]
# ## All of it at a glance
#
# The Lab shows itself, too: which process owns the store, the executions with a filter, the task lists with what waits
# in them, and the workers of this kernel, with buttons to scale, stop and start them.

# %% tags=["nbval-ignore-output"]
lab

# %% [markdown]
# And one execution as a picture, to keep:

# %% tags=["nbval-ignore-output"]
october.gantt()

# %% [markdown]
# ## Where to go next
#
# * `08-where-the-time-goes`: what made a run as long as it was.
# * `%simpleflow live october` shows any execution again, `%simpleflow workflow.start MonthEnd --await` starts one in a
#   cell that stays free.
# * In a shell: `simpleflow workflow.explain november`, `simpleflow workflow.list` says what each open execution waits
#   for.
