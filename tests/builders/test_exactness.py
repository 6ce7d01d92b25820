"""What compose promises to do as buildah does, item by item; and every reason for which it hands over instead."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from layering.platform import Platform
from layering.reference import ImageReference, Repository
from layering.registry.manifest import OCI_MANIFEST, sha256
from pipeline.builders.choose import short_reason
from pipeline.builders.image import BuildRequest, BuiltImage, PlatformBase
from pipeline.builders.refusal import Refusal, RefusalReason
from tests.builders.bases import push_base, push_index
from tests.builders.both import BothBuilders
from tests.builders.comparing import difference
from tests.builders.tars import directory, file

# What it is: the lines, and the base and context if not the usual ones.
EXACT = {
    "metadata of parent directories": ("COPY f /tmp/\nCOPY f /root/\nCOPY f /srv/new/deep/",),
    "symbolic links above the destination": ("COPY f /home/me/\nCOPY d /mnt/new\nCOPY f /chain/x\nCOPY f /var/up/y/",),
    "a link as the destination": ("COPY f /tozone\nCOPY f /home\nCOPY f /mnt/g\nCOPY d /bin",),
    "normal whiteouts of the base": ("COPY d /opt/old\nCOPY f /opt/old/sub/",),
    "opaque whiteouts of the base": ("COPY f /etc/conf.d/lost/\nCOPY d /etc/conf.d",),
    "a directory over a file": ("COPY over /etc/\nCOPY f /etc/motd/y",),
    "files and links over directories": ("COPY d /etc/conf.d/\nCOPY over/conf.d /etc/conf.d/sub\nCOPY over /usr/",),
    "hard links": ("COPY linked /etc/\nCOPY linked/one linked/two /tmp/",),
    "owners in digits": ("COPY --chown=7 d /new/a\nCOPY --chown=7:8 f /srv/\nUSER 5:6\nWORKDIR /w/v",),
    "modes": ("COPY suid d/sticky d/sub /tmp/s/\nCOPY --chmod=4711 d /m/\nCOPY --chmod=7 f /n",),
    "extended attributes": ("COPY attributes /etc/\nADD odd.tar /a/",),
    ".dockerignore": ("COPY . /all/\nCOPY *.conf /c/", "oci", ".dockerignore"),
    ".containerignore": ("COPY d /d\nCOPY . /all", "oci", ".containerignore"),
    "the Containerfile's own ignore file": ("COPY . /all/", "oci", "Containerfile.dockerignore"),
    "patterns": ("COPY *.conf /a/\nCOPY [ab]?conf b*[^x]conf /b/\nCOPY d*/s* /c\nCOPY bb* /one",),
    "links that are named": ("COPY to-file /a\nCOPY to-directory /b\nCOPY to-directory/x to-file /c/\nCOPY d/link /e",),
    "archives": (
        "ADD plain.tar /a\nADD packed.tar.gz /etc\nADD packed.tar.bz2 /b/\nADD --chown=1:1 packed.tar.xz /c/",
    ),
    "what only looks like an archive": (
        "ADD not-packed.gz /a\nADD zip.zip empty.tar /b/\nCOPY plain.tar /c\nADD d /e",
    ),
    "names outside of ASCII": ("COPY umlaut /ü/\nCOPY umlaut/ä /etc/ö",),
    "named pipes": ("COPY pipe /run/a\nCOPY pipe f /b/",),
    "variables": ("ARG V=a\nENV W=${V:-b}${NONE:+c}\\ \"$V 'q'\" E=$NONE\nLABEL w='$W' $V=\"$W\"\nCOPY $NONE./f /$W/",),
    "the builder's own arguments": (
        "ARG TARGETARCH TARGETOS\nARG TARGETPLATFORM\nLABEL t=$TARGETPLATFORM/$TARGETARCH",
    ),
    "old forms": ('ENV A b  c\nLABEL l m n\nMAINTAINER Jo\nCMD a \\"b\\" [c]',),
    "what the OCI form has no place for": ('HEALTHCHECK CMD x\nSHELL ["/x"]\nONBUILD COPY f /\nVOLUME /v /w',),
    "ONBUILD in the base": ("COPY f /etc/\nENV U=$T", "docker triggers"),
    "a base with volumes and without PATH": ("ENV A=$PATH\nCOPY f /var/vol/", "bare configuration"),
    "a working directory that is missing": ("LABEL a=b", "bare configuration"),
    "files of a stage": (
        "FROM scratch AS a\nCOPY --chown=3:4 suid linked f /d/\nCOPY --chmod=4711 d attributes to-file pipe /d/e/\n"
        "ADD --chown=1:1 plain.tar odd.tar /t\nUSER 5:6\nWORKDIR /w/v\nFROM {base}\nCOPY --from=a / /all/\n"
        "COPY --from=1 /d/suid /one\nCOPY --from=a d/e /opt/old\nCOPY --chown=9 --from=a /t /tmp/t\n"
        "COPY --from=a --chmod=750 t/* d/one d/two /m/",
    ),
    "links and patterns in a stage": (
        "FROM scratch AS a\nCOPY d /d/\nCOPY over /over/\nADD plain.tar /t/\nWORKDIR /d\nFROM {base}\n"
        "COPY --from=a /d/link /over/bin/x /a/\nCOPY --from=a /d/s* /over/?o* /b/\nCOPY --from=a t/deep/link /c\n"
        "COPY --from=a over /etc/",
    ),
    "stages that copy from stages": (
        "FROM scratch\nARG G\nENV P=$G\nCOPY f a.conf /$P/\nFROM scratch AS b\nCOPY --from=1 /global /x\n"
        "COPY --chown=8:9 --from=1 global/f /x/g\nFROM {base}\nCOPY --from=b x /srv/\nCOPY --from=2 /x/g /etc/",
    ),
    "an ignore file does not count for stages": (
        "FROM scratch AS a\nCOPY d f bb.conf /x/\nCOPY bb.conf /x/a.conf\nFROM {base}\nCOPY --from=a /x /y",
        "oci",
        ".dockerignore",
    ),
    "what a stage on the base made itself": (
        "COPY --chown=3:4 suid linked f /d/\nCOPY f /etc/new.conf\nCOPY over/conf.d /etc/motd\nENV E=/d\nWORKDIR /w/v\n"
        "COPY d x/\nFROM {base} AS b\nCOPY --from=0 /etc/new.conf /etc/motd /tmp/\nCOPY --from=0 /d /w/v/x/sub /w/\n"
        "FROM {base}\nCOPY --from=0 /d/suid /w/v/x /all/\nCOPY --from=0 --chown=9 /w /opt/old\n"
        "COPY --from=b /tmp/new.conf tmp/motd /etc/",
    ),
    "a stage on a base with triggers": ("COPY f /x/\nFROM {base}\nCOPY --from=0 /triggered /x /y/", "docker triggers"),
    "stages that nothing needs": (
        "RUN exit 1\nFROM none.example/none AS n\nFROM scratch\nCOPY none /\nFROM {base}\nCOPY f /etc/",
    ),
    "a docker manifest as the base": ("COPY d /srv/\nEXPOSE 80", "docker"),
    "an OCI manifest as the base": ("COPY d /srv/\nEXPOSE 80", "oci"),
}


@pytest.mark.parametrize("case", EXACT.values(), ids=EXACT.keys())
def test_exact(both_builders: BothBuilders, case: tuple[str, ...], tmp_path: Path) -> None:
    request = both_builders.request(*case)
    composed, built = both_builders.composed(request, tmp_path), both_builders.built(request, tmp_path)
    assert isinstance(composed, BuiltImage), str(composed)
    assert isinstance(built, BuiltImage), str(built)
    assert not difference(composed, built)


def test_an_index_is_built_for_each_platform(both_builders: BothBuilders, tmp_path: Path) -> None:
    client, repository = both_builders.client, Repository(both_builders.bases["oci"].repository.domain, "exact/index")
    images = {
        architecture: push_base(client, repository, [[directory("etc", mode)]], architecture=architecture)
        for architecture, mode in {"amd64": 0o700, "arm64": 0o711}.items()
    }
    index = push_index(client, repository, images)
    bases = []
    for architecture in images:
        manifest = client.image(index, Platform("linux", architecture))
        config = client.config(repository, manifest)
        bases.append(PlatformBase(platform=config.platform, manifest=manifest, config=config))
    request = replace(
        both_builders.request(""),
        text=f"FROM {index}\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY f /etc/\n",
        base=index,
        bases=tuple(bases),
    )
    composed = both_builders.composer.compose(request, tmp_path)
    built = both_builders.buildah.build(request, tmp_path)
    for one, other in zip(composed, built, strict=True):
        assert isinstance(one, BuiltImage), str(one)
        assert not difference(one, other)
    assert len({image.layers[0].written.diff_id for image in built}) == 2


REFUSED = {
    "RUN true": "InstructionNotComposable (line 3)",
    "COPY --from=build f /etc/": "FlagNotComposable (line 3)",
    "COPY f /etc/\n\nRUN \\\n true": "InstructionNotComposable (line 5)",
    "COPY --from=1 f /x\nFROM scratch": "FromNotComposable (line 4)",
    "COPY f /x\nFROM {base}\nCOPY --from=0 /etc/motd /x": "SeveralStages (line 5)",
    "COPY f /etc/\nFROM {base}\nCOPY --from=0 /etc/ /x": "SeveralStages (line 5)",
    "COPY f /etc/x\nFROM {base}\nCOPY --from=0 /etc/x* /x": "SeveralStages (line 5)",
    "COPY f /mnt/x\nFROM {base}\nCOPY --from=0 /mnt/x /x": "SeveralStages (line 5)",
    "COPY d /d\nFROM {base}\nCOPY --from=0 /d/link /x": "SeveralStages (line 5)",
    "COPY f /x\nFROM {base}\nCOPY --from=0 / /x": "SeveralStages (line 5)",
    "RUN x\nFROM {base}\nCOPY --from=0 /x /etc/": "InstructionNotComposable (line 3)",
    "COPY f /x\nFROM other.example/os AS o\nCOPY f /x\nFROM {base}\nCOPY --from=o /x /etc/": "SeveralStages (line 4)",
    "FROM scratch AS a\nCOPY f /\nRUN x\nFROM {base}\nCOPY --from=a f /": "InstructionNotComposable (line 5)",
    "FROM scratch\n" * 52 + "FROM {base}\nCOPY --from=52 f /": "SeveralStages (line 56)",
    "FROM scratch AS a\nFROM scratch AS a\nFROM {base}\nCOPY --from=a f /": "FlagNotComposable (line 6)",
    "COPY --chown=core f /etc/": "OwnerByName (line 3)",
    "ARG U=core\nCOPY --chown=$U:7 f /etc/": "OwnerByName (line 4)",
    "USER core\nWORKDIR /new": "WorkdirOfUser (line 4)",
    "ADD https://example.com/x /etc/": "SourceNotLocal (line 3)",
    "COPY ../f /etc/": "SourceNotLocal (line 3)",
    "COPY [b-a]* /etc/": "SourcePattern (line 3)",
    "COPY dangling /etc/": "SourceIsSymlink (line 3)",
    "ADD packed.tar.zst /etc/": "SourceIsArchive (line 3)",
    "COPY null /etc/": "SourceIsSpecial (line 3)",
    "COPY a.conf /etc/": "IgnoreFile (line 3)",
    "COPY b* /one": "DestinationUndecided (line 3)",
    "COPY f /loop/": "DestinationThroughSymlink (line 3)",
    "COPY f /etc/motd/x": "DestinationOfOtherKind (line 3)",
    "CMD [1]": "ArgumentsNotComposable (line 3)",
    "ENV A=${X%x}": "VariableNotComposable (line 3)",
}


@pytest.fixture(scope="module")
def context(both_builders: BothBuilders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual one, and what cannot be copied."""
    root = tmp_path_factory.mktemp("odd") / "context"
    shutil.copytree(both_builders.contexts["plain"], root, symlinks=True, ignore=lambda _, names: {"pipe"} & set(names))
    (root / "dangling").symlink_to("nowhere")
    (root / "packed.tar.zst").write_bytes(b"(\xb5/\xfd and so on")
    (root / "bz").mkdir()
    (root / "b").write_text("b")
    (root / "null").symlink_to("/dev/null")
    (root / ".dockerignore").write_text("a.conf\n")
    return root


@pytest.mark.parametrize(("body", "reason"), REFUSED.items())
def test_a_refusal_names_the_line(
    both_builders: BothBuilders, context: Path, body: str, reason: str, tmp_path: Path
) -> None:
    if body == "COPY null /etc/":
        _make_device(context / "null")
    request = replace(both_builders.request(body), context=context)
    assert said(both_builders, request, tmp_path) == reason


def _make_device(path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        os.mknod(path, 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


def _on_build(both: BothBuilders) -> ImageReference:
    return push_base(both.client, _odd(both, "onbuild"), [[directory("etc")]], config={"OnBuild": ["COPY f /"]})


def _unsaid(both: BothBuilders) -> ImageReference:
    return push_base(both.client, _odd(both, "unsaid"), [[file("etc/f")]])


def _other_layer(both: BothBuilders) -> ImageReference:
    """A layer that is compressed with zstd, by its type."""
    image = push_base(both.client, _odd(both, "zstd"), [[directory("etc")]])
    raw = both.client.image(image).raw.replace(b"tar+gzip", b"tar+zstd")
    return image.repository.at(both.client.push_manifest(image.repository.at(sha256(raw)), raw, OCI_MANIFEST))


def _odd(both: BothBuilders, name: str) -> Repository:
    return Repository(both.bases["oci"].repository.domain, f"exact/{name}")


OF_THE_BASE: dict[str, Callable[[BothBuilders], ImageReference]] = {
    "BaseConfigNotComposable": _on_build,
    "DirectoryUnknown (line 3)": _unsaid,
    "BaseLayerNotReadable (line 3)": _other_layer,
}


@pytest.mark.parametrize(("reason", "make"), OF_THE_BASE.items())
def test_a_refusal_because_of_the_base(
    both_builders: BothBuilders, reason: str, make: Callable[[BothBuilders], ImageReference], tmp_path: Path
) -> None:
    bases = {**both_builders.bases, "odd": make(both_builders)}
    request = replace(both_builders, bases=bases).request("COPY f /etc/", "odd")
    assert said(both_builders, request, tmp_path) == reason


def said(both_builders: BothBuilders, request: BuildRequest, directory: Path) -> str:
    """`builder_reason` of a build by `--builder auto`."""
    refusal = both_builders.composed(request, directory)
    assert isinstance(refusal, Refusal), str(refusal)
    assert refusal.detail
    return short_reason(refusal)


def test_every_reason_has_its_test() -> None:
    tested = {reason.partition(" ")[0] for reason in (*REFUSED.values(), *OF_THE_BASE, "FromNotComposable")}
    assert tested == {str(reason) for reason in RefusalReason}


@pytest.mark.parametrize("line", ["FROM scratch", "FROM --platform=linux/arm64 {base}", "FROM other@{digest}"])
def test_another_from_is_refused(both_builders: BothBuilders, line: str, tmp_path: Path) -> None:
    request = both_builders.request("")
    text = line.format(base=request.base, digest=request.base.pinned)
    assert said(both_builders, replace(request, text=f"\n{text}\n"), tmp_path) == "FromNotComposable (line 2)"
