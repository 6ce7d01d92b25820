"""The registry flags that every step has in common."""

import argparse
from typing import TYPE_CHECKING

from pipeline.mounted import auth_file, ca_file, given_path

if TYPE_CHECKING:
    from layering.registry.settings import RegistrySettings


def add_registry_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --authfile, --ca-file and --insecure-registry."""
    group = parser.add_argument_group("registries")
    group.add_argument(
        "--authfile",
        type=given_path,
        metavar="FILE",
        help="credentials in containers-auth.json(5) form, or a directory with config.json or .dockerconfigjson "
        "(default: $REGISTRY_AUTH_FILE, then the usual places)",
    )
    group.add_argument(
        "--ca-file",
        type=given_path,
        metavar="FILE",
        help="PEM certificates to trust besides the system's, or a directory with *.crt and *.pem",
    )
    group.add_argument(
        "--insecure-registry",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="this registry, or several with commas between, may be asked over plain http (repeatable)",
    )


def registry_settings(arguments: argparse.Namespace) -> "RegistrySettings":
    """The settings the flags ask for. Raises InputError for a file that is not there."""
    from layering.registry.settings import RegistrySettings

    return RegistrySettings(
        auth_file=auth_file(arguments.authfile, "--authfile") if arguments.authfile else None,
        ca_file=ca_file(arguments.ca_file, "--ca-file") if arguments.ca_file else None,
        insecure=frozenset(host for text in arguments.insecure_registry for host in text.split(",") if host),
    )
