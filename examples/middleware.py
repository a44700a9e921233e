r"""What runs around each activity of a Lab: before it, after it, or around its call.

    simpleflow workflow.start --local --middleware-pre-execution examples.middleware.announce \
        --middleware-post-execution examples.middleware.note examples.middleware.Square --input '[4]'
    python -m examples.middleware

A command line names functions that are called before and after, as upstream has them. In Python, `Lab(middleware=…)`
and `lab.use(…)` also take what goes around the call: it may change what goes in and what comes out, answer by itself,
and see a failure. A middleware runs where the activity runs, and what it raises is the activity's failure.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.middleware import After, Before

Context = Mapping[str, Any]


def announce(context: Context) -> None:
    """Before."""
    print(f"begin {context['activity_id']}")


def note(context: Context, result: Any, error: BaseException | None = None) -> None:
    """After, be it well or not: it takes an `error`."""
    print(f"end   {context['activity_id']}: {result if error is None else error!r}")


class Cached:
    """Around: the same arguments are computed once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Any] = {}
        self.counts: Counter[str] = Counter()

    def around(self, context: Context, call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        key = (context["name"], *args)
        self.counts["known" if key in self.known else "computed"] += 1
        if key not in self.known:
            self.known[key] = call(*args, **kwargs)
        return self.known[key]


@activity.with_attributes(task_list="middleware", version="example")
def multiply(x: int, y: int) -> int:
    if x > 1000:
        raise OverflowError(f"{x} is too large")
    return x * y


class Square(Workflow):
    name = "middleware"
    version = "example"
    task_list = "middleware"

    def run(self, x: int) -> int | None:
        result: int | None = self.submit(multiply, x, x).result
        return result


def main(store: str = ":memory:") -> None:
    """Three runs; the second finds what the first has computed, the third fails."""
    cached = Cached()
    with Lab(store, middleware=[Before(announce), After(note)]) as lab:
        lab.use(cached)  # inside the others
        for x in (4, 4, 5000):
            lab.start(Square, x).result(timeout=30)
    print(dict(cached.counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
