"""A process that owns a store and is reached through a proxy: run by `test_requests_made_again`.

Arguments: the store, and the port of the proxy. It prints the port at which the proxy finds it, and lives until it is
killed or its standard input ends.
"""

from __future__ import annotations

import os
import sys

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http import store_keys
from simpleflow_lab.http.connection_file import URL, connection_file_path, write_connection_file
from simpleflow_lab.http.server import HOST, Endpoint


def serve_through(engine: EmbeddedSWF, port: int) -> Endpoint:
    """Serve the engine of a store. What other processes find is a proxy at this port."""
    endpoint = Endpoint(engine, keys=store_keys.of_store(engine.path))
    endpoint.hosts |= {f"{HOST}:{port}"}
    found = endpoint.environment | {URL: f"http://{HOST}:{port}", "pid": os.getpid()}
    write_connection_file(connection_file_path(engine.path), found)
    return endpoint


if __name__ == "__main__":
    path, port_of_proxy = sys.argv[1:]
    print(serve_through(EmbeddedSWF(path), int(port_of_proxy)).port, flush=True)
    sys.stdin.readline()
