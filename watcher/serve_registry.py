"""`layerwatch registry`: the embedded registry by itself, for trying and testing."""

import argparse
import ipaddress
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from layering.errors import InputError
from layering.outcome import answer
from watcher.notice import Notice

if TYPE_CHECKING:
    from layering.registry.storage import DirectoryStorage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.description = (
        "The embedded registry by itself, for trying and testing. It is not meant to serve a cluster: there is no "
        "garbage collection, no replication and no quota."
    )
    parser.epilog = "example:\n  layerwatch registry --listen 127.0.0.1:5000 --dir registry-data"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="port 0 takes a free one")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="keep everything here (default: in memory)")
    parser.add_argument("--htpasswd", type=Path, metavar="FILE", help="ask for passwords; bcrypt lines (htpasswd -B)")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM certificate chain")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM key of the certificate")
    parser.add_argument(
        "--allow-anonymous", action="store_true", help="listen on other addresses than loopback without passwords"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. The first line on stdout says where."""
    from layering.registry.htpasswd import read_htpasswd
    from layering.registry.server import RegistryServer

    host, port = _address(arguments.listen)
    if not (_is_loopback(host) or arguments.htpasswd or arguments.allow_anonymous):
        raise InputError(
            f"{host} is not a loopback address, and anyone could push",
            where="--listen",
            next_step="give --htpasswd FILE, or --allow-anonymous if that is what you want",
        )
    if (arguments.tls_cert is None) != (arguments.tls_key is None):
        raise InputError("--tls-cert and --tls-key belong together", next_step="give both or none")
    server = RegistryServer(
        _storage(arguments.dir),
        host=host,
        port=port,
        check_password=read_htpasswd(arguments.htpasswd) if arguments.htpasswd else None,
        tls=(arguments.tls_cert, arguments.tls_key) if arguments.tls_cert else None,
    )
    stop = Notice()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with server:
        answer(f"listening on {server.url}\n")
        sys.stdout.flush()
        stop.wait_for_it()
    return 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"{text!r} is not HOST:PORT", where="--listen", next_step="write 127.0.0.1:5000")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _storage(directory: Path | None) -> "DirectoryStorage | None":
    from layering.registry.storage import DirectoryStorage

    try:
        return DirectoryStorage(directory) if directory else None
    except OSError as error:
        raise InputError(f"{directory} cannot be used: {error.strerror}", where="--dir") from None
