"""S3 for tests: moto's server, over the wire, found through the environment as every AWS SDK finds an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

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


@pytest.fixture(scope="session")
def moto_server() -> Iterator[tuple[str, Any]]:
    """The URL of moto's server, which is S3, SWF and STS, and a client of S3."""
    from moto.server import ThreadedMotoServer
    from werkzeug.serving import WSGIRequestHandler

    # A body is sent after its head: it would wait for the client's acknowledgement, which takes 40 ms.
    WSGIRequestHandler.disable_nagle_algorithm = True
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.session.Session(aws_access_key_id="key", aws_secret_access_key="secret").client(
        "s3", region_name="us-east-1", endpoint_url=url
    )
    yield url, client
    client.close()
    server.stop()


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
