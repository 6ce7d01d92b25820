"""Public keys of one file: whoever holds one of their secrets may sign. They are not used here, only read."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from layering.errors import ContentError, InputError
from layering.releasesignatures.packets import PUBLIC_KEY, SECRET_KEY, SECRET_SUBKEY, dearmored, packets

_BYTES_MAX = 1024 * 1024
# github.com/openshift/cluster-update-keys, keys/verifier-public-key-redhat-release
_BUILT_IN = "redhat-release-key.asc"
_HINT = "export it with gpg --export (armored or binary)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyring:
    """The keys of one file in binary, one of which must have signed; `name` is what people call it."""

    name: str
    data: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, name: str) -> "Keyring":
        """Read an export of public keys, armored or binary. Raises InputError."""
        try:
            binary = dearmored(data)
            tags = [packet.tag for packet in packets(binary)]
        except ContentError as error:
            raise InputError(f"no public keys: {error.what}", where=name, next_step=_HINT) from None
        if {SECRET_KEY, SECRET_SUBKEY} & set(tags):
            raise InputError("this holds a secret key", where=name, next_step=f"keep it to yourself; {_HINT}")
        if tags[:1] != [PUBLIC_KEY]:
            raise InputError("this holds no public key", where=name, next_step=_HINT)
        return cls(name=name, data=binary)

    @classmethod
    def read(cls, file: Path) -> "Keyring":
        """Read a file. Raises InputError."""
        try:
            with file.open("rb") as opened:
                data = opened.read(_BYTES_MAX + 1)
        except OSError as error:
            raise InputError(f"the key cannot be read: {error.strerror}", where=str(file)) from None
        if len(data) > _BYTES_MAX:
            raise InputError(f"larger than {_BYTES_MAX} bytes", where=str(file), next_step=_HINT)
        return cls.parse(data, str(file))


@cache
def built_in() -> Keyring:
    """The key that Red Hat signs OpenShift releases with, 567E347AD0044ADE55BA8A5F199E2F91FD431D51."""
    return Keyring.parse(files(__package__).joinpath(_BUILT_IN).read_bytes(), "Red Hat's release key (built in)")
