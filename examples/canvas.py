"""Map and reduce: tasks side by side with `Group`, in a row with `Chain`.

    simpleflow workflow.start --local examples.canvas.WordCount --input '[["to be or not to be", "let it be"]]'

A chain that sends results gives each member the result before it as its last argument: here that is the list of what
the group's members returned. `max_parallel` keeps a wide group from asking for everything at once.
"""

from __future__ import annotations

from collections import Counter

from simpleflow_lab import Chain, Group, Workflow, activity


@activity.with_attributes(task_list="canvas", version="example", raises_on_failure=True, idempotent=True)
def count_words(text: str) -> dict[str, int]:
    """Map: one text, its words. Idempotent: the same text twice is one task."""
    return dict(Counter(text.lower().split()))


@activity.with_attributes(task_list="canvas", version="example", raises_on_failure=True)
def merge(counts: list[dict[str, int]]) -> dict[str, int]:
    """Reduce: the counts of all texts added up."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


@activity.with_attributes(task_list="canvas", version="example", raises_on_failure=True)
def most_frequent(how_many: int, counts: dict[str, int]) -> list[tuple[str, int]]:
    """The words that come most often, the most frequent first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:how_many]


class WordCount(Workflow):
    name = "word-count"
    version = "example"
    task_list = "canvas"

    def run(self, texts: list[str], how_many: int = 3, max_parallel: int = 8) -> list[tuple[str, int]]:
        pipeline = Chain(
            Group(*((count_words, text) for text in texts), max_parallel=max_parallel),
            (merge,),
            (most_frequent, how_many),
            send_result=True,
        )
        _counts, _total, frequent = self.submit(pipeline).result
        result: list[tuple[str, int]] = frequent
        return result
