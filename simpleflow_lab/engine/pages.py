"""Pages of lists and histories, and the tokens with which a client asks for the next page.

Rule: a page token is good for the request that it was given for, whatever the page size, and for a day.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from simpleflow_lab.engine.open_questions import PAGE_TOKEN_SECONDS
from simpleflow_lab.engine.responses import wires
from simpleflow_lab.engine.tokens import Tokens
from simpleflow_lab.engine.validation import Request
from simpleflow_lab.exceptions import ValidationException
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.history import HistoryEvent, WireEvent


class PageTokens:
    """Writes and reads page tokens."""

    def __init__(self, tokens: Tokens, now: Callable[[], int]) -> None:
        """`now` gives milliseconds since 1970."""
        self._tokens = tokens
        self._now = now

    def write(self, kind: int, digest: int, *numbers: int) -> str:
        """A token of this kind, for requests with this digest, that holds the numbers."""
        return self._tokens.write(kind, digest, self._now(), *numbers)

    def read(self, kind: int, digest: int, request: Request) -> tuple[int, ...] | None:
        """The numbers in the request's page token; `None` if it has none.

        Raises `ValidationException` for a token of another kind or request, or one that is too old.
        """
        if "nextPageToken" not in request:
            return None
        written_for, written_at, *numbers = self._tokens.read(kind, request["nextPageToken"])
        if written_for != digest:
            raise ValidationException("Invalid token")
        if self._now() > written_at + PAGE_TOKEN_SECONDS * 1000:
            raise ValidationException("Specified token has exceeded its maximum lifetime")
        return tuple(numbers)


def request_digest(about: str, request: Request) -> int:
    """A number that stands for a request apart from its page. `about` tells requests for different lists apart."""
    members = sorted(
        (name, str(value)) for name, value in request.items() if name not in ("nextPageToken", "maximumPageSize")
    )
    return zlib.crc32(repr((about, members)).encode("utf-8", "backslashreplace"))


def page_size(request: Request) -> int:
    """The most items that a page holds."""
    return request.get("maximumPageSize") or limits.MAX_PAGE_SIZE


def event_page(
    events: Sequence[HistoryEvent], start: int, first: int, last: int, size: int, backwards: bool
) -> tuple[list[WireEvent], int | None]:
    """The events of a page as boto3 gives them, and the id at which the next page begins, if there is one.

    The page begins at event id `start` and stays within the ids `first` to `last`.
    """
    if backwards:
        end = max(first, start - size + 1)
        page, following = wires(events[i - 1] for i in range(start, end - 1, -1)), end - 1
        return page, (following if following >= first else None)
    end = min(last, start + size - 1)
    page, following = wires(events[start - 1 : end]), end + 1
    return page, (following if following <= last else None)
