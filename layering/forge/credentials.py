"""As whom a forge is asked: the token from a file or the environment, read as late as possible and again when refused.

Tokens stay `Secret` until the line that sends them. How a GitHub App gets its tokens is in githubapp.py.
"""

import os
import re
import threading
from collections.abc import Mapping
from typing import Protocol

from layering.errors import InputError
from layering.forge.settings import TOKEN_VARIABLE, TOKEN_VARIABLES, ForgeSettings, Kind
from layering.forge.workflowtoken import WORKFLOW_TOKEN_VARIABLE, is_from
from layering.secrets import Secret


class Credentials(Protocol):
    """What the exchange and git need to be somebody. Safe to use from threads."""

    def token(self, repository: str | None) -> Secret | None:
        """The token for requests about this repository (None: about none); None to ask as nobody.

        Raises InputError when it cannot be read, and what the forge answers when it has to be asked for one.
        """

    def refused(self, repository: str | None) -> bool:
        """The forge did not take that token: get it again. Whether it is another one now."""

    def close(self) -> None:
        """Close what was opened to get them."""


class TokenCredentials:
    """One token for all repositories, from a file, a named variable, or the usual variables; or a workflow's own."""

    def __init__(self, settings: ForgeSettings) -> None:
        self._settings = settings
        self._known: Secret | None = None
        self._is_read = False
        self._guard = threading.Lock()

    def token(self, repository: str | None) -> Secret | None:
        """See Credentials."""
        with self._guard:
            if not self._is_read:
                self._known, self._is_read = _read(self._settings), True
            return self._known

    def refused(self, repository: str | None) -> bool:
        """See Credentials. The file may have been rotated since."""
        with self._guard:
            before, self._known = self._known, _read(self._settings)
            return self._known != before

    def close(self) -> None:
        """See Credentials."""


def is_token(text: str) -> bool:
    """Whether it looks like a token itself, where the name of what holds one should be. It is not to be shown then."""
    return _IS_TOKEN.fullmatch(text) is not None


def usual_variables(settings: ForgeSettings) -> tuple[str, ...]:
    """The variables that hold the token of a forge for which nothing else was named, the first one first."""
    return tuple(name for name in (TOKEN_VARIABLE, TOKEN_VARIABLES.get(settings.kind)) if name)


def authorization(kind: Kind, token: Secret) -> Mapping[str, str]:
    """The header that carries it. Call it in the expression that sends.

    GitHub: `Bearer`, of App and personal tokens alike; Gitea: `token`; GitLab: `PRIVATE-TOKEN`.
    """
    if kind is Kind.GITLAB:
        return {"PRIVATE-TOKEN": token.reveal()}
    return {"Authorization": f"{'token' if kind is Kind.GITEA else 'Bearer'} {token.reveal()}"}


def _read(settings: ForgeSettings) -> Secret | None:
    if settings.token_file is not None:
        try:
            text = settings.token_file.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"the token cannot be read: {error.strerror}", where=str(settings.token_file), next_step=_CHECK_FILE
            ) from None
        except UnicodeDecodeError:
            raise InputError("no token is in it", where=str(settings.token_file), next_step=_CHECK_FILE) from None
        return _token(text, str(settings.token_file))
    if settings.token_env is not None:
        if settings.token_env not in os.environ:
            raise InputError(
                "this variable, which is to hold the token, is not set",
                where=settings.token_env,
                next_step=f"set it, or change tokenEnv of forge {settings.name}",
            )
        return _token(os.environ[settings.token_env], settings.token_env)
    names = (*usual_variables(settings), *([WORKFLOW_TOKEN_VARIABLE] if is_from(settings, os.environ) else []))
    name = next((name for name in names if os.environ.get(name)), None)
    return _token(os.environ[name], name) if name else None


# GitHub's and GitLab's prefixes; Gitea's are a SHA-1 in hex
_IS_TOKEN = re.compile(r"(?:gh[pousr]_|github_pat_|glpat-)[\w.-]{16,}|[0-9a-f]{40}")
_CHECK_FILE = "name a readable file that holds the token and nothing else"


def _token(text: str, where: str) -> Secret:
    """Without the line end. What could not stand in a header is no token (RFC 9110 section 5.5)."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        what = "more than a token is in it" if token else "no token is in it"
        raise InputError(what, where=where, next_step="let it hold the token and nothing else")
    return Secret(token)
