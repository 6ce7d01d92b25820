"""Field types that only the configuration has: durations, cron, hosts, git's URLs and refs, paths of this machine.

Relative paths are relative to the directory in the validation's context, which is the configuration file's own.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
)

from layering.containerfile import Match
from layering.duration import parse_duration
from layering.errors import InputError
from layering.fields import PlatformField
from layering.platform import Platform
from layering.reference import ImageReference
from watcher.cron import Cron, parse_cron

DIRECTORY = "directory"  # the key of the validation's context

_HOST = r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?"
_ARGUMENT = r"[A-Za-z_][A-Za-z0-9_]*"
_DURATION = r"([0-9]+(ms|s|m|h))+"
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"  # RFC 1123, as Kubernetes has it
_SUBDOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_NOT_IN_A_REF = re.compile(
    r"^[-/.]|\.\.|//|/\.|@\{|[\x00-\x20\x7f~^:?*\[\\]|[/.]$|\.lock(/|$)|^@$"
)  # check-ref-format(1)
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/@]*)@")
_QUERY = re.compile(r"https?://[^?]*\?", re.IGNORECASE)
_OTHER_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_T = TypeVar("_T")


def said(parse: Callable[[str], _T]) -> Callable[[Any], _T]:
    """`parse` for text only; its InputError becomes the ValueError that pydantic collects."""

    def convert(value: Any) -> _T:
        if not isinstance(value, str):
            raise ValueError("must be text")  # noqa: TRY004 pydantic collects ValueError
        try:
            return parse(value)
        except InputError as error:
            raise ValueError(f"{error.what}; {error.next_step}" if error.next_step else error.what) from None

    return convert


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


def _local(text: str, info: ValidationInfo) -> Path:
    try:
        return Path((info.context or {}).get(DIRECTORY, ".")) / Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text!r} starts with the home of a user who is not there") from None


def local_directory(text: str, info: ValidationInfo) -> str:
    """A path of this machine, made absolute."""
    return str(_local(_printable(text), info))


def _git_url(text: str, info: ValidationInfo) -> str:
    """A path of this machine is made absolute; `scheme://…` and `user@host:path` are git's to resolve."""
    user_info = _USER_INFO.match(text)
    if user_info is not None and (":" in user_info["user"] or user_info["scheme"].lower() in ("http", "https")):
        raise ValueError("has a password or user in it; leave it out, and let a credential helper of git give it")
    if _QUERY.match(text):
        raise ValueError(
            "has a query in it, where tokens are kept; leave it out, and let a credential helper give them"
        )
    if text.startswith("-"):
        raise ValueError("starts with '-'")
    is_remote = "://" in text or "::" in text or ":" in text.partition("/")[0]
    return text if is_remote else str(_local(text, info))


def _git_ref(text: str) -> str:
    if _NOT_IN_A_REF.search(text):
        raise ValueError(f"{text!r} is not a branch, a tag or a commit id")
    return text


def _namespace(text: str) -> str:
    if len(text) > 63 or not re.fullmatch(_LABEL, text):
        raise ValueError(f"{text!r} is not the name of a namespace")
    return text


def _object_name(text: str) -> str:
    if len(text) > 253 or not re.fullmatch(_SUBDOMAIN, text):
        raise ValueError(f"{text!r} is not the name of a Kubernetes object")
    return text


def _host(text: str) -> str:
    if not re.fullmatch(_HOST, text):
        raise ValueError(f"{text!r} is not HOST or HOST:PORT")
    return text


def _argument_name(text: str) -> str:
    if not re.fullmatch(_ARGUMENT, text):
        raise ValueError(f"{text!r} is not the name of a build argument")
    return text


def _match(text: str) -> str:
    Match.parse(text)
    return text


def _followed_image(text: str) -> ImageReference:
    reference = ImageReference.parse(text)
    if reference.tag is None and reference.digest is None:
        raise InputError(f"{text!r} has no tag", next_step=f"name the tag to follow, as in {text}:stable")
    return reference


def _usual_name(platform: Platform) -> Platform:
    usual = _OTHER_NAMES.get(platform.architecture)
    if usual is not None:
        raise ValueError(f"{platform.architecture} is called {usual} here; write {platform.os}/{usual}")
    return platform


_Text = Annotated[str, StringConstraints(min_length=1, max_length=4096, strict=True), AfterValidator(_printable)]
_TEXT: TypeAdapter[str] = TypeAdapter(_Text)


def local_file(value: Any, info: ValidationInfo) -> Path:
    """A path of this machine, made absolute."""
    return _local(_TEXT.validate_python(value), info)


LocalFile = Annotated[Path, BeforeValidator(local_file), WithJsonSchema({"type": "string", "minLength": 1})]
FROM_CLUSTER = "cluster"
LocalFileOrCluster = Annotated[
    Path | Literal["cluster"],
    BeforeValidator(lambda value, info: value if value == FROM_CLUSTER else local_file(value, info)),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
RemoteName = Annotated[_Text, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
WorkflowFile = Annotated[_Text, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+\.ya?ml$")]
GitUrl = Annotated[_Text, AfterValidator(_git_url)]
GitRef = Annotated[_Text, AfterValidator(_git_ref)]
Namespace = Annotated[
    _Text, AfterValidator(_namespace), Field(json_schema_extra={"pattern": f"^{_LABEL}$", "maxLength": 63})
]
ObjectName = Annotated[
    _Text, AfterValidator(_object_name), Field(json_schema_extra={"pattern": f"^{_SUBDOMAIN}$", "maxLength": 253})
]
HostField = Annotated[_Text, AfterValidator(_host), Field(json_schema_extra={"pattern": f"^{_HOST}$"})]
ArgumentName = Annotated[_Text, AfterValidator(_argument_name)]
MatchField = Annotated[str, BeforeValidator(said(_match)), WithJsonSchema({"type": "string", "minLength": 1})]
FollowedImageField = Annotated[
    ImageReference, BeforeValidator(said(_followed_image)), WithJsonSchema({"type": "string", "minLength": 1})
]
PlatformName = Annotated[PlatformField, AfterValidator(_usual_name)]
CronField = Annotated[
    Cron, BeforeValidator(said(parse_cron)), WithJsonSchema({"type": "string", "examples": ["*/5 * * * *"]})
]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$", "examples": ["60s", "1h30m"]}),
]
