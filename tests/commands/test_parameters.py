"""What people type, checked before a command does anything."""

from __future__ import annotations

import click
import pytest

from simpleflow_lab.commands.parameters import Name, Seconds, Tags, Target, one_domain
from simpleflow_lab.exceptions import UsageError

DOMAINS = ("lab", "other")


@pytest.mark.parametrize(
    ("words", "domain", "parsed"),
    [
        (("b1",), None, (None, "b1", None)),
        (("b1",), "other", ("other", "b1", None)),
        (("lab",), None, (None, "lab", None)),
        (("other", "b1"), None, ("other", "b1", None)),
        (("b1", "run"), None, (None, "b1", "run")),
        (("lab", "lab"), None, ("lab", "lab", None)),
        (("other", "run"), "lab", ("lab", "other", "run")),
        (("nowhere", "b1", "run"), None, ("nowhere", "b1", "run")),
        (("lab", "b1", "run"), "lab", ("lab", "b1", "run")),
        (("b1", "%72un%3D"), None, (None, "b1", "run=")),
    ],
)
def test_the_words_of_a_target(
    words: tuple[str, ...], domain: str | None, parsed: tuple[str | None, str, str | None]
) -> None:
    assert Target(words=words, domain=domain).parse(lambda: DOMAINS) == parsed


def test_the_domains_are_listed_only_if_two_words_need_it() -> None:
    def domains() -> tuple[str, ...]:
        raise AssertionError("nobody needs them")

    assert Target(words=("b1",)).parse(domains)[1] == "b1"
    assert Target(words=("lab", "b1", "run")).parse(domains)[0] == "lab"
    assert Target(words=("b1", "run"), domain="lab").parse(domains)[0] == "lab"


@pytest.mark.parametrize(
    ("words", "domain", "reason"),
    [
        (("a", "b", "c", "d"), None, "4 words where"),
        (("lab", "b1", "run"), "other", "two domains were given, 'lab' and 'other'"),
    ],
)
def test_words_that_are_no_target(words: tuple[str, ...], domain: str | None, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Target(words=words, domain=domain).parse(lambda: DOMAINS)


def test_one_domain() -> None:
    assert one_domain(None, None) is None
    assert one_domain("lab", None) == one_domain(None, "lab") == one_domain("lab", "lab") == "lab"
    with pytest.raises(UsageError, match="leave one out"):
        one_domain("lab", "other")


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        (Name(), "a b", "a b"),
        (Seconds(), "060", "60"),
        (Seconds(none=True), "NONE", "NONE"),
        (Tags(), "a, b,,", ["a", "b"]),
    ],
)
def test_a_click_type_gives_the_value_as_swf_takes_it(type: click.ParamType, text: str, value: object) -> None:
    assert type.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("type", "text"),
    [(Name(), "a:b"), (Name(), " a"), (Name(), "arn"), (Name(), ""), (Name(), "a" * 257)]
    + [(Seconds(), text) for text in ("0", "-1", "1.5", "NONE", "²", "31536001", "")]
    + [(Tags(), "a,b,c,d,e,f"), (Tags(), "a" * 257)],
)
def test_a_click_type_refuses_what_swf_would_refuse(type: click.ParamType, text: str) -> None:
    with pytest.raises(click.BadParameter):
        type.convert(text, None, None)
