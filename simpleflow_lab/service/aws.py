"""Amazon SWF through boto3, as an `SWFService`.

boto3's client has the protocol's methods already. What real use needs beside: a read timeout longer than SWF's long
poll, retries with jitter, as many connections as there are pollers, and faults of our own classes. The same client,
pointed at another endpoint, talks to an embedded engine that another process owns.

This is the one module that knows boto3, and it is imported only when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

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
from simpleflow_lab.service.protocol import Answer, SWFService

READ_TIMEOUT: Final = 75
"""Seconds. SWF holds an empty poll for 60; AWS asks clients for at least 70."""
CONNECT_TIMEOUT: Final = 10
MAX_ATTEMPTS: Final = 6
"""Tries of one call, with botocore's exponential pauses and jitter between them."""
MAX_CONNECTIONS: Final = 200
"""Each poll that waits holds one."""


def service(client: Any) -> SWFService:
    """A boto3 SWF client as our service: answers without metadata, faults as our classes."""
    return cast(SWFService, _Translated(client))


def client(
    *,
    region: str | None = None,
    endpoint: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> Any:
    """A boto3 SWF client fit for long polls. What is not given comes from boto3's own chain.

    Raises `UsageError` if there is no region.
    """
    config = botocore.config.Config(
        read_timeout=READ_TIMEOUT,
        connect_timeout=CONNECT_TIMEOUT,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": max_attempts},
        tcp_keepalive=True,
        parameter_validation=False,  # SWF checks, in its own words
        # A local endpoint must not be overruled by the environment, nor reached through a proxy.
        **({"ignore_configured_endpoint_urls": True, "proxies": {}} if endpoint else {}),
    )
    try:
        # boto3's default session keeps the first credentials that this process had: who changed them in a notebook
        # would go on writing to the other account. With keys given it is as good, and ten times faster than a new one.
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
    """The account that the client's credentials belong to, or "unknown": asking may not be allowed."""
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


class _Translated:
    """Calls the client's methods and translates."""

    def __init__(self, boto3_client: Any):
        self._client = boto3_client

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        method = getattr(self._client, name)

        def call(**request: Any) -> Answer:
            try:
                answer: Answer = method(**request)
            except botocore.exceptions.ClientError as error:
                raise _fault(error) from None
            except botocore.exceptions.ParamValidationError as error:
                raise ValidationException(" ".join(str(error).split())) from None
            except botocore.exceptions.ReadTimeoutError:
                if name.startswith("poll_for"):
                    return {}  # nobody answered in time: as good as no task
                raise ServiceUnreachableError(f"{name} got no answer within {READ_TIMEOUT} s") from None
            except (
                botocore.exceptions.ConnectionError,
                botocore.exceptions.HTTPClientError,
                botocore.exceptions.NoCredentialsError,
                botocore.exceptions.CredentialRetrievalError,
            ) as error:
                raise ServiceUnreachableError(f"SWF can't be reached: {error}") from error
            answer.pop("ResponseMetadata", None)
            return answer

        setattr(self, name, call)
        return call


def _fault(error: botocore.exceptions.ClientError) -> SWFFault:
    """SWF's refusal as our class."""
    found = error.response.get("Error", {})
    code, message = str(found.get("Code", "")), str(found.get("Message", ""))
    known = FAULTS.get(code)
    if known is not None:
        return known(message)
    other = SWFFault(message)
    other.code = code
    return other
