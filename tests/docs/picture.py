"""Draws docs/demo.svg: what `layerwatch demo` prints on a terminal. `make picture` runs it.

The demo runs in a pseudo-terminal, so that the picture has the colours a person sees. Long lines are cut.
"""

import html
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

_FILE = Path("docs/demo.svg")
_COLUMNS = 118
_CHARACTER, _LINE, _MARGIN = 7.23, 17.0, 18.0
_STYLES = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}
_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m")
_ERASED = re.compile(r"[^\n]*\r\x1b\[K")


def record() -> str:
    """The demo's output with its colours."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "watcher.cli", "demo"], stdout=theirs, stderr=theirs)
    os.close(theirs)
    parts = []
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        parts.append(data)
    if process.wait() != 0:
        raise SystemExit("the demo failed")
    return _ERASED.sub("", b"".join(parts).decode().replace("\r\n", "\n"))


def draw(text: str) -> str:
    """The SVG of a terminal with this text."""
    lines = text.rstrip("\n").split("\n")
    width, height = _COLUMNS * _CHARACTER + 2 * _MARGIN, len(lines) * _LINE + 2 * _MARGIN + 22
    rows = "\n".join(
        f'<text xml:space="preserve" x="{_MARGIN}" y="{_MARGIN + 30 + number * _LINE:.0f}">{_spans(line)}</text>'
        for number, line in enumerate(lines)
        if line
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-size="12">
<title>What layerwatch demo prints</title>
<style>
text{{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#d8dee9;white-space:pre}}
.b{{font-weight:700;fill:#fff}} .d{{fill:#7b88a1}} .r{{fill:#ef7b85}} .g{{fill:#a3d48b}} .y{{fill:#ebcb8b}}
.c{{fill:#88c7e0}}
</style>
<rect width="100%" height="100%" rx="9" fill="#242933"/>
<circle cx="20" cy="17" r="5.5" fill="#ef7b85"/><circle cx="38" cy="17" r="5.5" fill="#ebcb8b"/>
<circle cx="56" cy="17" r="5.5" fill="#a3d48b"/>
{rows}
</svg>
"""


def _spans(line: str) -> str:
    parts, style, used, position = [], "", 0, 0
    for match in [*_SEQUENCE.finditer(line), None]:
        text = line[position : match.start() if match else len(line)]
        room = _COLUMNS - used
        shown = text if len(text) <= room else text[: max(room - 1, 0)] + "…"
        used += len(text)
        if shown and room > 0:
            escaped = html.escape(shown, quote=False)
            parts.append(f'<tspan class="{style}">{escaped}</tspan>' if style else escaped)
        if match:
            style, position = _STYLES.get(match[1], ""), match.end()
    return "".join(parts)


if __name__ == "__main__":
    _FILE.write_text(draw(record()), encoding="utf-8")
    print(_FILE)
