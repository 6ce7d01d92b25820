"""Pull specs: a table of what they mean, a round trip, and the same answers as distribution/reference."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.reference import Digest, ImageReference, Repository
from tests.parts.oracle_client import Oracle, Refused

A = "sha256:" + "a" * 64
B = "sha512:" + "b" * 128

MEANINGS = [
    pytest.param("ubuntu", "docker.io/library/ubuntu", id="a bare name is an official image"),
    pytest.param("acme/os", "docker.io/acme/os", id="two elements without a host"),
    pytest.param("docker.io/ubuntu", "docker.io/library/ubuntu", id="the default host and an official image"),
    pytest.param("index.docker.io/ubuntu:1", "docker.io/library/ubuntu:1", id="the old name of the default host"),
    pytest.param("docker.io/acme/os", "docker.io/acme/os", id="the default host, not official"),
    pytest.param("localhost/os", "localhost/os", id="localhost is a host"),
    pytest.param("localhost:5000/os:1", "localhost:5000/os:1", id="a port and a tag"),
    pytest.param("host:5000/os", "host:5000/os", id="a port makes a host"),
    pytest.param("Registry/os", "Registry/os", id="upper case makes a host"),
    pytest.param("REGISTRY.example.com/os", "REGISTRY.example.com/os", id="an upper-case host stays as written"),
    pytest.param("quay.io/a/b/c/d", "quay.io/a/b/c/d", id="many path elements"),
    pytest.param("[::1]:5000/os", "[::1]:5000/os", id="IPv6 with a port"),
    pytest.param("[2001:db8::1]/os", "[2001:db8::1]/os", id="IPv6 without a port"),
    pytest.param("10.0.0.1/os", "10.0.0.1/os", id="IPv4"),
    pytest.param(f"quay.io/a/b:1@{A}", f"quay.io/a/b:1@{A}", id="tag and digest together"),
    pytest.param(f"ubuntu@{A}", f"docker.io/library/ubuntu@{A}", id="a digest of an official image"),
    pytest.param(f"quay.io/a@{B}", f"quay.io/a@{B}", id="sha512"),
    pytest.param("quay.io/a:V1.0_x-Y", "quay.io/a:V1.0_x-Y", id="a tag may be upper case"),
    pytest.param("quay.io/a__b/c-d.e_f", "quay.io/a__b/c-d.e_f", id="all separators"),
    pytest.param("quay.io/a----b", "quay.io/a----b", id="many dashes"),
    pytest.param("quay.io/" + "a" * 255, "quay.io/" + "a" * 255, id="the longest path"),
    pytest.param("quay.io/a:" + "t" * 128, "quay.io/a:" + "t" * 128, id="the longest tag"),
    pytest.param("a" * 63, "docker.io/library/" + "a" * 63, id="not quite a bare hash"),
]

REFUSALS = [
    pytest.param("", id="empty"),
    pytest.param(" ubuntu", id="a leading blank"),
    pytest.param("ubuntu\n", id="a trailing newline"),
    pytest.param("Ubuntu", id="an upper-case path"),
    pytest.param("quay.io/Acme/os", id="upper case behind the host"),
    pytest.param("quay.io/", id="no path"),
    pytest.param("/os", id="no host"),
    pytest.param("quay.io//os", id="an empty path element"),
    pytest.param("quay.io/os/", id="a trailing slash"),
    pytest.param("quay.io/os:", id="an empty tag"),
    pytest.param("quay.io/os:.x", id="a tag that starts with a dot"),
    pytest.param("quay.io/os:" + "t" * 129, id="a tag too long"),
    pytest.param("quay.io/" + "a" * 256, id="a path too long"),
    pytest.param("library/" + "a" * 248, id="too long once it is complete"),
    pytest.param("quay.io/os@", id="an empty digest"),
    pytest.param("quay.io/os@sha256:" + "a" * 63, id="a digest too short"),
    pytest.param("quay.io/os@sha256:" + "A" * 64, id="an upper-case digest"),
    pytest.param("quay.io/os@sha256...", id="the documentation's placeholder"),
    pytest.param(f"quay.io/os@{A}:1", id="the tag behind the digest"),
    pytest.param(f"quay.io/os@{A}@{A}", id="two digests"),
    pytest.param("a" * 64, id="a bare hash"),
    pytest.param("https://quay.io/os", id="a URL"),
    pytest.param("docker://quay.io/os", id="a transport"),
    pytest.param("quay.io/a___b", id="three underscores"),
    pytest.param("quay.io/a..b", id="two dots"),
    pytest.param("-host.example/os", id="a host that starts with a dash"),
    pytest.param("[::1]os", id="no slash behind IPv6"),
    pytest.param("[::g]/os", id="not an IPv6 address"),
    pytest.param("quay.io:port/os", id="a port that is no number"),
    pytest.param("quay.io/ö", id="not ASCII"),
    pytest.param("quay.io/\u0661", id="a digit, but not ASCII"),
    pytest.param("quay.io/os:\u0661", id="a tag with a digit that is not ASCII"),
]

# What the original takes and we do not, by intent (layering/reference.py says why).
OUR_REFUSALS = [
    pytest.param("foo_bar.com/x:tag", id="looks like a host and is none"),
    pytest.param("quay.io/os@sha384:" + "c" * 96, id="sha384"),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_means(text: str, meaning: str) -> None:
    assert str(ImageReference.parse(text)) == meaning


@pytest.mark.parametrize("text", [*REFUSALS, *OUR_REFUSALS])
def test_refuses(text: str) -> None:
    with pytest.raises(InputError):
        ImageReference.parse(text)


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_the_original_means_the_same(oracle: Oracle, text: str, meaning: str) -> None:
    assert oracle.reference(text) == meaning


@pytest.mark.parametrize("text", OUR_REFUSALS)
def test_the_original_takes_what_we_refuse_by_intent(oracle: Oracle, text: str) -> None:
    assert oracle.reference(text)


@pytest.mark.parametrize("text", REFUSALS)
def test_the_original_refuses_too(oracle: Oracle, text: str) -> None:
    with pytest.raises(Refused):
        oracle.reference(text)


def digests() -> st.SearchStrategy[Digest]:
    def of(algorithm: str, length: int) -> st.SearchStrategy[Digest]:
        return st.text("0123456789abcdef", min_size=length, max_size=length).map(lambda x: Digest(algorithm, x))

    return of("sha256", 64) | of("sha512", 128)


def references() -> st.SearchStrategy[ImageReference]:
    element = st.from_regex(r"\A[a-z0-9]{1,4}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,4}){0,2}\Z")
    path = st.lists(element, min_size=1, max_size=4).map("/".join)
    host = st.sampled_from(["docker.io", "quay.io", "localhost", "localhost:5000", "HOST", "h:1", "[::1]", "[f::]:80"])
    tag = st.none() | st.from_regex(re.compile(r"\A\w[\w.-]{0,20}\Z", re.ASCII))
    repository = st.tuples(host, path).map(lambda parts: Repository.parse("/".join(parts)))
    return st.builds(ImageReference, repository, tag, st.none() | digests())


@given(references())
def test_parse_is_the_inverse_of_str(reference: ImageReference) -> None:
    assert ImageReference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("domain", "path"),
    [
        pytest.param("docker.io", "ubuntu", id="docker.io/library/ubuntu"),
        pytest.param("index.docker.io", "acme/os", id="docker.io/acme/os"),
        pytest.param("acme", "os", id="docker.io/acme/os, too"),
    ],
)
def test_a_repository_that_would_be_read_as_another_cannot_be_made(domain: str, path: str) -> None:
    with pytest.raises(InputError, match="would be read as another"):
        Repository(domain, path)


def texts() -> st.SearchStrategy[str]:
    pieces = [
        "a",
        "quay.io",
        "localhost",
        "A",
        "/",
        ":",
        "@",
        ".",
        "_",
        "__",
        "-",
        "5000",
        "[::1]",
        "x" * 64,
        A,
        B,
        "é",
    ]
    pieces += ["docker.io/", "index.docker.io/", "library/", "sha256:", " ", "\n", "é", "", "a" * 120]
    return st.lists(st.sampled_from(pieces), max_size=8).map("".join) | st.text("aA0.:/@_-[]", max_size=20)


@given(texts())
@example("a-/b")
@example("[:]/b")
@example("a.-b/c")
def test_says_what_the_original_says(oracle: Oracle, text: str) -> None:
    try:
        expected: str | None = oracle.reference(text)
    except Refused:
        expected = None
    if expected is not None and _is_refused_by_intent(text):
        return
    try:
        ours: str | None = str(ImageReference.parse(text))
    except InputError:
        ours = None
    assert ours == expected


def _is_refused_by_intent(text: str) -> bool:
    """A first element with a dot or colon that is no host: the original reads it as a path of the default host."""
    first, slash, _ = text.partition("/")
    if not slash or "." not in first:
        return False
    try:
        Repository(first, "x")
    except InputError:
        return True
    return False
