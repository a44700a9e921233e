"""Encoders of JSON text that are made once.

`json.JSONEncoder.encode` makes an encoder in C for each call, which takes longer than a small object does. Here it is
made once; the text is the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def compact_encoder(*, sort_keys: bool = False) -> Callable[[Any], str]:
    """An `encoder` whose text has no spaces between its parts."""
    return encoder(item_separator=",", key_separator=":", sort_keys=sort_keys)


def encoder(
    *,
    item_separator: str = ", ",
    key_separator: str = ": ",
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
    allow_nan: bool = True,
) -> Callable[[Any], str]:
    """A function that gives the JSON text, in ASCII, of a value in JSON's own types.

    A value of another type is written as what `default` gives for it; without that it raises `TypeError`. It raises
    `RecursionError` for a value that contains itself, and `ValueError` for a number that is not finite unless these are
    allowed.
    """
    plain = json.JSONEncoder(
        separators=(item_separator, key_separator),
        check_circular=False,
        sort_keys=sort_keys,
        default=default,
        allow_nan=allow_nan,
    )
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without the module in C
        return plain.encode
    quote = json.encoder.encode_basestring_ascii
    chunks = make(None, plain.default, quote, None, key_separator, item_separator, sort_keys, False, allow_nan)
    return lambda value: "".join(chunks(value, 0))
