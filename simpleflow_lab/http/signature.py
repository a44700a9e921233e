"""AWS Signature Version 4, both ways: the sender of a request has the key of the connection file.

An AWS SDK signs every request anyway; a web page can't. Our own client signs with `signed_headers`. The check follows
AWS's description: the canonical request is built from the request that arrived and signed with the key, and the
signatures are compared in constant time.

Source: "Create a signed AWS API request", https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SERVICE: Final = "swf"
MAX_SKEW: Final = datetime.timedelta(minutes=15)
"""The most by which the time of a request may differ from this machine's; AWS's own limit."""
_MUST_BE_SIGNED: Final = frozenset({"host", "x-amz-date"})

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 "
    r"Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
    r",\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_STAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")


class SignatureError(Exception):
    """A request is not signed as it must be; the message is for the user of the client."""


def check_signature(
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    access_key: str,
    secret_key: str,
    now: datetime.datetime,
) -> None:
    """Raise `SignatureError` unless this request was signed with this key. Header names are in lower case."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", "").strip())
    if found is None:
        raise SignatureError("the request is not signed with AWS Signature Version 4")
    if not hmac.compare_digest(found["key"], access_key):
        raise SignatureError("the access key is not the one of this engine")
    signed = found["headers"].split(";")
    if not set(signed) >= _MUST_BE_SIGNED or found["service"] != SERVICE:
        raise SignatureError("the signature does not cover the host and the date, or is for another service")
    stamp = headers.get("x-amz-date", "")
    try:
        if not _STAMP.fullmatch(stamp):
            raise ValueError
        signed_at = datetime.datetime.fromisoformat(stamp)
    except ValueError:
        raise SignatureError("the request has no X-Amz-Date") from None
    if abs(now - signed_at) > MAX_SKEW or not stamp.startswith(found["date"]):
        raise SignatureError(f"the request was signed at {stamp}: too far from the engine's time")
    canonical = _canonical_request(method, path, headers, signed, body)
    expected = _signature(canonical, secret_key, stamp, found["date"], found["region"], found["service"])
    if not hmac.compare_digest(found["signature"], expected):
        raise SignatureError("the signature does not match: the secret key is not the one of this engine")


def signed_headers(
    headers: Mapping[str, str], *, body: bytes, access_key: str, secret_key: str, region: str, now: datetime.datetime
) -> dict[str, str]:
    """The headers of `POST /`, with its date and the signature of all of them and of the body added."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    dated = {**headers, "X-Amz-Date": stamp}
    lower = {name.lower(): value for name, value in dated.items()}
    signed = sorted(lower)
    canonical = _canonical_request("POST", "/", lower, signed, body)
    signature = _signature(canonical, secret_key, stamp, stamp[:8], region, SERVICE)
    dated["Authorization"] = (
        f"{ALGORITHM} Credential={access_key}/{stamp[:8]}/{region}/{SERVICE}/aws4_request, "
        f"SignedHeaders={';'.join(signed)}, Signature={signature}"
    )
    return dated


def _signature(canonical: bytes, secret_key: str, stamp: str, date: str, region: str, service: str) -> str:
    """The signature of a canonical request, in hexadecimal digits."""
    scope = f"{date}/{region}/{service}/aws4_request"
    to_sign = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(canonical).hexdigest()))
    return hmac.digest(_signing_key(secret_key, date, region, service), to_sign.encode(), "sha256").hex()


def _canonical_request(method: str, path: str, headers: Mapping[str, str], signed: list[str], body: bytes) -> bytes:
    lines = [method, path, ""]
    lines += [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed]
    lines += ["", ";".join(signed), hashlib.sha256(body).hexdigest()]
    return "\n".join(lines).encode()


@functools.lru_cache(maxsize=8)  # it is the same for all requests of a day
def _signing_key(secret_key: str, *parts: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (*parts, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
