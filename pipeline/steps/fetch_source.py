"""Fetch the commit that a RebuildRequest names, so that `run --fetched` needs no credentials of git.

It leaves a repository without a checkout. A build that follows runs other people's RUN lines; whoever can, fetches in
another container than it builds in.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from layering.errors import InputError
from layering.git import fetch_commit
from layering.registry.settings import RegistrySettings
from layering.request import RebuildRequest
from layering.secrets import redact
from pipeline.git_access import FLAG, git_access
from pipeline.mounted import given_path
from pipeline.registry_flags import registry_settings
from pipeline.request_flag import add_request_argument, read_request

SUMMARY = "Fetch the commit a RebuildRequest names, for `run --fetched`."
EXAMPLE = "layerwatch-step fetch-source --request request.json --into source"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The request, the directory, and what git may use to get there; `registries` holds the trusted authorities."""

    request: RebuildRequest
    into: Path
    git_credentials: Path | None
    registries: RegistrySettings


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """`git` is the URL without credentials."""

    git: str
    commit: str
    directory: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    add_request_argument(parser)
    parser.add_argument("--into", type=Path, required=True, metavar="DIR", help="the repository; made when missing")
    add_git_credentials(parser)


def add_git_credentials(parser: argparse.ArgumentParser) -> None:
    """Add --git-credentials."""
    parser.add_argument(
        FLAG,
        type=given_path,
        metavar="DIR",
        help="a directory with .git-credentials, or username and password, or ssh-privatekey and known_hosts; "
        "takes the place of the user's git configuration",
    )


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError that names every fault of the request."""
    return Inputs(
        request=read_request(arguments),
        into=arguments.into,
        git_credentials=arguments.git_credentials,
        registries=registry_settings(arguments),
    )


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Fetch; a commit that is there already is fetched into the same repository again."""
    source = inputs.request.source
    with git_access(inputs.git_credentials, inputs.registries.ca_file, source.git) as env:
        try:
            fetch_commit(source.git, source.commit, inputs.into, env=env)
        except OSError as error:
            raise InputError(f"{inputs.into} cannot be written: {error.strerror}", where="--into") from None
    say(f"{redact(source.git)}: fetched {source.commit}")
    return Outputs(git=redact(source.git), commit=source.commit, directory=inputs.into)
