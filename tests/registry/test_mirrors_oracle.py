"""Which places are asked, beside containers/image itself (pkg/sysregistriesv2): the same registries.conf, both ways."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.reference import ImageReference
from layering.registry.mirrorrule import Mirror, MirrorRule, Place
from layering.registry.mirrors import load_mirrors
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
    same(found, lambda: oracle.places(reference, conf))


def same(found: Sequence[Place] | None, ask: Callable[[], Sequence[tuple[str, bool]]]) -> None:
    """The same places in the same order, or both refuse."""
    try:
        theirs = ask()
    except Refused:
        assert found is None
        return
    assert found is not None
    first = dict(reversed(theirs))  # they may ask one place twice, we do not
    assert {str(place.reference): place.insecure for place in found} == first
    assert [str(place.reference) for place in found] == list(dict.fromkeys(name for name, _ in theirs))


_MIRRORS = st.builds(
    "[[registry.mirror]]\nlocation = '{}'\n{}{}".format,
    locations,
    st.sampled_from(["", "insecure = true\n", "insecure = false\n"]),
    st.sampled_from(["", "", *(f"pull-from-mirror = '{word}'\n" for word in ("all", "digest-only", "tag-only"))]),
)
_INSECURE = st.sampled_from(["", "", "insecure = true\n"])
_NAMED = st.builds(
    str.__add__,
    st.one_of(
        st.builds("location = '{}'\n".format, locations),
        st.sampled_from(["prefix = '*.q.io'\n", "prefix = 'q.io'\n", ""]),
    ),
    _INSECURE | st.just("blocked = true\n"),
)
# They forget that a prefix is blocked where its location is another (docker_client.go asks for that one); we do not.
_MOVED = st.builds("prefix = '{}'\nlocation = '{}'\n{}".format, locations | st.just("*.io"), locations, _INSECURE)
_TABLES = st.builds(
    "[[registry]]\n{}{}{}".format,
    _NAMED | _MOVED,
    st.sampled_from(["", "", "mirror-by-digest-only = true\n", "mirror-by-digest-only = false\n"]),
    st.lists(_MIRRORS, max_size=3).map("".join),
)
_FILES = st.lists(_TABLES, max_size=3).map("".join)


@given(_FILES, _FILES, references)
@at_least(300)
def test_files_and_their_drop_ins_are_read_as_container_tools_read_them(
    oracle: Oracle, conf: str, drop_in: str, reference: str
) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "registries.conf")
        path.write_text(conf)
        path.with_name("registries.conf.d").mkdir()
        path.with_name("registries.conf.d").joinpath("1.conf").write_text(drop_in)
        try:
            found = places_or_refusal(ImageReference.parse(reference), load_mirrors(path))
        except InputError:
            found = None
    same(found, lambda: oracle.places(reference, conf, drop_in))
