"""A key that a program keeps, such as one of a key management service: `PROGRAM public-key` and `PROGRAM sign`.

The first prints PEM; the second reads the message on stdin and prints the signature in base64. Run without a shell.
What the program says beside its answer is not shown: it may quote what it was given to log in with.
"""

from functools import cached_property

from layering import commands
from layering.errors import ContentError, InputError, RefusedError, UnavailableError
from layering.signing.publickey import PublicKey, decoded

_TIMEOUT_SECONDS = 60.0
_ANSWER_BYTES_MAX = 64 * 1024


class ProgramKey:
    """A SigningKey that this process never sees."""

    def __init__(self, program: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """Raises InputError for a program without a name."""
        if not program:
            raise InputError("no program is named", where="exec:", next_step="write exec:PROGRAM")
        self._program = program
        self._timeout_seconds = timeout_seconds

    @cached_property
    def public(self) -> PublicKey:
        """See SigningKey. Raises what `_asked` does, and ContentError when no key is answered."""
        pem, where = self._asked("public-key", b""), f"{self._program} public-key"
        try:
            return PublicKey.parse(pem, where)
        except InputError as error:
            raise ContentError(error.what, where=where, next_step=error.next_step) from None

    def sign(self, message: bytes) -> bytes:
        """See SigningKey. Raises ContentError when the answer is not base64."""
        signature = decoded("".join(self._asked("sign", message).decode("ascii", "replace").split()))
        if not signature:
            raise ContentError("what it prints is not base64", where=f"{self._program} sign")
        return signature

    def _asked(self, word: str, message: bytes) -> bytes:
        """What it prints. Raises InputError (missing), RefusedError (it failed), UnavailableError (it hangs),
        ContentError (it prints more than 64 KiB).
        """
        where = f"{self._program} {word}"
        try:
            ended = commands.run(
                [self._program, word],
                stdin=message,
                timeout_seconds=self._timeout_seconds,
                kept_bytes_max=_ANSWER_BYTES_MAX + 1,
            )
        except UnavailableError as error:
            error.where = where
            raise
        if not ended.succeeded:
            raise RefusedError(
                f"it ended with {ended.returncode}", where=where, next_step=f"see what `{where}` says when run by hand"
            )
        if len(ended.stdout) > _ANSWER_BYTES_MAX:
            raise ContentError(f"it prints more than {_ANSWER_BYTES_MAX} bytes", where=where)
        return ended.stdout
