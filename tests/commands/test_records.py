"""Every answer of a command can be shown, in a shell and in a notebook."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from simpleflow_lab.cli.renderers import show
from simpleflow_lab.commands.command_table import table
from simpleflow_lab.commands.records import Done, ListingRecord, Record, TextRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.notebook.renderers import cell_value
from simpleflow_lab.notebook.table_renderers import table_of_listing, table_value
from simpleflow_lab.views.listings import Kind, Listing


def records(base: type[Record]) -> Iterator[type[Record]]:
    """Every class of records that a command of this package may give."""
    for cls in base.__subclasses__():
        if cls.__module__.startswith("simpleflow_lab."):
            if not inspect.isabstract(cls):
                yield cls
            yield from records(cls)


COMMANDS = table.all_commands()
RECORDS = list(dict.fromkeys(records(Record)))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@pytest.mark.parametrize("renderings", [[show], [cell_value, table_value]], ids=["shell", "notebook"])
def test_every_record_has_a_rendering(renderings: list[Any], record: type[Record]) -> None:
    assert any(each.dispatch(record) is not each.dispatch(Record) for each in renderings)


def test_every_command_gives_a_record() -> None:
    known = {cls.__name__ for cls in RECORDS}
    given = {name: inspect.signature(command.callback).return_annotation for name, command in COMMANDS.items()}
    assert {name: found for name, found in given.items() if not set(found.split(" | ")) <= known} == {}


# -- a new command is one function and one record ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewListing(ListingRecord):
    """A listing that no face knows."""

    def listing(self) -> Listing:
        columns = {"name": Kind.TEXT, "state": Kind.STATE, "waited": Kind.SECONDS, "share": Kind.PERCENTAGE}
        return Listing(columns=columns, rows=[("<a>", "failed", 61.5, 12.5), ("b", "COMPLETED", None, None)])


@dataclass(frozen=True, kw_only=True)
class NewText(TextRecord):
    """A text that no face knows."""

    def text(self) -> str:
        return "<words>"


@dataclass(frozen=True, kw_only=True)
class Unknown(Record):
    """A record without a rendering."""


def test_a_listing_is_shown_in_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(NewListing(message="listed"), Session()) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["<a>  failed     61.500  12.500", "b    COMPLETED"]
    assert err == "simpleflow: listed\n"


def test_a_listing_is_a_table_in_a_notebook() -> None:
    shown = cell_value(NewListing())
    assert (shown["waited"].dtype, shown["waited"][0]) == ("float64", 61.5)
    for cell in ("&lt;a&gt;", "1 min 2 s", "12.5 %", "–"):
        assert f">{cell}</td>" in shown._repr_html_()
    for state in ("✗ failed", "✓ COMPLETED"):  # never on two lines
        assert f'<td class="sfl-state">{state}</td>' in shown._repr_html_()


@pytest.mark.parametrize("kind", Kind)
def test_a_column_of_any_kind_has_the_same_dtype_with_and_without_rows(kind: Kind) -> None:
    empty, full = (table_of_listing(Listing(columns={"a": kind}, rows=rows)) for rows in ([], [(None,)]))
    assert empty["a"].dtype == full["a"].dtype


def test_a_text_is_shown_in_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(NewText(), Session()) == 0
    assert capsys.readouterr() == ("<words>\n", "")
    assert repr(cell_value(NewText())) == "<words>"
    assert "&lt;words&gt;" in cell_value(NewText())._repr_html_()


def test_a_command_that_only_does_something_reports_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(Done(message="it is registered"), Session()) == 0
    assert capsys.readouterr() == ("", "simpleflow: it is registered\n")
    assert cell_value(Done(message="it is registered")) is None


@pytest.mark.parametrize("face", [lambda record: show(record, Session()), cell_value], ids=["shell", "notebook"])
def test_a_record_without_a_rendering_is_an_error(face: Callable[[Record], object]) -> None:
    with pytest.raises(TypeError, match="no rendering for Unknown"):
        face(Unknown())
