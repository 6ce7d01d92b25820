"""The registry flags that every step has in common."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from layering.errors import InputError

if TYPE_CHECKING:
    from layering.registry.settings import RegistrySettings


def add_registry_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --authfile, --ca-file and --insecure-registry."""
    group = parser.add_argument_group("registries")
    group.add_argument(
        "--authfile",
        type=Path,
        metavar="FILE",
        help="credentials in containers-auth.json(5) form (default: $REGISTRY_AUTH_FILE, then the usual places)",
    )
    group.add_argument("--ca-file", type=Path, metavar="FILE", help="PEM certificates to trust besides the system's")
    group.add_argument(
        "--insecure-registry",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="this registry may be asked over plain http (repeatable)",
    )


def registry_settings(arguments: argparse.Namespace) -> "RegistrySettings":
    """The settings the flags ask for. Raises InputError for a file that is not there."""
    from layering.registry.settings import RegistrySettings

    for flag, path in (("--authfile", arguments.authfile), ("--ca-file", arguments.ca_file)):
        if path is not None and not path.is_file():
            raise InputError(f"{path} is not a file", where=flag)
    return RegistrySettings(
        auth_file=arguments.authfile,
        ca_file=arguments.ca_file,
        insecure=frozenset(arguments.insecure_registry),
    )
