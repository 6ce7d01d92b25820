"""What a forge answered, and what its refusals mean in our errors. Sends nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layering.errors import InputError, LayerwatchError, NotFoundError, RefusedError
from layering.excerpt import without_secrets
from layering.reasons import Reason

RIGHTS_TO_PROPOSE = "write contents and pull requests"
_MESSAGE_LENGTH_MAX = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: `json` is None without a body. `next_page` is the next one's URL, on the same origin."""

    status: int
    json: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    next_page: str | None = None

    @property
    def message(self) -> str:
        """What the forge says is wrong, in one line, redacted; "" when it says nothing.

        GitHub and Gitea: `message` and `errors`; GitLab: `message`, which may hold lists by field, or `error`.
        """
        if not isinstance(self.json, Mapping):
            return ""
        said = [*_said(self.json.get("message") or self.json.get("error")), *_said(self.json.get("errors"))]
        text = " ".join(without_secrets("; ".join(dict.fromkeys(said))).split())
        return text if len(text) <= _MESSAGE_LENGTH_MAX else f"{text[:_MESSAGE_LENGTH_MAX]}…"


def refusal(
    answer: Answer, where: str, *, variables: Sequence[str] = (), rights: str = RIGHTS_TO_PROPOSE
) -> LayerwatchError:
    """Our error for an answer of 400 and more that trying again does not mend.

    `variables` name what a token could have been in, when none was given at all; `rights` are what the token needs, in
    words, for a forge that does not say so.
    """
    said = f": {answer.message}" if answer.message else ""
    if variables and answer.status in (401, 403, 404):
        kind = NotFoundError if answer.status == 404 else RefusedError
        return kind(
            f"the forge has it not, or not for who has no token{said}",
            where=where,
            next_step=f"give it a token: tokenFile (--token-file), or a variable: {', '.join(variables)}",
            reason=Reason.FORGE_REFUSED,
        )
    if answer.status == 401:
        return RefusedError(
            f"the forge does not take the token{said}",
            where=where,
            next_step="give it a token that is valid (tokenFile, --token-file or a variable)",
            reason=Reason.FORGE_REFUSED,
        )
    if answer.status in (403, 407, 451):
        return RefusedError(
            f"the forge forbids it{said}",
            where=where,
            next_step=_missing(answer.headers, rights),
            reason=Reason.FORGE_REFUSED,
        )
    if answer.status in (404, 410):
        return NotFoundError(
            f"the forge has no such thing, or does not show it to this token{said}",
            where=where,
            next_step="see whether the name is right, the token may read the repository, and the forge's url is its "
            "API's: https://HOST/api/v3, /api/v4 or /api/v1",
            reason=Reason.FORGE_REFUSED,
        )
    return InputError(f"the forge cannot take it (status {answer.status}){said}", where=where)


def _missing(headers: Mapping[str, str], rights: str) -> str:
    """Which right the token lacks, where the forge says so (GitHub: fine-grained and classic tokens; SAML)."""
    if sso := headers.get("X-GitHub-SSO", ""):
        url = sso.partition("url=")[2].partition(";")[0].strip()
        return f"authorize the token for the organization{': ' + url if url.startswith('https://') else ''}"
    wanted = headers.get("X-Accepted-GitHub-Permissions") or headers.get("X-Accepted-OAuth-Scopes")
    if wanted and wanted.isprintable():
        return f"give the token what this needs: {wanted}"
    return f"give the token the right to {rights} of this repository"


def _said(value: Any) -> Iterator[str]:
    """The sentences in what may be text, a list, or lists by field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _said(each)
    elif isinstance(value, Mapping):
        if isinstance(said := value.get("message"), str):
            field = value.get("field")
            yield f"{field} {said}" if isinstance(field, str) and field not in said else said
        elif "field" in value or "code" in value:
            yield " ".join(str(value[name]) for name in ("resource", "field", "code") if value.get(name))
        else:
            for name, each in value.items():
                yield from (f"{name} {text}" for text in _said(each))
