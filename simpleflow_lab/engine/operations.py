"""Makes a method one of SWF's operations: its signature, its checks and its thread are the same for all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from simpleflow_lab.engine import validation
from simpleflow_lab.engine.transactions import DurableState
from simpleflow_lab.engine.validation import Request
from simpleflow_lab.service.delegation import refuse_positional
from simpleflow_lab.service.protocol import Answer, SWFService

P = ParamSpec("P")


class Operations:
    """The base of all classes that have operations."""

    _durable: DurableState


Holder = TypeVar("Holder", bound=Operations)


def operation(
    declared: Callable[Concatenate[SWFService, P], Answer],
) -> Callable[[Callable[[Holder, Request], Answer]], Callable[Concatenate[Holder, P], Answer]]:
    """Make a method the declared operation: its request is validated, and it runs off the main thread."""
    name = swf_name(declared)

    def decorate(method: Callable[[Holder, Request], Answer]) -> Callable[Concatenate[Holder, P], Answer]:
        @functools.wraps(method)
        def call(self: Holder, /, *args: P.args, **request: P.kwargs) -> Answer:
            if args:
                refuse_positional(declared)
            validation.check(name, request)
            return self._durable.run_off_main_thread(lambda: method(self, request))

        return call

    return decorate


def swf_name(declared: Callable[..., Answer]) -> str:
    """SWF's name of an operation."""
    return "".join(word.capitalize() for word in declared.__name__.split("_"))
