"""The proposal that docs/pull-requests.md shows: a real body of made-up facts."""

from layering.comparison import Comparison, LabelChanges, LayerChanges
from layering.evidence import Evidence
from layering.findings import Finding, Severity
from layering.platform import Platform
from layering.proposal import Facts, Rollout
from layering.reference import Digest, Repository

_OURS = Repository("registry.example.com", "acme/worker-os")
_THEIRS = Repository("quay.io", "openshift-release-dev/ocp-v4.0-art-dev")
_OLD, _NEW, _OLD_BASE, _NEW_BASE = (
    Digest("sha256", digits * 8) for digits in ("41c6e07b", "9d27b5f0", "b08ae3d4", "5fe1c992")
)
_COMPARISON = Comparison(
    old=_OURS.at(_OLD),
    new=_OURS.at(_NEW),
    versions=("9.6.20250523-0", "9.6.20250610-1"),
    labels=LabelChanges(
        added={},
        removed={},
        changed={"com.coreos.rpm.kernel": ("5.14.0-570.17.1.el9_6.x86_64", "5.14.0-570.21.1.el9_6.x86_64")},
    ),
    layers=(
        LayerChanges(platform=Platform("linux", "amd64"), shared=39, added=13, removed=13, fetch_bytes=487_200_000),
        LayerChanges(platform=Platform("linux", "arm64"), shared=39, added=13, removed=13, fetch_bytes=455_900_000),
    ),
    same_content=False,
)
SAMPLE = Facts(
    cluster="prod",
    pool="worker",
    image=_OURS.at(_NEW),
    key="7c3b1a90" * 8,
    also=("infra",),
    name="worker-os",
    why="the cluster runs `4.19.3` now",
    old_image=str(_OURS.at(_OLD)),
    version="4.19.3",
    old_version="4.19.2",
    base=_THEIRS.at(_NEW_BASE),
    old_base=str(_OLD_BASE),
    source="https://git.example.com/acme/os-images.git",
    commit="e3a90c4d17" * 4,
    build="worker-os-7c3b1a907c3b-1",
    rollouts=(
        Rollout(pool="worker", machines=24, at_once=2, zones=(("eu-1a", 8), ("eu-1b", 8), ("eu-1c", 8))),
        Rollout(pool="infra", machines=3, paused=True),
    ),
    evidence=Evidence(
        findings=(
            Finding(
                rule="stream",
                severity=Severity.WARNING,
                message="linux/arm64: label io.openshift.os.streamclass is None, the base's is 'rhel-9'",
            ),
        ),
        comparison=_COMPARISON,
    ),
)
