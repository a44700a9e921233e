"""The client side of the loopback endpoint: the engine of a store that another process owns.

Rule: the address and key in a connection file are used for this engine alone: never through the environment, and never
for another machine.
"""

from __future__ import annotations

from simpleflow_lab.http import connection_file
from simpleflow_lab.http.connection_file import connection_file_path, read_connection_file
from simpleflow_lab.service.protocol import SWFService


def connect_to_owner(store: str) -> SWFService:
    """The engine of the process that owns the store at this path.

    Raises `ServiceUnreachableError` if there is no usable connection file. Whether the owner responds shows at the
    first call.
    """
    from simpleflow_lab.service import aws  # noqa: PLC0415  boto3: only processes that talk to another one load it

    record = read_connection_file(connection_file_path(store))
    client = aws.client(
        region=record[connection_file.REGION],
        endpoint=record[connection_file.URL],
        access_key=record[connection_file.ACCESS_KEY],
        secret_key=record[connection_file.SECRET_KEY],
        max_attempts=1,  # an owner that does not respond is dead: the next one is looked for at once
    )
    return aws.Boto3Service(client)
