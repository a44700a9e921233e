# %% [markdown]
# # A bug hunt
#
# The report of last night came late, and its total is wrong. Nothing failed, and nobody saw an error. This is how such
# a thing is found: where the time went, then step by step what the code did, then the edit, and whether the edit is
# safe for what has run and for what is still running.

# %%
# %load_ext simpleflow_lab

# %%
from simpleflow_lab import Lab

lab = Lab(":memory:")
# %simpleflow connect lab

# %% [markdown]
# A night of this story takes a second: sales that come after twenty minutes take a fifth of a second here.

# %%
# %%simpleflow
import time

from simpleflow_lab import Workflow, activity

SALES = {"Lyon": 100, "Metz": 200, "Nice": 300, "Pau": 400}
asked, published = [], []


@activity.with_attributes(name="sales", task_list="report", version="1")
def sales(shop):
    asked.append(shop)
    time.sleep(0.2)
    return SALES[shop]


@activity.with_attributes(name="publish", task_list="report", version="1")
def publish(total):
    published.append(total)
    return f"published {total}"


class Report(Workflow):
    name, version, task_list = "report", "1", "report"

    def run(self, shops, clearance):
        total, discount = 0, 0
        for shop in shops:
            sold = self.submit(sales, shop).result
            if shop in clearance:
                discount = 50
            total += sold - discount
        self.submit(self.wait_signal("approved")).wait()
        return self.submit(publish, total).result


# %% [markdown]
# Metz had a clearance of 50. The shops sold 1,000 together, so the report should say 950. When all sales are in, a
# person approves it.


# %%
def when_it_waits_for_approval(execution):
    for _ in execution.watch(timeout=60):
        if [wait.kind for wait in execution.waiting_for()] == ["signal"]:
            return execution


monday = lab.start(Report, list(SALES), ["Metz"], workflow_id="monday")
when_it_waits_for_approval(monday).signal("approved")
monday.result()

# %% [markdown]
# It says 850.
#
# ## Why was it late?
#
# What became of it, and where its time went:

# %% tags=["nbval-ignore-output"]
print(monday.explain())

# %% tags=["nbval-ignore-output"]
monday.gantt()

# %% [markdown]
# One shop after the other: the chart is a staircase, and all of it is on the critical path. That is for later. First
# the number.
#
# ## What did the code do?
#
# `debug` replays the history with the code that is here. No activity runs, nothing is published again. As the value of
# a cell it is a view with a slider: press `?` for its keys. A saved notebook shows the step at which it stands.

# %% tags=["nbval-ignore-output"]
debugger = monday.debug()
debugger

# %% [markdown]
# What the view does, a cell can do, and both move together. The first step:

# %%
debugger.first()

# %% [markdown]
# The discount should be there for Metz alone. So go to the first decision at whose end there is one:

# %%
debugger.to_condition("discount > 0")

# %%
{name: debugger.step.locals[name] for name in ("shop", "sold", "discount", "total")}

# %% [markdown]
# The code waits for Nice, Metz is counted: 100 + 200 - 50 = 250, as it should be. One step on:

# %%
debugger.forward()
{name: debugger.step.locals[name] for name in ("shop", "sold", "discount", "total")}

# %% [markdown]
# Nice sold 300 and was counted with 250: `discount` is still 50. It is set in the loop and never set back.
#
# In the debugger proper, `debugger.step.pdb()` would stand on that line now, with `p`, `up` and `n`, and the next lines
# would run as they did that night.
#
# ## The edit
#
# It is Tuesday night, and the next report is under way with the same code:

# %%
tuesday = lab.start(Report, list(SALES), ["Pau"], workflow_id="tuesday")
print(when_it_waits_for_approval(tuesday).waiting_for())

# %% [markdown]
# All its sales are in, and it waits until somebody approves. May the code change under it? The cell that defines the
# workflow says so when it runs:


# %%
# %%simpleflow
class Report(Workflow):
    name, version, task_list = "report", "1", "report"

    def run(self, shops, clearance):
        total = 0
        for shop in shops:
            sold = self.submit(sales, shop).result
            total += sold - (50 if shop in clearance else 0)
        self.submit(self.wait_signal("approved")).wait()
        return self.submit(publish, total).result


# %% [markdown]
# Monday's is what differs, and exactly where it should: it published 850, and the code of now publishes 950. Nothing
# before that is any different. Tuesday's, which is open, is not named: it can go on with this code.

# %%
tuesday.signal("approved")
tuesday.result()

# %% [markdown]
# ## Monday's report, again
#
# Monday's is over, with 850. A fork goes on from where it went wrong, with the code of now: the sales and the approval
# are taken from the night that was, and no shop is asked again.

# %%
so_far = len(asked)
mended = monday.fork(at="activity-publish-1", workflow_id="monday-mended")
mended.result(), len(asked) - so_far

# %%
published

# %% [markdown]
# ## And the staircase?
#
# The sales of the shops don't depend on each other, so they can be asked for side by side. Wednesday's report is under
# way meanwhile, with one shop after the other:

# %%
wednesday = lab.start(Report, list(SALES), [], workflow_id="wednesday")
for _ in wednesday.watch(timeout=60):
    if wednesday.progress().completed >= 1:
        break
wednesday.status


# %%
# %%simpleflow
class Report(Workflow):
    name, version, task_list = "report", "1", "report"

    def run(self, shops, clearance):
        every = [future.result for future in self.map(sales, shops)]
        total = sum(sold - 50 * (shop in clearance) for shop, sold in zip(shops, every, strict=True))
        self.submit(self.wait_signal("approved")).wait()
        return self.submit(publish, total).result


# %% [markdown]
# This edit is another matter: what Wednesday's has recorded, this code would not have asked for. `patched` lets an
# execution that has begun go on as it began, and new ones take the new way:


# %%
# %%simpleflow
class Report(Workflow):
    name, version, task_list = "report", "1", "report"

    def run(self, shops, clearance):
        if self.patched("side-by-side"):
            every = [future.result for future in self.map(sales, shops)]
        else:
            every = [self.submit(sales, shop).result for shop in shops]
        total = sum(sold - 50 * (shop in clearance) for shop, sold in zip(shops, every, strict=True))
        self.submit(self.wait_signal("approved")).wait()
        return self.submit(publish, total).result


# %%
when_it_waits_for_approval(wednesday).signal("approved")
wednesday.result()

# %%
thursday = lab.start(Report, list(SALES), ["Lyon", "Pau"], workflow_id="thursday")
when_it_waits_for_approval(thursday).signal("approved")
thursday.result()

# %% tags=["nbval-ignore-output"]
thursday.gantt()

# %% [markdown]
# No staircase any more. And where do the two nights part? In the first decision: one asked for a shop, the other for
# all.

# %%
debugger.to_parting(thursday).number

# %%
lab.close()
