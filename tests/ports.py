"""Ports for servers that are told theirs before they start, and may stand still for a while."""

import os
import random
import socket

_OURS, _EACH = range(12_000, 32_000), 5_000
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, and nobody gets who asks for any. It is given once.

    The kernel gives out those of net.ipv4.ip_local_port_range, 32768 and more unless somebody set it (ip(7)): nobody
    takes one of ours while its server is being started again. Each of up to four processes of a test run has its own;
    of two runs at once it is left to chance.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _OURS.start + worker * _EACH % len(_OURS)
    for port in random.sample(range(first, first + _EACH), _EACH):
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise OSError(f"no port is free from {first} on")
