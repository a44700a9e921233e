"""Amazon SWF through boto3, as an `SWFService`.

boto3's client has the methods of the protocol. What real use needs beside them is here: a read timeout longer than
SWF's long poll, retries with jitter, as many connections as there are pollers, and faults of our own classes. The same
client with another endpoint talks to an embedded engine that another process owns.

Rule: this module and `service.s3` are the only ones that import boto3, and they are imported only where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import boto3
import botocore.config
import botocore.exceptions

from simpleflow_lab.exceptions import (
    FAULTS,
    ServiceUnreachableError,
    SWFFault,
    UsageError,
    ValidationException,
)
from simpleflow_lab.service.delegation import DelegatingService
from simpleflow_lab.service.protocol import Answer

READ_TIMEOUT: Final = 75
"""Seconds. SWF holds an empty poll for 60; AWS asks clients for at least 70."""
CONNECT_TIMEOUT: Final = 10
MAX_ATTEMPTS: Final = 6
"""Attempts of one call, with botocore's exponential pauses and jitter between them."""
MAX_CONNECTIONS: Final = 200
"""Most connections at a time: each poll that waits holds one."""


def client(
    *,
    region: str | None = None,
    endpoint: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> Any:
    """A boto3 SWF client that is fit for long polls. An argument that is `None` comes from boto3's own configuration.

    Raises `UsageError` if there is no region.
    """
    config = botocore.config.Config(
        read_timeout=READ_TIMEOUT,
        connect_timeout=CONNECT_TIMEOUT,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": max_attempts},
        tcp_keepalive=True,
        parameter_validation=False,  # SWF itself validates, in its own words
        # The environment must not override a local endpoint, and no proxy stands before it.
        **({"ignore_configured_endpoint_urls": True, "proxies": {}} if endpoint else {}),
    )
    try:
        # boto3's default session keeps the first credentials that this process had: after they were changed in a
        # notebook it would go on writing to the other account. With explicit keys that does not matter, and the default
        # session is ten times faster than a new one.
        return (boto3.session.Session() if access_key is None else boto3).client(
            "swf",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )
    except (botocore.exceptions.NoRegionError, ValueError) as error:
        raise UsageError(f"no usable AWS region ({error}): name one, as in 'aws://eu-west-1/domain'") from None


def account(swf_client: Any) -> str:
    """Id of the account that the client's credentials belong to, or "unknown" if they don't allow the question."""
    try:
        region, credentials = swf_client.meta.region_name, swf_client._request_signer._credentials
        if credentials is None:
            return "unknown"
        sts = boto3.client(
            "sts",
            region_name=region,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
            config=botocore.config.Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 1}),
        )
        return str(sts.get_caller_identity()["Account"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return "unknown"


class Boto3Service(DelegatingService):
    """A boto3 SWF client as an `SWFService`: answers have no metadata, refusals are our classes."""

    def __init__(self, boto3_client: Any):
        self._client = boto3_client

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Call the client's method. Raises `SWFFault`, or `ServiceUnreachableError`."""
        try:
            answer: Answer = getattr(self._client, operation)(**request)
        except botocore.exceptions.ClientError as error:
            raise _fault(error) from None
        except botocore.exceptions.ParamValidationError as error:
            raise ValidationException(" ".join(str(error).split())) from None
        except botocore.exceptions.ReadTimeoutError:
            if operation.startswith("poll_for"):
                return {}  # no answer came in time: the same as no task
            raise ServiceUnreachableError(f"{operation} got no answer within {READ_TIMEOUT} s") from None
        except (
            botocore.exceptions.ConnectionError,
            botocore.exceptions.HTTPClientError,
            botocore.exceptions.NoCredentialsError,
            botocore.exceptions.CredentialRetrievalError,
        ) as error:
            raise ServiceUnreachableError(f"SWF can't be reached: {error}") from error
        answer.pop("ResponseMetadata", None)
        return answer


def _fault(error: botocore.exceptions.ClientError) -> SWFFault:
    """SWF's refusal as an exception of the class with SWF's name for it."""
    found = error.response.get("Error", {})
    code, message = str(found.get("Code", "")), str(found.get("Message", ""))
    known = FAULTS.get(code)
    if known is not None:
        return known(message)
    other = SWFFault(message)
    other.code = code
    return other
