"""Executions that come by the standard input: an id a line, or a list as a command prints it, whatever its format.

Rule: an id may look like anything. What could be an id and the beginning of a list is an id if there is such an
execution.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.spreadsheet_texts import from_spreadsheet

Words = tuple[str, ...]
"""The name of an execution: its workflow id, and its run id if that is known."""
IDS: Final = ("Workflow ID", "workflow_id")
"""The titles of the column of ids in lists."""
RUNS: Final = ("Run ID", "run_id")
"""The titles of the column of run ids."""


def piped_executions(text: str, is_execution: Callable[[Words], bool]) -> list[Words]:
    """The executions that `text` names, in its order; none for a list that is empty.

    `is_execution` says whether these words name one. Raises `UsageError` for a list without a column of ids, and for
    one that is no CSV.
    """
    text = text.removeprefix("\ufeff")  # a spreadsheet begins its CSV with the mark of UTF-8
    objects = _objects(text)
    if objects is not None and (objects or not is_execution((text.strip(),))):
        return [_words_of(each) for each in objects]
    lines = [words for line in text.split("\n") if (words := tuple(word.strip() for word in line.split("\t"))) != ("",)]
    table = _table(text)
    if table is None or is_execution(lines[0]):
        return lines
    titles, rows = table
    if len(titles) == 1:  # a table is written as CSV is, but without quotation marks
        return [tuple(map(from_spreadsheet, words)) for words in lines[1:]]
    return [_words_of({name: from_spreadsheet(word) for name, word in zip(titles, row, strict=False)}) for row in rows]


def _objects(text: str) -> list[Mapping[str, Any]] | None:
    """The objects of JSON, in an array or one after the other; `None` if it is none of both."""
    text = text.strip()
    if not text.startswith(("[", "{")):
        return None
    found: list[Any] = []
    try:
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            found.extend(value if isinstance(value, list) else [value])
            text = text[end:].lstrip()
    except (ValueError, RecursionError):
        return None
    return found if all(isinstance(each, dict) for each in found) else None


def _table(text: str) -> tuple[list[str], Iterator[list[str]]] | None:
    """The titles and the rows of CSV or TSV whose first line has the title of the column of ids."""
    text = text.lstrip("\n")
    for delimiter in (",", "\t"):
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        titles: list[str] = []
        with contextlib.suppress(csv.Error):  # as of an id that begins with a quotation mark
            titles = next(rows, [])
        if any(title in titles for title in IDS):
            return titles, _rows(rows)
    return None


def _rows(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows that are not empty. Raises `UsageError` for what Python's `csv` does not read, as a very long field."""
    try:
        yield from (row for row in rows if row)
    except csv.Error as error:
        raise UsageError(
            f"the list that came by the standard input can't be read ({error}): make it with --columns {IDS[1]}"
        ) from None


def _words_of(row: Mapping[str, Any]) -> Words:
    workflow_id = _first(row, IDS)
    if workflow_id is None:
        raise UsageError(f"the list that came by the standard input has no column {IDS[0]!r}: add it to its --columns")
    run_id = _first(row, RUNS)
    return (workflow_id,) if run_id is None else (workflow_id, run_id)


def _first(row: Mapping[str, Any], titles: Sequence[str]) -> str | None:
    return next((str(row[title]) for title in titles if row.get(title)), None)
