"""The limits that are fixed: what is exactly at one is taken, one more is not. Sizes in bytes."""

import gzip
from collections.abc import Callable

from layering.registry.manifest import OCI_CONFIG
from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.attacks_addresses import challenged
from tests.registry.hostile.attacks_payload import GOOD, member, of_layers, packed
from tests.registry.hostile.goods import CONFIG, LAYER, MANIFEST, METADATA, descriptor, dumped, image, references
from tests.registry.hostile.rows import Does, Row, Scene, on

_KIBI, _MEBI = 1 << 10, 1 << 20
_END = b"\0" * 1024
_NAMED = 0x08  # gzip's flag for a file's name, which may be of any length (RFC 1952, 2.3)


def _token(size: int) -> Does:
    def does(scene: Scene, asked: Asked) -> Answer | None:
        if asked.target.startswith("/token"):
            return Answer(status=200, body=b'{"token": "t0ken"}'.ljust(size))
        return challenged('Bearer realm="<ours>/token"')(scene, asked)

    return does


def _manifest(size: int) -> Does:
    return on("/manifests/", Answer(status=200, body=MANIFEST.ljust(size)))


def _config(size: int) -> Does:
    raw = CONFIG.ljust(size)
    manifest = dumped(image(config=descriptor(raw, OCI_CONFIG)))

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/manifests/" in asked.target:
            return Answer(status=200, body=manifest)
        return Answer(status=200, body=raw) if "/blobs/" in asked.target else None

    return does


def _descriptors(number: int) -> Does:
    return on("/manifests/", Answer(status=200, body=dumped(image([descriptor(LAYER)] * number))))


def _depth(levels: int) -> Does:
    """The document itself is the first level."""
    inner = "[" * (levels - 1) + "]" * (levels - 1)
    raw = MANIFEST.replace(b'"schemaVersion"', f'"x": {inner}, "schemaVersion"'.encode())
    return on("/manifests/", Answer(status=200, body=raw))


def _padding(size: int) -> bytes:
    """A gzip member of this size that holds nothing."""
    empty = gzip.compress(b"", mtime=0)
    return empty[:3] + bytes([_NAMED]) + empty[4:10] + b"n" * (size - len(empty) - 1) + b"\0" + empty[10:]


def _zeros(size: int) -> bytes:
    return gzip.compress(b"\0" * _MEBI, mtime=0) * (size // _MEBI) + gzip.compress(b"\0" * (size % _MEBI), mtime=0)


def _compressed(size: int) -> Does:
    start = packed(GOOD, _END)
    return of_layers(lambda: [start + _padding(size - len(start))])


def _inflated(size: int) -> Does:
    """Padded, so that it is no bomb by its ratio."""
    return of_layers(lambda: [packed(GOOD) + _zeros(size - len(GOOD)) + _padding(_MEBI)])


def _ratio(size: int) -> Does:
    return of_layers(lambda: [packed(GOOD) + _zeros(size - len(GOOD))])


def _file(size: int) -> Does:
    stream = member("release-manifests/image-references", dumped(references()).ljust(size))
    return of_layers(lambda: [packed(stream, member("release-manifests/release-metadata", dumped(METADATA)), _END)])


def _refusal(size: int) -> Does:
    return on("/manifests/", Answer(status=403, body=error(403, "DENIED", "so it says").body.ljust(size)))


Made = Callable[[int], Does]
_LIMITS: tuple[tuple[str, str, Made, int], ...] = (
    ("a token", "resolve", _token, 256 * _KIBI),
    ("a manifest", "manifest", _manifest, 4 * _MEBI),
    ("a configuration", "config", _config, 4 * _MEBI),
    ("descriptors", "manifest", _descriptors, 1000),
    ("levels of JSON", "manifest", _depth, 32),
    ("a release's layer", "release", _compressed, 32 * _MEBI),
    ("a release's layer, inflated", "release", _inflated, 128 * _MEBI),
    ("a file of a release", "release", _file, 16 * _MEBI),
    ("an OS image's layer that inflates a lot", "layers", _ratio, 64 * _MEBI),
)


def _row(name: str, do: str, does: Does) -> Row:
    return Row(name=name, do=do, does=does, is_open=do == "resolve")


AT_LIMIT = [_row(name, do, make(limit)) for name, do, make, limit in _LIMITS]
ABOVE_LIMIT = [_row(name, do, make(limit + 1)) for name, do, make, limit in _LIMITS]
REFUSAL_AT_LIMIT = _row("a refusal", "manifest", _refusal(64 * _KIBI))
REFUSAL_ABOVE_LIMIT = _row("a refusal", "manifest", _refusal(64 * _KIBI + 1))
