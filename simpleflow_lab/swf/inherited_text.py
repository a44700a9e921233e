"""The text in which a fork's first event holds what the fork inherits: JSON, compressed, of characters that JSON keeps.

Rule: a text may come from anybody. Expanding it is bounded; what it says is checked by who reads it.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Final

from simpleflow_lab.exceptions import HistoryError

MAX_BYTES: Final = 64 * 1024 * 1024
"""Most bytes that the text of one fork expands to."""


def pack(value: Any, *, max_bytes: int = MAX_BYTES) -> str:
    """The text of a value. Raises `HistoryError` if it is too large."""
    plain = json.dumps(value, separators=(",", ":")).encode()
    if len(plain) > max_bytes:
        raise HistoryError(f"what a fork inherits has {len(plain):,} bytes, at most {max_bytes:,} can be kept")
    return base64.b85encode(zlib.compress(plain, 9)).decode("ascii")


def unpack(text: str, *, max_bytes: int = MAX_BYTES) -> Any:
    """The value of a text. Raises `HistoryError` for one that `pack` does not write."""
    try:
        decompressor = zlib.decompressobj()
        plain = decompressor.decompress(base64.b85decode(text), max_bytes)
        if not decompressor.eof:
            raise HistoryError(f"what this fork inherits is cut, or larger than {max_bytes:,} bytes")
        return json.loads(plain)
    except (ValueError, zlib.error, RecursionError) as error:
        raise HistoryError(f"what this fork inherits can't be read: {type(error).__name__}: {error}"[:300]) from None
