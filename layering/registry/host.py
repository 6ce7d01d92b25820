"""One registry host: under which URL it answers, how it wants to be asked, and what its refusals mean.

It learns the scheme of an insecure host and the challenge once, and then sends the right Authorization at once. It
knows HTTP statuses and scopes, but no manifests.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from layering.errors import LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.reference import DEFAULT_DOMAIN, Repository
from layering.registry.addresses import same_origin
from layering.registry.challenge import Challenge, parse_challenges
from layering.registry.credentials import Credential, find_credential
from layering.registry.tokens import TokenCache, basic, described
from layering.registry.transport import Deadline, Transport, error_text

_API_HOSTS = {DEFAULT_DOMAIN: "registry-1.docker.io"}


class RegistryHost:
    """Requests to one host, with authorization. Thread-safe."""

    def __init__(self, domain: str, transport: Transport, auth_file: Path | None, *, insecure: bool) -> None:
        self.domain = domain
        self._transport = transport
        self._auth_file = auth_file
        self._insecure = insecure
        self._url: str | None = None
        self._tokens: TokenCache | None = None
        self._challenge: Challenge | None = None
        self._finding = threading.Lock()

    @contextlib.contextmanager
    def call(
        self,
        method: str,
        path: str,
        repository: Repository,
        *,
        actions: str = "pull",
        also_pull: Repository | None = None,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        deadline: Deadline,
        retry: bool | None = None,
    ) -> Iterator[requests.Response]:
        """One request under this host, or to an absolute URL of it, authorized; 401 is answered once.

        Gives any other answer as it is, 401 included when the second try fails too. `data` must be repeatable.
        """
        url = self._url_of(path, deadline)
        credential = find_credential(repository, self._auth_file)
        scopes = _scopes(repository, actions, also_pull)
        for last in (False, True):
            known = self._challenge
            authorization = self._authorization(known, credential, scopes, deadline)
            with self._transport.exchange(
                method,
                url,
                headers={**(headers or {}), **authorization},
                data=data,
                deadline=deadline,
                verify=not self._insecure,
                retry=retry,
            ) as response:
                ours = same_origin(url, response.url)  # what a redirect's target asks for is not the registry's wish
                if (
                    response.status_code != 401
                    or last
                    or not ours
                    or not self._learn(response, known, credential, scopes)
                ):
                    yield response
                    return

    def refusal(
        self, response: requests.Response, repository: Repository, deadline: Deadline, what: str = ""
    ) -> LayerwatchError:
        """The error for an answer that is none of the expected; `what` was asked for, if not the whole repository."""
        status, text = response.status_code, error_text(response, deadline)
        said = f"the registry answers {status}" + (f" ({text})" if text else "")
        where = what or str(repository)
        if status == 404:
            return NotFoundError(f"there is no such thing: {said}", where=where)
        if status in (401, 403):
            used = described(find_credential(repository, self._auth_file))
            return RefusedError(
                f"{said} to {used}",
                where=where,
                next_step="name credentials that may do this with --authfile (authFile in the configuration)",
            )
        if status in (408, 429) or status >= 500:
            return UnavailableError(said, where=where, next_step="try again later")
        return RefusedError(said, where=where)

    def _url_of(self, path: str, deadline: Deadline) -> str:
        base = self._base(deadline)
        if "://" not in path:
            return base + path
        if not same_origin(base, path):
            raise RefusedError("the registry sends us on to another host", where=self.domain)
        return path

    def _base(self, deadline: Deadline) -> str:
        """The URL before `/v2`. For an insecure host https is tried first, and what answered is remembered."""
        with self._finding:
            if self._url is None:
                host = _API_HOSTS.get(self.domain, self.domain)
                self._url = self._first_scheme(host, deadline) if self._insecure else f"https://{host}"
                self._tokens = TokenCache(self._transport, self._url, verify=not self._insecure)
        return self._url

    def _first_scheme(self, host: str, deadline: Deadline) -> str:
        with contextlib.suppress(UnavailableError):
            return self._answering(f"https://{host}", deadline, retry=False)
        return self._answering(f"http://{host}", deadline, retry=True)

    def _answering(self, url: str, deadline: Deadline, *, retry: bool) -> str:
        """`url` when anything answers there; a host that is silent now may speak either scheme later."""
        with self._transport.exchange("GET", f"{url}/v2/", headers={}, deadline=deadline, verify=False, retry=retry):
            return url

    def _authorization(
        self, challenge: Challenge | None, credential: Credential | None, scopes: Sequence[str], deadline: Deadline
    ) -> Mapping[str, str]:
        if challenge is None or self._tokens is None:
            return {}
        if challenge.scheme == "bearer":
            token = self._tokens.bearer(challenge, credential, scopes, deadline)
            return {"Authorization": f"Bearer {token.reveal()}"}
        return {"Authorization": basic(credential)} if credential and credential.password else {}

    def _learn(
        self, response: requests.Response, known: Challenge | None, credential: Credential | None, scopes: Sequence[str]
    ) -> bool:
        """Take the challenge of a 401. False when there is nothing new to try."""
        offered = parse_challenges(response.raw.headers.getlist("WWW-Authenticate"))
        bearer = next((c for c in offered if c.scheme == "bearer" and c.parameters.get("realm")), None)
        chosen = bearer or next((c for c in offered if c.scheme == "basic"), None)
        if chosen is None or (chosen.scheme == "basic" and (credential is None or known == chosen)):
            return False
        if self._tokens is not None and known is not None:
            self._tokens.forget(known, credential, scopes)
        self._challenge = chosen
        return True


def _scopes(repository: Repository, actions: str, also_pull: Repository | None) -> tuple[str, ...]:
    scopes = [f"repository:{repository.path}:{actions}"]
    if also_pull is not None:
        scopes.append(f"repository:{also_pull.path}:pull")
    return tuple(scopes)
