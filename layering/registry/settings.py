"""How registries are reached: credentials, trust, mirrors, proxy, plain http, time."""

from dataclasses import dataclass
from pathlib import Path

from layering.registry.mirrorrule import MirrorRule
from layering.secrets import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """A proxy that is named instead of the environment's. The URLs may hold a password.

    `no_proxy` is what NO_PROXY would say: host names, `.DOMAIN`, addresses, CIDRs and `*`, separated by commas.
    """

    http: Secret | None = None
    https: Secret | None = None
    no_proxy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySettings:
    """What the configuration, the flags or a cluster say.

    `auth_file`: containers-auth.json(5) or docker config; None means the usual places. `auth_document`: the text of
    one, which is asked instead of any file. `ca_file`: PEM certificates that are trusted besides the system's;
    `ca_pem`: more of them, as text. `mirrors`: where to read instead, in their order. `proxy`: None means the
    environment's. `insecure`: `HOST[:PORT]` that may be asked without verification and over plain http.
    `timeout_seconds` bounds one operation, retries and mirrors included.
    """

    auth_file: Path | None = None
    auth_document: Secret | None = None
    ca_file: Path | None = None
    ca_pem: str = ""
    mirrors: tuple[MirrorRule, ...] = ()
    proxy: Proxy | None = None
    insecure: frozenset[str] = frozenset()
    timeout_seconds: float = 120.0

    @property
    def auth(self) -> Path | Secret | None:
        """Where credentials are looked up: in the document, else in the file, else in the usual places."""
        return self.auth_document or self.auth_file
