"""When a release is verified: keys, stores and names together, and what becomes of one that is not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from layering.errors import ContentError, InputError, LayerwatchError, UnavailableError
from layering.reasons import Reason
from layering.reference import Digest, ImageReference, Repository
from layering.registry.deadline import Deadline
from layering.releasesignatures.keyring import Keyring
from layering.releasesignatures.rules import PRODUCT, Policy, SignatureRules
from layering.releasesignatures.stores import Store
from layering.releasesignatures.verification import NOT_ASKED, ReleaseVerifier, State, Verification
from tests.signatures.gpg import Gpg, claim
from tests.signatures.releases import DIGEST, MIRROR, OLDER, name, release, store


@dataclass
class Asked:
    """A verifier with what it said, and how often it looked for stores."""

    verifier: ReleaseVerifier
    said: list[str] = field(default_factory=list)
    looks: int = 0


Build = Callable[..., Asked]


@pytest.fixture
def build(gpg: Gpg) -> Build:
    def made(*stores: Store, keys: Sequence[str] = ("Alice",), **rules: Any) -> Asked:
        keyrings = tuple(Keyring.parse(gpg.public(*users.split("+")), users) for users in keys)
        asked = Asked(verifier=None)  # type: ignore[arg-type] # it follows

        def looked(of: ImageReference) -> Sequence[Store]:
            asked.looks += 1
            return stores

        rules_of = SignatureRules(keys=keyrings, **rules)
        asked.verifier = ReleaseVerifier(rules_of, looked, asked.said.append, deadline=lambda: Deadline.after(20))
        return asked

    return made


def at(payload: Any, tag: str | None = None) -> Any:
    return payload, ImageReference(payload.reference.repository, tag, payload.reference.digest)


NAMES: Mapping[str, tuple[Any, str]] = {
    "amd64": (release(), name()),
    "arm64": (release(architecture="arm64"), name(machine="aarch64")),
    "s390x": (release(architecture="s390x"), name(machine="s390x")),
    "ppc64le": (release(architecture="ppc64le"), name(machine="ppc64le")),
    "multi": (release(multi=True), name(machine="multi")),
    "a release candidate": (release("4.20.0-rc.1"), name("4.20.0-rc.1")),
}


@pytest.mark.parametrize(("payload", "signed"), NAMES.values(), ids=NAMES)
def test_verified(gpg: Gpg, build: Build, tmp_path: Path, verifier: str, payload: Any, signed: str) -> None:
    found = build(store(tmp_path, [gpg.sign(claim(DIGEST, signed), "Alice")])).verifier(*at(payload))
    assert (found.policy, found.state, found.reference) == (Policy.REQUIRE, State.VERIFIED, signed)
    assert (found.key, found.store) == (gpg.fingerprint("Alice"), str(tmp_path))
    assert found.time is not None
    assert found.time.endswith("Z")


REFUSED: Mapping[str, tuple[Callable[[Gpg], Sequence[bytes]], Sequence[str], str]] = {
    "not signed": (lambda gpg: [], ["Alice"], "there is no signature"),
    "by somebody else": (lambda gpg: [gpg.sign(claim(DIGEST), "Bob")], ["Alice"], "not signed by a key of Alice"),
    "nonsense": (lambda gpg: [b"nonsense"], ["Alice"], "not OpenPGP"),
    "a longer one than 64 KiB": (lambda gpg: [bytes(70 * 1024)], ["Alice"], "longer than 65536"),
    "another image's": (lambda gpg: [gpg.sign(claim(OLDER), "Alice")], ["Alice"], "another image"),
    "of an older release, put under the newer's digest": (
        lambda gpg: [gpg.sign(claim(OLDER, name("4.16.1")), "Alice")], ["Alice"], "another image",
    ),
    "of this image as another version": (
        lambda gpg: [gpg.sign(claim(DIGEST, name("4.16.1")), "Alice")], ["Alice"], "4.16.1-x86_64, and it should be",
    ),
    "of this image for another machine": (
        lambda gpg: [gpg.sign(claim(DIGEST, name(machine="aarch64")), "Alice")], ["Alice"], "aarch64",
    ),
    "of this image in another repository": (
        lambda gpg: [gpg.sign(claim(DIGEST, "quay.io/acme/ocp-release:4.19.2-x86_64"), "Alice")], ["Alice"], "acme",
    ),
    "of a name that only begins like it": (
        lambda gpg: [gpg.sign(claim(DIGEST, name("4.19.2") + "-2"), "Alice")], ["Alice"], "x86_64-2",
    ),
    "of a name without a tag": (
        lambda gpg: [gpg.sign(claim(DIGEST, name().partition(":")[0]), "Alice")], ["Alice"], "it should be",
    ),
    "of a name with a digest, too": (
        lambda gpg: [gpg.sign(claim(DIGEST, f"{name()}@{DIGEST}"), "Alice")], ["Alice"], "it should be",
    ),
    "of another kind": (lambda gpg: [gpg.sign(claim(DIGEST, type="x"), "Alice")], ["Alice"], "type"),
    "by one of two keyrings": (lambda gpg: [gpg.sign(claim(DIGEST), "Alice")], ["Alice", "Bob"], "key of Bob"),
    "by both keys of one of two keyrings": (
        lambda gpg: [gpg.sign(claim(DIGEST), user) for user in ("Alice", "Sub")], ["Alice+Sub", "Bob"], "key of Bob",
    ),
    "the tenth is right": (
        lambda gpg: [*[gpg.sign(claim(DIGEST), "Bob")] * 9, gpg.sign(claim(DIGEST), "Alice")], ["Alice"], "of Alice",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("signatures", "keys", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(
    gpg: Gpg, build: Build, tmp_path: Path, verifier: str, signatures: Any, keys: Sequence[str], said: str
) -> None:
    asked = build(store(tmp_path, signatures(gpg)), keys=keys)
    with pytest.raises(ContentError, match=said) as caught:
        asked.verifier(*at(release()))
    assert caught.value.reason is Reason.RELEASE_UNVERIFIED
    assert str(release().reference) in str(caught.value)


FOUND: Mapping[str, tuple[Sequence[tuple[str, str]], Sequence[str]]] = {
    "after what is false": ([("Bob", name()), ("Alice", name("4.16.1")), ("Alice", name())], ["Alice"]),
    "the ninth": ([*[("Bob", name())] * 8, ("Alice", name())], ["Alice"]),
    "each keyring's own": ([("Bob", name()), ("Alice", name())], ["Alice", "Bob"]),
    "the same file named twice": ([("Alice", name())], ["Alice", "Alice"]),
    "one that is in both keyrings": ([("Bob", name())], ["Alice+Bob", "Bob+Sub"]),
}


@pytest.mark.parametrize(("signatures", "keys"), FOUND.values(), ids=FOUND)
def test_found_among_others(
    gpg: Gpg, build: Build, tmp_path: Path, signatures: Sequence[tuple[str, str]], keys: Sequence[str]
) -> None:
    signed = [gpg.sign(claim(DIGEST, named), user) for user, named in signatures]
    found = build(store(tmp_path, signed), keys=keys).verifier(*at(release()))
    assert found.state is State.VERIFIED
    assert found.key is not None
    assert len(found.key.split(",")) == len(set(keys))


def test_keyrings_may_be_satisfied_from_different_stores(gpg: Gpg, build: Build, tmp_path: Path) -> None:
    one = store(tmp_path / "1", [gpg.sign(claim(DIGEST), "Alice")])
    two = store(tmp_path / "2", [gpg.sign(claim(DIGEST), "Bob")])
    found = build(one, two, keys=["Alice", "Bob"]).verifier(*at(release()))
    assert found.key == f"{gpg.fingerprint('Alice')},{gpg.fingerprint('Bob')}"


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (None, ""),
        ("latest", ""),
        ("4.19", ""),
        ("4.19.2-x86_64", ""),
        ("4.19.3-x86_64", "asked for as 4.19.3-x86_64"),
        ("4.19.2-aarch64", "asked for as 4.19.2-aarch64"),
        ("4.19.2-multi", "asked for as 4.19.2-multi"),
    ],
)
def test_an_older_release_that_a_newer_tag_names(
    gpg: Gpg, build: Build, tmp_path: Path, tag: str | None, said: str
) -> None:
    """All its signatures are right: what is wrong is what the registry has under that tag."""
    asked = build(store(tmp_path, [gpg.sign(claim(DIGEST), "Alice")]))
    if not said:
        assert asked.verifier(*at(release(), tag)).state is State.VERIFIED
        return
    with pytest.raises(ContentError, match=said):
        asked.verifier(*at(release(), tag))


OURS = Repository.parse("quay.io/acme/os-release")


def test_the_identity_may_be_another(gpg: Gpg, build: Build, tmp_path: Path) -> None:
    signed = store(tmp_path, [gpg.sign(claim(DIGEST, f"{OURS}:4.19.2-x86_64"), "Alice")])
    assert build(signed, identity=OURS).verifier(*at(release())).reference == f"{OURS}:4.19.2-x86_64"
    with pytest.raises(ContentError, match="acme"):
        build(signed).verifier(*at(release()))


POLICIES: Mapping[str, tuple[Policy | None, Sequence[str], Repository, State | type[LayerwatchError]]] = {
    "a key means require": (None, ["Alice"], MIRROR, ContentError),
    "no key, another name": (None, [], MIRROR, State.SKIPPED),
    "no key, the product's own name: by the key that is built in": (None, [], PRODUCT, ContentError),
    "require without a key": (Policy.REQUIRE, [], MIRROR, InputError),
    "require for the product's own name": (Policy.REQUIRE, [], PRODUCT, ContentError),
    "warn": (Policy.WARN, ["Alice"], MIRROR, State.UNVERIFIED),
    "warn without a key": (Policy.WARN, [], MIRROR, State.UNVERIFIED),
    "warn for the product's own name": (Policy.WARN, [], PRODUCT, State.UNVERIFIED),
    "ignore": (Policy.IGNORE, ["Alice"], MIRROR, State.SKIPPED),
    "ignore for the product's own name": (Policy.IGNORE, [], PRODUCT, State.SKIPPED),
}


@pytest.mark.parametrize(("policy", "keys", "repository", "expected"), POLICIES.values(), ids=POLICIES)
def test_what_becomes_of_a_release_that_is_not_signed(
    build: Build, tmp_path: Path, policy: Policy | None, keys: Sequence[str], repository: Repository, expected: Any
) -> None:
    asked = build(store(tmp_path, []), keys=keys, policy=policy)
    payload = release(repository=repository)
    if isinstance(expected, State):
        found = asked.verifier(*at(payload))
        assert found == (
            NOT_ASKED if expected is State.SKIPPED else Verification(policy=Policy.WARN, state=State.UNVERIFIED)
        )
        assert len(asked.said) == (1 if expected is State.UNVERIFIED else 0)
        assert asked.looks == 0 or expected is not State.SKIPPED
    else:
        with pytest.raises(expected):
            asked.verifier(*at(payload))


def test_a_key_and_no_store(build: Build) -> None:
    with pytest.raises(InputError, match="no store"):
        build().verifier(*at(release()))


@dataclass(frozen=True)
class Failing:
    """A store that does not answer."""

    fault: LayerwatchError
    name: str = "failing"

    def signatures(self, digest: Digest, deadline: Deadline) -> Iterator[bytes]:
        raise self.fault


DOWN = Failing(UnavailableError("down"))


def test_a_store_that_does_not_answer_leaves_it_to_the_others(gpg: Gpg, build: Build, tmp_path: Path) -> None:
    asked = build(DOWN, store(tmp_path, [gpg.sign(claim(DIGEST), "Alice")]))
    assert asked.verifier(*at(release())).state is State.VERIFIED


@pytest.mark.parametrize("signatures", [[], [b"nonsense"]], ids=["nothing", "nonsense"])
def test_it_cannot_be_told_when_the_others_do_not_have_it(
    build: Build, tmp_path: Path, signatures: Sequence[bytes]
) -> None:
    with pytest.raises(UnavailableError, match="down"):
        build(DOWN, store(tmp_path, signatures)).verifier(*at(release()))


def test_no_store_is_asked_twice_about_one_release(gpg: Gpg, build: Build, tmp_path: Path) -> None:
    asked = build(store(tmp_path, [gpg.sign(claim(DIGEST), "Alice")]))
    first = asked.verifier(*at(release()))
    assert asked.verifier(*at(release())) == first
    assert asked.looks == 1


def test_what_was_refused_is_looked_for_again(gpg: Gpg, build: Build, tmp_path: Path) -> None:
    asked = build(store(tmp_path, []))
    with pytest.raises(ContentError):
        asked.verifier(*at(release()))
    store(tmp_path, [gpg.sign(claim(DIGEST), "Alice")])
    assert asked.verifier(*at(release())).state is State.VERIFIED
