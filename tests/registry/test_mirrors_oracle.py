"""Which places are asked, beside containers/image itself (pkg/sysregistriesv2): the same registries.conf, both ways."""

from hypothesis import given
from hypothesis import strategies as st

from layering.reference import ImageReference
from layering.registry.mirrorrule import Mirror, MirrorRule
from layering.registry.registriesconf import parse_registries_conf, render_registries_conf
from tests.examples import at_least
from tests.parts.oracle_client import Oracle, Refused
from tests.registry.test_mirrorrule import DIGEST, places_or_refusal

hosts = st.sampled_from(["q.io", "q.io:5000", "a.q.io", "b.a.q.io", "m.x", "n.x:5000"])
paths = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts))
locations = st.builds(str.__add__, hosts, paths)
registries = st.builds(
    MirrorRule,
    source=st.one_of(locations, st.sampled_from(["*.q.io", "*.a.q.io", "*.io"])),
    mirrors=st.lists(st.builds(Mirror, location=locations, insecure=st.booleans()), max_size=3).map(tuple),
    kind=st.sampled_from(["any", "digest", "tag"]),
    blocked=st.booleans(),
    insecure=st.booleans(),
)
references = st.builds("{}{}/x{}".format, hosts, paths, st.sampled_from([":1", f"@{DIGEST}"]))


@given(st.lists(registries, max_size=4, unique_by=lambda rule: rule.source), references)
@at_least(200)
def test_places_are_those_of_container_tools(oracle: Oracle, rules: list[MirrorRule], reference: str) -> None:
    conf = render_registries_conf(rules)
    found = places_or_refusal(ImageReference.parse(reference), parse_registries_conf(conf))
    try:
        theirs = oracle.places(reference, conf)
    except Refused:
        assert found is None
        return
    assert found is not None
    first = dict(reversed(theirs))  # they may ask one place twice, we do not
    assert {str(place.reference): place.insecure for place in found} == first
    assert [str(place.reference) for place in found] == list(dict.fromkeys(name for name, _ in theirs))
