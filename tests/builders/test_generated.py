"""Generated Containerfiles through compose and buildah: the same image, or a refusal with a reason.

Twelve in the usual profile; `make fuzz` runs all 300. Both print the share that compose takes.
"""

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from layering.errors import LayerwatchError
from pipeline.builders.image import BuiltImage
from pipeline.builders.refusal import Refusal, RefusalReason
from tests.builders.both import BothBuilders
from tests.builders.comparing import difference
from tests.builders.generated import Case, generated

_CASES_MAX = 300
_EXAMPLES_PER_CASE = 8


@dataclass(kw_only=True)
class Tally:
    """What became of the cases; `faults` are differences, `left_over` what compose could have taken."""

    cases: int = 0
    taken: int = 0
    built_nowhere: int = 0
    needing_nothing: int = 0
    needing_nothing_taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        refused = ", ".join(f"{reason} {count}" for reason, count in sorted(self.refused.items()))
        return (
            f"compose took {self.taken} of {self.cases} generated Containerfiles, {self.needing_nothing_taken} of the "
            f"{self.needing_nothing} that need no contents of the base; {self.built_nowhere} build nowhere; "
            f"refused: {refused or 'none'}"
        )

    def add(
        self, case: Case, composed: BuiltImage | Refusal | LayerwatchError, built: BuiltImage | LayerwatchError
    ) -> None:
        """Take in what both builders made of one case."""
        if isinstance(built, LayerwatchError):
            self.built_nowhere += 1
            if isinstance(composed, BuiltImage):
                self.faults.append(f"only buildah says no ({built})\n{case}")
            return
        needs_nothing = not case.needs_contents
        if isinstance(composed, BuiltImage):
            self.taken += 1
            if said := difference(composed, built):
                self.faults.append(f"{said}\n{case}")
        elif isinstance(composed, Refusal):
            self.refused[composed.reason] += 1
            if composed.reason is RefusalReason.DIRECTORY_UNKNOWN and case.base == "unsaid":
                needs_nothing = False  # what the base does not say cannot be known without a storage
            elif needs_nothing:
                self.left_over.append(f"{composed}\n{case}")
        else:
            self.faults.append(f"only compose says no ({composed})\n{case}")
        self.needing_nothing += needs_nothing
        self.needing_nothing_taken += needs_nothing and isinstance(composed, BuiltImage)


@pytest.mark.hypothesis
def test_generated_containerfiles(
    both_builders: BothBuilders, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    for seed in range(min(_CASES_MAX, hypothesis_settings().max_examples // _EXAMPLES_PER_CASE)):
        directory = tmp_path / str(seed)
        directory.mkdir()
        case = generated(seed)
        request = both_builders.request(case.body, case.base, case.context)
        tally.cases += 1
        tally.add(case, both_builders.composed(request, directory), both_builders.built(request, directory))
    with capfd.disabled():
        print(f"\n{tally}", file=sys.stderr)
    assert not tally.faults, "\n\n".join(tally.faults)
    assert not tally.left_over, "\n\n".join(tally.left_over)
