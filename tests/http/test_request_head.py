"""The head of a request: what clients send is read, and what could be read in two ways is refused."""

from __future__ import annotations

import io

import pytest

from simpleflow_lab.http.request_head import MAX_HEADERS, MAX_LINE, RequestHeadError, read_request_head


def test_a_request_of_a_client_is_read_and_the_body_is_left():
    connection = io.BytesIO(
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-Amz-Target: SimpleWorkflowService.ListDomains\r\n"
        b"Accept: a\r\naccept:\tb \r\nContent-Length: 2\r\n\r\n{}"
    )
    head = read_request_head(connection)
    assert head is not None
    assert (head.method, head.target, head.keeps_connection) == ("POST", "/", True)
    assert head.headers == {
        "host": "127.0.0.1:8000",
        "x-amz-target": "SimpleWorkflowService.ListDomains",
        "accept": "a, b",
        "content-length": "2",
    }
    assert connection.read() == b"{}"
    assert read_request_head(connection) is None


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: Close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
    ],
)
def test_whether_the_connection_is_kept(version, connection, keeps):
    head = read_request_head(io.BytesIO(b"GET / HTTP/" + version + b"\r\n" + connection + b"\r\n"))
    assert head is not None
    assert head.keeps_connection is keeps


FIRST = b"POST / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"\r\n", 400),
        (b"POST /\r\n\r\n", 400),
        (b"POST / HTTP/2.0\r\n\r\n", 400),
        (b"POST  / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"POST /" + MAX_LINE * b"x" + b" HTTP/1.1\r\n\r\n", 414),
        (FIRST + b"no header\r\n\r\n", 400),
        (FIRST + b"Name : value\r\n\r\n", 400),
        (FIRST + b"Name: value\r\n folded\r\n\r\n", 400),
        (FIRST + b": value\r\n\r\n", 400),
        (FIRST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (FIRST + b"Host: a\r\nhost: b\r\n\r\n", 400),
        (FIRST + b"Name: value", 400),
        (FIRST, 400),
        (FIRST + b"Name: " + MAX_LINE * b"x" + b"\r\n\r\n", 431),
        (FIRST + (MAX_HEADERS + 1) * b"Name: value\r\n" + b"\r\n", 431),
        (FIRST + b"".join(b"n%d: %b\r\n" % (n, 8000 * b"x") for n in range(10)) + b"\r\n", 431),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(text, status):
    with pytest.raises(RequestHeadError) as refused:
        read_request_head(io.BytesIO(text))
    assert refused.value.status == status


def test_as_many_headers_as_may_be_are_read():
    text = b"".join(b"h%d: %d\r\n" % (number, number) for number in range(MAX_HEADERS))
    head = read_request_head(io.BytesIO(FIRST + text + b"\r\n"))
    assert head is not None
    assert len(head.headers) == MAX_HEADERS
