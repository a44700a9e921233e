# %% [markdown]
# # Groups and chains
#
# One task after the other, or all at once: most pipelines are built of these two. `Group` holds tasks that run side by
# side, `Chain` tasks that run in a row. Both are submitted like a single task, have a single future, and may stand
# inside each other.
#
# The story here: eight shops send a file of their sales every evening, and somebody wants to know what sold best.

# %%
# %load_ext simpleflow_lab

# %%
import tempfile
from pathlib import Path

from simpleflow_lab import Lab

folder = Path(tempfile.mkdtemp())
lab = Lab(folder / "canvas.sqlite", activity_threads=12)
# %simpleflow connect lab

# %% [markdown]
# `activity_threads` is how many activities this kernel runs at once for each task list. By default it is a few more
# than the machine has cores; twelve lets all eight files be read together.
#
# The files, made up, but the same in every run of this notebook:

# %%
import csv
import random

SHOPS = ["Aarhus", "Basel", "Cork", "Dresden", "Espoo", "Faro", "Ghent", "Hull"]
SALES = [170, 230, 150, 260, 140, 190, 280, 160]
CENTS = {"coffee": 280, "tea": 240, "bread": 420, "cake": 360, "juice": 310}

chance = random.Random(2026)
for shop, sales in zip(SHOPS, SALES, strict=True):
    with open(folder / f"{shop}.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "article", "pieces", "cents"])
        for minute in sorted(chance.sample(range(7 * 60, 19 * 60), sales)):
            article = chance.choice(list(CENTS))
            rows.writerow([f"{minute // 60:02}:{minute % 60:02}", article, chance.randint(1, 4), CENTS[article]])

print(*(folder / "Aarhus.csv").read_text().splitlines()[:4], sep="\n")

# %% [markdown]
# ## How do I run the same task for many inputs?
#
# With a `Group`. Its members are tuples of an activity and its arguments. `time.sleep` stands for a download here; it
# takes longer for a longer file.

# %%
# %%simpleflow
import time
from collections import Counter

from simpleflow_lab import Chain, FuncGroup, Group, Workflow, activity, futures


def read(path):
    """The rows of a file."""
    with open(path) as file:
        rows = list(csv.DictReader(file))
    time.sleep(len(rows) / 1000)
    return rows


@activity.with_attributes(name="takings", task_list="sales", version="tutorial")
def takings(path):
    """What a shop took, in euros."""
    rows = read(path)
    return sum(int(row["pieces"]) * int(row["cents"]) for row in rows) // 100


class EachShop(Workflow):
    name = "each shop"
    task_list = "sales"

    def run(self, paths):
        return self.submit(Group(*((takings, path) for path in paths))).result


# %%
paths = [str(folder / f"{shop}.csv") for shop in SHOPS]
each = lab.start(EachShop, paths, workflow_id="each-shop").result()
dict(zip(SHOPS, each, strict=True))

# %% [markdown]
# The result is the list of the members' results, in the order of the members, whoever was done first.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt each-shop

# %% [markdown]
# For one activity and one argument, `self.map(takings, paths)` says the same, and gives a list of futures.
#
# ## How do I map and reduce?
#
# With a group inside a chain. With `send_result` each member of the chain gets the result of the one before it, as its
# **last** argument. So `merge` gets the list that the group gave, and `best` gets `3` and then what `merge` gave.


# %%
# %%simpleflow
@activity.with_attributes(name="by_article", task_list="sales", version="tutorial", raises_on_failure=True)
def by_article(path):
    """Map: what a shop took, in cents, by article."""
    sold = Counter()
    for row in read(path):
        sold[row["article"]] += int(row["pieces"]) * int(row["cents"])
    return dict(sold)


@activity.with_attributes(name="merge", task_list="sales", version="tutorial", raises_on_failure=True)
def merge(parts):
    """Reduce: the parts, added up."""
    time.sleep(0.1)
    return dict(sum(map(Counter, parts), Counter()))


@activity.with_attributes(name="best", task_list="sales", version="tutorial", raises_on_failure=True)
def best(how_many, sold):
    """The articles that brought most."""
    time.sleep(0.05)
    return Counter(sold).most_common(how_many)


class BestSellers(Workflow):
    name = "best sellers"
    task_list = "sales"

    def run(self, paths, max_parallel=None):
        pipeline = Chain(
            Group(*((by_article, path) for path in paths), max_parallel=max_parallel),
            merge,
            (best, 3),
            send_result=True,
        )
        _each, _total, top = self.submit(pipeline).result
        return top


# %%
lab.start(BestSellers, paths, workflow_id="all-at-once").result()

# %% [markdown]
# The result of a chain is the list of *all* its members' results, not only that of the last one: hence the three names
# in `_each, _total, top`.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt all-at-once

# %% [markdown]
# ## How do I not ask for everything at once?
#
# The shops' files lie on a server that lets three readers in. `activity_threads` would not help: it is a number for
# this process, and tomorrow there are five processes. `max_parallel` is a property of the group. The workflow asks for
# three tasks, and for the next one when one of them is done.

# %%
lab.start(BestSellers, paths, max_parallel=3, workflow_id="three-at-a-time").result()

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt three-at-a-time

# %% [markdown]
# Compare the two charts: never more than three bars above each other now, and `merge` starts later. What has not been
# asked for has no bar and no grey line, for nobody knows of it yet.
#
# `max_parallel` counts members, not activities: a member that is a group of ten is one.
#
# ## How do I let two pipelines go side by side?
#
# With chains inside a group. Each chain waits for its own tasks only, so the south (`merge-1` in the
# chart) does not wait for the large files of the north.


# %%
# %%simpleflow
class ByRegion(Workflow):
    name = "by region"
    task_list = "sales"

    def run(self, regions):
        chains = (
            Chain(Group(*((by_article, path) for path in paths)), merge, (best, 1), send_result=True)
            for paths in regions.values()
        )
        done = self.submit(Group(*chains)).result
        return {region: top for region, (*_, [(top, cents)]) in zip(regions, done, strict=True)}


# %%
regions = {
    "north": [str(folder / f"{shop}.csv") for shop in ("Aarhus", "Dresden", "Ghent")],
    "south": [str(folder / f"{shop}.csv") for shop in ("Basel", "Faro")],
}
lab.start(ByRegion, regions, workflow_id="by-region").result()

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt by-region

# %% [markdown]
# ## What if the members are known only when something has run?
#
# `FuncGroup` takes a function that makes the group when its turn comes. In a chain with `send_result` the function is
# given the result before it.
#
# The function is part of the workflow's code, as `run` is: after a restart it runs again and must give the same. So it
# must not look into the folder itself, where another file may lie by then. An activity does that; its result is
# recorded.


# %%
# %%simpleflow
@activity.with_attributes(name="find_files", task_list="sales", version="tutorial", raises_on_failure=True)
def find_files(where, pattern):
    return sorted(str(path) for path in Path(where).glob(pattern))


class WhateverIsThere(Workflow):
    name = "whatever is there"
    task_list = "sales"

    def run(self, where, pattern):
        pipeline = Chain(
            (find_files, where, pattern),
            FuncGroup(lambda paths: Group(*((by_article, path) for path in paths), max_parallel=3)),
            merge,
            (best, 2),
            send_result=True,
        )
        found, *_, top = self.submit(pipeline).result
        return {"files": len(found), "best": top}


# %%
lab.start(WhateverIsThere, str(folder), "[A-D]*.csv", workflow_id="a-to-d").result()

# %% [markdown]
# ## What if one member fails?
#
# One evening the till in Cork writes `n/a` where a number should be.

# %%
cork = folder / "Cork.csv"
cork.write_text(cork.read_text() + "19:05,coffee,n/a,280\n")
three = [str(folder / f"{shop}.csv") for shop in ("Basel", "Cork", "Espoo")]

# %% [markdown]
# `takings` does not say `raises_on_failure`. So its group gives `None` in Cork's place, and the workflow goes on. The
# lab warns, since the failure is unhandled:

# %%
arguments = [three]
# %simpleflow workflow.start EachShop --input arguments --workflow-id without-cork

# %% [markdown]
# What becomes of a failure depends on the container and its options. Here are six ways to run the same three tasks, in
# one workflow. `total` adds up what it gets, and skips what is missing.


# %%
# %%simpleflow
from simpleflow_lab.exceptions import AggregateException


@activity.with_attributes(name="total", task_list="sales", version="tutorial")
def total(parts):
    return sum(part for part in parts if part is not None)


class SixWays(Workflow):
    name = "six ways"
    task_list = "sales"

    def run(self, paths):
        abc = [(takings, path) for path in paths]
        ways = {
            "Group(*abc)": Group(*abc),
            "Group(*abc, raises_on_failure=True)": Group(*abc, raises_on_failure=True),
            "Chain(*abc)": Chain(*abc),
            "Chain(*abc, break_on_failure=False)": Chain(*abc, break_on_failure=False),
            "Chain(Group(*abc), total)": Chain(Group(*abc), total, send_result=True),
            "Chain(Group(*abc, bubbles…=False), total)": Chain(
                Group(*abc, bubbles_exception_on_failure=False), total, send_result=True
            ),
        }
        submitted = {way: self.submit(container) for way, container in ways.items()}
        return [(way, *self.outcome(future)) for way, future in submitted.items()]

    def outcome(self, future):
        slots = future.exception.exceptions if future.exception is not None else []
        try:
            result = future.result
        except AggregateException as error:
            result = f"raises {type(error).__name__}"
        return str(result), ", ".join("–" if slot is None else type(slot).__name__ for slot in slots)


# %%
import pandas as pd

rows = lab.start(SixWays, three, workflow_id="six-ways").result()
pd.DataFrame(rows, columns=["submitted", "result", "exceptions in the slots"]).set_index("submitted")

# %% [markdown]
# * `Group(*abc)`: the other members run all the same. `future.exception` is an `AggregateException` with one slot for
#   each member, but reading the result does not raise it.
# * `raises_on_failure=True` makes reading the result raise. It holds for everything in the container, however deep, and
#   overrides what the activities say. `False` does so, too.
# * A chain ends at the first failure: Espoo was never asked. `break_on_failure=False` goes on.
# * The fifth is the one that people fall over. The chain breaks after the group, for the group has an exception;
#   `total` never runs. Whoever reads `result[-1]` gets a list of shops instead of a sum.
# * With `bubbles_exception_on_failure=False` the group keeps its failures for itself, and the chain goes on. Then what
#   comes next must know what to do with `None`.
#
# For a pipeline that is worth nothing when a part is missing, say `raises_on_failure=True` for the whole chain. For one
# that goes on with what is there, read the slots, and say what was left out:


# %%
# %%simpleflow
class WithWhatIsThere(Workflow):
    name = "with what is there"
    task_list = "sales"

    def run(self, paths):
        group = self.submit(Group(*((by_article, path) for path in paths), raises_on_failure=False))
        errors = group.exception.exceptions if group.exception is not None else [None] * len(paths)
        there = [part for part in group.result if part is not None]
        failed = zip(paths, errors, strict=True)
        missing = {Path(path).stem: error.reason for path, error in failed if error is not None}
        return {"best": self.submit(best, 2, self.submit(merge, there)).result, "missing": missing}


# %%
lab.start(WithWhatIsThere, three, workflow_id="with-what-is-there").result()

# %% [markdown]
# This run has no warning: somebody read the exception.
#
# ## May a group have a result of another shape?
#
# Yes: give it a class of futures. `Total` makes a number of the list. Passed on to the next task, it is that number, so
# the sum is taken where the workflow's code runs and needs no task of its own.


# %%
# %%simpleflow
from simpleflow_lab.canvas import GroupFuture


class Total(GroupFuture):
    @property
    def result(self):
        return sum(super().result)


@activity.with_attributes(name="congratulate", task_list="sales", version="tutorial")
def congratulate(euros):
    return f"Together you took {euros:,} euros."


class Evening(Workflow):
    name = "evening"
    task_list = "sales"

    def run(self, paths):
        shops = Group(*((takings, path) for path in paths), future_class=Total, raises_on_failure=True)
        return self.submit(congratulate, self.submit(shops)).result


# %%
lab.start(Evening, [three[0], three[2]], workflow_id="evening").result()

# %% [markdown]
# ## What if one of them takes for ever?
#
# Members may be anything that can be submitted: also a signal to wait for. Here Hull will say by a signal when its file
# is there, and this evening it does not. `futures.wait` with a timeout waits no longer than that; then
# `count_finished_activities` says how many members are finished, and `results` has what there is, without waiting. On a
# virtual clock nobody has to sit through the hour.


# %%
# %%simpleflow
class AtEight(Workflow):
    name = "at eight"
    task_list = "sales"

    def run(self, paths):
        shops = Group(*((takings, path) for path in paths), self.wait_signal("Hull's file is there"))
        group = self.submit(shops)
        futures.wait(group, timeout=3600)
        taken = group.results
        group.cancel()
        return {"finished": group.count_finished_activities, "of": len(group.futures), "taken": taken}


# %%
at_eight = Lab(":memory:", clock="virtual").start(AtEight, [three[0], three[2]])
at_eight.result()

# %% tags=["nbval-ignore-output"]
at_eight.gantt()

# %% [markdown]
# The thin bar is the timer behind the timeout. On Amazon SWF it would be the same: the waiting is done by the service,
# and no process of yours needs to be alive meanwhile.
#
# ## What to read next
#
# * `docs/failures.md` has the table above in full, for every container and every kind of failure.
# * `03-failures-and-retries` is about single tasks: how they are tried again, when, and who decides.
# * `examples/canvas.py` is a map and reduce that is short enough to copy.
