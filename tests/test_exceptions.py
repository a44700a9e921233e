"""Errors: the tree of them is drawn as it is, and one that goes to another process arrives as it was."""

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from simpleflow_lab import exceptions
from simpleflow_lab.exceptions import NondeterminismError

CLASSES = [each for each in vars(exceptions).values() if isinstance(each, type) and issubclass(each, BaseException)]


def an_error(kind: type[BaseException]) -> BaseException:
    """An error of this class, with an argument for each of its parameters."""
    positional: list[object] = []
    named: dict[str, object] = {}
    for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]:
        annotation = str(parameter.annotation)
        value: object = f"a {parameter.name}"
        if "int" in annotation or "float" in annotation:
            value = 7
        elif "Iterable" in annotation:
            value = [None, exceptions.TaskFailed("fetch", "no")]
        elif "DivergenceCause" in annotation:
            value = exceptions.RENUMBERED
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            positional.append(value)
    return kind(*positional, **named)


def drawn_tree() -> dict[str, str]:
    """The parent of each class in the tree at the top of `exceptions`, by the name of the class."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in str(exceptions.__doc__).splitlines()[1:]:
        found = re.match(r"    ([ │├└─]*)(\w+)(  |$)", line)
        if found is None:
            continue
        depth, name = len(found[1]), found[2]
        above = [each for each in above if each[0] < depth]
        if above:
            assert name not in parents
            parents[name] = above[-1][1]
        above.append((depth, name))
    return parents


def test_the_tree_at_the_top_has_every_class_under_its_base() -> None:
    """The faults of SWF stand in `FAULTS`."""
    own = [kind for kind in CLASSES if kind not in exceptions.FAULTS.values()]
    drawn = drawn_tree()
    assert {kind.__name__ for kind in own} | {"KeyboardInterrupt"} == set(drawn)
    for kind in own:
        assert kind.__bases__[0].__name__ == drawn[kind.__name__], kind


def described(error: BaseException) -> tuple[object, ...]:
    return type(error), str(error), repr(error), str(vars(error))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("kind", CLASSES)
def test_a_copy_of_an_error_is_the_same_error(kind: type[BaseException], copied: Callable[[Any], Any]) -> None:
    error = an_error(kind)
    error.add_note("while the shop was closed")
    assert described(copied(error)) == described(error)


def test_a_divergence_has_one_cause_and_its_message_says_what_to_do_then() -> None:
    """An author's own error comes first, unless only unknown ids may explain it."""
    recorded: dict[str, Any] = {"event_id": 5, "recorded": "timer", "requested": None}
    for cause in (exceptions.EDITED_CODE, exceptions.RENUMBERED, exceptions.DivergenceCause.numbered_before("a-1")):
        assert str(NondeterminismError(**recorded, cause=cause)).endswith(cause.advice)
        own = NondeterminismError(**recorded, cause=cause, author_error="KeyError: 'x'")
        assert str(own).endswith("Fix the error, and the execution goes on")
    own = NondeterminismError(**recorded, cause=exceptions.UNKNOWN_IDS, author_error="KeyError: 'x'")
    assert str(own).startswith("KeyError: 'x'. ")
    assert str(own).endswith(exceptions.UNKNOWN_IDS.advice)
