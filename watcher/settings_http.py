"""The configuration's `http` section: where the daemon listens, and who may ask it for a look."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, field_validator

from layering.fields import STRICT, Name
from watcher.listenaddress import ListenAddress
from watcher.settings_fields import LocalFile, said

ListenField = Annotated[
    ListenAddress, BeforeValidator(said(ListenAddress.parse)), WithJsonSchema({"type": "string", "minLength": 1})
]


class Look(BaseModel):
    """Who has the token may ask."""

    model_config = STRICT

    token_file: LocalFile = Field(
        alias="tokenFile",
        description="A file with the token; it is read each time, and a trailing newline is none of it.",
    )


class Hook(BaseModel):
    """A registry that tells when something was pushed."""

    model_config = STRICT

    name: Name = Field(description="What the log calls it; it is part of its path.")
    type: Literal["quay", "harbor", "distribution", "github", "generic"] = Field(
        description="Who sends it; `github` is also held to its signature (X-Hub-Signature-256)."
    )
    secret_file: LocalFile = Field(
        alias="secretFile",
        description="A file with the secret that makes its path: /hook/ and the SHA-256, in hex, of name and secret.",
    )


class Http(BaseModel):
    """The daemon's listener, and what may be posted to it."""

    model_config = STRICT

    listen: ListenField | None = Field(
        default=None, description="HOST:PORT for /healthz, /readyz, /metrics, /status; `--listen` comes first."
    )
    look: Look | None = Field(default=None, description="POST /look with a Bearer token asks for a look.")
    hooks: tuple[Hook, ...] = Field(default=(), description="Registries whose notifications ask for a look.")

    @field_validator("hooks")
    @classmethod
    def _each_once(cls, hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
        names = [hook.name for hook in hooks]
        if len(set(names)) < len(names):
            raise ValueError("two hooks have one name")
        return hooks
