# %% [markdown]
# # Where the time goes
#
# The prices come too late: what was a matter of seconds in spring takes ever longer. Every task has a duration, and the
# longest of them is the wrong place to look: it may have run beside others that took just as long. This is how to find
# what made a run as long as it was, to try what would help, and to look at a week instead of a day.

# %%
# %load_ext simpleflow_lab

# %%
import tempfile

from simpleflow_lab import Lab

folder = tempfile.mkdtemp()
lab = Lab(folder + "/prices.sqlite")
# %simpleflow connect lab

# %% [markdown]
# ## The pipeline
#
# Each shop is asked for its prices, two at a time, for somebody once wrote `max_parallel=2`. Meanwhile a report of
# yesterday is made, which takes longer than any shop. The station's server needs a second try now and then.

# %%
# %%simpleflow
import time

from simpleflow_lab import Group, Retry, Workflow, activity, futures

SHOPS = {"north": 0.5, "south": 0.3, "east": 0.4, "west": 0.6, "harbour": 0.4, "station": 0.3}
TROUBLE = {"monday": "station", "thursday": "harbour"}
tried = set()


@activity.with_attributes(name="fetch", task_list="shops", version="tutorial", retry=Retry(initial_interval=1))
def fetch(shop, day):
    time.sleep(SHOPS[shop])
    if TROUBLE.get(day) == shop and (shop, day) not in tried:
        tried.add((shop, day))
        raise ConnectionError(f"{shop} does not answer")
    return len(shop)


@activity.with_attributes(name="report", task_list="prices", version="tutorial")
def report(day):
    time.sleep(1.2)
    return f"report of the day before {day}"


@activity.with_attributes(name="publish", task_list="prices", version="tutorial")
def publish(prices):
    time.sleep(0.3)
    return sum(prices)


class Prices(Workflow):
    name = "prices"
    version = "tutorial"
    task_list = "prices"

    def run(self, day, at_once=2):
        yesterday = self.submit(report, day)
        prices = self.submit(Group(*((fetch, shop, day) for shop in SHOPS), max_parallel=at_once))
        published = self.submit(publish, prices)
        futures.wait(yesterday, published)
        return published.result


# %%
monday = lab.start(Prices, "monday", workflow_id="monday")
monday.result(60)

# %% [markdown]
# ## What took so long?
#
# The task that ran longest is the report:

# %%
monday.profile()[["name", "count", "attempts", "failed"]]

# %% tags=["nbval-ignore-output"]
monday.tasks().sort_values("running", ascending=False)[["id", "attempt", "state", "running"]].head(4)

# %% [markdown]
# To make it faster would change nothing. `explain()` says what would, in one look:

# %% tags=["nbval-ignore-output"]
print(monday.explain())

# %% [markdown]
# The chart shows why. The row on top is the **critical path**: what kept the run from being over, moment by moment.
# The line leads along the tasks that are on it. The report is not among them.

# %% tags=["nbval-ignore-output"]
monday.gantt(elapsed=True)

# %% [markdown]
# The same as a table: each segment begins where the one before ends, so they add up to the whole time. Here it is by
# the kinds of segments; `queued`, `deciding` and the like are moments.

# %% tags=["nbval-ignore-output"]
path = monday.critical_path()
path.groupby("kind")["seconds"].sum().sort_values(ascending=False)

# %%
print("waits that could be shorter:", *sorted({"max_parallel", "retry"} & set(path["kind"])))

# %% [markdown]
# Two things, then: the station was tried again after a pause (`retry`), and shops waited for each other
# (`max_parallel`). How much longer could the report have taken, and nobody would have noticed? That is its **slack**.

# %%
slack = monday.slack().set_index("name")
print("the report could have taken longer:", bool(slack.loc["report", "slack"] > 0))

# %% [markdown]
# ## What depended on what?
#
# The graph has a row for each step; the six shops are one row, for they depend on the same. What a task came from, and
# what came of it, is its lineage.

# %% tags=["nbval-ignore-output"]
monday.graph()

# %% tags=["nbval-ignore-output"]
monday.gantt(lineage="fetch-2", elapsed=True)

# %% [markdown]
# ## How much went on at once?
#
# Never more than two shops, and nothing was queued: more workers would not help. Each moment of the run counts once in
# `time_spent()`: for a task that ran, else for one that waited for a worker, and so on.

# %% tags=["nbval-ignore-output"]
monday.concurrency(by="name")

# %% tags=["nbval-ignore-output"]
monday.time_spent()

# %% [markdown]
# ## Does it help?
#
# On Tuesday all six are asked at once. `compare` says what is different and what it was worth, and draws both runs on
# one axis.

# %%
tuesday = lab.start(Prices, "tuesday", at_once=6, workflow_id="tuesday")
tuesday.result(60)

# %% tags=["nbval-ignore-output"]
tuesday.compare(monday)

# %% tags=["nbval-ignore-output"]
tuesday.compare(monday).gantt()

# %%
kinds = set(tuesday.critical_path()["kind"])
print("shops still wait for each other:", "max_parallel" in kinds)

# %% [markdown]
# ## And the rest of the week?
#
# One run is an anecdote. The tables of many runs are one table: `lab.tasks(last="7d")` has the columns of one run, and
# before them whose they are.

# %%
for day in ("wednesday", "thursday", "friday"):
    lab.start(Prices, day, at_once=6, workflow_id=day).result(60)
week = lab.tasks(last="7d")
activities = week[week["kind"] == "activity"]
activities.groupby(["name", "workflow_id"]).size().unstack()

# %% [markdown]
# Which day was slow, and was it the shops' fault? A frame is a frame: group it as you like.

# %%
failed = week[week["state"] == "failed"]
failed[["workflow_id", "id", "attempt", "reason"]].reset_index(drop=True)

# %%
lab.profile(last="7d")[["name", "executions", "count", "attempts", "failed"]]

# %% [markdown]
# In a shell it is `simpleflow workflow.statistics`, with `--sort -p95` for what is slow at its worst.
#
# ## How do I show it to somebody?
#
# A picture for a report, a workbook for those who compute with it, a page that needs nothing else, a trace for
# [Perfetto](https://ui.perfetto.dev): the name of the file says which. What a workbook would take for a formula is a
# text there, whatever a shop sends.

# %%
names = ("monday.svg", "monday.xlsx", "monday.html", "monday.trace.json", "monday.json")
[monday.export(f"{folder}/{name}").name for name in names]

# %% [markdown]
# The last one is the history as SWF gives it. Whoever has it, has all of the above, without this store and without
# this code: `09-somebody-elses-history` looks into one.
