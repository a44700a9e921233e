"""Encoders of JSON text that are made once.

`json.JSONEncoder.encode` makes an encoder in C for each call, which takes longer than a small object does. Here it is
made once; the text is the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def compact_encoder(*, sort_keys: bool = False) -> Callable[[Any], str]:
    """A function that gives the compact JSON text, in ASCII, of a value in JSON's own types without a circle.

    It raises `TypeError` for other types.
    """
    encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False, sort_keys=sort_keys)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without the module in C
        return encoder.encode
    quote = json.encoder.encode_basestring_ascii
    chunks = make(None, encoder.default, quote, None, ":", ",", sort_keys, False, True)
    return lambda value: "".join(chunks(value, 0))
