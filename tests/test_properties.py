"""Laws: a workflow gives what plain Python gives, and every prefix of its history replays to what was recorded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.replay.determinism import RECORDED
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf.decisions import attributes
from simpleflow_lab.swf.history import History

TASKS = {"task_list": "laws", "version": "1"}


@activity.with_attributes(name="laws.join", **TASKS)
def join(node: int, *parts: Any) -> str:
    return f"{node}({','.join(str(part) for part in parts)})"


@activity.with_attributes(name="laws.gather", **TASKS)
def gather(node: int, parts: list[Any], named: dict[str, Any]) -> str:
    return f"{node}[{','.join(str(part) for part in parts)};{sorted(named.items())}]"


@activity.with_attributes(name="laws.flaky", retry=3, **TASKS)
def flaky(node: int, *parts: Any) -> str:
    context = activity.current_context()
    tries = attempts.setdefault((context["run_id"], context["activity_id"]), [])
    tries.append(1)
    if len(tries) <= node % 3:
        raise RuntimeError("again")
    return f"{node}~{','.join(str(part) for part in parts)}"


attempts: dict[tuple[str, str], list[int]] = {}

#: A node: which task it is, whether the workflow waits for it at once, and which earlier nodes it depends on.
nodes = st.lists(
    st.tuples(st.sampled_from(["join", "gather", "flaky"]), st.booleans(), st.sets(st.integers(0, 30), max_size=3)),
    min_size=1,
    max_size=14,
)


def plain(graph) -> list[str]:
    """What the graph gives, by plain Python."""
    values: list[str] = []
    for number, (kind, _, dependencies) in enumerate(graph):
        parts = [values[d % number] for d in sorted(dependencies)] if number else []
        if kind == "join":
            values.append(f"{number}({','.join(parts)})")
        elif kind == "gather":
            values.append(f"{number}[{','.join(parts)};{sorted({'first': parts[:1]}.items())}]")
        else:
            values.append(f"{number}~{','.join(parts)}")
    return values


class Graph(Workflow):
    """Runs a graph given as JSON."""

    name = "laws.graph"
    task_list = "laws"

    def run(self, graph):
        submitted = []
        for number, (kind, waits, dependencies) in enumerate(graph):
            parts = [submitted[d % number] for d in dependencies] if number else []
            if kind == "join":
                future = self.submit(join, number, *parts)
            elif kind == "gather":
                future = self.submit(gather, number, parts, {"first": parts[:1]})
            else:
                future = self.submit(flaky, number, *parts)
            submitted.append(future)
            if waits:
                future.wait()
        return futures.wait(*submitted)


@pytest.fixture(scope="module")
def shared_lab():
    with Lab(":memory:", activity_threads=3) as lab:
        yield lab


def replays_as_recorded(workflow: type[Workflow], history: History, workflow_id: str, run_id: str) -> None:
    """Every decision of the history is made again by a replay of the events before it."""
    for completed in history:
        if completed.type != "DecisionTaskCompleted":
            continue
        started = completed.attributes["startedEventId"]
        replay = Replay(workflow, workflow_id=workflow_id, run_id=run_id)
        replay.feed(history[:started])
        asked = [
            (decision["decisionType"], attributes(decision).get("activityId"), attributes(decision).get("input"))
            for decision in replay.decide(started).decisions
        ]
        recorded = [
            event
            for event in history[completed.id :]
            if event.attributes.get("decisionTaskCompletedEventId") == completed.id and event.type in RECORDED
        ]
        replay.close()
        assert len(asked) == len(recorded)
        for (_, activity_id, given_input), event in zip(asked, recorded, strict=True):
            assert activity_id == event.attributes.get("activityId")
            assert given_input == event.attributes.get("input")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nodes)
def test_a_graph_of_tasks_gives_what_plain_python_gives_and_replays_at_every_prefix(shared_lab, graph):
    as_json = [[kind, waits, sorted(dependencies)] for kind, waits, dependencies in graph]
    execution = shared_lab.start(Graph, as_json)
    assert execution.result(30) == plain(graph)
    replays_as_recorded(Graph, execution.history(), execution.workflow_id, execution.run_id)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nodes, st.randoms(use_true_random=False))
def test_changed_code_gives_the_same_or_is_found_out(shared_lab, graph, chance):
    """H4: whatever changes between two decisions, no other result passes for this history's."""
    as_json = [[kind, waits, sorted(dependencies)] for kind, waits, dependencies in graph]
    execution = shared_lab.start(Graph, as_json)
    result = execution.result(30)
    history = execution.history()

    position = chance.randrange(len(as_json))
    change = chance.choice(["drop", "double", "other", "swap"])

    class Changed(Graph):
        name = "laws.changed"

        def run(self, given_graph):
            changed = list(given_graph)
            if change == "drop":
                del changed[position]
            elif change == "double":
                changed.insert(position, changed[position])
            elif change == "other":
                kind, waits, dependencies = changed[position]
                changed[position] = ["gather" if kind == "join" else "join", waits, dependencies]
            else:
                changed.reverse()
            return super().run(changed)

    from simpleflow_lab.exceptions import NondeterminismError

    replay = Replay(Changed, workflow_id=execution.workflow_id, run_id=execution.run_id)
    try:
        replay.feed(history)
        replay.feed([])
        replay._close_batch()
    except NondeterminismError:
        return
    finally:
        replay.close()
    closing = replay._executor.closing
    assert closing is not None
    from simpleflow_lab.codec import decode

    assert decode(closing.members["result"]) == result
