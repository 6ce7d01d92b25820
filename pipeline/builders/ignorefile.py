"""What a .containerignore or .dockerignore leaves out of the build context, as buildah 1.28 reads it.

Source: imagebuilder builder.go (`ParseIgnore`), containers/storage pkg/fileutils (`PatternMatcher`), buildah add.go and
copier.go. A pattern becomes a regular expression there; one with characters that Python reads otherwise is refused.
"""

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.builders.refusal import RefusalReason, Refused

_SUFFIXES_OF_A_CONTAINERFILE = (".dockerignore", ".containerignore")
_NAMES = (".containerignore", ".dockerignore")
_READ_ALIKE = re.compile(r"(?:[^\\\[\](){}|+^\ud800-\udfff]|\[[A-Za-z0-9-]+\])*")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pattern:
    text: str
    expression: re.Pattern[str]
    takes_back: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnoreFile:
    """The patterns of an ignore file; the last one that matches decides."""

    patterns: tuple[_Pattern, ...] = ()

    def excludes(self, path: str) -> bool:
        """Whether `path`, relative to the context, is left out."""
        excluded = False
        for pattern in self.patterns:
            if pattern.expression.match(path):
                excluded = not pattern.takes_back
        return excluded

    def may_take_back_named(self, directory: str) -> bool:
        """Whether an excluded directory that a COPY names is looked into (add.go, `includeDirectoryAnyway`)."""
        return any(one.takes_back and one.text.startswith(f"{directory}/") for one in self.patterns)

    def may_take_back_below(self, directory: str) -> bool:
        """The same for one that is met on the way (copier.go, `copierHandlerGet`)."""
        return any(one.takes_back and f"{one.text.strip('/')}/".startswith(directory) for one in self.patterns)


NOTHING_IGNORED = IgnoreFile()


def find_ignore_file(context: Path, containerfile: Path) -> Path | None:
    """The ignore file that counts: the Containerfile's own before the context's (parse.go, `ContainerIgnoreFile`)."""
    own = [containerfile.with_name(f"{containerfile.name}{suffix}") for suffix in _SUFFIXES_OF_A_CONTAINERFILE]
    return next((file for file in (*own, *(context / name for name in _NAMES)) if file.is_file()), None)


def read_ignore_file(file: Path) -> IgnoreFile:
    """Read it. Raises Refused for patterns that cannot be read alike."""
    patterns = []
    for line in file.read_text("utf-8", "surrogateescape").split("\n"):
        text = "" if line.startswith("#") else line.strip("/").strip()
        if text:
            patterns.append(_pattern(posixpath.normpath(text)))
    return IgnoreFile(patterns=tuple(patterns))


def _pattern(text: str) -> _Pattern:
    takes_back = text.startswith("!")
    if takes_back:
        text = posixpath.normpath(text[1:]).lstrip("/") if len(text) > 1 else ""
    if not text or not _READ_ALIKE.fullmatch(text):
        raise Refused(RefusalReason.IGNORE_FILE, f"its ignore file has the pattern {text[:80]!r}")
    return _Pattern(text=text, expression=re.compile(_expression(text), re.DOTALL), takes_back=takes_back)


def _expression(text: str) -> str:
    """fileutils.go, `compile`."""
    out, at = [], 0
    while at < len(text):
        character, at = text[at], at + 1
        if character == "*" and text.startswith("*", at):
            at += 1 + text.startswith("/", at + 1)
            out.append(".*" if at == len(text) else "(?:.*/)?")
        else:
            out.append({"*": "[^/]*", "?": "[^/]", ".": r"\.", "$": r"\$"}.get(character, character))
    return "".join(out) + r"(?:/.*)?\Z"
