"""Data frames, and a type of one's own, as arguments and results.

    simpleflow workflow.start --local examples.values.Sales --input '[3]'

JSON has no data frames. `simpleflow_lab.data.numpy_pandas` registers those of pandas, and numpy's arrays: they come
back from a history with their dtypes and index. `Quantity` is registered here, with two functions: one that makes JSON
of it and one that makes it again. Whoever reads such a value must have registered its type, too; nothing is ever
imported because a history names it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import simpleflow_lab.data.numpy_pandas  # noqa: F401  registers the types of numpy and pandas
from simpleflow_lab import Workflow, activity
from simpleflow_lab.data import codec


@dataclass(frozen=True)
class Quantity:
    amount: float
    unit: str


codec.register(
    Quantity,
    name="examples.Quantity",
    encode=lambda quantity: [quantity.amount, quantity.unit],
    decode=lambda written: Quantity(*written),
)


@activity.with_attributes(task_list="quickstart", version="example")
def load(days: int) -> pd.DataFrame:
    index = pd.date_range("2026-01-01", periods=days, freq="D", name="day")
    return pd.DataFrame({"shop": pd.Categorical(["north"] * days), "sold": np.arange(days) * 10}, index=index)


@activity.with_attributes(task_list="quickstart", version="example")
def total(sales: pd.DataFrame) -> Quantity:
    return Quantity(float(sales["sold"].sum()), "kg")


@activity.with_attributes(task_list="quickstart", version="example")
def best_day(sales: pd.DataFrame) -> pd.Timestamp:
    return sales["sold"].idxmax()


class Sales(Workflow):
    name = "sales"
    version = "example"
    task_list = "example"

    def run(self, days: int) -> str:
        sales = self.submit(load, days)
        sold: Quantity = self.submit(total, sales).result
        best: pd.Timestamp = self.submit(best_day, sales).result
        return f"{sold.amount:g} {sold.unit} in {days} days, most of it on {best:%A}"
