"""The daemon's log on stderr: text for people, or one JSON object per line, with the same reason constants in both.

Every message passes through `redact`, and nothing in it can command a terminal or a runner, or begin a line of
its own. Where the log goes after that is not its affair.
"""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Any, TextIO

from layering.githubactions import harmless, harmless_json
from layering.secrets import redact

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")

# What a record may know besides its message; given to the logger as `extra`.
KNOWN = ("reason", "decision", "cluster", "pool", "image", "key", "run")


def set_up(form: str, level: str, stream: TextIO | None = None) -> None:
    """Send every record of this process to `stream` (stderr): `form` is one of FORMATS, `level` one of LEVELS."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("apscheduler", "urllib3", "kubernetes"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    threading.excepthook = _thread_ended


class TextFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z INFO message`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it."""
        return harmless(f"{_time(record)} {record.levelname} {_message(self, record)}")


class JsonFormatter(logging.Formatter):
    """`{"time": …, "level": …, "message": …, "logger": …}` and those of KNOWN that are known."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the record holds."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "message": _message(self, record),
            "logger": record.name,
        }
        for name in KNOWN:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = redact(str(value))
        return harmless_json(json.dumps(line, ensure_ascii=False))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The message in one line; a traceback follows in lines that are indented, and so begin none of ours."""
    text = _printable(redact(" ".join(record.getMessage().splitlines())))
    if record.exc_info:
        trace = redact(formatter.formatException(record.exc_info))
        text += "".join(f"\n  {_printable(line)}" for line in trace.splitlines())
    return text


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        name = ended.thread.name if ended.thread else "a thread"
        trace = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logging.getLogger("layerwatch").error("a defect of layerwatch ended %s", name, exc_info=trace)
