"""Comparing JSON texts that different programs may have written."""

from __future__ import annotations

from typing import Any

from simpleflow_lab.data.codec import parse
from simpleflow_lab.data.references import is_reference, same_text


def same_json(recorded: str | None, commanded: str | None) -> bool:
    """Both texts hold the same value, however they are spaced; a reference is compared with the text it stands for.

    The key `__extra`, which upstream adds to inputs, does not count.
    """
    if recorded == commanded:
        return True
    if recorded is not None and commanded is not None and is_reference(recorded):
        return same_text(recorded, commanded)
    try:
        return bool(_value(recorded) == _value(commanded))
    except ValueError:
        return False


def _value(text: str | None) -> Any:
    value = None if text is None else parse(text)
    if isinstance(value, dict) and "__extra" in value:
        value.pop("__extra")
    return value
