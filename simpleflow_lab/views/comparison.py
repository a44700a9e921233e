"""Two executions of one workflow side by side: where they begin to differ, and what took longer.

Rule: it reads two histories and nothing else. Every text is one line, bounded, and not escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.critical_path import critical_path
from simpleflow_lab.views.earlier_runs import parts_of, words_of
from simpleflow_lab.views.explanation_lines import COMPARED, DIVERGENCE, STATUS, TIME, ExplanationLine
from simpleflow_lab.views.formatting import count, duration, readable, shortened
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.line_views import LineView
from simpleflow_lab.views.reused_tasks import REUSED
from simpleflow_lab.views.style import STATUSES
from simpleflow_lab.views.summary import ExecutionSummary, execution_summary
from simpleflow_lab.views.task_differences import TaskDifference, same_value, task_differences
from simpleflow_lab.views.task_labels import task_label

if TYPE_CHECKING:
    import pandas as pd

    from simpleflow_lab.views.chart import Chart

MAX_PARTS: Final = 5
"""The most lines on what took longer, or less long."""
_WORTH_IT: Final = 0.01
"""The least difference that is shown, as a share of the longer of the two times."""


class Comparison(LineView):
    """Two executions compared. It displays itself as lines; `tasks()` gives a frame with one row per task."""

    def __init__(
        self,
        lines: Sequence[ExplanationLine],
        differences: Sequence[TaskDifference],
        histories: tuple[FoldedHistory, FoldedHistory],
    ) -> None:
        super().__init__(lines)
        self._histories = histories
        self.differences = tuple(differences)
        """One for each task of either, in the order of their first scheduling."""

    def tasks(self) -> pd.DataFrame:
        """One row per task of either execution; see `views.comparison_tables.differences_table`."""
        from simpleflow_lab.views.comparison_tables import differences_table  # noqa: PLC0415  pandas

        return differences_table(self.differences)

    def gantt(self, **options: Any) -> Chart:
        """Their Gantt charts on one axis of time, both from its beginning; see `views.gantt_pair.gantt_pair`."""
        from simpleflow_lab.views.gantt_pair import gantt_pair  # noqa: PLC0415  plotly

        return gantt_pair(*self._histories, **options)


def compare(a: History | FoldedHistory, b: History | FoldedHistory, *, call: str = "comparison") -> Comparison:
    """The differences of `a` from `b`. `call` is the expression that gives this comparison where it is shown; empty if
    none does. Raises `HistoryError` if an event refers to nothing known."""
    folded, other = fold_history(a), fold_history(b)
    differences = task_differences(folded, other)
    lines = [_status(folded, other), *_divergence(folded, other, differences, call), *_parts(folded, other)]
    return Comparison(lines, differences, (folded, other))


def _status(a: FoldedHistory, b: FoldedHistory) -> ExplanationLine:
    one, two = execution_summary(a), execution_summary(b)
    longer = one.duration - two.duration
    how = f"{duration(abs(longer))} {'slower' if longer > 0 else 'faster'}" if longer else "as long"
    statuses = [f"{STATUSES[each.status].glyph} {each.status} after {duration(each.duration)}" for each in (one, two)]
    text = f"{_caution(a, b, one, two)}{how}: {statuses[0]}, the other {statuses[1]}"
    return ExplanationLine.of(STATUS, text, seconds=longer)


def _caution(a: FoldedHistory, b: FoldedHistory, one: ExecutionSummary, two: ExecutionSummary) -> str:
    """The reason why two executions are hard to compare: other workflows, or that one of them goes on."""
    words = []
    if one.workflow_type != two.workflow_type:
        names = [shortened(each.workflow_type, 40) for each in (one, two)]
        words.append(f"they are of different workflows, {names[0]} and {names[1]}")
    still = [bool(each.history) and each.history.close_status is None for each in (a, b)]
    if any(still):
        it_is = "both are" if all(still) else "this one is" if still[0] else "the other one is"
        words.append(f"{it_is} still open, and compared up to now")
    return "".join(f"{each}; " for each in words)


def _divergence(
    a: FoldedHistory, b: FoldedHistory, differences: Sequence[TaskDifference], call: str
) -> Iterator[ExplanationLine]:
    """The first task that is not the same in both, and how many there are."""
    inputs = [execution_summary(each).input for each in (a, b)]
    if not same_value(*inputs):
        shown = [shortened(readable(each or ""), 100) for each in inputs]
        what = f"their inputs differ: {shown[0]}, the other {shown[1]}"
        yield ExplanationLine.of(DIVERGENCE, what)
    found = [(difference, why) for difference in differences if (why := _why(difference))]
    if found:
        first, why = found[0]
        left = len(found) - 1
        more = f"; {count(left, 'more task')} {'differs' if left == 1 else 'differ'}" if left else ""
        what = f"the first task that differs is {_label(first)}: {why}{more}"
        yield ExplanationLine.of(DIVERGENCE, what, to_do=f"{call}.tasks()" if call else "")


def _why(task: TaskDifference) -> str:
    if not task.attempts_a or not task.attempts_b:
        return "it is only in the other one" if not task.attempts_a else "it is only in this one"
    if task.same_input is False:
        return "its input is another one"
    is_reused = REUSED in (task.state_a, task.state_b)  # a fork has the results alone
    if task.state_a != task.state_b and {task.state_a, task.state_b} != {REUSED, "completed"}:
        return f"it is {task.state_a}, in the other one {task.state_b}"
    if task.attempts_a != task.attempts_b and not is_reused:
        return f"{count(task.attempts_a, 'attempt')}, in the other one {task.attempts_b:,}"
    return "its result is another one" if task.same_result is False else ""


def _parts(a: FoldedHistory, b: FoldedHistory) -> Iterator[ExplanationLine]:
    """The parts of the critical path that took longer, and those that took less long, the largest first."""
    now, then = parts_of(critical_path(a).segments), parts_of(critical_path(b).segments)
    changes = {part: now.get(part, 0.0) - then.get(part, 0.0) for part in {**now, **then}}
    least = _WORTH_IT * max(sum(now.values()), sum(then.values()))
    ordered = sorted(changes, key=lambda part: (-abs(changes[part]), part))
    for part in ordered[:MAX_PARTS]:
        if abs(changes[part]) <= least:
            break
        sign = "+" if changes[part] > 0 else "−"
        kind = TIME if part in now else COMPARED
        both = f"{duration(now.get(part, 0.0))}, in the other one {duration(then.get(part, 0.0))}"
        yield ExplanationLine.of(
            kind, f"{sign}{duration(abs(changes[part]))}: {words_of(*part)} ({both})", seconds=changes[part]
        )


def _label(task: TaskDifference) -> str:
    return task_label(task.id, None if task.kind == TIMER else task.name)
