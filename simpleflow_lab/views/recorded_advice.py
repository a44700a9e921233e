"""What helps where there is a history and no store: its views, and what to do differently the next time.

*Rule:* no call and no command is advised that needs the store in which the execution is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_CALL: Final = re.compile(r"(?<![\w.])(?P<of>execution|lab|comparison)\.(?P<name>\w+)\(")
_CLAUSE: Final = re.compile(r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^;'"])+""")
"""What stands between semicolons; a literal may hold some."""
_FOR_THE_NEXT_TIME: Final = frozenset({"start_workers"})
"""Methods of a Lab that are advised for a run to come: any Lab has them."""


def without_a_store(to_do: str, is_view: Callable[[str], bool]) -> str:
    """What is left of what helps; empty if nothing is. `is_view` says whether a history alone has a method."""
    call, _, _ = to_do.partition(", or simpleflow ")  # that command names the execution in its store
    if call.startswith("simpleflow "):
        return ""
    clauses = [clause.strip() for clause in _CLAUSE.findall(call)]
    if "; ".join(clauses) != call:  # quotation marks that are no literal
        clauses = [call]
    return "; ".join(
        clause for clause in clauses if all(_is_possible(each, is_view) for each in _CALL.finditer(clause))
    )


def _is_possible(call: re.Match[str], is_view: Callable[[str], bool]) -> bool:
    match call["of"]:
        case "execution":
            return is_view(call["name"])
        case "lab":
            return call["name"] in _FOR_THE_NEXT_TIME
    return True
