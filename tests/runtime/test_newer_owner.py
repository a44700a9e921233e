"""A client whose owner ends, and the next owner, of a newer version, has migrated the store."""

from __future__ import annotations

import struct

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.store_format import SCHEMA_VERSION
from simpleflow_lab.exceptions import StoreVersionError
from simpleflow_lab.http import store_keys
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.runtime.shared_store import SharedStore

USER_VERSION_AT = 60
"""Where SQLite has the version in a file."""


def serve(path: str) -> tuple[EmbeddedSWF, Endpoint]:
    engine = EmbeddedSWF(path)
    return engine, Endpoint(engine, keys=store_keys.of_store(path), connection_file=connection_file_path(path))


def set_newer_version(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(USER_VERSION_AT)
        file.write(struct.pack(">i", SCHEMA_VERSION + 1))


def test_a_client_goes_on_as_the_client_of_an_owner_with_a_newer_version(tmp_path):
    path = str(tmp_path / "lab.sqlite")
    engine, endpoint = serve(path)
    client = SharedStore.open(path, owner_seconds=0.2)
    client.register_domain(name="first", workflowExecutionRetentionPeriodInDays="1")
    endpoint.close()
    engine.close()
    engine, endpoint = serve(path)
    set_newer_version(path)
    assert [each["name"] for each in client.list_domains(registrationStatus="REGISTERED")["domainInfos"]] == ["first"]
    assert client.engine is None
    endpoint.close()
    engine.close()
    set_newer_version(path)
    with pytest.raises(StoreVersionError):  # nobody owns it
        client.list_domains(registrationStatus="REGISTERED")
    client.close()
    with pytest.raises(StoreVersionError):
        SharedStore.open(path)
