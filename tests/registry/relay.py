"""A relay between a client and a registry that counts connections, and cuts them when it is told to."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_RECEIVE_BYTES = 16 * 1024


class Relay:
    """Listens on 127.0.0.1 and passes everything on to `target`.

    `cuts` holds, for the connections to come, after how many bytes from the registry each is cut; the others are whole.
    `on_sent` and `on_answered` hear what the client and the registry say, piece by piece, before it is passed on.
    """

    def __init__(
        self,
        target: str,
        *,
        cuts: list[int] | None = None,
        on_sent: Callable[[bytes], None] | None = None,
        on_answered: Callable[[bytes], None] | None = None,
    ) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._cuts = cuts or []
        self.on_sent, self.on_answered = on_sent, on_answered
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
        for one in list(self._open):  # who is cut comes again at once, and is not among them
            _end(one)
        self._cuts += after_bytes

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                try:
                    registry = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                self._open += [client, registry]
                limit = self._cuts.pop(0) if self._cuts else None
                threading.Thread(target=self._pass_on, args=(client, registry, None, True), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(registry, client, limit, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, limit: int | None, is_sent: bool) -> None:
        left = limit
        with contextlib.suppress(OSError):
            while left is None or left > 0:
                data = source.recv(_RECEIVE_BYTES if left is None else min(_RECEIVE_BYTES, left))
                if not data:
                    break
                if (hears := self.on_sent if is_sent else self.on_answered) is not None:
                    hears(data)
                sink.sendall(data)
                left = None if left is None else left - len(data)
        _end(source)
        _end(sink)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in (self._listener, *self._open):
            _end(one)
            one.close()


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
