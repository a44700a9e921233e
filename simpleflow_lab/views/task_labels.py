"""The label of a task for people: the last part of its type's name and what sets its id apart, as `load-1`."""

from __future__ import annotations

from typing import Final

from simpleflow_lab.views.formatting import shortened

LIMIT: Final = 40
"""Characters of a label."""


def task_label(id: str, name: str | None, limit: int = LIMIT) -> str:
    """A task's label: `load-1` for `activity-shop.orders.load-1`; ids of another form stay as they are.

    So `orders-2` for a child `workflow-shop.orders-nightly-7--782a1025--2`, whose id the decider made of its parent's.
    """
    if not name:
        return shortened(id, limit)
    parent, _, suffix = id.rpartition("--")
    if "--" in parent and id.startswith(f"workflow-{name}-"):
        return shortened(f"{name.rsplit('.', 1)[-1]}-{suffix[:8]}", limit)
    number = id.removeprefix("activity-").removeprefix(f"{name}-")
    if len(number) + len(name) >= len(id):
        return shortened(id, limit)
    return shortened(f"{name.rsplit('.', 1)[-1]}-{number[:8]}", limit)
