"""The registry flags that every step has in common, and the client that is made of them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from layering.duration import parse_duration
from layering.errors import InputError
from pipeline.mounted import auth_file, ca_file, given_path, is_variable, variable_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from layering.registry.client import Asked, RegistryClient
    from layering.registry.settings import RegistrySettings


def add_registry_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --authfile, --ca-file, --registries-conf, --insecure-registry, --auth-realm and --registry-timeout."""
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
        "--registries-conf",
        type=given_path,
        metavar="FILE",
        help="mirrors, in containers-registries.conf(5) form, or ending in .yaml as `oc get idms,itms,icsp -o yaml` "
        "prints them; env:NAME is a variable with the former (default: $CONTAINERS_REGISTRIES_CONF, then usual places)",
    )
    group.add_argument(
        "--insecure-registry",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="this registry, or several with commas between, may be asked over plain http (repeatable)",
    )
    group.add_argument(
        "--auth-realm",
        action="append",
        default=[],
        metavar="[REGISTRY=]HOST[:PORT]",
        help="a token service on another host that may hear a registry's credentials, or several with commas between "
        "(repeatable)",
    )
    group.add_argument(
        "--registry-timeout",
        type=_duration,
        default=120.0,
        metavar="DURATION",
        help="how long all of the step's work with registries may take together (default: 2m)",
    )


def registry_settings(arguments: argparse.Namespace) -> "RegistrySettings":
    """The settings the flags ask for. Raises InputError for a file that is not there."""
    from layering.registry.mirrors import is_registries_conf, load_mirrors, usual_mirrors
    from layering.registry.settings import RegistrySettings, parse_realms

    conf = _registries_conf(arguments.registries_conf) if arguments.registries_conf else None
    return RegistrySettings(
        auth_file=auth_file(arguments.authfile, "--authfile") if arguments.authfile else None,
        ca_file=ca_file(arguments.ca_file, "--ca-file") if arguments.ca_file else None,
        mirrors=load_mirrors(conf) if conf else usual_mirrors(),
        registries_conf=conf if conf and is_registries_conf(conf) else None,
        insecure=frozenset(host for text in arguments.insecure_registry for host in text.split(",") if host),
        realms=parse_realms(arguments.auth_realm),
        timeout_seconds=arguments.registry_timeout,
    )


def step_client(settings: "RegistrySettings", on_asked: "Callable[[Asked], None] | None" = None) -> "RegistryClient":
    """The client of one step: its operations together have the settings' time."""
    from layering.registry.client import RegistryClient
    from layering.registry.deadline import Allowance

    return RegistryClient(settings, on_asked=on_asked, allowance=Allowance(settings.timeout_seconds))


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError("no time at all")
    return seconds


def _registries_conf(path: Path) -> Path | None:
    """The file itself, or registries.conf in a directory that a pod mounts; None for a variable that is empty."""
    if is_variable(path):
        return variable_file(path, "--registries-conf")
    file = path / "registries.conf" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file} is not a file", where="--registries-conf")
    return file
