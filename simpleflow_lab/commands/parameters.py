"""The options and arguments that several commands share, and the click types that check what people type.

A value is checked before a command does anything. The name of a click type tells a completion what to offer:
`workflow`, `execution`, `task`, `domain`, `module`.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from simpleflow_lab.exceptions import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Function = TypeVar("Function", bound=Callable[..., Any])

_MAX_SECONDS: Final = 31_536_000
"""SWF's limit on every timeout: one year."""
_MAX_NAME: Final = 256
_SHOWN: Final = 40
"""Characters of a wrong name that an error shows."""
_NOT_IN_NAMES: Final = re.compile("[\x00-\x1f\x7f-\x9f:/|\ud800-\udfff]")
_MAX_TAGS: Final = 5
_MAX_TAG: Final = 256


class _Type(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    """A click type."""


class Word(_Type):
    """Any text; the name of the type tells a completion what to offer."""

    def __init__(self, name: str) -> None:
        self.name = name

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The kind of words to be offered in this place; `shell_completion` finds the words for it."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=self.name, ctx=ctx, param=param)]


def why_no_name(text: str) -> str | None:
    """Why SWF does not take a text as an id or a name; `None` if it does."""
    if not 0 < len(text) <= _MAX_NAME:
        return f"a name has 1 to {_MAX_NAME} characters, this has {len(text)}"
    if _NOT_IN_NAMES.search(text) or text != text.strip() or text == "arn":
        return "a name has no : / | or control characters, no space at its ends, and is not arn"
    return None


class Name(_Type):
    """An id or a name for something new, as SWF takes it."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name."""
        text = str(value)
        reason = why_no_name(text)
        if reason is not None:
            self.fail(f"{text[:_SHOWN]!r}: {reason}", param, ctx)
        return text


class Seconds(_Type):
    """A timeout: whole seconds, up to a year; SWF's word for no limit is NONE."""

    name = "seconds"

    def __init__(self, *, none: bool = False) -> None:
        self._none = none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The timeout as SWF writes it."""
        if self._none and value == "NONE":
            return "NONE"
        if isinstance(value, str) and value.isascii() and value.isdigit() and 0 < int(value[:10]) <= _MAX_SECONDS:
            return str(int(value))
        also = ", or NONE" if self._none else ""
        self.fail(f"{value!r} is no timeout: whole seconds from 1 to {_MAX_SECONDS}{also}", param, ctx)


class Number(click.FloatRange):
    """A number in a range. "nan" is none, which click takes to be in every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


class Time(_Type):
    """A date, or a date with a time, in ISO 8601; without a zone it is local time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime.datetime:
        """The time, with its zone."""
        try:
            return datetime.datetime.fromisoformat(str(value)).astimezone(datetime.UTC)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no time: write 2026-11-23, or 2026-11-23T14:05:06+01:00", param, ctx)


class Tags(_Type):
    """Tags, with commas between them."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """The tags."""
        tags = [tag.strip() for tag in str(value).split(",") if tag.strip()]
        if len(tags) > _MAX_TAGS:
            self.fail(f"{len(tags)} tags: SWF takes {_MAX_TAGS}", param, ctx)
        if any(len(tag) > _MAX_TAG for tag in tags):
            self.fail(f"a tag is longer than the {_MAX_TAG} characters that SWF takes", param, ctx)
        return tags


# -- the execution that a command is about -----------------------------------------------------------------------------


class Target(NamedTuple):
    """The execution that a command is about, as it was typed: `[DOMAIN] [WORKFLOW_ID] [RUN_ID]`, options beside it."""

    words: tuple[str, ...] = ()
    """The words `[DOMAIN] [WORKFLOW_ID] [RUN_ID]`; none for the session's last execution."""
    domain: str | None = None
    """`--domain`."""
    file: str | None = None
    """`--file`: a recorded history instead of an execution of the store."""

    def parse(self, domains: Callable[[], Collection[str]]) -> tuple[str | None, str, str | None]:
        """Domain, workflow id and run id that the words name, `None` where they name none.

        Of two words the first is a domain if `domains`, the names that the store has, contains it and there was no
        `--domain`. Raises `UsageError` for too many words and for two domains.
        """
        from urllib.parse import unquote

        words = list(self.words)
        if not 1 <= len(words) <= 3:
            raise UsageError(f"{len(words)} words where [DOMAIN] WORKFLOW_ID [RUN_ID] is expected")
        domain = self.domain
        if len(words) == 3 or (len(words) == 2 and domain is None and words[0] in domains()):
            domain = one_domain(words.pop(0), domain)
        return domain, words[0], unquote(words[1]) if len(words) > 1 else None


def one_domain(argument: str | None, option: str | None) -> str | None:
    """The domain that was given as argument or as option. Raises `UsageError` if both were given and differ."""
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"two domains were given, {argument!r} and {option!r}: leave one out")
    return argument if argument is not None else option


def target_parameters(function: Callable[..., Any]) -> Callable[..., Any]:
    """`[DOMAIN] [WORKFLOW_ID] [RUN_ID]` and `--domain`, which the command gets as its `target`."""

    @functools.wraps(function)
    def with_target(
        *args: Any, words: tuple[str, ...], domain: str | None, file: str | None = None, **rest: Any
    ) -> Any:
        return function(*args, target=Target(words=words, domain=domain, file=file), **rest)

    words = click.argument("words", nargs=-1, metavar="[DOMAIN] [WORKFLOW_ID] [RUN_ID]", type=Word("execution"))
    return domain_option(words(with_target))


def target_and_word_parameters(word: str, *, file: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`[DOMAIN] [WORKFLOW_ID] [RUN_ID] WORD`, `--run-id` and `--domain`: the command gets a `target` and its `word`.

    `word` is the metavar of the last word: the id comes before what is said of it. With `file` there is `--file`, too.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_target(*args: Any, words: tuple[str, ...], domain: str | None, run_id: str | None, **rest: Any) -> Any:
            recorded = rest.pop("file", None)
            *before, last = words
            if run_id is not None:
                if not before:
                    raise UsageError(f"--run-id goes with a WORKFLOW_ID: give it before {word}")
                before.append(run_id)
            return function(*args, target=Target(words=tuple(before), domain=domain, file=recorded), word=last, **rest)

        words = click.argument(
            "words",
            nargs=-1,
            required=True,
            metavar=f"[DOMAIN] [WORKFLOW_ID] [RUN_ID] {word}",
            type=Word("task" if word == "TASK_ID" else "execution"),
        )
        run_id = click.option("--run-id", metavar="RUN_ID", help="Of this run, if not of the latest one.")
        return words(run_id(domain_option(_file_option(with_target) if file else with_target)))

    return decorate


def checked_name(text: str) -> str:
    """A name for something new, as SWF takes it. Raises `click.BadParameter`."""
    return Name().convert(text, None, None)


def target_or_file_parameters(function: Callable[..., Any]) -> Callable[..., Any]:
    """`target_parameters`, and `--file` for a recorded history."""
    return target_parameters(_file_option(function))


def _file_option(function: Function) -> Function:
    return click.option("--file", "file", type=click.Path(), metavar="FILE", help="Use the history in a FILE.")(
        function
    )


# -- options that several commands share -------------------------------------------------------------------------------


def domain_option(function: Function) -> Function:
    """`-d/--domain`."""
    return click.option(
        "-d", "--domain", type=Word("domain"), metavar="DOMAIN", help="SWF domain.  [env var: SWF_DOMAIN; default: lab]"
    )(function)


def wait_option(function: Function) -> Function:
    """`--wait/--detach`."""
    return click.option(
        "--wait/--detach",
        default=True,
        show_default=True,
        help="Wait until the execution has closed. Detached in a shell, this process does nothing for it: deciders and "
        "workers of other processes do, or `simpleflow resume`; in a notebook it goes on in the kernel.",
    )(function)
