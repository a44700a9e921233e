"""The pieces of HTML that notebooks show, and how values become text."""

from __future__ import annotations

import datetime
import json
import re

import pytest

from simpleflow_lab.swf.history import History
from simpleflow_lab.views.formatting import bounded, duration, shortened, traceback_text, utc_time
from simpleflow_lab.views.html import execution_html, table, task_rows
from simpleflow_lab.views.markup import escape
from tests.views.story import Story, eventful, when


def test_a_summary_says_what_an_execution_is_and_how_it_stands() -> None:
    page = execution_html(eventful(), workflow_id="import-17", run_id="r-1", domain="test", until=when(9))

    for said in (
        "shop.orders.Import",
        "▶ OPEN",
        "import-17",
        "r-1",
        "team=a, run=1",
        "8 tasks: ✓ 3 completed, ▶ 2 running, … 1 not started, ⊘ 1 canceled, ✗ 1 refused, 2 earlier attempts, 1 timer",
        "9.0 s",
    ):
        assert said in page


def test_unnoticed_failures_get_a_banner() -> None:
    story = Story()
    for n in range(12):
        story.fail(story.schedule(f"a-{n}"), "OSError: disk full")
    story.end()

    page = execution_html(story.history())

    assert "⚠ 12 failures unhandled" in page
    assert "<li>a-9: failed: OSError: disk full</li>" in page
    assert "and 2 more failures" in page
    assert "unhandled" not in execution_html(eventful())


LETTERS = [
    (json.dumps("Zürich 漢字 😀"), '"Zürich 漢字 😀"'),
    (json.dumps(["\u202e", "\x1b", "é", '"', "\\u00e9"]), r'["\u202e", "\u001b", "é", "\"", "\\u00e9"]'),
    (r'"\ud83d and \u00', r'"\ud83d and \u00'),
    (r'"\u003cb\u003e \u0022"', r'"\u003cb\u003e \u0022"'),
    (r"C:\u00fc is no JSON", r"C:\u00fc is no JSON"),
]


@pytest.mark.parametrize(("recorded", "shown"), LETTERS)
def test_of_a_recorded_json_text_the_letters_are_shown(recorded: str, shown: str) -> None:
    assert bounded(recorded) == shown
    story = Story(input=recorded)
    story.end(result=recorded)
    assert escape(shown) in execution_html(story.history())
    cut = bounded(recorded, 8)
    assert cut == (shown if len(shown) <= 8 else f"{shown[:8]}… ({len(shown) - 8} more characters)")


def test_a_long_json_text_is_cut_behind_a_whole_letter() -> None:
    assert re.fullmatch(r'"é😀é… \([\d,]+ more characters\)', bounded(json.dumps("é😀" * 30_000), 4))


def test_warnings_to_the_author_get_a_banner() -> None:
    page = execution_html(eventful(), warnings=["cell line 3, time.time() <b>: use self.now()"] * 12)
    assert "⚠ 12 warnings" in page
    assert "cell line 3, time.time() &lt;b&gt;: use self.now()" in page
    assert "and 2 more warnings" in page
    assert "warning" not in execution_html(eventful())


def test_the_last_failure_shows_its_traceback_bounded() -> None:
    story = Story()
    story.at(1).fail(story.schedule("a-1"), "KeyError: 1", "first")
    story.at(2).fail(story.schedule("a-1"), "KeyError: 2", "Traceback…\n" + "x" * 3_000)

    page = execution_html(story.history())

    assert "<summary>last failure: a-1, attempt 2, failed: KeyError: 2</summary><pre>Traceback…" in page
    assert "… (1,011 more characters)" in page


def test_a_failed_execution_shows_its_own_details() -> None:
    story = Story()
    story.end("Failed", reason="ValueError: no", details="Traceback of the workflow")

    page = execution_html(story.history())

    assert "✗ FAILED" in page
    assert "<pre>Traceback of the workflow</pre>" in page


def test_rows_beyond_the_limit_are_counted() -> None:
    assert "and 8 more attempts" in task_rows(eventful(), limit=3)
    assert "more" not in task_rows(eventful(), limit=11)


def test_any_listing_becomes_a_table() -> None:
    page = table(("a", "b"), [(1, 0.5), (None, when(0)), (True, "<")])

    assert '<td class="sfl-number">0.50</td>' in page
    assert "2026-01-01 12:00:00.000 UTC" in page
    assert "&lt;" in page


def test_a_history_without_events_is_shown_too() -> None:
    assert "no tasks" in execution_html(History())
    assert "<tbody></tbody>" in task_rows(History())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0 s"),
        (0.045, "45 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (245, "4 min 5 s"),
        (7380, "2 h 3 min"),
        (7200, "2 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_as_people_say_them(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_said_in_utc() -> None:
    assert utc_time(datetime.datetime(2026, 11, 23, 14, 5, 6, 789_123, tzinfo=datetime.UTC)) == (
        "2026-11-23 14:05:06.789 UTC"
    )


def test_values_are_bounded_before_they_are_escaped() -> None:
    assert escape("<" * 10, 3) == "&lt;&lt;&lt;… (7 more characters)"
    assert bounded("abc", 3) == "abc"
    assert shortened("a" * 50 + "\n" + "b" * 50, 11) == "aaaaa…bbbbb"
    assert escape("\"'$&") == "&#34;&#x27;&#36;&amp;"


def test_the_details_of_a_failed_task_are_shown_as_a_traceback() -> None:
    details = json.dumps(
        {"error": "KeyError", "message": "'x'", "traceback": ["Traceback:", '  File "a.py", line 7', "KeyError: 'x'"]}
    )
    assert traceback_text(details) == "Traceback:\n  File \"a.py\", line 7\nKeyError: 'x'"
    for other in ("plain words", "{}", '{"traceback": "x"}', '{"traceback": []}', "[" * 100_000):
        assert traceback_text(other) == other


def test_a_large_field_is_described_and_not_fetched() -> None:
    name = "fb436813-1234-4234-8234-123456789abc"
    reference = f"simpleflow+s3://some-bucket/prefix/{name} 5242880"
    story = Story(input=reference)
    story.at(1).end("Completed")
    page = execution_html(story.history(), workflow_id="w", run_id="r", domain="d", until=None)
    assert f"5.0 MB in S3, not fetched, unverified ({reference})" in page
