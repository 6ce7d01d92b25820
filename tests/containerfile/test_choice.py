"""When it is in doubt, or wrong, which FROM is the base: what is said, at which line, and what to do about it."""

import pytest

from layering.containerfile import Match, pin_base
from layering.errors import InputError
from layering.reasons import Reason
from layering.reference import ImageReference

REPOSITORY = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
BASE = ImageReference.parse(f"{REPOSITORY}@sha256:{'a' * 64}")


def refusal(text: str, *matches: str) -> InputError:
    with pytest.raises(InputError) as caught:
        pin_base(text, BASE, [Match.parse(match) for match in matches], where="os/Containerfile")
    return caught.value


# Each with the lines of the candidates, and what would choose each of them.
DOUBTS = [
    pytest.param(
        "FROM golang:1.22 AS build\nRUN go build\nFROM mirror.example.com/os:1\n",
        (),
        [
            "line 1: FROM golang:1.22 (match stage:build)",
            "line 3: FROM mirror.example.com/os:1 (match mirror.example.com/os)",
        ],
        id="neither has the base's repository",
    ),
    pytest.param(
        f"FROM {REPOSITORY}@sha256:{'1' * 64} AS dtk\nFROM fedora\n\nFROM {REPOSITORY}:4.18 AS os\n",
        (),
        ["line 1: FROM quay.io", "(match stage:dtk)", f"line 4: FROM {REPOSITORY}:4.18 (match stage:os)"],
        id="two of the base's repository that are not the same image",
    ),
    pytest.param(
        f"FROM {REPOSITORY}:extensions\nFROM {REPOSITORY}:os\n",
        (),
        ["line 1:", "line 2:", "(give it a name with AS to choose it)"],
        id="no --match can tell them apart",
    ),
    pytest.param(
        "ARG BASE\nFROM golang\nFROM $BASE\n",
        (),
        ["line 2: FROM golang (match docker.io/library/golang)", "line 3: FROM $BASE (match arg:BASE)"],
        id="an ARG without a default",
    ),
    pytest.param(
        "FROM <a>\nFROM <b>\n", (), ["line 1: FROM <a> (give it a name", "line 2: FROM <b> ("], id="placeholders"
    ),
    pytest.param(
        "FROM a/x AS a\nFROM b/x\n",
        ("stage:c",),
        ["match stage:c fits no FROM", "line 1:", "line 2:"],
        id="no such stage",
    ),
    pytest.param(
        "FROM a/x AS a\nFROM a\n", ("arg:BASE",), ["match arg:BASE fits no FROM", "line 1:"], id="no such ARG"
    ),
    pytest.param("FROM a/x\n", ("b/x",), ["match docker.io/b/x fits no FROM", "line 1:"], id="no such repository"),
    pytest.param("FROM a/x\nFROM b/x\n", ("a/x", "c/x"), ["match docker.io/c/x fits no FROM"], id="one of two matches"),
    pytest.param(
        "FROM a AS build\nCOPY --from=b/x / /\n",
        ("b/x",),
        ["match docker.io/b/x fits no FROM"],
        id="COPY --from is no FROM",
    ),
]


@pytest.mark.parametrize(("text", "matches", "says"), DOUBTS)
def test_a_doubt_lists_the_candidates(text: str, matches: tuple[str, ...], says: list[str]) -> None:
    error = refusal(text, *matches)
    assert [part for part in says if part not in error.what] == []
    assert error.where == "os/Containerfile"
    assert error.reason is Reason.BASE_AMBIGUOUS
    assert "--match" in error.next_step


@pytest.mark.parametrize(("text", "matches", "says"), DOUBTS)
def test_what_a_doubt_suggests_can_be_written(text: str, matches: tuple[str, ...], says: list[str]) -> None:
    suggested = [part.partition(")")[0] for part in refusal(text, *matches).what.split("(match ")[1:]]
    for match in suggested:
        assert pin_base(text, BASE, [Match.parse(match)])


REFUSALS = [
    pytest.param("", "os/Containerfile", "no FROM", id="empty"),
    pytest.param("RUN a\n# FROM b\n", "os/Containerfile", "no FROM", id="only a comment has one"),
    pytest.param("RUN <<EOF\nFROM b\nEOF\n", "os/Containerfile", "no FROM", id="only a heredoc has one"),
    pytest.param("FROM scratch\nCOPY a /\n", "os/Containerfile", "no FROM in it names a base image", id="scratch only"),
    pytest.param("FROM\n", "os/Containerfile, line 1", "FROM <image> [AS <name>]", id="no image"),
    pytest.param("FROM a b\n", "os/Containerfile, line 1", "FROM <image> [AS <name>]", id="two words"),
    pytest.param("FROM a IS b\n", "os/Containerfile, line 1", "FROM <image> [AS <name>]", id="three words, none AS"),
    pytest.param('FROM "a b"\n', "os/Containerfile, line 1", "FROM <image> [AS <name>]", id="quotes join no words"),
    pytest.param("\n\nFROM $BASE\n", "os/Containerfile, line 3", "no ARG before the first FROM declares", id="no ARG"),
    pytest.param("FROM a\nARG B=b\nFROM ${B}\n", "os/Containerfile, line 3", "no ARG before", id="a stage's ARG"),
    pytest.param("FROM a\nRUN <<EOF\n", "os/Containerfile, line 2", "<<EOF is not finished", id="unfinished heredoc"),
    pytest.param('ARG A="a\nFROM a\n', "os/Containerfile, line 1", "is not closed", id="an open quote"),
    pytest.param("ARG A\nFROM a:${A\n", "os/Containerfile, line 2", "cannot be read", id="an open brace"),
    pytest.param("#escape=x\nFROM a\n", "os/Containerfile, line 1", "escape character", id="escape directive"),
    pytest.param("#escape=`\n#escape=`\nFROM a\n", "os/Containerfile, line 2", "second escape", id="two directives"),
    pytest.param(
        "FROM configs AS final\nRUN a\n", "os/Containerfile, line 1", "on-cluster layering", id="on-cluster form"
    ),
    pytest.param(
        "FROM a AS x\nFROM configs\n", "os/Containerfile, line 2", "on-cluster layering", id="on-cluster, second"
    ),
    pytest.param(
        f"ARG A={REPOSITORY}\nFROM $A\nFROM $A-x\n", "os/Containerfile, line 3", "FROM $A-x means", id="ARG used twice"
    ),
]


@pytest.mark.parametrize(("text", "where", "says"), REFUSALS)
def test_refuses(text: str, where: str, says: str) -> None:
    error = refusal(text)
    assert says in error.what
    assert error.where == where


@pytest.mark.parametrize(
    "payload",
    [
        "quay.io/openshift-release-dev/ocp-release:4.19.2-x86_64",
        f"quay.io/openshift-release-dev/ocp-release@sha256:{'1' * 64}",
        "quay.io/openshift-release-dev/ocp-release-nightly:4.20.0-0.nightly-2025-07-01-000000",
        "mirror.example.com:5000/openshift-release-dev/ocp-release:4.19.2-x86_64",
        "mirror.example.com/ns/openshift/release-images:4.19.2-x86_64",
        "quay.io/okd/scos-release:4.19.0-okd-scos.1",
        "quay.io/openshift/okd:4.15.0-0.okd-2024-03-10-010116",
        "registry.ci.openshift.org/ocp/release:4.20.0-0.nightly-2025-07-01-000000",
        "registry.ci.openshift.org/ocp-arm64/release-arm64:4.20.0-0.nightly-arm64",
        "registry.ci.openshift.org/origin/release-scos:4.20.0-0.okd-scos",
    ],
)
def test_a_release_payload_is_no_base(payload: str) -> None:
    error = refusal(f"# the OS\nFROM {payload}\n")
    assert "is a release payload" in error.what
    assert error.where == "os/Containerfile, line 2"
    assert "oc adm release info --image-for" in error.next_step


@pytest.mark.parametrize(
    "image",
    [
        f"{REPOSITORY}@sha256:{'1' * 64}",
        "quay.io/okd/scos-content:4.19.0-okd-scos.1-stream-coreos",
        "mirror.example.com/openshift/release@sha256:...",
        "quay.io/fedora/fedora-coreos:stable",
        "registry.example.com/acme/release-os:1",
        "configs/os",
    ],
)
def test_what_only_looks_like_a_payload_is_taken(image: str) -> None:
    assert pin_base(f"FROM {image}\n", BASE).text == f"FROM {BASE}\n"


def test_a_payload_may_be_a_builder_stage() -> None:
    text = f"FROM quay.io/openshift-release-dev/ocp-release:4.19.2 AS payload\nFROM {REPOSITORY}:os\n"
    assert [change.line for change in pin_base(text, BASE).changes] == [2]


def test_a_stage_named_configs_is_one_like_any_other() -> None:
    assert pin_base("FROM fedora AS configs\nFROM configs AS final\n", BASE).changes[0].line == 1


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("fedora", Match("repository", "docker.io/library/fedora")),
        ("quay.io/a/b", Match("repository", "quay.io/a/b")),
        ("stage:final", Match("stage", "final")),
        ("arg:BASE_IMAGE", Match("arg", "BASE_IMAGE")),
        ("stage:5000/os", Match("repository", "stage:5000/os")),
    ],
)
def test_match_can_be_written(text: str, match: Match) -> None:
    assert Match.parse(text) == match
    assert Match.parse(str(match)) == match


@pytest.mark.parametrize(
    "text", ["", "quay.io/a:1", f"quay.io/a@sha256:{'a' * 64}", "stage:", "arg:", "Stage:x", "a b"]
)
def test_match_refuses(text: str) -> None:
    with pytest.raises(InputError):
        Match.parse(text)
