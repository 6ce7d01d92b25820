"""Tokens of a GitHub App: minted when they are needed, for one repository each, and minted again before they end.

docs.github.com/apps, "Generating a JSON Web Token (JWT) for a GitHub App" and "Generating an installation access
token for a GitHub App". Signing needs PyJWT (the extra `github-app`); docs/decisions/0018.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from layering.errors import InputError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.forge.answers import Answer
from layering.forge.apihost import moment
from layering.forge.exchange import Exchange, Sent
from layering.forge.patience import Patience
from layering.forge.settings import App, ForgeSettings
from layering.reasons import Reason
from layering.secrets import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_BEGAN_BEFORE = timedelta(seconds=60)  # GitHub's advice, for clocks that differ
_CLOCKS_DIFFER = timedelta(seconds=30)
_LASTS = timedelta(seconds=540)  # at most 10 minutes
_RENEWED_BEFORE = timedelta(minutes=5)


class AppSignature:
    """The App itself, as a credential: a short-lived signature instead of a token."""

    def __init__(self, app: App) -> None:
        """Raises InputError when the key cannot be used, or nothing here can sign with it."""
        self._app = app
        self._key = _private_key(app)
        self.now: Callable[[], datetime] | None = None
        self._signed_at: datetime | None = None

    def token(self, repository: str | None) -> Secret:
        """See Credentials. The clock is the forge's where it is known."""
        import jwt

        now = self._signed_at = self.now() if self.now else datetime.now().astimezone()
        claims = {
            "iat": int((now - _BEGAN_BEFORE).timestamp()),
            "exp": int((now + _LASTS).timestamp()),
            "iss": self._app.id,
        }
        return Secret(jwt.encode(claims, self._key, algorithm="RS256"))

    def refused(self, repository: str | None) -> bool:
        """See Credentials. The key stays what it is; but the answer told GitHub's clock, and ours may be another."""
        before = self._signed_at
        return before is not None and self.now is not None and abs(self.now() - before) > _CLOCKS_DIFFER

    def close(self) -> None:
        """See Credentials."""


@dataclass(frozen=True, slots=True)
class _Minted:
    token: Secret
    ends: datetime
    repository: Any  # GitHub's document of the one it is for, where the answer has it


class InstallationTokens:
    """Credentials of an App's installations. Safe to use from threads: no token is minted twice at once."""

    def __init__(
        self,
        settings: ForgeSettings,
        app: App,
        *,
        headers: Mapping[str, str],
        patience: Patience,
        on_request: Callable[[Sent], None] | None = None,
    ) -> None:
        """`patience` is shared with the exchange that these tokens are for. Raises InputError as AppSignature."""
        signature = AppSignature(app)
        self._app = app
        self._where = f"{settings.name}: App {app.id}"
        self._exchange = Exchange(settings, signature, headers=headers, on_request=on_request, patience=patience)
        signature.now = self._exchange.now
        self._minted: dict[str, _Minted] = {}
        self._installations: dict[str, int] = {}
        self._slug: str | None = None
        self._guard = threading.RLock()

    def token(self, repository: str | None) -> Secret | None:
        """See Credentials. Without a repository, the token minted last; None when there is none yet."""
        with self._guard:
            if repository is None:
                return next((each.token for each in reversed(self._minted.values())), None)
            known = self._minted.get(repository)
            if known is None or known.ends - _RENEWED_BEFORE <= self._exchange.now():
                self._minted.pop(repository, None)
                known = self._minted[repository] = self._mint(repository)
            return known.token

    def refused(self, repository: str | None) -> bool:
        """See Credentials. It may have been taken back; the next one is minted when it is asked for."""
        with self._guard:
            return repository is not None and self._minted.pop(repository, None) is not None

    def slug(self) -> str:
        """What the App is called in addresses; `SLUG[bot]` is the user its commits are by. One request at most."""
        with self._guard:
            return self._slug or str(_field(self._exchange.get("app").json, "slug", str))

    def repository(self, name: str) -> Any:
        """GitHub's document of a repository, as it came with the token for it; None when none did."""
        with self._guard:
            known = self._minted.get(name)
            return known.repository if known is not None else None

    def close(self) -> None:
        """Close all connections."""
        self._exchange.close()

    def _mint(self, repository: str) -> _Minted:
        answer = self._asked_for(repository)
        if answer.status == 404 and self._installations.pop(repository.partition("/")[0], None) is not None:
            answer = self._asked_for(repository)  # installed anew: the installation has another number then
        if answer.status >= 400:
            raise self._refused(f"it is not installed for {repository}: {answer.message}")
        try:
            ends = moment(_field(answer.json, "expires_at", str))
        except ValueError:
            raise _odd("a time in expires_at") from None
        told = answer.json.get("repositories")
        only = told[0] if isinstance(told, list) and len(told) == 1 else None
        return _Minted(Secret(_field(answer.json, "token", str)), ends, only)

    def _asked_for(self, repository: str) -> Answer:
        path = f"app/installations/{self._installation(repository)}/access_tokens"
        return self._exchange.send("POST", path, {"repositories": [repository.partition("/")[2]]}, expect=(404, 422))

    def _installation(self, repository: str) -> int:
        if self._app.installation is not None:
            return self._app.installation
        owner = repository.partition("/")[0]
        if owner not in self._installations:
            try:
                answer = self._exchange.get(f"repos/{quote(repository)}/installation")
            except NotFoundError:
                raise self._refused(f"it is not installed for {repository}") from None
            self._installations[owner] = _field(answer.json, "id", int)
            told = answer.json.get("app_slug")
            self._slug = told if isinstance(told, str) else None
        return self._installations[owner]

    def _refused(self, what: str) -> LayerwatchError:
        return RefusedError(
            what,
            where=self._where,
            next_step="install the App for this repository (its settings, Install App)",
            reason=Reason.FORGE_REFUSED,
        )


def _private_key(app: App) -> "RSAPrivateKey":
    try:
        import jwt  # noqa: F401 what signs with it later
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise InputError(
            "nothing here can sign for a GitHub App",
            where=f"App {app.id}",
            next_step="pip install '.[github-app]' in the checkout, or give a token instead",
        ) from None
    where = str(app.private_key_file)
    try:
        key = load_pem_private_key(app.private_key_file.read_bytes(), password=None)
    except OSError as error:
        raise InputError(f"the private key cannot be read: {error.strerror}", where=where) from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise InputError(
            "no private key of a GitHub App is in it",
            where=where,
            next_step="name the .pem file that the App's settings gave, without a passphrase",
        )
    return key


def _field(document: Any, name: str, kind: type) -> Any:
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise _odd(name)
    return value


def _odd(what: str) -> UnavailableError:
    return UnavailableError(
        f"its answer has no {what}",
        where="GitHub App",
        next_step="see whether `url` is the address of GitHub's API",
        reason=Reason.FORGE_UNREACHABLE,
    )
