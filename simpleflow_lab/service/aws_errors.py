"""Errors of boto3 and refusals of AWS, as errors of ours: one line each, which says what to do.

==============================  ======================================================================================
what happened                   error
==============================  ======================================================================================
no credentials, or refused      `CredentialsError`
the action is not allowed       `AccessDeniedException`
SWF refused the request         the `SWFFault` of SWF's name
too many requests, HTTP 5xx     an `SWFFault` that `is_transient`
no answer, or not SWF's         a `ServiceUnreachableError` that `is_transient`
==============================  ======================================================================================
"""

from __future__ import annotations

from typing import Any, Final

import botocore.exceptions
import botocore.parsers

from simpleflow_lab.exceptions import (
    FAULTS,
    AccessDeniedException,
    CredentialsError,
    ServiceUnreachableError,
    SimpleflowLabError,
    SWFFault,
    ThrottlingException,
    UnknownResourceFault,
    ValidationException,
)

_NO_CREDENTIALS: Final = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.UnknownCredentialError,
    botocore.exceptions.ConfigParseError,
    botocore.exceptions.ConfigNotFound,
    botocore.exceptions.InvalidConfigError,
    botocore.exceptions.InfiniteLoopConfigError,
    botocore.exceptions.RefreshWithMFAUnsupportedError,
    botocore.exceptions.SSOError,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.NoAuthTokenError,
    botocore.exceptions.MetadataRetrievalError,
)
"""The errors that boto3 raises when it finds no credentials, or can't use those that it finds."""
_LOGGED_OUT: Final = (botocore.exceptions.SSOError, botocore.exceptions.TokenRetrievalError)
_EXPIRED: Final = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})
_NOT_ACCEPTED: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "AuthFailure",
    }
)
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized"})
_TOO_MANY: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)
_TIMED_OUT: Final = frozenset({"RequestTimeout", "RequestTimeoutException"})


def session_error(error: Exception) -> SimpleflowLabError:
    """The error of a client that can't be made."""
    if isinstance(error, _LOGGED_OUT):
        return CredentialsError(
            f"the log-in at AWS has ended: {_one_line(error)}: log in again, as with `aws sso login`"
        )
    return CredentialsError(f"AWS's configuration can't be used: {_one_line(error)}: `aws configure list` shows it")


def call_error(error: Exception, operation: str) -> SimpleflowLabError | None:
    """The error of a call that boto3 could not make or that AWS refused; `None` for a bug."""
    match error:
        case botocore.exceptions.ClientError():
            return _refusal(error, operation)
        case botocore.exceptions.ParamValidationError():
            return ValidationException(_one_line(error))
        case _ if isinstance(error, _NO_CREDENTIALS):
            return CredentialsError(
                f"no AWS credentials: {_one_line(error)}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or run `aws configure`"
            )
        case botocore.exceptions.ReadTimeoutError():
            return _unreachable(f"SWF did not answer {operation} in time")
        case botocore.parsers.ResponseParserError():
            return not_swf(operation)
        case botocore.exceptions.ConnectionError() | botocore.exceptions.HTTPClientError():
            return _unreachable(
                f"SWF can't be reached: {_one_line(error)}: check the region, the network and AWS_ENDPOINT_URL_SWF"
            )
        case botocore.exceptions.BotoCoreError():  # newer versions have further ways to log in
            return session_error(error)
        case _:
            return None


def is_about_credentials(error: Exception) -> bool:
    """Whether other credentials may be the remedy."""
    if isinstance(error, botocore.exceptions.ClientError):
        return error.response.get("Error", {}).get("Code") in _EXPIRED | _NOT_ACCEPTED
    return isinstance(error, _NO_CREDENTIALS)


def not_swf(operation: str) -> ServiceUnreachableError:
    """The error of an answer that SWF can't have given."""
    return _unreachable(f"what answered {operation} is not Amazon SWF: check the network and AWS_ENDPOINT_URL_SWF")


def _unreachable(message: str) -> ServiceUnreachableError:
    error = ServiceUnreachableError(message)
    error.is_transient = True
    return error


def _refusal(error: botocore.exceptions.ClientError, operation: str) -> SimpleflowLabError:
    found: dict[str, Any] = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    code, message = str(found.get("Code", "")), _message(found.get("Message", ""))
    status = metadata.get("HTTPStatusCode", 400)
    if code in _EXPIRED:
        return CredentialsError(f"the AWS credentials have expired: get new ones, as with `aws sso login` ({message})")
    if code in _NOT_ACCEPTED:
        if message.startswith("Signature expired") or message.startswith("Signature not yet current"):
            return CredentialsError(f"AWS does not accept the time of this computer: set its clock ({message})")
        return CredentialsError(f"AWS does not accept the credentials ({code}: {message}): `aws configure list`")
    fault: SWFFault
    if code in _DENIED:
        fault = AccessDeniedException(message or f"{operation} is denied")
    elif code in _TOO_MANY or status == 429:
        fault = ThrottlingException(message or "Rate exceeded")
    elif code.isdigit():  # no words of SWF's: a load balancer or a proxy answered
        return _unreachable(f"SWF can't be reached: {operation} was answered with HTTP {code} {message}")
    else:
        fault = FAULTS[code](message) if code in FAULTS else SWFFault(message)
        fault.code = code or fault.code
        if isinstance(fault, UnknownResourceFault) and message.startswith("Unknown domain"):
            fault.advice = "name another one, or register it with `simpleflow domain.register`"
        fault.is_transient = status >= 500 or code in _TIMED_OUT
    fault.was_repeated = metadata.get("RetryAttempts", 0) > 0
    return fault


def _message(text: object) -> str:
    """A message of a service, in one line. A page of a proxy's or load balancer's is none."""
    line = _one_line(text)
    return "with a page of HTML" if line.lstrip().lower().startswith(("<html", "<!doctype")) else line


def _one_line(text: object) -> str:
    words = " ".join(str(text).split()).rstrip(".")
    # A refused value may be long; what is wrong with it stands behind it.
    return words if len(words) <= 500 else f"{words[:250]} … {words[-250:]}"
