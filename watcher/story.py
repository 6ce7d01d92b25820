"""How the demo talks: numbered chapters, indented lines, colours only on a terminal. It knows nothing of the job."""

import sys
import time
from typing import TextIO

from layering.errors import CheckError

_BOLD, _DIM, _GREEN, _RED, _CYAN = "1", "2", "32", "31", "36"


class Story:
    """Writes to `stream`. On a terminal long work shows that it goes on; elsewhere every line is written once."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._chapter = 0
        self._since = time.monotonic()

    def title(self, text: str) -> None:
        """The first line."""
        self._write(self._styled(text, _BOLD))

    def chapter(self, text: str) -> None:
        """The next numbered heading."""
        self._chapter += 1
        self._write(f"\n{self._styled(f'{self._chapter}. {text}', _BOLD)}")

    def line(self, text: str = "") -> None:
        """One line below the heading."""
        self._write(f"   {text}" if text else "")

    def block(self, text: str) -> None:
        """Quoted text, set off to the right."""
        for line in text.rstrip("\n").splitlines():
            self._write(f"   {self._styled('|', _DIM)} {line}".rstrip())

    def diff(self, text: str) -> None:
        """A unified diff, coloured as git does it."""
        for line in text.rstrip("\n").splitlines():
            style = {"+": _GREEN, "-": _RED, "@": _CYAN}.get(line[:1])
            self._write(f"   {self._styled('|', _DIM)} {self._styled(line, style)}".rstrip())

    def checked(self, claim: str, *, holds: bool) -> None:
        """Something that was checked. Raises CheckError when it does not hold."""
        if not holds:
            raise CheckError(claim, where="demo", next_step="run it again with --dir and report what it left there")
        self._write(f"   {self._styled('ok', _GREEN)}  {claim}")

    def decided(self, decision: str, reason: str, message: str) -> None:
        """One decision, and how long it took since the last thing that was told."""
        self._write(f"   {self._styled(f'{decision:<17}{reason:<14}', _CYAN)}{message}{self._elapsed()}")

    def done(self, text: str) -> None:
        """Something that took a while, and how long."""
        self._write(f"   {text}{self._elapsed()}")

    def working(self) -> None:
        """From here on something takes a while; a terminal shows it until the next line comes."""
        self._since = time.monotonic()
        if self._terminal:
            self._stream.write("   ...")
            self._stream.flush()

    def _elapsed(self) -> str:
        since, self._since = self._since, time.monotonic()
        return self._styled(f"  ({self._since - since:.1f} s)", _DIM)

    def _styled(self, text: str, style: str | None) -> str:
        return f"\033[{style}m{text}\033[0m" if style and self._terminal else text

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\033[K{text}\n" if self._terminal else f"{text}\n")
        self._stream.flush()
