"""Which places are asked for a reference, in which order: rules as sysregistriesv2 reads them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.reference import ImageReference
from layering.registry.mirrorrule import Kind, Mirror, MirrorRule, Place, addresses, standing

DIGEST = "sha256:" + "a" * 64


def rule(
    source: str, *mirrors: str, kind: Kind = "any", blocked: bool = False, never: bool = False, insecure: bool = False
) -> MirrorRule:
    return MirrorRule(
        source=source,
        mirrors=tuple(Mirror(location=one) for one in mirrors),
        kind=kind,
        blocked=blocked,
        never_contact_source=never,
        insecure=insecure,
    )


def asked(reference: str, *rules: MirrorRule, content: bool = False) -> list[str]:
    return [str(place.reference) for place in addresses(ImageReference.parse(reference), rules, content=content)]


@pytest.mark.parametrize(
    ("reference", "rules", "places"),
    [
        pytest.param("q.io/a/b:1", [], ["q.io/a/b:1"], id="no rule"),
        pytest.param("q.io/ab/c:1", [rule("q.io/a", "m.x")], ["q.io/ab/c:1"], id="a source ends at a boundary"),
        pytest.param("q.io.evil/a:1", [rule("q.io", "m.x")], ["q.io.evil/a:1"], id="and a host too"),
        pytest.param(
            "q.io/a/b:1", [rule("q.io/a", "m.x/y", "n.x:5000")], ["m.x/y/b:1", "n.x:5000/b:1", "q.io/a/b:1"],
            id="mirrors in their order, then the source; the rest of the path stays",
        ),
        pytest.param("q.io/a/b:1", [rule("q.io/a/b", "m.x/z")], ["m.x/z:1", "q.io/a/b:1"], id="a whole repository"),
        pytest.param("q.io/a/b", [rule("q.io/a", "m.x/y")], ["m.x/y/b:latest", "q.io/a/b"], id="no tag is latest"),
        pytest.param(
            "q.io/a/b:1", [rule("q.io", "far.x"), rule("q.io/a", "near.x")], ["near.x/b:1", "q.io/a/b:1"],
            id="the longest source wins, alone",
        ),
        pytest.param(
            "q.io/a/b:1", [rule("q.io", "far.x"), rule("q.io/a", "near.x", kind="digest")], ["q.io/a/b:1"],
            id="also when its mirrors are for something else",
        ),
        pytest.param(
            f"q.io/a@{DIGEST}", [rule("q.io", "t.x", kind="tag"), rule("q.io", "d.x", kind="digest")],
            [f"d.x/a@{DIGEST}", f"q.io/a@{DIGEST}"], id="a digest asks the mirrors for digests",
        ),
        pytest.param(
            "q.io/a:1", [rule("q.io", "t.x", kind="tag"), rule("q.io", "d.x", kind="digest")],
            ["t.x/a:1", "q.io/a:1"], id="a tag those for tags",
        ),
        pytest.param(
            f"q.io/a:1@{DIGEST}", [rule("q.io", "t.x", kind="tag"), rule("q.io", "d.x", kind="digest")],
            [f"d.x/a@{DIGEST}", f"q.io/a:1@{DIGEST}"], id="with both the digest counts",
        ),
        pytest.param(
            "cdn.q.io/a:1", [rule("*.q.io", "m.x/w")], ["m.x/w/a:1", "cdn.q.io/a:1"], id="a wildcard is a whole host"
        ),
        pytest.param(
            "q.io/a:1", [rule("q.io", "far.x"), rule("*.io", "near.x")], ["near.x/a:1", "q.io/a:1"],
            id="of two sources equally long the first by name",
        ),
        pytest.param("q.io/a:1", [rule("*.q.io", "m.x/w")], ["q.io/a:1"], id="which is not the domain itself"),
        pytest.param("x.y/b.q.io/a:1", [rule("*.q.io", "m.x")], ["x.y/b.q.io/a:1"], id="and not a path"),
        pytest.param(
            "q.io/a:1", [rule("q.io", "m.x", never=True)], ["m.x/a:1"], id="NeverContactSource"
        ),
        pytest.param("q.io/a:1", [rule("q.io", "m.x", blocked=True)], ["m.x/a:1"], id="blocked, with a mirror"),
        pytest.param("q.io/a:1", [rule("q.io", blocked=True)], [], id="blocked alone"),
        pytest.param("q.io/a:1", [rule("q.io", "m.x"), rule("m.x", blocked=True)], ["q.io/a:1"], id="a blocked mirror"),
        pytest.param("q.io/a:1", [rule("q.io", "q.io", "m.x")], ["q.io/a:1", "m.x/a:1"], id="the source as a mirror"),
        pytest.param(
            "q.io/a:1", [MirrorRule(source="q.io", location="inner.x/q", mirrors=(Mirror(location="m.x"),))],
            ["m.x/a:1", "inner.x/q/a:1"], id="a source that is somewhere else",
        ),
        pytest.param("ubuntu", [rule("docker.io", "m.x")], ["m.x/library/ubuntu:latest", "docker.io/library/ubuntu"],
                     id="a short name is docker.io"),
    ],
)  # fmt: skip
def test_places(reference: str, rules: list[MirrorRule], places: list[str]) -> None:
    assert asked(reference, *rules) == places


def test_what_belongs_to_a_manifest_is_asked_of_both_kinds() -> None:
    rules = rule("q.io", "t.x", kind="tag"), rule("q.io", "d.x", kind="digest", never=True)
    assert asked(f"q.io/a@{DIGEST}", *rules, content=True) == [f"t.x/a@{DIGEST}", f"d.x/a@{DIGEST}"]


def test_insecure_is_said_of_a_mirror_of_its_host_or_of_the_source() -> None:
    rules = [
        MirrorRule(source="q.io", mirrors=(Mirror(location="m.x", insecure=True), Mirror(location="n.x/y"))),
        rule("n.x", insecure=True),
    ]
    found = addresses(ImageReference.parse("q.io/a:1"), rules)
    assert [(place.insecure, place.is_source) for place in found] == [(True, False), (True, False), (False, True)]
    assert standing(ImageReference.parse("n.x/a:1"), rules) == (False, True)


@pytest.mark.parametrize(
    "location", ["", "https://m.x", "m.x/", "/a", "m.x/a b", "m.x/\x00", "m.x//a", "*.m.x", 'm.x"', "m.x\n"]
)
def test_what_is_no_location_is_refused(location: str) -> None:
    with pytest.raises(InputError, match="no registry or repository"):
        Mirror(location=location)


def test_a_mirror_that_makes_no_reference_is_named_with_its_rule() -> None:
    with pytest.raises(InputError) as raised:
        asked("q.io/a:1", rule("q.io", "plain"))
    assert (raised.value.where, "no registry host" in raised.value.what) == ("the mirror rule for q.io", True)


names = st.sampled_from(["q.io", "q.io:5000", "a.q.io", "m.x", "n.x:5000", "q.io/a", "q.io/a/b", "m.x/c"])
rules_ = st.lists(
    st.builds(
        MirrorRule,
        source=st.one_of(names, st.just("*.q.io")),
        mirrors=st.lists(st.builds(Mirror, location=names, insecure=st.booleans()), max_size=3).map(tuple),
        kind=st.sampled_from(["any", "digest", "tag"]),
        never_contact_source=st.booleans(),
        blocked=st.booleans(),
    ),
    max_size=5,
)


def places_or_refusal(reference: ImageReference, rules: Sequence[MirrorRule]) -> tuple[Place, ...] | None:
    """None when a mirror makes no reference of it: a host as the mirror of one repository."""
    try:
        return addresses(reference, rules)
    except InputError:
        return None


@given(rules_, names, st.sampled_from(["/a/b/c:1", "/a/b:1", f"/x@{DIGEST}"]))
def test_whatever_the_rules_places_are_distinct_and_none_is_blocked(
    rules: list[MirrorRule], host: str, rest: str
) -> None:
    reference = ImageReference.parse(host + rest)
    found = places_or_refusal(reference, rules)
    if found is None:
        return
    assert len({place.reference for place in found}) == len(found)
    assert not any(standing(place.reference, rules)[0] for place in found)
    assert all(place.reference.digest == reference.digest for place in found)
    assert found or rules
