"""Child workflows: each country's invoices in an execution of its own.

    simpleflow workflow.start --local --workflow-id may examples.children.Invoices --input '["may", ["fr", "it", "xx"]]'
    simpleflow workflow.info invoices-may-it

A child has a history of its own, so that a parent can have thousands of tasks below it. It is submitted like an
activity, and its result is a future's like any other. Here its class gives its id and tags from its arguments, so that
people find it. A child that fails raises where its result is read, unless its class says `raises_on_failure = False`.
"""

from __future__ import annotations

from simpleflow_lab import Group, Workflow, activity
from simpleflow_lab.exceptions import TaskFailed


@activity.with_attributes(task_list="children", version="example", raises_on_failure=True)
def customers(country: str) -> list[str]:
    return {"fr": ["Ada", "Alan"], "it": ["Enzo"]}[country]


@activity.with_attributes(task_list="children", version="example", raises_on_failure=True)
def invoice(customer: str, month: str) -> str:
    return f"{month}/{customer}.pdf"


class Country(Workflow):
    """The child: one country."""

    name = "children-country"
    version = "example"
    task_list = "children"
    child_policy = "REQUEST_CANCEL"  # what becomes of it if its parent is ended before it is done

    @classmethod
    def get_workflow_id(cls, month: str, country: str) -> str:
        return f"invoices-{month}-{country}"

    @classmethod
    def get_tag_list(cls, month: str, country: str) -> list[str]:
        return [month, country]

    def run(self, month: str, country: str) -> list[str]:
        found: list[str] = self.submit(customers, country).result
        invoices: list[str] = self.submit(Group(*((invoice, customer, month) for customer in found))).result
        return invoices


class Invoices(Workflow):
    """The parent: all countries side by side."""

    name = "children"
    version = "example"
    task_list = "children"

    def run(self, month: str, countries: list[str]) -> dict[str, int | None]:
        children = {country: self.submit(Country, month, country) for country in countries}
        written: dict[str, int | None] = {}
        for country, child in children.items():
            try:
                written[country] = len(child.result)
            except TaskFailed as error:
                print(f"no invoices for {country}: {error.reason}")
                written[country] = None
        return written
