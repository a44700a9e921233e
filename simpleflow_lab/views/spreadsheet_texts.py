"""Texts in tables that a spreadsheet opens: what it would take for a formula gets an apostrophe in front.

A text that is such a one but for its own apostrophes gets one more: each text can be had back.
"""

from __future__ import annotations

from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""The first characters of a text that a spreadsheet takes for a formula."""


def for_spreadsheet(text: str, shown: str | None = None) -> str:
    """`shown`, by default the text itself, so that a spreadsheet takes this text for no formula."""
    shown = text if shown is None else shown
    return f"'{shown}" if _is_formula(text) else shown


def from_spreadsheet(text: str) -> str:
    """The text that `for_spreadsheet` wrote so."""
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    return text.lstrip("'").startswith(FORMULA)
