"""Task tokens and page tokens: a kind, a few numbers and a seal.

Rule: a token says everything that is needed to answer it, so that none is kept; the seal is made with the store's own
secret, so that a token made up, or of another store, is `Invalid token`, and one from before a restart is good.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import Final

from simpleflow_lab.exceptions import ValidationException

DECISION_TASK: Final = 1
"""execution key, scheduledEventId, startedEventId"""
ACTIVITY_TASK: Final = 2
"""execution key, scheduledEventId, startedEventId"""
DECISION_PAGE: Final = 3
"""execution key, scheduledEventId, startedEventId, next event id, first event id, time, what was asked"""
HISTORY_PAGE: Final = 4
"""execution key, next event id, time, what was asked"""
EXECUTIONS_PAGE: Final = 5
"""last timestamp, last execution key, time, what was asked"""
NAMES_PAGE: Final = 6
"""how many were given, time, what was asked"""

_PREFIX: Final = b"\x00\x00\x00\x2a\x00\x00\x00\x01\x00\x00\x00"
"""As SWF's own start: `AAAAKgAAAAEAAAA…`."""
_SEAL_BYTES: Final = 12


class Tokens:
    """Writes and reads the tokens of one store."""

    def __init__(self, secret: bytes):
        self._secret = secret

    def write(self, kind: int, *numbers: int) -> str:
        """A token of this kind."""
        body = struct.pack(f"<11sB{len(numbers)}q", _PREFIX, kind, *numbers)
        return base64.b64encode(body + self._seal(body)).decode()

    def read(self, kind: int, token: str) -> tuple[int, ...]:
        """The numbers of a token of this kind. Raises `ValidationException`."""
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            raise ValidationException("Invalid token") from None
        body, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
        if len(body) < 12 or body[11] != kind or seal != self._seal(body):
            raise ValidationException("Invalid token")
        return struct.unpack(f"<{(len(body) - 12) // 8}q", body[12:])

    def _seal(self, body: bytes) -> bytes:
        return hashlib.blake2s(body, key=self._secret, digest_size=_SEAL_BYTES).digest()
