"""The configuration's part about signatures of releases: whose they must be, and where they are."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from layering.fields import STRICT, RepositoryField
from layering.releasesignatures.keyring import Keyring
from layering.releasesignatures.rules import PRODUCT, Policy, SignatureRules
from layering.releasesignatures.stores import parse_place
from watcher.settings_fields import FROM_CLUSTER, LocalFile, local_file, said


def _place(value: Any, info: ValidationInfo) -> Path | str:
    if value == FROM_CLUSTER:
        return FROM_CLUSTER
    found = said(parse_place)(value)
    return found if isinstance(found, str) else local_file(value, info)


Place = Annotated[Path | str, BeforeValidator(_place), WithJsonSchema({"type": "string", "minLength": 1})]


class ReleaseSignatures(BaseModel):
    """Whether releases must be signed, by whom, and where their signatures are (docs/release-signatures.md)."""

    model_config = STRICT

    policy: Literal["require", "warn", "ignore"] | None = Field(
        default=None,
        description="What becomes of a release that is not verified. Without it: `require` with keys, or for "
        f"{PRODUCT}; else `ignore`.",
    )
    keys: tuple[LocalFile, ...] = Field(
        default=(),
        description="Files of public keys, armored or binary: one of each file's must have signed. Without any, Red "
        f"Hat's, which is built in, for {PRODUCT}.",
    )
    stores: tuple[Place, ...] = Field(
        default=(),
        description="Where signatures are: directories, URLs, or `cluster`: those that the cluster holds. Without any, "
        f"Red Hat's public ones, for {PRODUCT}.",
    )
    identity: RepositoryField = Field(
        default=str(PRODUCT), validate_default=True, description="The repository that must have been signed."
    )

    def rules(self) -> SignatureRules:
        """With the keys read. Raises InputError for a file that is none."""
        return SignatureRules(
            policy=Policy(self.policy) if self.policy is not None else None,
            keys=tuple(map(Keyring.read, self.keys)),
            identity=self.identity,
        )
