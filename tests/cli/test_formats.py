"""Tables as text: upstream's columns, harmless to terminals and spreadsheets."""

from __future__ import annotations

import csv
import datetime
import io
import json

import pytest

from simpleflow_lab.cli.formats import as_json, render
from simpleflow_lab.commands.output_options import FORMATS
from simpleflow_lab.views.listings import Kind, Listing, json_text
from simpleflow_lab.views.text_tables import visible, visible_lines

WHEN = datetime.datetime(2026, 11, 23, 14, 5, 6, 789000, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
LISTING = Listing(
    columns={"Task": Kind.TEXT, "Last State": Kind.STATE, "Start": Kind.TIME, "Seconds": Kind.SECONDS},
    rows=[("a", "completed", WHEN, 1.5), ("bcd", "failed", None, 10)],
)


def listing_of(*cells: object, kind: Kind = Kind.TEXT) -> Listing:
    """A listing of one row, all of its cells of one kind."""
    return Listing(columns={chr(ord("a") + column): kind for column in range(len(cells))}, rows=[cells])


def test_tabular_aligns_columns_and_puts_numbers_to_the_right() -> None:
    assert render(LISTING, "tabular", header=True) == (
        "Task  Last State  Start                     Seconds\n"
        "a     completed   2026-11-23T12:05:06.789Z    1.500\n"
        "bcd   failed                                     10"
    )


def test_tabular_counts_the_columns_that_wide_characters_take() -> None:
    listing = Listing(columns={"a": Kind.TEXT, "b": Kind.TEXT}, rows=[("任务", "x"), ("task", "y")])
    assert render(listing, "tabular") == "任务  x\ntask  y"


def test_colors_are_for_states_only_and_do_not_move_the_columns() -> None:
    text = render(LISTING, "tabular", color=True)
    assert text.splitlines()[1].startswith("bcd  \x1b[31mfailed   \x1b[0m  ")


def test_human_prints_every_row() -> None:
    assert render(LISTING, "human").count("Last State  ") == 2


@pytest.mark.parametrize(("format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv_and_tsv_have_a_header_unless_told_otherwise_and_end_without_an_empty_line(
    format: str, delimiter: str
) -> None:
    rows = list(csv.reader(io.StringIO(render(LISTING, format)), delimiter=delimiter))
    assert rows == [
        ["Task", "Last State", "Start", "Seconds"],
        ["a", "completed", "2026-11-23T12:05:06.789Z", "1.5"],
        ["bcd", "failed", "", "10"],
    ]
    assert not render(LISTING, format).endswith("\n")
    assert render(LISTING, format, header=False).splitlines()[0].startswith("a")


def test_json_is_an_array_of_objects_and_without_a_header_of_arrays() -> None:
    assert json.loads(render(LISTING, "json", header=False))[1] == ["bcd", "failed", None, 10]
    for format in ("json", "prettyjson"):
        assert json.loads(render(LISTING, format))[0] == {
            "Task": "a",
            "Last State": "completed",
            "Start": "2026-11-23T12:05:06.789Z",
            "Seconds": 1.5,
        }


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_takes_an_empty_table(format: str) -> None:
    assert render(Listing(columns={"a": Kind.TEXT}, rows=[]), format, header=False).strip() in ("", "[]")


def test_a_column_of_json_is_text_in_a_table_and_the_value_itself_in_json() -> None:
    values = [{"b": [1, None], "é": "x"}, None, "text"]
    listing = Listing(columns={"result": Kind.JSON}, rows=[(json_text(value),) for value in values] + [(None,)])
    assert render(listing, "tabular") == '{"b": [1, null], "é": "x"}\nnull\n"text"\n'
    assert json.loads(render(listing, "json", header=False)) == [[{"b": [1, None], "é": "x"}], [None], ["text"], [None]]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("format", ["json", "prettyjson"])
def test_a_number_that_is_none_is_null_in_json(number: float, format: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    rows = [(number, json_text({"a": [number, 1.5]}))]
    text = render(Listing(columns={"a": Kind.SECONDS, "b": Kind.JSON}, rows=rows), format)
    assert json.loads(text, parse_constant=refuse) == [{"a": None, "b": {"a": [None, 1.5]}}]
    assert json.loads(as_json({"a": (number,)}), parse_constant=refuse) == {"a": [None]}
    assert render(listing_of(number, 1, kind=Kind.SECONDS), "csv", header=False) == ",1"


def test_a_table_for_a_terminal_has_titles_and_fits_its_width() -> None:
    listing = Listing(
        columns={"id": Kind.TEXT, "input": Kind.TEXT, "when": Kind.TIME, "seconds": Kind.SECONDS},
        rows=[("fetch-orders-of-today", "任" * 60, WHEN, 1.5), ("b", "x", WHEN, 20.0)],
    )
    lines = render(listing, "tabular", width=70).splitlines()
    assert lines[0].split() == ["id", "input", "when", "seconds"]
    assert "…" in lines[1]
    assert "…" not in lines[2]
    assert all("2026-11-23T12:05:06.789Z" in line for line in lines[1:])  # a time that is cut is none
    assert len(lines[1]) + sum(character == "任" for character in lines[1]) <= 70
    assert "…" not in render(listing, "tabular")  # a pipe has no width
    assert "…" not in render(listing, "tabular", width=70, raw=True)


@pytest.mark.parametrize("width", range(1, 60))
def test_a_table_is_as_narrow_as_its_columns_allow(width: int) -> None:
    listing = listing_of("a" * 30, "b" * 5, "c" * 40)
    lines = render(listing, "tabular", width=width).splitlines()
    assert {len(line) for line in lines[1:]} == {max(width, 8 + 2 + 5 + 2 + 8)}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("format", FORMATS)
def test_no_cell_is_trusted_for_the_kind_of_its_column(format: str, kind: Kind) -> None:
    hostile = "=\x1b[2J"
    text = render(listing_of(json_text(hostile) if kind is Kind.JSON else hostile, kind=kind), format, header=True)
    assert "\x1b" not in text
    assert format not in ("csv", "tsv") or not text.splitlines()[1].startswith("=")


# -- T11: formulas -----------------------------------------------------------------------------------------------------

FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x","y")', "=", "+", "-",
    "@", "-2+3+cmd|' /C'!A0", "=\n1", "+1-1", "@x", "=A1:A2", "+A1", "-A1", "=1,2", "=\x1b[31m", "=\u202e1", '="a"',
    "\t", "\r",
]  # fmt: skip


@pytest.mark.parametrize("cell", FORMULAS)
@pytest.mark.parametrize(("format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_no_cell_of_csv_begins_as_a_formula(format: str, delimiter: str, cell: str) -> None:
    _, (shown, number) = csv.reader(io.StringIO(render(listing_of(cell, -1), format)), delimiter=delimiter)
    assert shown.startswith("'")
    assert number == "-1"  # a number is no formula


@pytest.mark.parametrize("format", ["csv", "tsv", "tabular"])
@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x"])
def test_a_cell_for_a_program_is_exact(format: str, cell: str) -> None:
    assert render(listing_of(cell), format, header=False) == cell


def test_raw_leaves_cells_as_they_are() -> None:
    assert render(listing_of("=1"), "csv", raw=True).splitlines()[1] == "=1"


# -- T12: what can't be seen -------------------------------------------------------------------------------------------

UNSEEN = [
    "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\x08\x08", "\x7f", "\x00", "\x85", "\u202e", "\u202a", "\u2066",
    "\u2069", "\u200b", "\u200d", "\u200f", "\ufeff", "\u2028", "\u2029", "\ud800", "\U000e0041",
]  # fmt: skip


@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("format", FORMATS)
def test_no_format_writes_what_can_not_be_seen(format: str, unseen: str) -> None:
    text = render(listing_of(f"a{unseen}b"), format, header=True)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\\" in text


@pytest.mark.parametrize("unseen", UNSEEN)
def test_json_keeps_what_it_escapes(unseen: str) -> None:
    assert json.loads(as_json({"a": unseen, "é": 1})) == {"a": unseen, "é": 1}


def test_a_traceback_keeps_its_lines() -> None:
    assert visible_lines("a\n\tb\x1b[0m\n") == "a\n        b\\x1b[0m"
    assert visible("a\nb") == "a\\nb"
