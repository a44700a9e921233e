"""S3 for tests: moto's server, over the wire, found through the environment as every AWS SDK finds an endpoint."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

NAME = "fields-of-jumbo"


class Bucket(NamedTuple):
    """A bucket of moto's server."""

    name: str
    url: str
    """Where the server answers."""
    client: Any
    """A boto3 client, to put things there as anybody could."""

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    @property
    def keys(self) -> list[str]:
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=self.name).get("Contents", ())]


def _one_at_a_time(application: WSGIApplication) -> WSGIApplication:
    """The application, of which one request is answered at a time.

    A service does each request as a whole. moto's threads do not: a worker could take and complete the first activity
    of a decision before the second was scheduled, and the history then says that the decision asked for one only.
    """
    lock = threading.Lock()

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return application(environ, start_response)

    return answer


@pytest.fixture(scope="session")
def moto_server() -> Iterator[tuple[str, Any]]:
    """The URL of moto's server, which is S3, SWF and STS, and a client of S3."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    # A body is sent after its head: it would wait for the client's acknowledgement, which takes 40 ms.
    MotoRequestHandler.disable_nagle_algorithm = True
    application = _one_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"http://127.0.0.1:{server.port}"
    client = boto3.session.Session(aws_access_key_id="key", aws_secret_access_key="secret").client(
        "s3", region_name="us-east-1", endpoint_url=url
    )
    yield url, client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket(moto_server: tuple[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """An empty bucket; the environment says that its server is Amazon S3, and where the user's cache is."""
    url, client = moto_server
    for name, value in {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "SIMPLEFLOW_JUMBO_FIELDS_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    client.create_bucket(Bucket=NAME)
    yield Bucket(NAME, url, client)
    for found in client.list_objects_v2(Bucket=NAME).get("Contents", ()):
        client.delete_object(Bucket=NAME, Key=found["Key"])
    client.delete_bucket(Bucket=NAME)
