"""How git reaches one forge's repository over HTTP: with which login, trusting whom, for how long, and what failed.

The login travels in a variable as a header for this one URL (git-config(1), `http.<url>.extraHeader`), so that it is in
no argument, URL or file, and is sent with the first request: a helper or askpass is asked only after a request was
refused, and that makes two requests three. git would send it wherever a redirect leads, so redirects are not followed.
What is read and pushed is not known here (remotegit.py).
"""

import base64
import os
import re
import ssl
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layering.commands import Completed
from layering.errors import InputError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.excerpt import without_secrets
from layering.forge.addresses import check_address
from layering.forge.gittrace import asked_seconds, traced_to
from layering.forge.limit import Limit
from layering.forge.settings import TOKEN_VARIABLE, TOKEN_VARIABLES, Login
from layering.forge.workflowtoken import WORKFLOW_TOKEN_VARIABLE
from layering.git import git
from layering.reasons import Reason

REMOTE = "there"  # what git calls the repository

# git's words (remote-curl.c, http.c, credential.c) and curl's that follow "unable to access".
_STATUS = re.compile(r"(?:returned error:|\bHTTP) (?P<status>[1-5]\d\d)\b")
_LOGIN_WANTED = re.compile(r"could not read Username|Authentication failed|terminal prompts disabled")
_NOT_FOUND = re.compile(r"repository '[^']*' not found")
_NOT_TRUSTED = re.compile(r"certificate", re.IGNORECASE)
_FOR_NOW = re.compile(
    r"unable to access|RPC failed|early EOF|hung up|unexpected disconnect|reset by peer|timed? ?out|transfer closed",
    re.IGNORECASE,
)
_GONE = re.compile(r"not our ref|unadvertised object|did not receive expected object", re.IGNORECASE)  # a branch moved
_SAYS_NO_LENGTH_MAX = 300
_TEMPORARY_STATUSES = frozenset({408, 425, 429})
_NOTHING_THERE = frozenset({404, 410})

_TOKENS = (TOKEN_VARIABLE, *TOKEN_VARIABLES.values(), WORKFLOW_TOKEN_VARIABLE)
# What would print what is sent, ask people, or trust anybody. The trace2 ones can be in configuration files, too, which
# these variables overrule (api-trace2.txt).
_NOT_FROM_OUTSIDE: Mapping[str, str | None] = {
    **dict.fromkeys(("GIT_CURL_VERBOSE", "GIT_SSL_NO_VERIFY", "GIT_TRACE", "GIT_TRACE_CURL", "GIT_TRACE_PACKET")),
    **dict.fromkeys(("GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF"), "0"),
}


class CommitGoneError(UnavailableError):
    """The server has no such commit, or has it no more: a branch moved since it was read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken(Completed):
    """A git command that spoke to a server. `asked`: for how many seconds that wants no further request, if it says."""

    asked: float | None


class GitHttp:
    """Runs git against `url`. Thread-safe; keeps nothing but a file with the trusted authorities in `directory`, and
    while git runs its trace.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        *,
        login: Callable[[], Login | None],
        refused: Callable[[], bool],
        ca_file: Path | None,
        insecure: bool,
        silence_seconds: int,
        pause: Callable[[], bool],
        limit: Limit,
    ) -> None:
        """See RemoteGit. Raises InputError for a URL that may not be spoken to, or a `ca_file` without certificates."""
        check_address(url, insecure, what="an address of git over HTTP", name="gitUrl")
        self.url = url
        self._pause = pause
        self._limit = limit
        self._directory = directory
        self._login = login
        self._refused = refused
        self._silence_seconds = silence_seconds
        self._trusted = _authorities(ca_file, directory / "authorities.pem") if ca_file is not None else None

    def read(
        self, at: Path, arguments: Sequence[str], timeout_seconds: float, settings: Sequence[tuple[str, str]] = ()
    ) -> Spoken:
        """As `run`, and again, after a pause, while the server fails for now and there may be a pause."""
        while True:
            try:
                done = self.run(at, arguments, timeout_seconds, settings)
            except UnavailableError:
                if not self.pause():
                    raise
                continue
            if done.succeeded or not self._is_for_now(done) or not self.pause():
                return done

    def pause(self) -> bool:
        """Wait before another try. False, at once, when there is no time for one, or for what the server asked for."""
        return self._limit.is_near and self._pause()

    def run(
        self, at: Path, arguments: Sequence[str], timeout_seconds: float, settings: Sequence[tuple[str, str]] = ()
    ) -> Spoken:
        """A git command that speaks to the URL, run in `at`; whether it failed is the caller's to see.

        Once more when the login was refused and there is another one now. Raises UnavailableError when it takes longer,
        and when the server wants no request for longer than may be waited.
        """
        seconds = self._limit.left
        if not self._limit.wait():
            raise self._unavailable(f"it takes no request for {seconds:.0f} s more, as it said")
        done = self._run(at, arguments, timeout_seconds, settings)
        if not done.succeeded and _is_login_refused(done.message) and self._refused():
            done = self._run(at, arguments, timeout_seconds, settings)
        return done

    def _is_for_now(self, done: Spoken) -> bool:
        """What is gone does not come back by waiting."""
        failure = self.failure(done)
        return isinstance(failure, UnavailableError) and not isinstance(failure, CommitGoneError)

    def _run(
        self, at: Path, arguments: Sequence[str], timeout_seconds: float, more: Sequence[tuple[str, str]]
    ) -> Spoken:
        login = self._login()
        environment = dict(_NOT_FROM_OUTSIDE)
        environment |= {"GIT_ALLOW_PROTOCOL": "http:https", "GIT_CEILING_DIRECTORIES": str(self._directory)}
        if login is not None:
            environment |= dict.fromkeys(("GIT_ASKPASS", "SSH_ASKPASS", *_TOKENS))
        if self._trusted is not None:
            environment["GIT_SSL_CAINFO"] = str(self._trusted)
        settings = (*self._settings(), *_credentials(self.url, login), *more)
        with tempfile.NamedTemporaryFile(dir=self._directory) as trace:
            try:
                done = git(
                    at, arguments, timeout_seconds, env={**environment, **traced_to(trace.name)}, settings=settings
                )
            except UnavailableError as error:
                raise self._unavailable(error.what) from None
            asked = None if done.succeeded else asked_seconds(trace.read())
        if asked is not None:
            self._limit.hold(asked)
        return _spoken(done, login, asked)

    def _settings(self) -> Sequence[tuple[str, str]]:
        return (
            ("protocol.version", "2"),
            # This address and no other, whatever the machine's configuration rewrites: the longest match wins.
            (f"url.{self.url}.insteadOf", self.url),
            (f"url.{self.url}.pushInsteadOf", self.url),
            (f"remote.{REMOTE}.url", self.url),
            ("http.followRedirects", "false"),
            # A byte a second is less than the keep-alives of a server that is thinking (one of 5 bytes every 5 s).
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", str(self._silence_seconds)),
        )

    def _login_refused(self, sentence: str) -> LayerwatchError:
        if self._login() is None:
            return self._refusal(
                f"it wants a login, and there is no token{_in_brackets(sentence)}",
                f"give a token: tokenFile (--token-file), or the variable {TOKEN_VARIABLE}",
            )
        return self._refusal(
            f"the login was refused{_in_brackets(sentence)}", "give it a token that is valid and may read and push"
        )

    def failure(self, done: Spoken) -> LayerwatchError:
        """What went wrong with a command that failed."""
        said, sentence = done.message, says_no(done)
        found = _STATUS.search(said)
        status = int(found["status"]) if found else 0
        if _is_login_refused(said):
            return self._login_refused(sentence)
        if status in _NOTHING_THERE or _NOT_FOUND.search(said):
            return NotFoundError(
                "there is no such repository, or the token may not see it",
                where=self.url,
                next_step="see whether the address is right and the token may read the repository",
                reason=Reason.FORGE_REFUSED,
            )
        if status // 100 == 3:
            return self._refusal(
                f"it redirects elsewhere (status {status}), where the token is not sent",
                "name the address that it leads to: gitUrl of the forge",
            )
        if status // 100 == 4 and status not in _TEMPORARY_STATUSES and done.asked is None:
            return self._refusal(
                f"it refuses (status {status}){_in_brackets(sentence)}", "give the token the right to read and to push"
            )
        if _NOT_TRUSTED.search(said):
            return self._refusal(_complaint(said), "name the authority's certificate: caFile of the forge")
        if _GONE.search(said):
            return CommitGoneError(
                _complaint(said), where=self.url, next_step="look again", reason=Reason.FORGE_UNREACHABLE
            )
        if status or _FOR_NOW.search(said):
            return self._unavailable(f"{_complaint(said)}{_in_brackets(sentence)}")
        return self._refusal(_complaint(said) or "git failed without a word", "see whether git can use it from here")

    def _refusal(self, what: str, next_step: str) -> RefusedError:
        return RefusedError(what, where=self.url, next_step=next_step, reason=Reason.FORGE_REFUSED)

    def _unavailable(self, what: str) -> UnavailableError:
        return UnavailableError(what, where=self.url, next_step="try again later", reason=Reason.FORGE_UNREACHABLE)


def says_no(done: Completed) -> str:
    """The server's own sentence, without what could be a credential or command a terminal; empty when it said none."""
    lines = [
        line.removeprefix("remote:").strip().removeprefix("error:").removeprefix("fatal:").strip()
        for line in without_secrets(done.message).splitlines()
        if line.startswith("remote:")
    ]
    text = " ".join(dict.fromkeys(line for line in lines if re.search(r"\w", line)))
    return text if len(text) <= _SAYS_NO_LENGTH_MAX else f"{text[:_SAYS_NO_LENGTH_MAX]}…"


def _complaint(said: str) -> str:
    """git's own first line about what is wrong."""
    lines = [line for line in said.splitlines() if line.startswith(("fatal:", "error:"))] or said.splitlines()[:1]
    text = "".join(lines[:1]).removeprefix("fatal: ").removeprefix("error: ")
    return without_secrets(text)[:_SAYS_NO_LENGTH_MAX]


def _in_brackets(sentence: str) -> str:
    return f" ({sentence})" if sentence else ""


def _is_login_refused(said: str) -> bool:
    found = _STATUS.search(said)
    return bool(_LOGIN_WANTED.search(said)) or (found is not None and found["status"] == "401")


def _credentials(url: str, login: Login | None) -> Sequence[tuple[str, str]]:
    """The header, after taking away what the machine's configuration would send; its helpers are not asked."""
    if login is None:
        return ()
    return (
        (f"http.{url}.extraHeader", ""),
        (f"http.{url}.extraHeader", f"Authorization: Basic {_basic(login)}"),
        ("credential.helper", ""),
        (f"credential.{url}.helper", ""),
        ("core.askPass", ""),
    )


def _basic(login: Login) -> str:
    return base64.b64encode(f"{login.user}:{login.password.reveal()}".encode()).decode()


def _spoken(done: Completed, login: Login | None, asked: float | None) -> Spoken:
    """A server may say what it was sent; nobody is told."""
    out, err = done.stdout, done.stderr
    if login is not None and (token := login.password.reveal()):
        for secret in (_basic(login).encode(), token.encode()):
            out, err = out.replace(secret, b"***"), err.replace(secret, b"***")
    return Spoken(argv=done.argv, returncode=done.returncode, stdout=out, stderr=err, asked=asked)


def _authorities(ca_file: Path, into: Path) -> Path:
    """A file with the system's authorities and those of `ca_file`: git knows one file only, instead of the system's."""
    try:
        ours = ca_file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"no certificates can be read from it: {error.strerror}", where=str(ca_file)) from None
    if "-----BEGIN CERTIFICATE-----" not in ours and "-----BEGIN TRUSTED CERTIFICATE-----" not in ours:
        raise InputError("no certificates can be read from it: not PEM certificates", where=str(ca_file))
    texts = [ours]
    system = ssl.get_default_verify_paths().cafile
    for name in {os.environ.get("GIT_SSL_CAINFO"), os.environ.get("REQUESTS_CA_BUNDLE"), system} - {None, ""}:
        path = Path(str(name))
        if path.is_file():  # a stale variable must not stop what works without it
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
    into.write_text("\n".join(texts), encoding="utf-8")
    return into
