"""The dependency graph of an execution: a row for each task, and for each group of tasks of one name one row.

Tasks of one kind and name that depend on the same rows share a row: a map of 500 is one, with counts, until it is
opened. A signal for which tasks were scheduled has a row, too. Rows stand below what they depend on, and further to the
right; a line leads from each to what follows it.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.event_types import TIMER
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import Attempt, is_failure, is_own_timer
from simpleflow_lab.views.chart import Chart
from simpleflow_lab.views.chart_head import INK, chart_layout, head_height
from simpleflow_lab.views.critical_path import SIGNAL_WAIT, critical_path
from simpleflow_lab.views.formatting import count, duration, shortened
from simpleflow_lab.views.gantt_words import bold, in_lines, kind_sign
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.lineage import Dependencies, dependencies_of
from simpleflow_lab.views.markup import Html
from simpleflow_lab.views.plotly_library import go
from simpleflow_lab.views.style import POINT_EVENT_STYLES, Style, style_of
from simpleflow_lab.views.summary import execution_summary
from simpleflow_lab.views.task_labels import task_label

MAX_ROWS: Final = 200
"""With more rows than this all tasks of a name share one, and if there are still more, all timers and all signals."""
MAX_EDGES: Final = 2_000
"""More lines than this are not drawn."""
_ROW: Final = 26
"""Pixels of a row."""
_NAMES: Final = 5
"""Names of signals of one row that a hover box shows."""
_PATH_COLOUR: Final = "#c2408f"


SIGNAL: Final = "signal"
"""The kind of a row that is a signal."""


@dataclass
class Node:
    """A row of the graph: one task, several of one kind and name that depend on the same rows, or a signal."""

    number: int
    """Its place, from above."""
    kind: str
    """That of its attempts, or `SIGNAL`."""
    name: str
    depth: int
    """Number of rows before it, on the longest way."""
    attempts: list[Attempt] = field(default_factory=list)
    signals: set[str] = field(default_factory=set)
    """The names of the signals, if it is a row of those."""
    before: dict[int, bool] = field(default_factory=dict)
    """The numbers of the rows that it depends on, and whether that is only likely."""

    def tasks(self) -> int:
        """The number of tasks, all attempts of one as one."""
        return len({attempt.id for attempt in self.attempts})

    def states(self) -> Counter[str]:
        """The number of tasks by the state of their latest attempts."""
        latest = {attempt.id: attempt.state for attempt in self.attempts}
        return Counter(latest.values())

    def worst(self) -> str:
        """The state that the row is drawn in: of a failed task, else of an open one, else of the last."""
        states = self.states()
        failed = [state for state in states if is_failure(self.kind, state)]
        open_ = [attempt.state for attempt in self.attempts if attempt.open]
        return (failed or open_ or [self.attempts[-1].state])[0]


def nodes_of(
    folded: FoldedHistory, *, opened: Collection[str] = (), dependencies: Dependencies | None = None
) -> list[Node]:
    """The rows of the graph, each below those that it depends on. `opened` are names whose tasks have a row each."""
    known = dependencies or dependencies_of(folded)
    nodes = _nodes(folded, known, opened, by_name=False)
    if len(nodes) > MAX_ROWS:
        nodes = _nodes(folded, known, (), by_name=True)
    if len(nodes) > MAX_ROWS:
        nodes = _nodes(folded, known, (), by_name=True, by_kind=(TIMER, SIGNAL))
    return nodes


def _nodes(
    folded: FoldedHistory, known: Dependencies, opened: Collection[str], *, by_name: bool, by_kind: Sequence[str] = ()
) -> list[Node]:
    nodes: dict[Any, Node] = {}
    rows: list[Node] = []
    of_attempt: dict[int, Node] = {}
    of_id: dict[tuple[str, str], Node] = {}
    for attempt in folded.attempts:
        if is_own_timer(attempt):
            continue
        own = attempt.scheduled_event_id
        name = attempt.kind if attempt.kind in by_kind else attempt.id if attempt.kind == TIMER else attempt.name
        before = {
            of_attempt[each].number: own in known.likely for each in known.before.get(own, ()) if each in of_attempt
        }
        node = of_id.get((attempt.kind, attempt.id))  # a later attempt of a task stands with the first
        signal = known.signals.get(own)
        if signal is not None and node is None:
            together = (SIGNAL,) if SIGNAL in by_kind else (SIGNAL, signal)
            own_key = together if by_name else (*together, frozenset(before))
            before = {_signal_row(own_key, signal, before, nodes, rows).number: True}
        if node is None:
            key = (attempt.kind, name) if by_name else (attempt.kind, name, frozenset(before))
            if name in opened or attempt.id in opened:
                key = (*key, attempt.id)
            node = nodes.get(key)
            if node is None:
                depth = max((rows[number].depth for number in before), default=-1) + 1
                node = nodes[key] = Node(len(nodes), attempt.kind, name, depth)
                rows.append(node)
        for number, likely in before.items():
            if number != node.number and number < node.number:
                node.before[number] = node.before.get(number, True) and likely
        node.attempts.append(attempt)
        of_attempt[own] = of_id[attempt.kind, attempt.id] = node
    return rows


def _signal_row(
    key: tuple[Any, ...], name: str, before: dict[int, bool], nodes: dict[Any, Node], rows: list[Node]
) -> Node:
    """The row of this key, of a signal for which the code waited after what these rows are."""
    if key not in nodes:
        depth = max((rows[number].depth for number in before), default=-1) + 1
        nodes[key] = Node(len(nodes), SIGNAL, name, depth, before=dict.fromkeys(before, True))
        rows.append(nodes[key])
    nodes[key].signals.add(name)
    return nodes[key]


def graph(
    history: History | FoldedHistory,
    *,
    until: datetime.datetime | None = None,
    open: str | Collection[str] = (),
    title: str | None = None,
) -> Chart:
    """The dependency graph of an execution.

    `open` names the tasks of which each has a row of its own: by the name of their activity or workflow type (its last
    part will do), or by id. Lines that are not recorded are dashed; those of the critical path have its colour.
    Raises `UsageError` if there is no such task, `HistoryError` if an event refers to nothing known.
    """
    folded = fold_history(history, until=until)
    nodes = nodes_of(folded, opened=_opened(folded, [open] if isinstance(open, str) else list(open)))
    path = critical_path(folded)
    on_path: set[int | str] = {*path.attempts(), *(str(each.id) for each in path.segments if each.kind == SIGNAL_WAIT)}
    summary = execution_summary(folded)
    tasks = sum(node.tasks() for node in nodes)
    shown = f"{count(tasks, 'task')} in {count(len(nodes), 'row')}"
    deepest = max((node.depth for node in nodes), default=0)
    head = chart_layout(summary, shown, title=title)
    layout = {
        **head,
        "hoverlabel": {**head["hoverlabel"], "align": "left"},
        "height": head_height(head) + max(len(nodes) * _ROW, 60) + 62,
        "margin": {"l": 20, "r": 20, "t": head_height(head), "b": 62},
        "xaxis": {"range": [-0.4, deepest + max(4.0, deepest * 0.6)], "visible": False, "fixedrange": True},
        "yaxis": {"range": [max(len(nodes), 1) - 0.5, -0.5], "tickvals": [], "showgrid": False, "zeroline": False},
    }
    return Chart([*_edges(nodes, on_path), *_points(nodes, on_path)], layout)


def _opened(folded: FoldedHistory, wanted: list[str]) -> set[str]:
    names = {name for attempt in folded.tasks for name in (attempt.name, attempt.id)}
    found: set[str] = set()
    for each in wanted:
        matching = {name for name in names if name == each or name.rsplit(".", 1)[-1] == each}
        if not matching:
            some = ", ".join(shortened(name, 40) for name in sorted({attempt.name for attempt in folded.tasks})[:5])
            raise UsageError(f"no task {each!r:.80} in this execution: there are {some or 'none'}")
        found |= matching
    return found


def _edges(nodes: list[Node], on_path: Collection[int | str]) -> Iterator[go.Scatter]:
    paths = {node.number for node in nodes if _is_on(node, on_path)}
    drawn: dict[tuple[str, str, str | None], tuple[list[float | None], list[float | None]]] = {}
    edges = [(nodes[number], node, likely) for node in nodes for number, likely in node.before.items()]
    for parent, child, likely in edges[:MAX_EDGES]:
        is_path = parent.number in paths and child.number in paths
        look = ("critical path", _PATH_COLOUR) if is_path else ("depends on", INK)
        name = f"{look[0]}, likely" if likely else look[0]
        xs, ys = drawn.setdefault((name, look[1], "dash" if likely else None), ([], []))
        xs += [parent.depth, parent.depth, child.depth, None]
        ys += [parent.number, child.number, child.number, None]
    for (name, colour, dash), (xs, ys) in drawn.items():
        line = {"color": colour, "width": 2 if colour == _PATH_COLOUR else 1.2, "dash": dash}
        yield go.Scatter(name=name, mode="lines", x=xs, y=ys, line=line, hoverinfo="skip")


def _is_on(node: Node, path: Collection[int | str]) -> bool:
    if node.kind == SIGNAL:
        return not node.signals.isdisjoint(path)
    return any(each.scheduled_event_id in path for each in node.attempts)


def _label_places(nodes: list[Node]) -> list[int]:
    """For each row the column of the last line that goes down through it: its label stands to the right of that."""
    last: dict[int, int] = {}
    for node in nodes:
        for number in node.before:
            last[number] = max(last.get(number, number), node.number)
    places = np.array([node.depth for node in nodes], dtype="int64")
    for number, child in last.items():
        passed = places[number + 1 : child]
        np.maximum(passed, nodes[number].depth, out=passed)
    return [int(place) for place in places]


def _points(nodes: list[Node], on_path: Collection[int | str]) -> Iterator[go.Scatter]:
    by_style: dict[Style, list[Node]] = {}
    places = _label_places(nodes)
    apart = [node for node in nodes if places[node.number] > node.depth]
    if apart:
        yield go.Scatter(
            mode="text",
            x=[float(places[node.number]) for node in apart],
            y=[float(node.number) for node in apart],
            text=[str(_label(node)) for node in apart],
            textposition="middle right",
            textfont={"color": INK, "size": 12},
            hoverinfo="skip",
            showlegend=False,
            cliponaxis=False,
        )
    for node in nodes:
        of = POINT_EVENT_STYLES[SIGNAL] if node.kind == SIGNAL else style_of(node.worst())
        by_style.setdefault(of, []).append(node)
    for of, members in by_style.items():
        yield go.Scatter(
            name=of.word,
            mode="markers+text",
            x=[float(node.depth) for node in members],
            y=[float(node.number) for node in members],
            text=[str(_label(node)) if places[node.number] == node.depth else "" for node in members],
            textposition="middle right",
            textfont={"color": INK, "size": 12},
            hovertext=[str(_hover(node, on_path)) for node in members],
            hoverinfo="text",
            cliponaxis=False,
            marker={"symbol": of.symbol or "circle", "color": of.colour, "size": 13},
        )


def _label(node: Node) -> Html:
    if len(node.signals) > 1:
        return Html(" <b>signals × {}</b>").format(f"{len(node.signals):,}")
    if node.kind == SIGNAL:
        return Html(" signal {}").format(shortened(node.name, 36))
    if node.tasks() == 1:
        first = node.attempts[0]
        label = task_label(first.id, None if node.kind == TIMER else first.name)
        again = f" in {len(node.attempts)} attempts" if len(node.attempts) > 1 else ""
        return Html(" {}{}").format(f"{kind_sign(node.kind)}{label}", again)
    states = ", ".join(f"{number:,} {style_of(state).word}" for state, number in node.states().most_common(3))
    sign = "" if node.name == node.kind else kind_sign(node.kind)
    return Html(" <b>{} × {}</b>: {}").format(
        f"{sign}{shortened(node.name.rsplit('.', 1)[-1], 36)}", f"{node.tasks():,}", states
    )


def _hover(node: Node, on_path: Collection[int | str]) -> Html:
    running = [attempt.running for attempt in node.attempts if attempt.running is not None]
    name = node.name if len(node.signals) <= 1 else ", ".join(sorted(node.signals)[:_NAMES])
    lines: list[str] = [bold(name)] + ([POINT_EVENT_STYLES[SIGNAL].word] if node.kind == SIGNAL else [])
    if node.tasks() == 1:
        lines.append(shortened(node.attempts[0].id))
    lines += [f"{number:,} {style_of(state).word}" for state, number in node.states().most_common()]
    if running:
        longest = max(running)
        lines.append(f"running {duration(sum(running))} in all, {duration(longest)} at most")
    if _is_on(node, on_path):
        lines.append("on the critical path")
    return in_lines(*lines)
