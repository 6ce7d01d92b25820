"""How registries are reached: credentials, trust, plain http, time."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySettings:
    """What the configuration or the flags say.

    `auth_file`: containers-auth.json(5) or docker config; None means the usual places. `ca_file`: PEM certificates that
    are trusted besides the system's. `insecure`: `HOST[:PORT]` that may be asked without verification and over plain
    http. `timeout_seconds` bounds one operation, retries included.
    """

    auth_file: Path | None = None
    ca_file: Path | None = None
    insecure: frozenset[str] = frozenset()
    timeout_seconds: float = 120.0
