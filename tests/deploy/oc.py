"""Stands on the PATH of a reader of docs/install.md as `oc`: the real kubectl, but for what needs a running pod.

`oc exec … -- COMMAND` runs the command here, as the pod would: with its environment, and with its paths moved below a
directory of the test. `oc rollout status` waits for the daemon that the test runs in the pod's place. What it needs to
know is the JSON file that $PLAYED_POD names.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_READY_SECONDS = 60


def main(argv: Sequence[str], pod: Mapping[str, Any]) -> int:
    """Run one command in the place of `oc`. Gives its exit code."""
    if argv[:2] == ["rollout", "status"]:
        return 0 if _is_ready(pod["ready"]) else 1
    command, more = [pod["kubectl"], f"--kubeconfig={pod['kubeconfig']}", *argv], {}
    if argv[0] == "exec":
        command = [moved(word, pod["paths"]) for word in argv[argv.index("--") + 1 :]]
        more = pod["environment"]
    return subprocess.run(command, env={**os.environ, **more}, check=False).returncode


def moved(text: str, paths: Mapping[str, str]) -> str:
    """The text with the pod's paths as they are here."""
    for inside, here in paths.items():
        text = text.replace(inside, here)
    return text


def _is_ready(url_file: str) -> bool:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(Path(url_file).read_text(), timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], json.loads(Path(os.environ["PLAYED_POD"]).read_text())))
