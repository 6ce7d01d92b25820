"""The --platform flags."""

import argparse

from layering.platform import Platform

_DEFAULT = "linux/amd64"


def add_platform_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --platform."""
    parser.add_argument(
        "--platform", action="append", default=[], metavar="OS/ARCH", help=f"repeatable (default: {_DEFAULT})"
    )


def read_platforms(arguments: argparse.Namespace) -> tuple[Platform, ...]:
    """The platforms, each once, in their order. Raises InputError."""
    return tuple(dict.fromkeys(Platform.parse(text) for text in arguments.platform or [_DEFAULT]))
