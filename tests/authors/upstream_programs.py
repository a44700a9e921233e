"""Programs in the idioms of upstream's examples, and what each gives: run here, and by upstream itself.

The text of a program is the same for both; only `simpleflow_lab` is `simpleflow` there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Program(NamedTuple):
    """One workflow of `tests/authors/programs`."""

    workflow: str
    """`module.Class` there."""
    arguments: Sequence[Any] = ()
    """What `run` is given."""
    gives: Any = None
    """Its result; of a workflow that fails, a part of the failure's text."""
    fails: bool = False
    """It is meant to fail."""
    upstream: bool = True
    """Upstream gives the same."""


PROGRAMS: Sequence[Program] = (
    Program("basic.BasicWorkflow", [3], [4, 8]),
    Program("basic.MappedWorkflow", [[1, 2]], [2, 3, 1, 2]),
    Program("canvas.CanvasWorkflow", [], [[2, 3, 4], 24]),
    Program("canvas.OptionalWorkflow", [], [[None], [None, 2]]),
    Program("canvas.FuncGroupWorkflow", [2], [3, [1, 2, 3]]),
    Program("canvas.FewAtATimeWorkflow", [], [2, 3, 4, 5, 6, [7, 8]]),
    Program(
        "children.ParentWorkflow",
        [1],
        [[4, []], [4, ["abc", "def=3"]], ["programs-child-43", True], [4, []]],
    ),
    Program("children.TwoLevelsWorkflow", [1], 5),
    Program("children.BothOfATypeWorkflow", [], ["one", "other"]),
    Program("children.OneOfAType", [], "one"),
    Program("children.OtherOfAType", [], "other"),
    Program("continue_as_new.CountingWorkflow", [], [3, 3, False]),
    Program("task_lists.DynamicTaskListWorkflow", [2, "a-list-of-its-own"], 6),
    Program(
        "markers.MarkerWorkflow",
        [],
        [
            [["one", "some details"], ["two", {"more": ["details"]}]],
            [["one", None], ["one", "some details"], ["two", {"more": ["details"]}]],
            {"more": ["details"]},
        ],
    ),
    Program("markers.MarkerInChainWorkflow", [], [2, 3]),
    Program("markers.MarkersInGroupWorkflow", [], 4),
    Program("markers.ManyMarkersWorkflow", [], 120),
    Program("timers.TimerWorkflow", [1, 100], ["fired", "canceled"]),
    Program("priorities.PlainWorkflow", [1], 3),
    Program("priorities.ClassWorkflow", [1], 5),
    Program("priorities.PropertyWorkflow", [1], 2),
    Program("signals.SelfWorkflow", [], {"x": 1}),
    Program("signals.CanvasWorkflow", [], [[3], [6]]),
    Program("signals.ToChildWorkflow", [], {"a": 1}),
    Program("signals.BetweenChildrenWorkflow", [], {"sender": "child"}),
    Program("signals.FromChildWorkflow", [], {"sender": "child"}),
    Program("signals.UntilSignalWorkflow", [], "heard it"),
    Program("signals.ReadyWorkflow", [], {"me": {"has_id": True}}),
    Program("signals.PrivateWorkflow", [], False),
    Program("signals.TwoLevelsWorkflow", [], [2, 2]),
    Program("blocked.EitherWorkflow", [], [150, "hired"]),
    Program("failing.QuietWorkflow", [], [None, "ValueError: nobody minds", True]),
    Program("failing.FailingWorkflow", [], "this fails the workflow", fails=True),
    Program("failing.FailsMeanwhileWorkflow", [], "this fails the workflow", fails=True),
    Program("failing.CleansUpWorkflow", [], "cleaned up"),
    Program("failing.MendingWorkflow", [], ["\033[92mwent well\033[0m", None]),
    Program("jumbo.JumboWorkflow", ["a"], 50_000, upstream=False),
    Program("steps.StepWorkflow", [], ["aloud", "forced", "numbers"], upstream=False),
)


def by_name(programs: Sequence[Program]) -> Mapping[str, Program]:
    """Programs by their names."""
    return {program.workflow: program for program in programs}
