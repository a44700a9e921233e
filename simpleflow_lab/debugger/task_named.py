"""Finds a task by its id, by the short label that charts and `explain()` show, or by the name of its type.

Rule: a word that may mean several tasks means none of them: the message has their ids.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.task_labels import task_label

MAX_NAMED: Final = 8
"""Ids of tasks that a message names."""


def task_named(word: object, tasks: Mapping[str, str]) -> str:
    """The id of the task that this word names; `tasks` are the names of the types of all tasks, by id.

    Raises `UsageError` in one line, with the ids that come near, or that it may mean.
    """
    text = str(word)
    if text in tasks:
        return text
    by_label = [id for id, name in tasks.items() if task_label(id, name) == text]
    found = by_label or [id for id, name in tasks.items() if text in (name, name.rpartition(".")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{text!r:.120} may be several tasks of this execution: {_listed(found)}")
    labels = {task_label(id, name): id for id, name in tasks.items()}
    near = difflib.get_close_matches(text, [*tasks, *labels], n=MAX_NAMED, cutoff=0.5)
    ids = list(dict.fromkeys(labels.get(each, each) for each in near)) or list(tasks)
    what = f"{'close to it' if near else 'it has'} {_listed(ids)}" if ids else "it has none"
    raise UsageError(f"no task {text!r:.120} in this execution: {what}")


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - MAX_NAMED:,} more" if len(ids) > MAX_NAMED else ""
    return f"{', '.join(ids[:MAX_NAMED])}{more}"
