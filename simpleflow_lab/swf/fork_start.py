"""The start of a fork: from which execution it was forked, where, and what it inherits.

A fork is an execution whose input holds, beside the arguments of `run`, what the execution that it was forked from had
recorded before a point. It stands under upstream's key `__extra`, which no workflow's code sees. So the first event of
a fork's history is all that a replay needs, in any process, on the embedded engine and on Amazon SWF.

Rule: what is inherited is compressed text, inline or in an object; who only looks at a fork need not read it. An input
may come from anybody: what is read here is bounded and of the declared types, and anything else is no fork.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from simpleflow_lab.swf.execution_context import reused_by
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_TAGS

EXTRA: Final = "__extra"
"""Upstream's key for what an input holds beside arguments."""
KEY: Final = "simpleflow_lab.fork"
"""Our key in it."""
TAG: Final = "forked-from:"
"""Start of the tag of a fork, by which lists show it; the run id that it was forked from follows."""
MAX_WORDS: Final = 300
"""Most characters of `ForkedFrom.at` that are shown."""


class ForkedFrom(NamedTuple):
    """The origin of a fork."""

    workflow_id: str
    run_id: str
    at: str
    """Where it was forked, in words, as `before decision 7`."""
    results: int
    """Number of results of activities and child executions that it inherits: its code reuses those that it submits."""
    replaced: tuple[str, ...]
    """Ids of the tasks whose results were given with the fork."""
    inherited: str
    """The inherited events: a field with the text of `replay.inherited`."""

    def __str__(self) -> str:
        return self.words(None)

    def words(self, reused: int | None, *, forked_children: int = 0) -> str:
        """Its origin, and the number of results that it has reused; before its first decision at most how many. So many
        of its children are forks, too, and reuse results of their own."""
        number = self.results if reused is None else reused
        results = "1 result" if number == 1 else f"{number:,} results"
        most = "up to " if reused is None and number else ""  # the code takes those that it asks for
        more = f", {len(self.replaced):,} of them replaced" if self.replaced else ""
        children = "1 child that is a fork" if forked_children == 1 else f"{forked_children:,} children that are forks"
        beside = f", beside those of {children}" if forked_children else ""
        return f"forked from {self.workflow_id} {self.at}: {most}{results} reused{more}{beside}"

    def member(self) -> dict[str, Any]:
        """The value under `KEY`."""
        return {
            "workflow_id": self.workflow_id,
            "run_id": self.run_id,
            "at": self.at,
            "results": self.results,
            "replaced": list(self.replaced),
            "inherited": self.inherited,
        }


def words_of_fork(origin: ForkedFrom, history: Sequence[HistoryEvent]) -> str:
    """The origin of the fork with this history, and what it and its children have reused."""
    children = {
        event.attributes.get("workflowId")
        for event in history
        if event.type == "StartChildWorkflowExecutionInitiated" and forked_from(event.attributes) is not None
    }
    return origin.words(reused_by(history), forked_children=len(children))


def forked_from(started: Mapping[str, Any]) -> ForkedFrom | None:
    """The origin of a fork, from the attributes of its `WorkflowExecutionStarted`; `None` if it is none."""
    text = started.get("input")
    if not isinstance(text, str) or KEY not in text or not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    extra = value.get(EXTRA) if isinstance(value, dict) else None
    member = extra.get(KEY) if isinstance(extra, dict) else None
    if not isinstance(member, dict):
        return None
    texts = [member.get(name) for name in ("workflow_id", "run_id", "at", "inherited")]
    results, replaced = member.get("results"), member.get("replaced")
    if not all(isinstance(each, str) for each in texts) or type(results) is not int or not isinstance(replaced, list):
        return None
    workflow_id, run_id, at, inherited = (str(each) for each in texts)
    return ForkedFrom(
        workflow_id=workflow_id,
        run_id=run_id,
        at=at[:MAX_WORDS],
        results=results,
        replaced=tuple(str(each) for each in replaced),
        inherited=inherited,
    )


def input_of_run(text: Any) -> Any:
    """An input as its author gave it: that of a fork without what it inherits, and any other value as it is."""
    if forked_from({"input": text}) is None:
        return text
    value = json.loads(text)
    value[EXTRA] = {name: member for name, member in value[EXTRA].items() if name != KEY}
    return json.dumps({name: member for name, member in value.items() if name != EXTRA or member}, ensure_ascii=False)


def tags_of_run(tags: Sequence[str] | None) -> list[str]:
    """The tags that a run was given, without the one that says that it is a fork: what it starts is none."""
    return [tag for tag in tags or () if not tag.startswith(TAG)]


def tags_of_fork(tags: Sequence[str] | None, run_id: str) -> list[str]:
    """The tags of a fork of this run, which had these: one says so, unless there is no room for it."""
    found = tags_of_run(tags)
    return [*found, f"{TAG}{run_id}"] if len(found) < MAX_TAGS else found


def tag_of_origin(tags: Sequence[str] | None) -> str | None:
    """The run id that a run with these tags was forked from, or `None`."""
    return next((tag[len(TAG) :] for tag in tags or () if tag.startswith(TAG)), None)
