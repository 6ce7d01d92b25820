"""What is wrong with a configuration: one `Fault` per place, and the error that carries them all."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from layering.errors import InputError
from layering.secrets import redact

_SHOWN_MAX = 100
_MESSAGE_MAX = 300

Location = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong: where, what, the line if it is known, and what to do if that is not plain."""

    at: Location
    message: str
    suggestion: str = ""
    line: int | None = None

    @property
    def path(self) -> str:
        """The place as people write it: `images[3].base.image`; "" is the whole document."""
        parts = (f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in self.at)
        return "".join(parts).removeprefix(".")

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line else ""
        suggestion = f"; {self.suggestion}" if self.suggestion else ""
        return f"{self.path or 'document'}{line}: {self.message}{suggestion}"


class ConfigurationError(InputError):
    """A configuration that cannot be used; `faults` in the order of the file."""

    def __init__(self, file: Path, faults: Iterable[Fault]) -> None:
        self.faults = tuple(
            sorted(set(map(_presentable, faults)), key=lambda fault: (fault.line or 0, fault.path, fault.message))
        )
        count = len(self.faults)
        listed = [f"\n  {fault}" for fault in self.faults[:_SHOWN_MAX]]
        more = [f"\n  … and {count - _SHOWN_MAX} more"] if count > _SHOWN_MAX else []
        super().__init__(
            "".join((f"{count} fault{'s' * (count != 1)}", *listed, *more)),
            where=str(file),
            next_step="docs/reference/configuration.md lists every key; `layerwatch validate` looks again",
        )


def _presentable(fault: Fault) -> Fault:
    """Without credentials, and without kilobytes of what somebody pasted."""
    message = redact(fault.message)
    return replace(fault, message=message if len(message) <= _MESSAGE_MAX else f"{message[:_MESSAGE_MAX]}…")


def _shown(part: str) -> str:
    return part if part.isprintable() else ascii(part)
