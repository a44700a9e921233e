"""The port at which a store is served to SWF programs, which were told it once.

Rule: a port that is chosen here is below those that the system gives to outgoing connections. Another program's
connection can't have it by chance, nor can a client get it that tries to connect again and again while nobody listens.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

FIRST: Final = 20_000
TRIES: Final = 20
_OUTGOING: Final = "/proc/sys/net/ipv4/ip_local_port_range"
_USUALLY_OUTGOING: Final = 32_768


def ports_to_try(latest: int | None) -> Iterator[int]:
    """Ports, one of which is probably free: the latest one first, and any free one, 0, at the end."""
    if latest is not None:
        yield latest
    first_outgoing = _first_outgoing()
    if first_outgoing > FIRST:
        yield from random.sample(range(FIRST, first_outgoing), min(TRIES, first_outgoing - FIRST))
    yield 0


def _first_outgoing() -> int:
    """The first port that the system gives to outgoing connections."""
    try:
        with open(_OUTGOING, encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):  # not Linux
        return _USUALLY_OUTGOING
