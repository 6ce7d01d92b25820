"""How a command ends: its work's exit code, or one message on stderr and the exit code of what went wrong.

Both command lines end through here, so that they cannot differ. It returns the code; leaving the process is theirs.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from types import FrameType
from typing import Any, NoReturn

from layering import githubactions
from layering.errors import ExitCode, LayerwatchError
from layering.ourversion import our_version
from layering.reasons import Reason
from layering.secrets import redact

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_READER_WENT_AWAY = 141  # 128 + SIGPIPE
_TERMINATED = 143  # 128 + SIGTERM


class _TerminatedError(SystemExit):
    """A SIGTERM came. By way of every `finally`: programs under way are ended, temporary files are taken away."""


def end_on_sigterm() -> None:
    """From now on a SIGTERM ends this command, and `outcome` tells it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)


class _Notes(logging.Handler):
    """What modules log becomes notes for people, where no log was set up: that is the daemon's."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        say(self.format(record))


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing else: whatever was interrupted may hold a lock that more would need."""
    raise _TerminatedError(_TERMINATED)


def outcome(command: str, work: Callable[[], int]) -> int:
    """Run `work`. Returns its exit code, or that of the error it raised, which was told on stderr by then."""
    if sys.stdout is None:  # closed by the caller, who wants the exit code only
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 for as long as the process lives
    logging.lastResort = _Notes(logging.WARNING)
    try:
        return _told(work())
    except LayerwatchError as error:
        _tell(command, f"{error}\n  reason: {error.reason}")
        return int(error.exit_code)
    except KeyboardInterrupt:
        githubactions.failed(command, "interrupted")
        return _INTERRUPTED
    except _TerminatedError:
        githubactions.failed(command, "ended by SIGTERM")
        return _TERMINATED
    except BrokenPipeError:
        _write_no_more()
        return _READER_WENT_AWAY
    except OSError as error:
        _write_no_more()
        where = f"{error.filename}: " if error.filename else ""
        _tell(command, f"{where}{error.strerror or error}\n  next: see whether it can be written, and has room")
        return int(ExitCode.BAD_INPUT)
    except Exception as error:  # noqa: BLE001 the outermost frame: a defect must still end with its exit code
        if os.environ.get("LAYERWATCH_TRACEBACK"):
            say(traceback.format_exc().rstrip())
        _tell(
            command,
            f"a defect of layerwatch: {type(error).__name__}: {error}\n"
            "  next: run it again with LAYERWATCH_TRACEBACK=1 and report what it prints",
        )
        return int(ExitCode.DEFECT)


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the flags as every other fault is said: to the runner, too. Exit code 2."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """All of them. What follows a flag that is unknown may be a secret: it is not said."""
        arguments, left = self.parse_known_args(args, namespace)
        if left:
            flags = [word.partition("=")[0] for word in left if word.startswith("-")]
            close = get_close_matches(flags[0], _options(self), n=1) if flags else []
            hint = f" (did you mean {close[0]}?)" if close else ""
            self.error(f"unrecognized arguments: {' '.join(flags or left)}{hint}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Print the fault, and exit."""
        _tell(self.prog, f"{message}\n  next: see {self.prog} --help\n  reason: {Reason.INPUT_INVALID}")
        self.exit(ExitCode.BAD_INPUT)


def add_version(parser: argparse.ArgumentParser) -> None:
    """`--version`."""
    parser.add_argument("--version", action="version", version=f"%(prog)s {our_version()}", help="say it, and end")


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Its own, and those of its commands."""
    found = [option for action in parser._actions for option in action.option_strings]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [option for each in action.choices.values() for option in _options(each)]
    return found


def _tell(command: str, why: str) -> None:
    say(f"{command}: {why}")
    githubactions.failed(command, shown(why))


def _told(code: int) -> int:
    """`code`, once all that was printed has really left us."""
    sys.stdout.flush()
    return code


def _write_no_more() -> None:
    """No second complaint about stdout when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(note: str) -> None:
    """A note for people, on stderr, without secrets and without what a terminal or a runner would obey."""
    githubactions.write_note(githubactions.harmless(shown(note)))


def answer(text: str, *, is_json: bool = False) -> None:
    """What a command was asked for, on stdout. What it quotes of others gives a runner no commands; JSON stays the same
    value.
    """
    sys.stdout.write(githubactions.harmless_json(text) if is_json else githubactions.harmless(text))


def shown(text: str) -> str:
    """`text` without secrets and without what a terminal would obey. Lines stay lines."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in redact(text))
