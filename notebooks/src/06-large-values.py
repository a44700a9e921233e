# %% [markdown]
# # Large values, and work that is done once
#
# Data engineers pass on data: lists of a hundred thousand orders, tables, values of types of their own. SWF takes
# 32,768 characters for an argument or a result. This page shows where larger ones go, what they cost, and how to keep
# from doing large work twice.

# %%
# %load_ext simpleflow_lab

# %%
import tempfile

store = tempfile.mkdtemp() + "/sales.sqlite"
# %simpleflow connect store -o lab

# %% [markdown]
# ## May a result have two megabytes?
#
# Yes, up to five. Three activities hand on the orders of a year. Nothing in the code says that they are many.

# %%
# %%simpleflow
import time

from simpleflow_lab import Workflow, activity

TASKS = {"task_list": "sales", "version": "example", "raises_on_failure": True}


@activity.with_attributes(name="extract", **TASKS)
def extract(number):
    return [{"order": n, "shop": "north" if n % 3 else "south", "amount": n * 37 % 400 / 4} for n in range(number)]


@activity.with_attributes(name="without_small", **TASKS)
def without_small(orders):
    return [order for order in orders if order["amount"] >= 1]


@activity.with_attributes(name="total", **TASKS)
def total(orders):
    return sum(order["amount"] for order in orders)


class Sales(Workflow):
    name = "sales"
    version = "example"
    task_list = "sales"

    def run(self, number):
        orders = self.submit(extract, number)
        return self.submit(total, self.submit(without_small, orders)).result


# %%
# %simpleflow workflow.start Sales --input '[45000]' --workflow-id year -o year
year.result()

# %% [markdown]
# The table of tasks says how large a value is, and where. Looking never fetches it.

# %%
# %simpleflow workflow.tasks year

# %% [markdown]
# In the history stands a *reference*: a name made from the content, and the number of characters. The value itself is
# a file in the folder beside the store, one for each content: equal values are kept once, and a reader notices if one
# was changed.

# %%
from pathlib import Path

print(year.tasks().result[0])
files = [file for file in Path(f"{store}.objects").rglob("*") if file.is_file()]
sorted(file.stat().st_size for file in files)

# %% [markdown]
# ## Who fetches it?
#
# Only who needs it. Here is a listener between the Lab and that folder, to see who reads and writes; a place for
# objects is anything that can `put`, `get` and give `keys`.

# %%
import threading

from simpleflow_lab import Lab


class Watched:
    def __init__(self, objects):
        self.objects = objects
        self.keys = objects.keys

    def put(self, key, content):
        print(f"{self.who():16} keeps   {len(content):,} bytes")
        self.objects.put(key, content)

    def get(self, key, max_bytes=None):
        content = self.objects.get(key, max_bytes=max_bytes)
        print(f"{self.who():16} fetches {len(content):,} bytes")
        return content

    def who(self):
        return "decider" if threading.current_thread().name.startswith("decider") else "activity worker"


watched = Lab(":memory:")
watched.storage.default = Watched(watched.storage.default)
watched.start(Sales, 45_000).result()

# %% [markdown]
# The decider, which runs the workflow's code, fetched nothing: a future that is passed on is passed on as its
# reference.
#
# **The trap:** reading `future.result` in `run` fetches the value, to the decider, and again whenever the history is
# replayed. Pass the future; let an activity make something small of it, and read that.


# %%
# %%simpleflow
class Curious(Workflow):
    name = "curious"
    version = "example"
    task_list = "sales"

    def run(self, number):
        orders = self.submit(extract, number)
        if not orders.result:
            return 0
        return self.submit(total, orders).result


# %%
watched.start(Curious, 45_000).result()

# %% [markdown]
# ## May a result be a DataFrame?
#
# JSON has none. `simpleflow_lab.data.numpy_pandas` teaches the Lab those of pandas and the arrays of numpy; import it
# where they are written or read. A frame comes back as it was, with dtypes, index and names.

# %%
# %%simpleflow
import pandas as pd

import simpleflow_lab.data.numpy_pandas


@activity.with_attributes(name="by_shop", **TASKS)
def by_shop(orders):
    frame = pd.DataFrame(orders).astype({"shop": "category"})
    return frame.groupby("shop", observed=True)["amount"].agg(["count", "sum"])


class Shops(Workflow):
    name = "shops"
    version = "example"
    task_list = "sales"

    def run(self, number):
        return self.submit(by_shop, self.submit(extract, number)).result


# %%
# %simpleflow workflow.start Shops --input '[45000]' --workflow-id shops -o shops

# %%
shops.result()

# %%
shops.result().index

# %% [markdown]
# **The trap:** a few types come back as what JSON has for them: a tuple or a set as a list, a date or a UUID as text,
# a key that is a number as text, too. What JSON has nothing for is refused, with the place where it stands, such as a
# type that nobody told the Lab of.
#
# ## And a type of my own?


# %%
# %%simpleflow
from dataclasses import dataclass


@dataclass(frozen=True)
class Money:
    amount: float
    currency: str


@activity.with_attributes(name="price", **TASKS)
def price(amount):
    return {"total": Money(amount, "EUR")}


class Prices(Workflow):
    name = "prices"
    version = "example"
    task_list = "sales"

    def run(self, amount):
        return self.submit(price, amount).result


# %%
from simpleflow_lab.exceptions import WorkflowExecutionFailed

try:
    lab.start(Prices, 12.5, workflow_id="refused").result()
except WorkflowExecutionFailed as error:
    print(str(error).splitlines()[0])

# %% [markdown]
# Register it, in every process that writes or reads it: two functions, to something that JSON has and back. The name
# stands in histories, so choose one that stays. Nothing is ever imported because a history names it.

# %%
from simpleflow_lab.data import codec

codec.register(
    Money,
    name="sales.Money",
    encode=lambda money: [money.amount, money.currency],
    decode=lambda written: Money(*written),
)
lab.start(Prices, 12.5).result()

# %% [markdown]
# ## And if the workers are on other machines?
#
# Then large values have to be where all of them can read. One variable says so, and the code stays as it is:
#
#     export SIMPLEFLOW_JUMBO_FIELDS_BUCKET=my-bucket/lab
#
# It is read when a Lab is opened. In the next cell a server of `moto`, on this machine, stands for Amazon S3; with the
# real one, you need neither it nor the other variables.

# %%
import logging
import os
from unittest.mock import patch

try:
    from moto.server import ThreadedMotoServer
except ImportError:
    print("there is no moto to stand for S3: pip install 'moto[s3,server]'")
else:
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's list of requests
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    stand_in = {
        "AWS_ENDPOINT_URL_S3": "http://{}:{}".format(*server.get_host_and_port()),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SIMPLEFLOW_ENABLE_DISK_CACHE": "false",
    }
    with patch.dict(os.environ, stand_in, SIMPLEFLOW_JUMBO_FIELDS_BUCKET="my-bucket/lab"):
        bucket = boto3.resource("s3").create_bucket(Bucket="my-bucket")
        with Lab(":memory:") as in_s3:
            execution = in_s3.start(Sales, 45_000)
            print(execution.result())
            print(execution.tasks().result[0])
        for found in bucket.objects.all():
            print(f"{found.key}: {found.size:,} bytes")
    server.stop()

# %% [markdown]
# Objects are never deleted, for histories refer to them. Give the prefix a lifecycle rule that outlasts your
# histories.
#
# ## How do I keep from doing it all again?
#
# A workflow of hours fails at its last task; you mend it, and start it again. Make its parts **steps**, each with a
# name: when a step is done, a note of it is kept, and the next execution with the same workflow id skips it. Here the
# last step fails, for the name of a shop is missing.

# %%
# %%simpleflow
from simpleflow_lab import Chain, Group
from simpleflow_lab.step.workflow import WorkflowStepMixin

NAMES = {"north": "Tromsø"}


@activity.with_attributes(name="load", **TASKS)
def load(what):
    time.sleep(0.4)
    return f"{what} loaded"


@activity.with_attributes(name="rename", **TASKS)
def rename(shop):
    return f"{shop} is {NAMES[shop]}"


class Import(Workflow, WorkflowStepMixin):
    name = "import"
    version = "example"
    task_list = "sales"

    def run(self):
        self.submit(
            Chain(
                Group(
                    self.step("load.orders", (load, "orders")),
                    self.step("load.shops", (load, "shops")),
                ),
                self.step("rename.north", (rename, "north")),
                self.step("rename.south", (rename, "south")),
            )
        ).result


# %%
first = lab.start(Import, workflow_id="import-2026")
first.wait()
first.steps()[["step", "status"]]

# %% [markdown]
# The step that failed stays `scheduled`: it was begun, and is not done. In the chart, `GetStepsDoneTask` and
# `MarkStepDoneTask` are the activities that read and write the notes.

# %% tags=["nbval-ignore-output"]
first.gantt()

# %% [markdown]
# Add the name, and start it again:

# %%
NAMES["south"] = "Oslo"
second = lab.start(Import, workflow_id="import-2026")
second.result()
second.steps()[["step", "status"]]

# %% [markdown]
# No `load` in its chart: what took long was not done again.

# %% tags=["nbval-ignore-output"]
second.gantt()

# %% [markdown]
# **The trap:** a step that is skipped gives no results. What the next step needs of it must be where that step finds
# it, such as a file or a table. And the note belongs to the workflow id: another id is another import.
#
# ## Which activity reads how much, and how fast?
#
# The history knows how long a task took, not what it did in that time. Say it yourself: `metrology.step` measures a
# part of an activity, and you tell it what was read and written.


# %%
# %%simpleflow
import json

from simpleflow_lab import metrology


@activity.with_attributes(name="convert", **TASKS)
def convert(orders):
    with metrology.step("to json") as step:
        step.read.records = len(orders)
        lines = [json.dumps(order) for order in orders]
        step.write.bytes = sum(map(len, lines))
    with metrology.step("keep the large") as step:
        step.read.records = len(lines)
        large = [order for order in orders if order["amount"] > 50]
        step.write.records = len(large)
    return len(large)


class Measured(Workflow):
    name = "measured"
    version = "example"
    task_list = "sales"

    def run(self):
        return [self.submit(convert, self.submit(extract, number)).result for number in (10_000, 20_000)]


# %%
measured = lab.start(Measured)
measured.result()

# %%
measured.metrology()[["task", "step", "seconds", "read_records", "write_records", "write_bytes"]]

# %% [markdown]
# `by="activity"` sums them up:

# %%
measured.metrology(by="activity")[["name", "step", "count", "seconds", "read_records", "read_records_s"]]

# %% [markdown]
# ## Where to go next
#
# * `docs/large_values.md`: limits, permissions in S3, and what happens when an object is gone.
# * `docs/steps.md`: forcing and skipping steps, and where the notes are. `examples/steps.py` is a whole program.
# * `examples/values.py`: frames and own types in one.
