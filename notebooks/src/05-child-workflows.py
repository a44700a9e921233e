# %% [markdown]
# # Child workflows
#
# A workflow may be a task of another one. Such a **child** is an execution like any other: it has an id, a history,
# timeouts and retries of its own, and may be viewed, signaled and canceled by itself. To its parent it is one line.

# %%
# %load_ext simpleflow_lab

# %%
import tempfile

store = tempfile.mkdtemp() + "/children.sqlite"
# %simpleflow connect store

# %% [markdown]
# ## How do I split a large workflow?
#
# Each region closes its books at the end of the day: fetch what each shop has sold, and sum up. That is a workflow.
# The company's day is a workflow, too, whose tasks are the regions. A workflow class is submitted as an activity is.

# %%
# %%simpleflow
import time

from simpleflow_lab import Group, Workflow, activity, futures

SHOPS = {"north": [3, 1, 4], "south": [1, 5], "west": [9, 2, 6, 5]}


@activity.with_attributes(name="fetch", task_list="shops", version="example", raises_on_failure=True)
def fetch(shop):
    time.sleep(0.2)
    return 100 * shop


class Region(Workflow):
    name = "region"
    version = "example"
    tag_list = Workflow.INHERIT_TAG_LIST

    @classmethod
    def get_workflow_id(cls, region, day):
        return f"{region}-{day}"

    def run(self, region, day):
        return sum(self.submit(Group(*((fetch, shop) for shop in SHOPS[region]), max_parallel=2)).result)


class Company(Workflow):
    name = "company"
    version = "example"
    task_list = "company"

    def run(self, day):
        regions = {region: self.submit(Region, region, day) for region in SHOPS}
        return {region: future.result for region, future in regions.items()}


# %%
# %simpleflow workflow.start Company --input '["monday"]' --workflow-id company-monday --tags books,monday -o company
company.result()

# %% [markdown]
# The three children ran side by side, each a single bar. The parent's history has three events for each of them,
# however long theirs are: initiated, started, completed.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt company-monday

# %% [markdown]
# ## How do I get from the parent to a child?
#
# By its id, which `get_workflow_id` made from the arguments; without it, the id would be made of the parent's id and a
# number. Every command takes it.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt west-monday

# %% [markdown]
# In Python, the tasks of the parent have the ids and run ids of the children. This puts the tasks of all of them into
# one table:

# %%
import pandas as pd

from simpleflow_lab import Lab

lab = Lab(store)


def with_children(execution):
    tasks = execution.tasks()
    children = tasks[tasks.kind == "child"]
    inner = [with_children(lab.execution(child.id, child.run_id)) for child in children.itertuples()]
    return pd.concat([tasks.assign(of=execution.workflow_id), *inner], ignore_index=True)


with_children(company)[["of", "kind", "name", "input", "result"]]

# %% [markdown]
# The other way round, the table of executions names the parent. Tags are for finding; `INHERIT_TAG_LIST` gave the
# children those of the parent.

# %%
executions = lab.executions()
executions[["workflow_id", "status", "parent", "tags"]].sort_values("workflow_id", ignore_index=True)

# %% [markdown]
# **The trap:** of all open executions, only one may have an id. A second child `west-monday` would be refused as long
# as the first one is open. So put everything into the id that makes the work another one, such as the day.
#
# ## What if a child fails?
#
# Reading its result raises, unless the class says `raises_on_failure = False`. Before that, the child may be tried
# again as a whole: `retry` is for children what it is for activities. Here the south has no line on Tuesday, and the
# regions take their shops one by one.


# %%
# %%simpleflow
@activity.with_attributes(name="fetch", task_list="shops", version="example", raises_on_failure=True)
def fetch(shop, region, day):
    if (region, day) == ("south", "tuesday"):
        raise ConnectionError(f"no line to shop {shop}")
    time.sleep(0.2)
    return 100 * shop


class Region(Workflow):
    name = "region"
    version = "example"
    retry = 1

    @classmethod
    def get_workflow_id(cls, region, day):
        return f"{region}-{day}"

    def run(self, region, day):
        return sum(self.submit(fetch, shop, region, day).result for shop in SHOPS[region])


# %%
# %simpleflow workflow.start Company --input '["tuesday"]' --workflow-id company-tuesday --no-raise -o company
company.status

# %% [markdown]
# The south was tried twice. Then the company, having waited for the north, read its result and failed; the west was
# still at work.

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt company-tuesday

# %%
from simpleflow_lab.exceptions import WorkflowExecutionFailed

try:  # the message goes from the company down to the task that began it
    company.result()
except WorkflowExecutionFailed as error:
    print(str(error).splitlines()[0])

# %% [markdown]
# ## What becomes of the others?
#
# The west was terminated. Whenever an execution closes, also when it completes, its `child_policy` is applied to the
# children that are still open: `TERMINATE` ends them on the spot, which is what you get if you say nothing;
# `REQUEST_CANCEL` asks them to stop; `ABANDON` leaves them alone. Three parents that leave after a minute, and a child
# that takes an hour, on a virtual clock:


# %%
# %%simpleflow
class Audit(Workflow):
    name = "audit"
    version = "example"

    @classmethod
    def get_workflow_id(cls, of):
        return f"audit-of-{of}"

    def run(self, of):
        self.submit(self.start_timer("an hour", 3600)).wait()


class Leaves(Workflow):
    name = "leaves"
    version = "example"
    task_list = "leaves"
    child_policy = "TERMINATE"

    def run(self):
        self.submit(Audit, self.child_policy)
        self.submit(self.start_timer("a minute", 60)).wait()


class Asks(Leaves):
    name = "asks"
    child_policy = "REQUEST_CANCEL"


class Abandons(Leaves):
    name = "abandons"
    child_policy = "ABANDON"


# %%
virtual = Lab(":memory:", clock="virtual")
for parent in (Leaves, Asks, Abandons):
    virtual.start(parent).result()
    audit = virtual.execution(f"audit-of-{parent.child_policy}")
    audit.wait()
    print(f"{parent.__name__:10} {audit.workflow_id:24} {audit.status}")

# %% [markdown]
# **The trap:** a child whose future nobody waits for is terminated when the parent returns. Wait for it, or `ABANDON`
# it.
#
# ## How do I send something to all children?
#
# A signal that a workflow sends is passed on to the children that it has started, and theirs. So it is enough to send
# it to oneself. Here the regions wait for a rate of exchange, which is known when the markets close.


# %%
# %%simpleflow
class InEuro(Region):
    name = "region_in_euro"

    def run(self, region, day):
        sold = super().run(region, day)
        rate = self.submit(self.wait_signal("rate")).signal.args[0]
        return sold * rate


class Exchange(Workflow):
    name = "exchange"
    version = "example"
    task_list = "exchange"

    def run(self, day):
        regions = [self.submit(InEuro, region, day) for region in SHOPS]
        self.submit(self.start_timer("markets close", 3600)).wait()
        self.submit(self.signal("rate", 2))
        return futures.wait(regions)


# %%
# %simpleflow connect virtual
# %simpleflow workflow.start Exchange --input '["wednesday"]' --workflow-id exchange -o exchange
exchange.result()

# %% tags=["nbval-ignore-output"]
# %simpleflow gantt exchange

# %% [markdown]
# To one child, send it by its id: `self.signal("rate", 2, workflow_id="west-wednesday", propagate=False)`. The future
# of a signal has an exception if no such execution is open; a child is, once it has started. From a cell it is
# `%simpleflow workflow.signal west-wednesday rate --input 2`.
#
# ## How do I run for ever?
#
# Not in one run: a decider that takes over reads the history from its start, and SWF ends a run at 25,000 events. An
# execution may **continue as new**: the run is closed, and the next one starts under the same id, with new arguments
# and an empty history. `continue_as_new_suggested` says when it is time: after 10,000 events, unless the class says
# otherwise.


# %%
# %%simpleflow
@activity.with_attributes(name="count_orders", task_list="shops", version="example")
def count_orders(hour):
    return 10 + hour % 3


class Meter(Workflow):
    name = "meter"
    version = "example"
    task_list = "meter"
    continue_as_new_after = 100

    def run(self, hours, total=0):
        for hour in range(hours, 0, -1):
            if self.continue_as_new_suggested:
                return self.submit(self.continue_as_new(hour, total)).result
            self.submit(self.start_timer(f"hour {hour}", 3600)).wait()
            total += self.submit(count_orders, hour).result
        return total


# %% [markdown]
# Two days of it. `result()` waits for the last run:

# %%
meter = virtual.start(Meter, 48, workflow_id="meter")
meter.result()

# %%
runs = virtual.executions().query("workflow_id == 'meter'").sort_values("started", ignore_index=True)
runs["hours"] = runs.duration / 3600
runs[["workflow_id", "status", "hours"]]

# %% [markdown]
# **The trap:** arguments are all that comes along. Timers and markers end with the run, and so do signals that it has
# got and not taken: take those first, with `futures.wait(self.submit(self.next_signal(name)), timeout=0)` until there
# is none.
#
# ## Where to go next
#
# * `04-signals-and-timers`: more on signals, deadlines and the virtual clock.
# * `help(Workflow)`: what else a class may say of its children: `task_list`, `execution_timeout`, `idempotent`.
# * `examples/` has more workflows to read and run.
