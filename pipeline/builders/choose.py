"""Which builder builds, and why: compose when it can prove its image, buildah otherwise, or the one that was named."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from layering.errors import CheckError
from layering.reasons import Reason
from pipeline.builders.buildah import Buildah
from pipeline.builders.compose import Composer
from pipeline.builders.image import Builder, BuildRequest, BuiltImage
from pipeline.builders.refusal import Refusal

ASKED_FOR = "AskedFor"
COMPOSABLE = "Composable"


class Choice(StrEnum):
    """What `--builder` says."""

    AUTO = "auto"
    BUILDAH = "buildah"
    COMPOSE = "compose"


@dataclass(frozen=True, kw_only=True)
class Built:
    """The images of all platforms, who built them, and why that one: a constant, and the line for a refusal."""

    images: tuple[BuiltImage, ...]
    builder: Builder
    reason: str


@dataclass(frozen=True, kw_only=True)
class Builders:
    """Both of them. What is done within `apart` is no work of our own with registries."""

    composer: Composer
    buildah: Buildah
    say: Callable[[str], None]
    apart: Callable[[], AbstractContextManager[None]] = nullcontext

    def build(self, choice: Choice, request: BuildRequest, directory: Path) -> Built:
        """Build with layers in `directory`.

        Raises CheckError with every reason when compose was asked for by name and refuses; else as the builders do.
        """
        if choice is Choice.BUILDAH:
            return self._with_buildah(request, directory, ASKED_FOR)
        composed = self.composer.compose(request, directory)
        refusals = [one for one in composed if isinstance(one, Refusal)]
        images = tuple(one for one in composed if isinstance(one, BuiltImage))
        if not refusals:
            reason = ASKED_FOR if choice is Choice.COMPOSE else COMPOSABLE
            return Built(images=images, builder=Builder.COMPOSE, reason=reason)
        if choice is Choice.COMPOSE:
            raise _refused(request, refusals)
        self.say(f"buildah builds, because compose cannot prove its image: {refusals[0]}")
        return self._with_buildah(request, directory, short_reason(refusals[0]))

    def _with_buildah(self, request: BuildRequest, directory: Path, reason: str) -> Built:
        with self.apart():
            images = self.buildah.build(request, directory)
        return Built(images=images, builder=Builder.BUILDAH, reason=reason)


def short_reason(refusal: Refusal) -> str:
    """`SourceIsArchive (line 4)`, or the constant alone when no line is to blame."""
    return f"{refusal.reason} (line {refusal.line})" if refusal.line else str(refusal.reason)


def _refused(request: BuildRequest, refusals: list[Refusal]) -> CheckError:
    listing = "\n".join(f"  {refusal}" for refusal in refusals)
    return CheckError(
        f"compose cannot prove that its image would equal buildah's:\n{listing}",
        where=request.containerfile_name,
        next_step="use --builder auto or --builder buildah, or change the lines it names",
        reason=Reason.BUILD_MISCONFIGURED,
    )
