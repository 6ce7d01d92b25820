"""The generated pages of docs, and tables elsewhere. `make docs` writes them; tests/docs/check.py compares."""

import sys
from pathlib import Path

from benchmarks import picture
from tests.docs.actions import readmes
from tests.docs.commands import command_line
from tests.docs.constants import exit_codes, reasons
from tests.docs.gitlab_ci import readme
from tests.docs.metrics import metrics
from tests.docs.proposal_picture import draw
from tests.docs.schema import configuration, rebuild_request

ROOT = Path(__file__).parents[2]


def pages() -> dict[Path, str]:
    """The text of every generated page, by its path."""
    made = {
        "cli.md": command_line(),
        "configuration.md": configuration(),
        "exit-codes.md": exit_codes(),
        "reasons.md": reasons(),
        "rebuild-request.md": rebuild_request(),
    }
    reference = {ROOT / "docs" / "reference" / name: text for name, text in made.items()}
    measured = (ROOT / "docs" / "benchmarks.md").read_text()
    others = {"metrics.md": metrics(), "pull-request.svg": draw(), "benchmarks.svg": picture.draw(measured)}
    return {**reference, **{ROOT / "docs" / name: text for name, text in others.items()}, **readmes(), **readme()}


def main() -> int:
    """Write the pages that changed."""
    for path, text in pages().items():
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
