"""What must hold of the documentation: links lead somewhere, generated pages are fresh, nothing names a machine.

It reads only files of this repository; addresses elsewhere are not asked.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.docs import behaviour
from tests.docs.generate import ROOT, pages

_BEHAVIOUR = ROOT / "docs" / "pull-requests.md"
_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)|<(?:img|a)\b[^>]*\b(?:src|href)=\"([^\"]+)\"")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
_HOME_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users)/(?!\.)[a-z]\w*")
_TEXT_SUFFIXES = {".md", ".py", ".go", ".toml", ".txt", ".yaml", ".yml", ".svg", ".json", "", ".sh"}


def main() -> int:
    """Print every fault; return 1 when there is one."""
    faults = [*_stale(), *_broken_links(), *_machine_paths(), *behaviour.faults(_BEHAVIOUR)]
    for fault in faults:
        print(fault)
    print(f"documentation: {len(faults)} faults" if faults else "documentation: no faults")
    return 1 if faults else 0


def _stale() -> Iterator[str]:
    for path, text in pages().items():
        if not path.is_file() or path.read_text() != text:
            yield f"{path.relative_to(ROOT)}: not what the code says; run: make docs"


def _broken_links() -> Iterator[str]:
    for document in _documents():
        text = _INLINE_CODE.sub("", _FENCE.sub("", document.read_text()))
        for match in _LINK.finditer(text):
            link = match[1] or match[2]
            if not re.match(r"[a-z][a-z0-9+.-]*:", link) and not _leads_somewhere(document, link):
                yield f"{document.relative_to(ROOT)}: the link {link} leads nowhere"


def _leads_somewhere(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (document.parent / name).resolve() if name else document
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or target.suffix != ".md" or anchor in _anchors(target)


def _anchors(document: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them: lower case, no punctuation, blanks as dashes."""
    headings = _HEADING.findall(_FENCE.sub("", document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _documents() -> list[Path]:
    return [path for path in _tracked() if path.suffix == ".md"]


def _machine_paths() -> Iterator[str]:
    """This checkout's own path anywhere, and somebody's home directory in a document (images have such paths, too)."""
    for path in _tracked():
        if path.suffix not in _TEXT_SUFFIXES:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            named = str(ROOT) in line or (path.suffix == ".md" and _HOME_PATH.search(line))
            if named:
                yield f"{path.relative_to(ROOT)}, line {number}: it names a path of one machine"


def _tracked() -> list[Path]:
    """The files in git, and those that are about to be."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


if __name__ == "__main__":
    sys.exit(main())
