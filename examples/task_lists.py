r"""Task lists that are chosen when the workflow runs.

    simpleflow workflow.start --local --workflow-id film examples.task_lists.Film \
        --input '[{"titles": "small", "battle": "large"}]'
    simpleflow workflow.tasks film

A task list says which workers take a task: machines with much memory, with a graphics card, in one country.
`activity.with_attributes(task_list=…)(render)` is the same activity on another list; it may be made in `run`, since it
depends on nothing but the arguments. A child workflow may choose by `get_task_list`. A Lab serves each list as soon as
a task goes there.
"""

from __future__ import annotations

from simpleflow_lab import Workflow, activity, futures


@activity.with_attributes(version="example", raises_on_failure=True)
def render(scene: str) -> str:
    return f"{scene}, rendered by {activity.current_context()['activity_task_list']}"


class Scene(Workflow):
    """A child whose decisions are made near its workers."""

    name = "task-lists-scene"
    version = "example"

    @classmethod
    def get_task_list(cls, scene: str, size: str) -> str:
        return f"decisions-{size}"

    def run(self, scene: str, size: str) -> str:
        on_that_machine = activity.with_attributes(task_list=f"machines-{size}", raises_on_failure=True)(render)
        rendered: str = self.submit(on_that_machine, scene).result
        return rendered


class Film(Workflow):
    name = "task-lists"
    version = "example"
    task_list = "task_lists"

    def run(self, scenes: dict[str, str]) -> list[str]:
        return futures.wait([self.submit(Scene, scene, size) for scene, size in sorted(scenes.items())])
