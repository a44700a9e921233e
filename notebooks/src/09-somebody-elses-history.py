# %% [markdown]
# # Looking into somebody else's history
#
# A colleague writes: *"Our nightly job took twice as long on Saturday, and the report looks wrong. Its code isn't mine,
# and the workers log nowhere. Here are the histories of the week, from `aws swf get-workflow-execution-history`."*
#
# A history is all you need. This notebook has none of the colleague's code, no account and no service, and runs no
# workflow.

# %%
# %load_ext simpleflow_lab

# %% [markdown]
# ## What is there?
#
# `open` takes a file, or a folder of them. (Their names are completed: press Tab.) In Python it is `open_histories`.

# %%
# %simpleflow open histories -o week

# %%
week.executions()[["workflow_id", "workflow_type", "status", "started", "duration"]]

# %% [markdown]
# All seven completed. Saturday's, of the 21st, took 4,939 seconds; the others took 2,040 to 2,689.
#
# ## Why was Saturday slow?
#
# One look: what became of it, most important first, and where its time went along the critical path.

# %%
saturday = week.execution("nightly-2026-11-21")
print(saturday.explain())

# %% [markdown]
# So there are two stories. The slow one is Milan's: three attempts broke, and the pauses between them, five, ten and
# twenty minutes, are nearly half of the night. The chart shows them; outlined is the critical path:

# %%
saturday.gantt()

# %% [markdown]
# ## Compared with the night before

# %%
friday = week.execution("nightly-2026-11-20")
comparison = saturday.compare(friday)
print(comparison)

# %%
comparison.tasks().head(5)

# %% [markdown]
# The first task that differs is not Milan's download. It is the second story: `exchange_rates` failed, and the workflow
# went on.
#
# ## Why does the report look wrong?
#
# A failed activity's result is `None` in simpleflow, unless its author says otherwise. This one was passed on:

# %%
saturday.unhandled_failures()[["id", "state", "reason", "unhandled"]]

# %%
import json

print(json.loads(saturday.unhandled_failures().loc[0, "details"])["traceback"])

# %% [markdown]
# Who used that `None`? Every task that depends on it: all conversions.

# %%
tasks = saturday.tasks()
broken = "activity-markets.exchange_rates-1"
tasks[tasks["depends_on"].map(lambda ids: broken in ids)][["id", "state", "input"]].head(3)

# %% [markdown]
# That is what the colleague has to know: the report of the 21st was made without exchange rates, because the quotes had
# no `CHF` that night, and `exchange_rates` should be declared with `raises_on_failure=True`, or be retried.
#
# ## And the week?
#
# The tables of all nights are one table, so a question about the week is a line of pandas. Friday was slower than
# Wednesday, too. Where does the time go, over all nights?

# %%
week.profile()[["name", "executions", "attempts", "failed", "total_running", "p95_running", "max_running"]]

# %% [markdown]
# The downloads. Are they all alike?

# %%
tasks = week.tasks()
fetches = tasks[(tasks["name"] == "markets.fetch_prices") & (tasks["state"] == "completed")]
by_night = fetches.pivot_table(index="id", columns="workflow_id", values="running", sort=False)
by_night.columns = by_night.columns.str.removeprefix("nightly-2026-11-")
by_night

# %% [markdown]
# The eighth takes longer each night. Which market is that? Its input says it.

# %%
fetches.loc[fetches["id"] == "activity-markets.fetch_prices-8", "input"].iloc[0]

# %%
import plotly.express as px

lines = px.line(by_night.T, labels={"value": "seconds", "workflow_id": "night"}, height=320)
lines.update_layout(title="Downloads, by night", showlegend=False, template="none")

# %%
by_night.T["activity-markets.fetch_prices-8"].diff()

# %% [markdown]
# Zurich's download takes 130 seconds more each night. In a month it will take more than an hour: the third thing to
# tell.
#
# ## Take it along
#
# Tables are pandas, charts are plotly's with a picture inside, and a page with chart and tasks needs nothing else:

# %%
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
saturday.gantt().write_svg(folder / "saturday.svg")
(folder / "saturday.html").write_text(saturday.gantt_html())
week.tasks(timezone=None).to_csv(folder / "week.csv", index=False)
sorted(path.name for path in folder.iterdir())

# %% [markdown]
# Of a store, or of Amazon SWF, the same is `lab.tasks(last="7d")` and `lab.execution(ID)`, with no files at all. With
# the workflow's code at hand, `saturday.replay(Nightly)` walks through its decisions.
