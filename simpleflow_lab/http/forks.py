"""Sockets of this process that its forked processes must not hold open.

A forked process inherits copies of all sockets. As long as one copy is open, the other end sees no end of the
connection: an owner would not learn that its client was killed while a process that the client forked lives on, nor the
client that its owner was.

Rule: each socket of the endpoint and of our own client is registered here when it is made. In a forked process its
descriptor stands for nothing: what closes it there closes nothing else.
"""

from __future__ import annotations

import os
import socket
import weakref
from typing import Final

_sockets: Final[weakref.WeakSet[socket.socket]] = weakref.WeakSet()


def register(own: socket.socket) -> None:
    """Close this socket's copy in each process that is forked from now on."""
    _sockets.add(own)


def _close_copies() -> None:
    descriptors = [descriptor for descriptor in (own.fileno() for own in list(_sockets)) if descriptor >= 0]
    _sockets.clear()
    if descriptors:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in descriptors:
            os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)


os.register_at_fork(after_in_child=_close_copies)
