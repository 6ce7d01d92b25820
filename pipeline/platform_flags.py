"""The --platform flags."""

import argparse

from layering.platform import Platform

_DEFAULT = "linux/amd64"


def add_platform_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --platform."""
    parser.add_argument(
        "--platform",
        action="append",
        default=[],
        metavar="OS/ARCH",
        help=f"one, or several with commas between (repeatable; default: {_DEFAULT})",
    )


def read_platforms(arguments: argparse.Namespace) -> tuple[Platform, ...]:
    """The platforms, each once, in their order. Raises InputError."""
    named = [text for texts in arguments.platform or [_DEFAULT] for text in texts.split(",")]
    return tuple(dict.fromkeys(map(Platform.parse, named)))
