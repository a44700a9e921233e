"""Middleware runs around each activity of a Lab: to time it, to log it, to change its arguments and its result.

    def timed(context, call, args, kwargs):
        began = time.monotonic()
        try:
            return call(*args, **kwargs)
        finally:
            print(context["activity_id"], time.monotonic() - began)

    lab = Lab("work.sqlite", middleware=[timed])

A middleware is such a function, or an object that has one or more of three methods:

    =========================================  ==================================================================
    `around(context, call, args, kwargs)`      calls `call(*args, **kwargs)`; what it returns is the result
    `pre(context)`                             before the activity
    `post(context, result=…)`                  after an activity that went well; with an `error` parameter (or
                                               `**kwargs`) after one that failed, too: then `result` is `None`
    =========================================  ==================================================================

`Before` and `After` make one of a function written for upstream. The first of a list is the outermost. A middleware
runs where the activity runs: in its thread, or in its process; what it raises is the failure of the activity. `context`
is `activity.current_context()`. The call of an `async def` activity returns when it is finished.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simpleflow_lab.exceptions import UsageError

Context = Mapping[str, Any]
Call = Callable[..., Any]
Around = Callable[[Context, Call, Sequence[Any], Mapping[str, Any]], Any]
"""The one form that all others are made into."""


@dataclass(frozen=True)
class Before:
    """A middleware of a function that is called as `pre(context)` before each activity."""

    pre: Callable[..., Any]


@dataclass(frozen=True)
class After:
    """A middleware of a function that is called as `post(context, result=…)` after each activity."""

    post: Callable[..., Any]


def around_of(middleware: Any) -> Around:
    """A middleware, whatever its form. Raises `UsageError` for an object of no such form."""
    if not inspect.isclass(middleware):
        if any(callable(getattr(middleware, name, None)) for name in ("around", "pre", "post")):
            return _Methods(middleware)
        if callable(middleware):
            found: Around = middleware
            return found
    raise UsageError(
        f"{middleware!r} is no middleware: give a function (context, call, args, kwargs), "
        "or an object with around, pre or post"
    )


def through(
    middleware: Sequence[Around], context: Context, call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """The result of the call, made through these middleware."""
    for around in reversed(middleware):
        call = functools.partial(_step, around, context, call)
    return call(*args, **kwargs)


def _step(around: Around, context: Context, call: Call, /, *args: Any, **kwargs: Any) -> Any:
    return around(context, call, args, kwargs)


@dataclass(frozen=True)
class _Methods:
    """The methods of an object, as one function."""

    middleware: Any

    def __call__(self, context: Context, call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        around, pre, post = (getattr(self.middleware, name, None) for name in ("around", "pre", "post"))
        if pre is not None:
            pre(context)
        try:
            result = around(context, call, args, kwargs) if around is not None else call(*args, **kwargs)
        except BaseException as error:  # whatever ends the activity, what came before gets its end
            if post is not None and _takes_error(post):
                post(context, result=None, error=error)
            raise
        if post is not None:
            post(context, result=result)
        return result


def _takes_error(post: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(post).parameters
    except (TypeError, ValueError):  # a builtin may not say
        return False
    return "error" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
