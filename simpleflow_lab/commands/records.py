"""Records, which commands give, and which shell and notebook show, each in its own way.

A new command is one function and one record, side by side in the module of its noun, and a line in `MODULES` of
`command_table`. The module imports at its top what defines the command; what runs it, such as `lab` and the views, is
imported by the function, so that `--help` is quick. A record that derives from
`ListingRecord`, `TextRecord` or `Done` is shown by both faces as it is. Any other record needs a rendering in
`cli.renderers` and in `notebook.renderers`, and so does one that a face can show better than as a listing or a text; a
test finds a record without a rendering. A record holds executions and plain values, never a figure or a pandas table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from simpleflow_lab.views.listing_shape import Shape
from simpleflow_lab.views.listings import Listing


@dataclass(frozen=True, kw_only=True)
class Record:
    """The answer of a command."""

    message: str | None = None
    """A sentence about what the command did beside its answer; `None` if the answer says everything."""


@dataclass(frozen=True, kw_only=True)
class ListingRecord(Record, ABC):
    """An answer that is a table."""

    @abstractmethod
    def listing(self) -> Listing:
        """The table."""

    def in_full(self) -> Listing:
        """The table with the columns that are shown only when they are named; by default there are none."""
        return self.listing()

    def shaped(self, shape: Shape) -> Listing:
        """The table in this shape. Raises `UsageError`."""
        listing = self.listing()
        return shape.of(self.in_full(), shown=listing.headers) if shape else listing


@dataclass(frozen=True, kw_only=True)
class TextRecord(Record, ABC):
    """An answer that is a text."""

    @abstractmethod
    def text(self) -> str:
        """The text, to be shown as it is, in a font of fixed width."""


@dataclass(frozen=True, kw_only=True)
class Done(Record):
    """The answer of a command that only does something: `message` says what it did."""
