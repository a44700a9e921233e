"""Waiting for any of several futures by hand, and plain functions made activities."""

from simpleflow_lab import Workflow, activity
from simpleflow_lab.exceptions import ExecutionBlocked


def find_money(initial, target):
    return min(initial + 60, target)


def build():
    return "built"


def steal():
    return "stolen"


def hire():
    return "hired"


def with_task_list(func):
    return activity.with_attributes(task_list="crew", version="1.0")(func)


find_money = with_task_list(find_money)
build = with_task_list(build)
steal = with_task_list(steal)
hire = with_task_list(hire)


class EitherWorkflow(Workflow):
    name = "programs-either"
    task_list = "captain"
    version = "1.0"

    def run(self, needed=150):
        money = 0
        while money < needed:
            money = self.submit(find_money, initial=money, target=needed).result
        built = self.submit(build)
        stolen = self.submit(steal)
        hired = self.submit(hire)
        if not (hired.finished and (built.finished or stolen.finished)):
            raise ExecutionBlocked()
        return [money, hired.result]
