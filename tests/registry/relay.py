"""A relay between a client and a registry that counts connections, and cuts them when it is told to."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_RECEIVE_BYTES = 16 * 1024


class Relay:
    """Listens on 127.0.0.1 and passes everything on to `target`.

    `cuts` holds, for the connections to come, after how many bytes from the registry each is cut; the others are whole.
    """

    def __init__(self, target: str, *, cuts: list[int] | None = None) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._cuts = cuts or []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def cut_next(self, *after_bytes: int) -> None:
        """Cut the connections there are, and each of the next ones after so many bytes."""
        for one in self._open:
            _end(one)
        self._cuts += after_bytes

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                registry = socket.create_connection(self._target)
                self._open += [client, registry]
                limit = self._cuts.pop(0) if self._cuts else None
                threading.Thread(target=_pass_on, args=(client, registry, None), daemon=True).start()
                threading.Thread(target=_pass_on, args=(registry, client, limit), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in (self._listener, *self._open):
            _end(one)
            one.close()


def _pass_on(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    left = limit
    with contextlib.suppress(OSError):
        while left is None or left > 0:
            data = source.recv(_RECEIVE_BYTES if left is None else min(_RECEIVE_BYTES, left))
            if not data:
                break
            sink.sendall(data)
            left = None if left is None else left - len(data)
    _end(source)
    _end(sink)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
