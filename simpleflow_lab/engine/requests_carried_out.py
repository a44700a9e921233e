"""Records of carried out requests, for a client that makes one again because it never got the answer.

A client that loses its owner makes its request again at the next one, which can't tell from a history whether a signal
is the one of before or another. So such a request has an id, and what carried it out remembers the id and the answer,
in the transaction of its effect: they are on disk together, or neither is.

Rule: a refusal has no effect and is not remembered; the request may be carried out when it comes again.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

REMEMBERED_REQUESTS: Final = 10_000
"""The fewest requests that are remembered, if that many have come within `REMEMBERED_MILLISECONDS`."""
REMEMBERED_MILLISECONDS: Final = 86_400_000
"""The most milliseconds for which a request is remembered. A client that is suspended makes its request again when it
goes on."""
_FORGOTTEN_AT_ONCE: Final = 500
"""Number of further ones before the oldest are forgotten, in one statement."""
REQUEST_ID: Final = re.compile("[0-9A-Za-z-]{1,64}")
"""The form of a request's id."""


class CarriedOut(NamedTuple):
    """A request that was carried out. A change for the store."""

    number: int
    """Its number: later ones have greater numbers."""
    request_id: str
    """The id that its client gave it, and no other request."""
    at: int
    """When it was carried out, in milliseconds since 1970."""
    answer: Mapping[str, Any]
    """The answer."""

    def to_row(self) -> tuple[int, str, int, str]:
        """The row of the store."""
        return self.number, self.request_id, self.at, json.dumps(self.answer)

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> CarriedOut:
        """The request of a row. Raises one of `integrity.DECODE_ERRORS` if it is none."""
        number, request_id, at, text = row
        answer = json.loads(text)
        if not (isinstance(request_id, str) and isinstance(at, int) and isinstance(answer, dict)):
            raise ValueError("not what was written")
        return cls(number, request_id, at, answer)


class RequestsForgotten(NamedTuple):
    """A change for the store: requests are remembered no longer."""

    last: int
    """The greatest of their numbers; all that are not greater go."""


class CarriedOutRequests:
    """The requests that are remembered, in the order in which they were carried out."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, CarriedOut] = OrderedDict()
        self._last = 0

    def get(self, request_id: str) -> CarriedOut | None:
        """The request with this id; `None` if it was not carried out, or was forgotten."""
        return self._by_id.get(request_id)

    def put(self, request: CarriedOut) -> None:
        """Take up one that the store has."""
        self._by_id[request.request_id] = request
        self._last = max(self._last, request.number)

    def add(self, request_id: str, now: int, answer: Mapping[str, Any]) -> CarriedOut:
        """Remember a request that is carried out `now`, in milliseconds since 1970."""
        added = CarriedOut(self._last + 1, request_id, now, answer)
        self.put(added)
        return added

    def forget(self, now: int) -> RequestsForgotten | None:
        """Forget those that are too old at `now`, or too many; `None` if none is."""
        if len(self._by_id) >= REMEMBERED_REQUESTS + _FORGOTTEN_AT_ONCE:
            too_many = len(self._by_id) - REMEMBERED_REQUESTS
        else:
            too_many = 0
        last = None
        while self._by_id:
            first = next(iter(self._by_id.values()))
            if too_many <= 0 and first.at > now - REMEMBERED_MILLISECONDS:
                break
            del self._by_id[first.request_id]
            too_many -= 1
            last = first.number
        return None if last is None else RequestsForgotten(last)
