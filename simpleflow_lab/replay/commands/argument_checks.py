"""Whether a function takes the arguments with which its activity, or the workflow whose `run` it is, is submitted.

Rule: nothing is called. Certain is only what the signature of a plain function says: a class may make its instances
otherwise, and a wrapper may pass on other arguments than it takes.
"""

from __future__ import annotations

import inspect
import math
import types
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple


class Problem(NamedTuple):
    """Why a function does not take some arguments."""

    text: str
    """Python's words for it."""
    is_certain: bool
    """It is a plain function: no call with these arguments can succeed."""


def problem_of(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Problem | None:
    """Why a function or class does not take these arguments; `None` if it does, or if that can't be told."""
    signature = _signature_of(function)
    if signature is None or (not kwargs and signature.least <= len(args) <= signature.most):
        return None
    try:
        signature.whole.bind(*args, **kwargs)
    except TypeError as error:
        is_plain = type(function) is types.FunctionType and not _PASSES_OTHERS & vars(function).keys()
        return Problem(str(error), is_plain)
    return None


_PASSES_OTHERS: Final = {"__wrapped__", "__signature__", "add_context_in_kwargs"}
"""Attributes of a function that is called with other arguments than its signature tells."""


class _Signature(NamedTuple):
    """The signature of a function or class, as far as it tells."""

    whole: inspect.Signature
    least: float
    """The fewest arguments with which it can be called by position alone; infinitely many if it can't."""
    most: float
    """The most that there may be."""


def _signature_in_short(whole: inspect.Signature) -> _Signature:
    least, most = 0.0, 0.0
    for parameter in whole.parameters.values():
        has_default = parameter.default is not parameter.empty
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            least, most = least + (not has_default), most + 1
        elif parameter.kind is parameter.VAR_POSITIONAL:
            most = math.inf
        elif parameter.kind is parameter.KEYWORD_ONLY and not has_default:
            least = math.inf
    return _Signature(whole, least, most)


_signatures: Final[weakref.WeakKeyDictionary[Any, _Signature]] = weakref.WeakKeyDictionary()


def _signature_of(function: Any) -> _Signature | None:
    """The signature of a function, or of the class of an activity; `None` if it does not tell."""
    try:
        if function not in _signatures:
            _signatures[function] = _signature_in_short(inspect.signature(function))
        return _signatures[function]
    except (TypeError, ValueError):  # it has none, or can't be referred to weakly
        return None
