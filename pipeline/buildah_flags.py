"""The flags that concern buildah alone: its storage driver, and the entitlements its RUN lines see."""

import argparse

from pipeline.builders.entitlement import FLAG
from pipeline.mounted import given_path, given_text


def add_buildah_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --storage-driver and --entitlement."""
    group = parser.add_argument_group("buildah")
    group.add_argument(
        "--storage-driver", type=given_text, metavar="NAME", help="for instance vfs (default: as buildah is configured)"
    )
    group.add_argument(
        FLAG,
        type=given_path,
        metavar="DIR",
        help="RHEL entitlement certificates (*.pem, as in the Secret etc-pki-entitlement); RUN lines see them in "
        "/etc/pki/entitlement, and no layer has them",
    )
