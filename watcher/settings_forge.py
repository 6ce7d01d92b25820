"""The configuration's forges: where each is, as whom it is asked, whose name our commits there carry."""

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from layering.errors import InputError
from layering.fields import STRICT, Name, Text
from layering.forge.addresses import check_address
from layering.forge.credentials import is_token
from layering.forge.forge import Author
from layering.forge.settings import APP_ID, DEFAULT_URLS, App, ForgeSettings, Kind, check_app_id, parse_author
from watcher.settings_fields import LocalFile, said

_AppId = Annotated[
    str,
    BeforeValidator(lambda value: said(check_app_id)(str(value) if type(value) is int else value)),
    WithJsonSchema({"type": ["string", "integer"], "pattern": f"^({APP_ID})$", "minimum": 1}),
]
_Author = Annotated[Author, BeforeValidator(said(parse_author)), WithJsonSchema({"type": "string"})]


class AppEntry(BaseModel):
    """A GitHub App instead of a token."""

    model_config = STRICT

    id: _AppId = Field(description="The App's id: its number, or Iv23….")
    private_key_file: LocalFile = Field(alias="privateKeyFile", description="Its private key, PEM.")
    installation: StrictInt | None = Field(
        default=None, ge=1, description="Its installation's number; without it, GitHub is asked."
    )


class ForgeEntry(BaseModel):
    """One forge.

    Without tokenFile, tokenEnv and app, its token is in LAYERWATCH_FORGE_TOKEN or else, by its kind, in GITHUB_TOKEN,
    GITLAB_TOKEN or GITEA_TOKEN.
    """

    model_config = STRICT

    name: Name = Field(description="What proposals call it.")
    kind: Literal["github", "gitlab", "gitea"] = Field(description="Whose API it speaks; gitea is Forgejo, too.")
    url: Text | None = Field(
        default=None,
        description="Its API: https://HOST/api/v3, /api/v4 or /api/v1; without it, github.com or gitlab.com.",
    )
    git_url: Text | None = Field(
        default=None, alias="gitUrl", description="Base for git over HTTP, when it is not the forge's own address."
    )
    token_file: LocalFile | None = Field(
        default=None, alias="tokenFile", description="The token; read again when it is refused."
    )
    token_env: Text | None = Field(default=None, alias="tokenEnv", description="The variable that holds the token.")
    app: AppEntry | None = Field(default=None, description="A GitHub App; with kind github only.")
    ca_file: LocalFile | None = Field(
        default=None, alias="caFile", description="PEM certificates to trust besides the system's."
    )
    insecure: StrictBool = Field(default=False, description="Plain http is allowed to others than this machine.")
    author: _Author | None = Field(
        default=None,
        description="NAME <MAIL>, who our commits are by; without it, layerwatch, or the App itself, signed.",
    )
    sign_off: StrictBool = Field(default=False, alias="signOff", description="Add Signed-off-by to commits.")
    commit_prefix: str = Field(
        default="", max_length=100, alias="commitPrefix", description="Before each commit's subject."
    )
    max_open: StrictInt = Field(
        default=0, ge=0, alias="maxOpen", description="Open proposals of ours in one repository at most; 0: no limit."
    )

    @field_validator("commit_prefix")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("must be one line")
        return text

    @model_validator(mode="after")
    def _usable(self) -> Self:
        given = [name for name in ("token_file", "token_env", "app") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError("has exactly one of tokenFile, tokenEnv and app")
        if self.app is not None and self.kind != "github":
            raise ValueError("app goes with kind github only")
        if self.url is None and Kind(self.kind) not in DEFAULT_URLS:
            raise ValueError(f"{self.kind} has no public address; give its url, https://HOST/api/v1")
        if self.token_file is not None and is_token(self.token_file.name):
            raise ValueError("tokenFile is a token; write that into a file, and name the file")
        if self.token_env is not None and is_token(self.token_env):
            raise ValueError("tokenEnv is a token; put that into a variable, and name the variable")
        for url, name in ((self.url, "url"), (self.git_url, "gitUrl")):
            if url is not None:
                _checked(url, self.insecure, name)
        return self

    @property
    def settings(self) -> ForgeSettings:
        """The same, as forges take it."""
        kind = Kind(self.kind)
        return ForgeSettings(
            name=self.name,
            kind=kind,
            url=(self.url or DEFAULT_URLS[kind]).rstrip("/"),
            token_file=self.token_file,
            token_env=self.token_env,
            app=self._app(),
            ca_file=self.ca_file,
            insecure=self.insecure,
            git_url=self.git_url,
            author=self.author,
            sign_off=self.sign_off,
            commit_prefix=self.commit_prefix,
            max_open=self.max_open,
        )

    def _app(self) -> App | None:
        app = self.app
        if app is None:
            return None
        return App(id=app.id, private_key_file=app.private_key_file, installation=app.installation)


def _checked(url: str, insecure: bool, name: str) -> None:
    try:
        check_address(url, insecure, what="an http(s) address", name=name)
    except InputError as error:
        raise ValueError(f"{name}: {error.what}; {error.next_step}") from None
