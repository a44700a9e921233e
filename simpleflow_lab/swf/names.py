"""Names, ids, tags and durations: which SWF takes, and in one line why it does not take another.

SWF's service model has the lengths (`swf.shapes`); the rest is in the documentation of the model.

Rule: each rule stands here once: the engine refuses by it in SWF's words, and what authors write is refused in plain
ones, at their line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf import shapes
from simpleflow_lab.swf.limits import MAX_TAGS

NAME_PATTERN: Final = r"(?!\s)(?!arn\Z)[^\x00-\x1f\x7f-\x9f:/|\ud800-\udfff]+(?<!\s)"
"""No `:`, `/`, `|`, no control characters, no white space at the ends, not the word `arn`; lone surrogates can't be
sent over the wire either."""
MAX_DURATION: Final = 99_999_999
"""The most seconds that SWF reads: eight digits."""

_is_name: Final = re.compile(NAME_PATTERN).fullmatch
_known: Final[set[tuple[str, str]]] = set()
"""Names that passed, with their shapes: the same come in task after task."""
_MAX_KNOWN: Final = 1_000


def check_name(value: Any, shape: str, what: str) -> None:
    """Raise `UsageError` if SWF doesn't take this value as a name or id of this shape, such as `TimerId`.

    `what` is what the message calls it.
    """
    if type(value) is str and (shape, value) in _known:
        return
    least, longest = shapes.STRINGS[shape]
    if not isinstance(value, str):
        raise UsageError(f"{what} is text, not {value!r}")
    if len(value) < least:
        raise UsageError(f"{what} is empty: SWF takes 1 to {longest} characters")
    if longest is not None and len(value) > longest:
        raise UsageError(f"{what} has {len(value)} characters, and SWF takes {longest} at most: {value[:40]!r}…")
    if not _is_name(value):
        raise UsageError(
            f"{what} {value!r} is none that SWF takes: no ':', '/', '|' or control characters, no white space at its "
            "ends, and not 'arn'"
        )
    if len(_known) < _MAX_KNOWN:
        _known.add((shape, value))


def check_tags(tags: Any, what: str) -> None:
    """Raise `UsageError` if SWF doesn't take these tags."""
    longest = shapes.STRINGS["Tag"][1] or 0
    if isinstance(tags, str) or not all(isinstance(tag, str) and len(tag) <= longest for tag in tags):
        raise UsageError(f"{what} are a list of texts of up to {longest} characters, not {tags!r}")
    if len(tags) > MAX_TAGS:
        raise UsageError(f"{what} are {MAX_TAGS} at most, and these are {len(tags)}: {tags!r}")


def check_priority(priority: Any, what: str) -> None:
    """Raise `UsageError` if SWF doesn't take this task priority."""
    try:
        holds = -(1 << 31) <= int(priority) < 1 << 31
    except (TypeError, ValueError, OverflowError):
        holds = False
    if not holds:
        raise UsageError(f"{what} is a whole number of 32 bits, not {priority!r}")


def check_duration(text: str, what: str, *, finite: bool) -> None:
    """Raise `UsageError` if SWF doesn't take this text as a timeout; with `finite` it takes no `NONE`."""
    if not re.fullmatch(r"[0-9]{1,8}", text) and (finite or text != "NONE"):
        raise UsageError(f"{what} is whole seconds, 0 to {MAX_DURATION}{'' if finite else ', or None'}, not {text!r}")


def check_decision_timeout(text: str, of: str, name: str) -> None:
    """Raise `UsageError` if no decision can be made within this timeout: SWF takes 0 seconds, too."""
    check_duration(text, f"{of}{name}", finite=False)
    if text.isdecimal() and not int(text):
        raise UsageError(f"{of}no decision can be made within a {name} of 0 seconds")


def check_choice(value: Any, shape: str, what: str) -> None:
    """Raise `UsageError` if this is none of the values of a shape, such as `ChildPolicy`."""
    choices = shapes.ENUMS[shape]
    if value not in choices:
        raise UsageError(f"{what} is {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}")


def check_text(value: Any, shape: str, what: str) -> None:
    """Raise `UsageError` if this is no text of the length that a shape allows, such as `Arn`."""
    least, longest = shapes.STRINGS[shape]
    if not isinstance(value, str):
        raise UsageError(f"{what} is text, not {value!r}")
    if not least <= len(value) <= (longest or len(value)):
        raise UsageError(f"{what} has {len(value)} characters, and SWF takes {least} to {longest}: {value[:40]!r}")


def check_seconds(value: int, what: str) -> None:
    """Raise `UsageError` if SWF doesn't read so many seconds."""
    if value > MAX_DURATION:
        raise UsageError(f"{what} is {MAX_DURATION} seconds at most, not {value}")


_OPTION_CHECKS: Final[Mapping[str, Callable[[Any, str, str], None]]] = {
    "task_list": lambda value, of, name: check_name(value, "Name", f"{of}the {name}"),
    "task_priority": lambda value, of, name: check_priority(value, f"{of}the {name}"),
    "tag_list": lambda value, of, name: check_tags(value, f"{of}the tags of {name}"),
    "execution_start_to_close_timeout": lambda value, of, name: check_duration(value, f"{of}the {name}", finite=True),
    "task_start_to_close_timeout": check_decision_timeout,
    "child_policy": lambda value, of, name: check_choice(value, "ChildPolicy", f"{of}the {name}"),
    "lambda_role": lambda value, of, name: check_text(value, "Arn", f"{of}the {name}"),
}
"""The options of a workflow execution, by SWF's names in Python's spelling."""


def check_execution_options(of: str, options: Mapping[str, Any], written_as: Mapping[str, str] | None = None) -> None:
    """Raise `UsageError` if SWF doesn't take one of these options of a start or a child; `None` is none given.

    :param of: what the message begins with: whose options they are.
    :param options: by SWF's names in Python's spelling, durations as SWF's texts.
    :param written_as: the names by which the author has given them, where they differ.
    """
    names = written_as or {}
    for option, check in _OPTION_CHECKS.items():
        if options.get(option) is not None:
            check(options[option], of, names.get(option, option))
