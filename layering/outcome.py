"""How a command ends: its work's exit code, or one message on stderr and the exit code of what went wrong.

Both command lines end through here, so that they cannot differ. It returns the code; leaving the process is theirs.
"""

import os
import sys
import traceback
from collections.abc import Callable

from layering.errors import ExitCode, LayerwatchError
from layering.secrets import redact

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def outcome(command: str, work: Callable[[], int]) -> int:
    """Run `work`. Returns its exit code, or that of the error it raised, which was told on stderr by then."""
    try:
        return work()
    except LayerwatchError as error:
        say(f"{command}: {error}\n  reason: {error.reason}")
        return int(error.exit_code)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # no second complaint at interpreter exit
        return int(ExitCode.UNAVAILABLE)
    except Exception as error:  # noqa: BLE001 the outermost frame: a defect must still end with its exit code
        if os.environ.get("LAYERWATCH_TRACEBACK"):
            traceback.print_exc()
        say(
            f"{command}: a defect of layerwatch: {type(error).__name__}: {error}\n"
            "  next: run it again with LAYERWATCH_TRACEBACK=1 and report what it prints"
        )
        return int(ExitCode.DEFECT)


def say(note: str) -> None:
    """A note for people, on stderr, without secrets and without what a terminal would obey."""
    shown = "".join(character if character.isprintable() or character == "\n" else " " for character in redact(note))
    print(shown, file=sys.stderr, flush=True)
