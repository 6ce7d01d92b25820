"""What went wrong when buildah says no: told from its output, as one of our errors.

Read off buildah 1.28's messages; newer ones keep the same words. The base itself was asked for by our own client
before, so what is read here about registries concerns the other images a Containerfile names.
"""

import re

from layering.errors import (
    CheckError,
    InputError,
    LayerwatchError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from layering.reasons import Reason

_TAIL_LINES = 20
_TAIL_CHARACTERS = 4000
_ERROR = re.compile(r"^Error: (?P<text>.*)", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r'building at STEP "(?P<step>[A-Za-z]+)')
_PULL = re.compile(r"creating build container|initializing source|pinging container registry|reading manifest|pulling")
_REFUSED = re.compile(r"unauthorized|denied|forbidden|authentication required|x509|certificate|invalid username", re.I)
_NOT_FOUND = re.compile(r"manifest unknown|name unknown|not found|does not exist", re.I)
_NO_SOURCE = re.compile(r"--from=(?P<name>\S+): no stage or image found")
_RETRIED = 'msg="Failed, retrying in'
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.I)
_FOREIGN = re.compile(r"exec format error", re.I)
_DOWNLOAD = re.compile(r"\bGet \"|dial tcp|invalid response status|TLS handshake", re.I)


def buildah_failure(stdout: str, stderr: str) -> LayerwatchError:
    """The error that buildah's output amounts to; its end is quoted where a person needs it."""
    found = _ERROR.search(stderr)
    text = found["text"].strip() if found else stderr.strip()
    step = _STEP.search(text)
    if _NO_SPACE.search(text):
        return UnavailableError(_first_line(text), next_step="make room for container storage, then try again")
    if step and step["step"].upper() == "RUN":
        return _failed_run(stdout, stderr)
    if step and step["step"].upper() == "ADD" and _DOWNLOAD.search(text):
        return UnavailableError(
            f"an ADD could not download: {_first_line(text)}", next_step="try again, or check the URL"
        )
    if not step and _PULL.search(text):
        return _failed_pull(text)
    if (source := _NO_SOURCE.search(text)) and f"Trying to pull {source['name']}" in stderr:
        return _failed_copy_source(text, stderr)
    if step or "no stage or image found" in text or "no contents in" in text or "resolving step" in text:
        return InputError(
            f"the Containerfile cannot be built: {_first_line(text)}",
            next_step="correct the line it names",
            reason=Reason.BUILD_MISCONFIGURED,
        )
    return CheckError(
        f"buildah could not build:\n{_tail(stderr)}",
        next_step="run the same build with buildah by hand to see more",
        reason=Reason.BUILD_FAILED,
    )


def _failed_run(stdout: str, stderr: str) -> LayerwatchError:
    if _FOREIGN.search(stderr):
        next_step = "a RUN for another architecture needs emulation (qemu-user-static, binfmt_misc) or such a machine"
    else:
        next_step = "correct the command, or what it needs; its output ends above"
    return CheckError(
        f"a RUN of the Containerfile failed:\n{_tail(_last_step(stdout))}\n{_tail(stderr)}",
        next_step=next_step,
        reason=Reason.BUILD_FAILED,
    )


def _failed_pull(text: str) -> LayerwatchError:
    what = f"an image that the Containerfile names cannot be pulled: {_first_line(text)}"
    if _REFUSED.search(text):
        return RefusedError(what, next_step="check the credentials and CA that are used for its registry")
    if _NOT_FOUND.search(text):
        return NotFoundError(what, next_step="correct its name in the Containerfile, or push it")
    return UnavailableError(what, next_step="try again; check that its registry can be reached")


def _failed_copy_source(text: str, stderr: str) -> LayerwatchError:
    """buildah swallows why a COPY --from could not be pulled; what it retried was the network."""
    what = f"an image that the Containerfile copies from cannot be pulled: {_first_line(text)}"
    if _RETRIED in stderr:
        return UnavailableError(what, next_step="try again; check that its registry can be reached")
    return NotFoundError(what, next_step="check its name, and the credentials for its registry")


def _first_line(text: str) -> str:
    """The message in one line; the copier's dump of its request is left out."""
    line = text.splitlines()[0] if text else "it said nothing"
    return re.sub(r"error during bulk transfer for copier\.request\{.*\}: ", "", line)[:_TAIL_CHARACTERS]


def _last_step(stdout: str) -> str:
    """From the step that failed on; buildah names each before its output."""
    return stdout[stdout.rfind("\nSTEP ") + 1 :]


def _tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-_TAIL_LINES:])[-_TAIL_CHARACTERS:]
