"""Where to listen: HOST:PORT."""

from dataclasses import dataclass

from layering.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenAddress:
    """Where to listen. Port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "ListenAddress":
        """`HOST:PORT` or `[HOST]:PORT`. Raises InputError; all addresses are asked for by name, as 0.0.0.0 or [::]."""
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        is_bracketed = host == f"[{bare}]"
        if not colon or not bare or (":" in bare and not is_bracketed) or not _is_port(port):
            raise InputError(
                f"{text!r} is no address to listen on",
                where="--listen",
                next_step="write HOST:PORT, such as 127.0.0.1:8080, or 0.0.0.0:8080 for every address",
            )
        return cls(host=bare, port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535
