"""The --request flag: a RebuildRequest out of a file, from stdin, or from a variable of the environment.

A variable is how a pipeline hands JSON over without a shell and without a file.
"""

import argparse
import sys
from pathlib import Path

from layering.request import RebuildRequest
from pipeline.mounted import ENV_PREFIX, environment_text
from pipeline.textfile import TEXT_BYTES_MAX, read_text

_FLAG = "--request"
_STDIN = "-"


def add_request_argument(parser: argparse.ArgumentParser) -> None:
    """Add --request."""
    parser.add_argument(
        _FLAG,
        required=True,
        metavar="FILE",
        help="a RebuildRequest as JSON; - is stdin, env:NAME a variable of the environment",
    )


def read_request(arguments: argparse.Namespace) -> RebuildRequest:
    """Raises InputError that names every fault of the request."""
    source: str = arguments.request
    if source == _STDIN:
        return RebuildRequest.parse(sys.stdin.read(), where="stdin")
    if source.startswith(ENV_PREFIX):
        return RebuildRequest.parse(environment_text(source, _FLAG), where=source)
    return RebuildRequest.parse(read_text(Path(source), size_max=TEXT_BYTES_MAX), where=source)
