"""A history is data that nobody vouches for: whatever it holds, pages and figures hold no element of its making."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser

import nbformat
import pytest

from simpleflow_lab.notebook.stills import with_view
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.execution_page import gantt_html
from simpleflow_lab.views.explanation import explain
from simpleflow_lab.views.formatting import VALUE_LIMIT
from simpleflow_lab.views.gantt import gantt
from simpleflow_lab.views.html import execution_html, task_rows
from simpleflow_lab.views.listing_views import listing_html
from simpleflow_lab.views.markup import escape
from simpleflow_lab.views.tables import tasks_table
from simpleflow_lab.views.workflow_listings import workflow_info, workflow_list, workflow_profile, workflow_tasks
from tests.examples_count import trials
from tests.views.story import Story, when

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "--><img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "<img src=http://example.com/x.png>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "` onmouseover=alert(1) `",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>click</a>",
    "<a href=http://example.com>click</a>",
    "<b>bold</b><br><i>italic</i>",
    "<span style='font-size:900px'>big</span>",
    "<style>*{display:none}</style>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</details></pre></div><h1>out</h1>",
    "</td></tr></table><h1>out</h1>",
    "<base href=http://example.com/>",
    "<meta http-equiv=refresh content='0;url=http://example.com'>",
    "<link rel=stylesheet href=http://example.com/x.css>",
    "<form action=http://example.com><input name=x autofocus onfocus=alert(1)>",
    "<object data=javascript:alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<button data-commandlinker-command='terminal:create-new'>go</button>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "$\\href{javascript:alert(1)}{click}$",
    "$$\\unicode{<img src=x onerror=alert(1)>}$$",
    "\\(\\href{javascript:alert(1)}{click}\\)",
    "%{x} %{customdata} %{y:.9f}<extra></extra>",
    "{{7*7}} ${7*7} {plot_id}",
    "\x00\x1b[31mred\x1b[0m\x7f\x85",
    "\u202egnp.exe\u202c \u2066x\u2069",
    "line\u2028line\u2029line\r\nline",
    "text\n\n![i](http://example.com/x.png)\n\n# title\n",
    "\ud800 \udc00 \ufffe",
    "𝕳🧪é́́́",
    "=cmd|' /C calc'!A0",
    "x" * 100_000,
    "<" * 5_000,
]


ROWS_AND_LANES = [
    *(pytest.param(payload, 1, id=f"rows-{number}") for number, payload in enumerate(PAYLOADS)),
    *(
        pytest.param(payload, 70, id=f"lanes-{number}", marks=[pytest.mark.trial] if number % 8 else [])
        for number, payload in enumerate(PAYLOADS)
    ),
]
"""Payloads for charts, and of how many tasks: more than a chart has rows for are drawn in lanes. A text is escaped in
both in the same way, so most of the lanes, which take long, are trials."""


def hostile(payload: str, *, tasks: int = 1, status: str | None = "Completed") -> History:
    """The payload wherever a history has room for text."""
    identity = json.dumps({"user": payload, "hostname": payload, "pid": 1})
    story = Story(
        payload, input=payload, tagList=[payload], parentWorkflowExecution={"workflowId": payload, "runId": payload}
    )
    story.add("SomethingNew<br>", anything=payload)
    story.decide(context=payload)
    story.add("MarkerRecorded", markerName=payload, details=payload)
    story.add("WorkflowExecutionSignaled", signalName=payload, input=payload)
    story.add("CancelTimerFailed", timerId=payload, cause=payload)
    story.add("TimerStarted", timerId=payload, startToFireTimeout="1")
    story.schedule("open", payload)
    for i in range(tasks):
        types = {"activityType": {"name": payload, "version": payload}, "taskList": {"name": payload}}
        task = story.at(1 + i).schedule(f"{payload}{i or ''}", input=payload, **types)
        story.start(task, identity)
        story.at(1.5 + i).fail(task, payload, payload)
        task = story.schedule(f"{payload}{i or ''}", input=payload, **types)
        story.start(task, payload)
        story.time_out(task, payload)
    if status:
        story.end(status, result=payload, reason=payload, details=payload)
    return story.history()


class Shape(HTMLParser):
    """Which elements a page has, with the names of their attributes; what it says besides."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.elements: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.said: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag, tuple(name for name, _ in attrs)] += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_comment(self, data: str) -> None:
        self.elements["comment", ()] += 1

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def pages(history: History, name: str) -> dict[str, str]:
    ids = {"workflow_id": name, "run_id": name, "domain": name}
    return {
        "summary": execution_html(history, **ids, explanation=explain(history, workflow_id=ids["workflow_id"])),
        "tasks": task_rows(history),
        "workflow.info": listing_html(workflow_info(history, **ids)),
        "workflow.tasks": listing_html(workflow_tasks(history)),
        "workflow.profile": listing_html(workflow_profile(history)),
    }


@functools.cache
def elements_of_harmless_pages(status: str | None) -> dict[str, Counter[tuple[str, tuple[str, ...]]]]:
    history = hostile("harmless", status=status)
    return {renderer: Shape(page).elements for renderer, page in pages(history, "harmless").items()}


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
@pytest.mark.parametrize("status", [None, *trials(["Completed"]), "Failed"])
def test_no_element_and_no_attribute_comes_from_a_history(payload: str, status: str | None) -> None:
    plain = elements_of_harmless_pages(status)

    for renderer, page in pages(hostile(payload, status=status), payload).items():
        elements = Shape(page).elements
        assert elements == plain[renderer], renderer
        assert "$" not in page
        assert not {"a", "script", "img"} & {tag for tag, _ in elements}
        assert "\n" not in page.rpartition("</style>")[2]  # in Markdown, what follows its end could be Markdown
        page.encode()
        assert len(page) < 40_000 + 20 * 5 * VALUE_LIMIT


@pytest.mark.parametrize(("payload", "tasks"), ROWS_AND_LANES)
def test_plotly_gets_no_element_but_ours(payload: str, tasks: int) -> None:
    history = hostile(payload, tasks=tasks)
    figure, numbers = gantt(history).to_plotly_json(), gantt(history, max_bars=1).to_plotly_json()

    for text in {*texts(figure), *texts(numbers)}:
        elements = Shape(text).elements
        assert {tag for tag, _ in elements} <= {"b", "br", "i"}, text
        assert all(not names for _, names in elements), text
        assert "$" not in text
        assert len(text) < 20_000
        text.encode()


def texts(value: object) -> list[str]:
    """Every text in a figure."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for item in value.values() for text in texts(item)]
        case list() | tuple():
            return [text for item in value for text in texts(item)]
    return []


def listed(payload: str) -> list[dict[str, object]]:
    """What a service lists of two executions, one of them damaged, with the payload wherever there is room for text."""
    info = {
        "execution": {"workflowId": payload, "runId": payload},
        "workflowType": {"name": payload, "version": payload},
        "startTimestamp": when(1),
        "executionStatus": "OPEN",
        "tagList": [payload],
        "parent": {"workflowId": payload, "runId": payload},
    }
    return [info, info | {"executionStatus": "DAMAGED", "damage": payload}]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_the_row_of_a_damaged_execution_adds_no_element(payload: str) -> None:
    def page(text: str) -> str:
        waits = {text: text}  # by run id: what an execution waits for, or its damage
        return listing_html(workflow_list(listed(text), waits=waits)) + listing_html(
            workflow_list(listed(text), waits=waits, in_full=True)
        )

    assert "DAMAGED" in page(payload)
    assert Shape(page(payload)).elements == Shape(page("harmless")).elements


def test_a_page_that_nbconvert_makes_of_outputs_holds_no_element_of_their_making() -> None:
    """Outputs are saved, and turned into pages by people who did not run them."""

    def outputs(payload: str) -> Iterator[dict[str, str]]:
        history = hostile(payload)
        yield from ({"text/plain": payload, "text/html": html} for html in pages(history, payload).values())
        yield {"text/html": with_view(str(execution_html(history)), seen_at=when(1), place=1, of="execution")}

    def page(payloads: list[str]) -> str:
        shown = [nbformat.v4.new_output("display_data", data) for each in payloads for data in outputs(each)]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", id="one", outputs=shown)])
        from nbconvert import HTMLExporter  # large, and collected by every process

        made, _ = HTMLExporter().from_notebook_node(notebook)
        return str(made)

    assert Shape(page(PAYLOADS)).elements == Shape(page(["harmless"] * len(PAYLOADS))).elements


def test_a_page_holds_no_more_scripts_than_plotlys() -> None:
    payload = "".join(PAYLOADS[:40])
    plain, page = (gantt_html(hostile(name), workflow_id=name, title=name) for name in ("harmless", payload))

    assert Shape(page).elements == Shape(plain).elements
    assert payload not in page


def test_bars_keep_the_br_and_b_of_a_name_as_text() -> None:
    figure = gantt(hostile("<b>bold</b><br>"))

    hovers = [hover for trace in figure.data for hover in trace.hovertext]
    assert any("&lt;b&gt;bold&lt;/b&gt;&lt;br&gt;" in hover for hover in hovers)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_what_a_page_says_is_what_was_recorded(payload: str) -> None:
    """Escaped once, neither more nor less; control characters and the like are replaced by signs for them."""
    seen = "".join(Shape(f"<p>{escape(payload, 10**6)}</p>").said)

    if payload.isprintable():
        assert seen == payload
    assert seen.isprintable() or "\n" in seen


def test_tables_hold_what_was_recorded() -> None:
    for payload in PAYLOADS:
        row = tasks_table(hostile(payload)).query("attempt == 1 and kind == 'activity' and id != 'open'").iloc[0]
        assert row["input"] == payload.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        row.to_json()


def test_histories_with_attributes_of_wrong_types_are_shown_all_the_same() -> None:
    story = Story()
    story.add(
        "ActivityTaskScheduled", activityId="a", activityType={"name": {"x": 1}, "version": 3}, taskList={"name": None}
    )
    story.add("ActivityTaskScheduled", activityId="b", activityType="?", taskList=[1], input=5, taskPriority="९" * 99)
    story.add("LambdaFunctionScheduled", id="c")
    story.add("StartChildWorkflowExecutionInitiated", workflowId="d")
    history = story.history()

    tasks = tasks_table(history, until=when(3))

    assert tasks["name"].tolist() == ["{'x': 1}", "b", "c", "d"]
    assert tasks["priority"].isna().all()
    assert "{&#x27;x&#x27;: 1}" in f"{execution_html(history)}{task_rows(history)}{gantt(history).data}"
