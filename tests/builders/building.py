"""Build requests for tests, without a registry."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.manifest import OCI_CONFIG, OCI_MANIFEST, Descriptor, ImageManifest, parse_config, sha256
from pipeline.builders.image import BuildRequest, PlatformBase

BASE = ImageReference.parse(f"quay.io/acme/os@sha256:{'a' * 64}")
CREATED = datetime(2025, 11, 1, 12, 30, tzinfo=UTC)


def platform_base(architecture: str = "amd64", *, raw: bytes = b"{}") -> PlatformBase:
    config = json.dumps(
        {"architecture": architecture, "os": "linux", "config": {"Env": ["PATH=/bin"]}, "rootfs": {"diff_ids": []}}
    ).encode()
    descriptor = Descriptor(media_type=OCI_CONFIG, digest=sha256(config), size=len(config))
    manifest = ImageManifest(raw=raw, digest=sha256(raw), media_type=OCI_MANIFEST, config=descriptor, layers=())
    return PlatformBase(platform=Platform("linux", architecture), manifest=manifest, config=parse_config(config))


def build_request(
    text: str = f"FROM {BASE}\n",
    *,
    context: Path = Path("/context"),
    build_args: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    bases: tuple[PlatformBase, ...] | None = None,
) -> BuildRequest:
    return BuildRequest(
        context=context,
        text=text,
        containerfile_name="Containerfile",
        base=BASE,
        bases=bases or (platform_base(),),
        build_args=build_args or {},
        created=CREATED,
        labels=labels or {},
    )


def make_odd_directories(root: Path) -> None:
    """Modes that are inherited or sticky, links, and nothing at all; `d/x` and `d/sub` are there."""
    (root / "d").chmod(0o751)
    (root / "d/sub").chmod(0o2700)
    (root / "d/sticky").mkdir()
    (root / "d/sticky").chmod(0o1777)
    (root / "d/link").symlink_to("x")
    (root / "d/dangling").symlink_to("/no/where")
    (root / "empty").mkdir()
