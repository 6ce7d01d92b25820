"""What an image is called: digests, repositories and pull specs, parsed once and then trusted.

The grammar and the normalization are those of distribution/reference v0.6.0 (`ParseNormalizedNamed`), with two
refusals of our own: digests other than sha256 and sha512, and a first element that looks like a host name but is none
(`foo_bar.com/x`, which the original silently reads as a path without a host). This module asks no registry.
"""

import functools
import re
from dataclasses import dataclass, replace

from layering.errors import InputError

DEFAULT_DOMAIN = "docker.io"
_LEGACY_DEFAULT_DOMAIN = "index.docker.io"
_OFFICIAL_PREFIX = "library/"
_PATH_LENGTH_MAX = 255

_HEX_LENGTHS = {"sha256": 64, "sha512": 128}
_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_BARE_HEX = re.compile(r"[a-f0-9]{64}")
_HEX = re.compile(r"[a-f0-9]+")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A content address, `sha256:` and 64 or `sha512:` and 128 lower-case hex digits (image-spec, descriptor.md)."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        if _HEX_LENGTHS.get(self.algorithm) != len(self.hex) or not _HEX.fullmatch(self.hex):
            raise InputError(
                f"{_shown(f'{self.algorithm}:{self.hex}')} is not a digest",
                next_step="a digest is sha256: and 64, or sha512: and 128, lower-case hex digits",
            )

    @classmethod
    @functools.lru_cache(maxsize=4096)  # a registry names the same ones at each look
    def parse(cls, text: str) -> "Digest":
        """Read `ALGORITHM:HEX`. Raises InputError for any other algorithm, length or case."""
        algorithm, _, hex_digits = text.partition(":")
        return cls(algorithm, hex_digits)

    @property
    def short(self) -> str:
        """The first 12 hex digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A registry host, with its port if any, and the path of one repository there; `parse(str(x)) == x`."""

    domain: str
    path: str

    def __post_init__(self) -> None:
        if not _DOMAIN.fullmatch(self.domain):
            raise InputError(f"{_shown(self.domain)} is not a registry host")
        if not _PATH.fullmatch(self.path):
            raise InputError(f"{_shown(self.path)} is not a repository name", next_step=_PATH_HINT)
        if len(self.path) > _PATH_LENGTH_MAX:
            raise InputError(f"the repository name is longer than {_PATH_LENGTH_MAX} characters: {_shown(self.path)}")
        if _split_domain(str(self)) != (self.domain, self.path):
            raise InputError(f"{_shown(str(self))} would be read as another repository", next_step=_DOMAIN_HINT)

    @classmethod
    def parse(cls, text: str) -> "Repository":
        """Read a name that has neither tag nor digest. Raises InputError otherwise."""
        reference = ImageReference.parse(text)
        if reference.tag or reference.digest:
            raise InputError(f"{_shown(text)} has a tag or digest where only a repository belongs")
        return reference.repository

    def at(self, digest: Digest) -> "ImageReference":
        """The pull spec of one digest in this repository."""
        return ImageReference(self, digest=digest)

    def tagged(self, tag: str) -> "ImageReference":
        """The reference of one tag in this repository. Raises InputError when `tag` is none."""
        return ImageReference(self, tag=tag)

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A repository with a tag, a digest, both or neither; `parse(str(x)) == x`."""

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise InputError(
                f"{_shown(self.tag)} is not a tag",
                next_step="a tag has at most 128 letters, digits, '_', '.' and '-', and starts with none of '.-'",
            )

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Read a reference as the container tools do: `ubuntu` is docker.io/library/ubuntu. Raises InputError."""
        if _BARE_HEX.fullmatch(text):
            raise InputError(f"{_shown(text)} is a bare hash, not an image", next_step="write REPOSITORY@sha256:…")
        domain, remainder = _split_domain(text)
        name, at, digest = remainder.partition("@")
        path, colon, tag = name.partition(":")
        try:
            return cls(
                Repository(domain, path),
                tag if colon else None,
                Digest.parse(digest) if at else None,
            )
        except InputError as error:
            raise InputError(
                f"{_shown(text)} is not an image reference: {error.what}", next_step=error.next_step
            ) from None

    @classmethod
    def parse_pinned(cls, text: str) -> "ImageReference":
        """Read a reference that must carry a digest. Raises InputError when it does not."""
        reference = cls.parse(text)
        if reference.digest is None:
            raise InputError(f"{_shown(text)} is not pinned", next_step="write it as REPOSITORY@sha256:…")
        return reference

    @property
    def pinned(self) -> Digest:
        """The digest of a reference that is known to have one. Raises InputError when it has none."""
        if self.digest is None:
            raise InputError(f"{self} is not pinned", next_step="write it as REPOSITORY@sha256:…")
        return self.digest

    def without_tag(self) -> "ImageReference":
        """The same image, addressed by digest alone."""
        return replace(self, tag=None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


_PATH_HINT = "a repository name is lower-case letters and digits, separated by '.', '_', '__', '-' or '/'"
_DOMAIN_HINT = "a registry host has a '.', a port or an upper-case letter, or is localhost"


def _split_domain(text: str) -> tuple[str, str]:
    """Host and remainder (distribution/reference normalize.go, `splitDockerDomain`)."""
    first, slash, rest = text.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, _OFFICIAL_PREFIX + text
    if first == _LEGACY_DEFAULT_DOMAIN:
        domain, remainder = DEFAULT_DOMAIN, rest
    elif first == "localhost" or "." in first or ":" in first or first.lower() != first:
        domain, remainder = first, rest
    else:
        domain, remainder = DEFAULT_DOMAIN, text
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = _OFFICIAL_PREFIX + remainder
    return domain, remainder


def _shown(text: str) -> str:
    """`text` quoted and cut, so that a hostile name cannot flood a terminal."""
    return repr(text if len(text) <= 160 else text[:157] + "...")


def same_digest(pull_spec: str | None, image: ImageReference) -> bool:
    """Whether a text, such as an osImageURL, names the very image that `image` is pinned to, by whatever repository."""
    try:
        return pull_spec is not None and ImageReference.parse(pull_spec.strip()).digest == image.pinned
    except InputError:
        return False
