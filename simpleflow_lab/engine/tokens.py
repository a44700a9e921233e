"""Task tokens and page tokens: a kind, a few numbers and a signature.

Rule: a token holds everything that is needed to read it, so that the engine remembers none. It is signed with the
store's own secret, so that a forged token, or one of another store, is an `Invalid token`, and one from before a
restart is good.
"""

from __future__ import annotations

import binascii
import hashlib
import struct
from typing import Final

from simpleflow_lab.exceptions import ValidationException

DECISION_TASK_TOKEN: Final = 1
"""execution key, scheduledEventId, startedEventId"""
ACTIVITY_TASK_TOKEN: Final = 2
"""execution key, scheduledEventId, startedEventId"""
DECISION_PAGE_TOKEN: Final = 3
"""request digest, time, execution key, scheduledEventId, startedEventId, first event id, next event id, backwards"""
HISTORY_PAGE_TOKEN: Final = 4
"""request digest, time, next event id"""
EXECUTIONS_PAGE_TOKEN: Final = 7
"""request digest, time, timestamp and execution key of the last execution of the page; 5 had them negated"""
NAMES_PAGE_TOKEN: Final = 6
"""request digest, time, how many items precede the page"""

_PREFIX: Final = b"\x00\x00\x00\x2a\x00\x00\x00\x01\x00\x00\x00"
"""The first bytes of SWF's own tokens: `AAAAKgAAAAEAAAA…`."""
_SIGNATURE_BYTES: Final = 12


class Tokens:
    """Writes and reads the tokens of one store."""

    def __init__(self, secret: bytes) -> None:
        self._keyed = hashlib.blake2s(key=secret, digest_size=_SIGNATURE_BYTES)

    def write(self, kind: int, *numbers: int) -> str:
        """A token of this kind that holds the numbers."""
        body = struct.pack(f"<11sB{len(numbers)}q", _PREFIX, kind, *numbers)
        return binascii.b2a_base64(body + self._sign(body), newline=False).decode()

    def read(self, kind: int, token: str) -> tuple[int, ...]:
        """The numbers in a token of this kind. Raises `ValidationException`."""
        try:
            raw = binascii.a2b_base64(token, strict_mode=True)
        except (binascii.Error, ValueError):
            raise ValidationException("Invalid token") from None
        body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if len(body) < 12 or body[11] != kind or signature != self._sign(body):
            raise ValidationException("Invalid token")
        return struct.unpack(f"<{(len(body) - 12) // 8}q", body[12:])

    def is_of(self, kind: int, token: str) -> bool:
        """Whether the token is of this kind."""
        try:
            self.read(kind, token)
        except ValidationException:
            return False
        return True

    def _sign(self, body: bytes) -> bytes:
        signature = self._keyed.copy()
        signature.update(body)
        return signature.digest()
