"""Files that say which mirrors there are: registries.conf, OpenShift's objects, and the usual places."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.reference import ImageReference
from layering.registry.mirrorrule import Mirror, MirrorRule
from layering.registry.mirrors import load_mirrors, others_of, usual_mirrors
from layering.registry.mirrorsets import merged, parse_openshift
from layering.registry.registriesconf import parse_registries_conf, render_others, render_registries_conf
from tests.registry.test_mirrorrule import names, places_or_refusal, rules_

CONF = """
unqualified-search-registries = ["quay.io"]
short-name-mode = "permissive"

[[registry]]
prefix = "quay.io/openshift"
location = "quay.io/openshift"
blocked = true
  [[registry.mirror]]
  location = "m.x:5000/ocp/"
  insecure = true
  pull-from-mirror = "digest-only"
  [[registry.mirror]]
  location = "n.x/ocp"
  pull-from-mirror = "tag-only"
  [[registry.mirror]]
  location = "o.x/ocp"

[[registry]]
location = "plain.x"
insecure = true

[[registry]]
prefix = "*.cdn.x"
mirror-by-digest-only = true
  [[registry.mirror]]
  location = "m.x/cdn"

[aliases]
"fedora" = "registry.fedoraproject.org/fedora"
"""
RULES = (
    MirrorRule(
        source="quay.io/openshift", mirrors=(Mirror(location="m.x:5000/ocp", insecure=True),), kind="digest",
        blocked=True,
    ),
    MirrorRule(source="quay.io/openshift", mirrors=(Mirror(location="n.x/ocp"),), kind="tag", blocked=True),
    MirrorRule(source="quay.io/openshift", mirrors=(Mirror(location="o.x/ocp"),), blocked=True),
    MirrorRule(source="plain.x", insecure=True),
    MirrorRule(source="*.cdn.x", mirrors=(Mirror(location="m.x/cdn"),), kind="digest"),
)  # fmt: skip


def test_a_registries_conf() -> None:
    assert parse_registries_conf(CONF) == RULES
    assert parse_registries_conf(render_registries_conf(RULES)) == RULES
    assert parse_registries_conf("") == ()


def test_what_else_it_says_is_kept_for_builders() -> None:
    others = render_others(CONF)
    assert others == (
        'unqualified-search-registries = ["quay.io"]\nshort-name-mode = "permissive"\n'
        '\n[aliases]\nfedora = "registry.fedoraproject.org/fedora"\n'
    )
    assert parse_registries_conf(others + render_registries_conf(RULES)) == RULES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[registries.search]\nregistries = ['x']", "version 1", id="version 1"),
        pytest.param("[[registry]\n", "not TOML", id="no TOML"),
        pytest.param("[registry]\nlocation = 'x'", "not a list of tables", id="one bracket"),
        pytest.param("[[registry]]\ninsecure = true", "neither prefix nor location", id="nothing named"),
        pytest.param("[[registry]]\nprefix = 'a.x'", "location is not set", id="a prefix alone"),
        pytest.param("[[registry]]\nlocation = '*.x'", "no registry", id="a wildcard as location"),
        pytest.param("[[registry]]\nlocation = 'https://x'", "without https://", id="a URL"),
        pytest.param("[[registry]]\nlocation = 'a.x'\ninsecure = 'yes'", "true or false", id="a word for a truth"),
        pytest.param("[[registry]]\nlocation = 'a.x'\n[[registry.mirror]]\n", "a mirror", id="a mirror of no place"),
        pytest.param(
            "[[registry]]\nlocation = 'a.x'\nblocked = true\n[[registry]]\nprefix = 'b.x'\nlocation = 'a.x/'",
            "blocked only once", id="a location that is blocked and is not",
        ),
        pytest.param(
            "[[registry]]\nlocation = 'a.x'\n[[registry.mirror]]\nlocation = 'b.x'\npull-from-mirror = 'some'",
            "none of all, digest-only, tag-only", id="an unknown kind",
        ),
        pytest.param(
            "[[registry]]\nlocation = 'a.x'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'b.x'\n"
            "pull-from-mirror = 'all'", "exclude each other", id="two kinds",
        ),
    ],
)  # fmt: skip
def test_a_registries_conf_that_cannot_be_used(text: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_registries_conf(text, "f.conf")
    assert says in str(raised.value)
    assert raised.value.where.startswith("f.conf")


@given(rules_, names)
def test_rendered_rules_mean_the_same(rules: list[MirrorRule], host: str) -> None:
    again = parse_registries_conf(render_registries_conf(rules))
    for rest in ("/a/b:1", "/a@sha256:" + "b" * 64):
        reference = ImageReference.parse(host + rest)
        assert places_or_refusal(reference, again) == places_or_refusal(reference, rules)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        rules = parse_registries_conf(text)
    except InputError:
        return
    assert parse_registries_conf(render_registries_conf(rules)) == rules


def mirror_set(kind: str, key: str, *entries: dict[str, Any], name: str = "one") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "spec": {key: list(entries)}}


IDMS = mirror_set(
    "ImageDigestMirrorSet", "imageDigestMirrors",
    {"source": "quay.io/a", "mirrors": ["m.x/a", "quay.io/a"], "mirrorSourcePolicy": "NeverContactSource"},
)  # fmt: skip
ITMS = mirror_set("ImageTagMirrorSet", "imageTagMirrors", {"source": "quay.io/b", "mirrors": ["m.x/b"]})
ICSP = mirror_set(
    "ImageContentSourcePolicy", "repositoryDigestMirrors", {"source": "quay.io/a", "mirrors": ["n.x/a", "m.x/a"]}
)

ENDLESS: dict[str, Any] = {"kind": "List", "items": []}
ENDLESS["items"].append(ENDLESS)


def test_openshift_objects_are_merged_by_source() -> None:
    assert parse_openshift([{"kind": "List", "items": [IDMS, ITMS]}, None, ICSP]) == (
        MirrorRule(
            source="quay.io/a", mirrors=(Mirror(location="n.x/a"), Mirror(location="m.x/a")), kind="digest",
            never_contact_source=True,
        ),
        MirrorRule(source="quay.io/b", mirrors=(Mirror(location="m.x/b"),), kind="tag"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param("text", "not a Kubernetes object", id="text"),
        pytest.param({"kind": "Pod"}, "'Pod' is none of", id="another kind"),
        pytest.param({"kind": ["Pod"]}, "is none of", id="a kind that is a list"),
        pytest.param(ENDLESS, "'List' is none of", id="a list in itself"),
        pytest.param({"kind": "List", "items": "x"}, "not a list", id="a list that is none"),
        pytest.param({"kind": "ImageTagMirrorSet", "spec": {"imageTagMirrors": {}}}, None, id="no entries at all"),
        pytest.param({"kind": "ImageTagMirrorSet", "spec": 1}, "form", id="a spec that is none"),
        pytest.param(mirror_set("ImageTagMirrorSet", "imageTagMirrors", {"mirrors": []}), "not text", id="no source"),
        pytest.param(
            mirror_set("ImageTagMirrorSet", "imageTagMirrors", {"source": "a.x", "mirrors": [1]}), "not text",
            id="a mirror that is a number",
        ),
        pytest.param(
            mirror_set("ImageTagMirrorSet", "imageTagMirrors", {"source": "https://a.x"}),
            "ImageTagMirrorSet/one: spec.imageTagMirrors[0]", id="a URL",
        ),
        pytest.param(
            mirror_set("ImageTagMirrorSet", "imageTagMirrors", {"source": "a.x", "mirrorSourcePolicy": "Maybe"}),
            "'Maybe' is not known", id="an unknown policy",
        ),
    ],
)  # fmt: skip
def test_objects_that_cannot_be_used(document: object, says: str | None) -> None:
    if says is None:
        assert parse_openshift([document]) == ()
        return
    with pytest.raises(InputError) as raised:
        parse_openshift([document], "f.yaml")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("orders", "result"),
    [
        pytest.param([["a", "b"], ["b", "c"]], "abc", id="they continue each other"),
        pytest.param([["b", "c"], ["a", "b"]], "abc", id="in whatever order they come"),
        pytest.param([["a", "c"], ["b", "c"]], "abc", id="what is not said is as it came"),
        pytest.param([["a", "b"], ["b", "a"]], "ab", id="a contradiction: the first stays first"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_several_orders_become_one(orders: list[list[str]], result: str) -> None:
    assert "".join(merged(orders)) == result


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
    conf, objects = tmp_path / "registries.conf", tmp_path / "mirrors.yaml"
    conf.write_text(CONF)
    objects.write_text(yaml.safe_dump_all([IDMS, ITMS]))
    assert load_mirrors(conf) == RULES
    assert [rule.source for rule in load_mirrors(objects)] == ["quay.io/a", "quay.io/b"]


def test_drop_ins_beside_it_replace_by_prefix(tmp_path: Path) -> None:
    conf, drop_ins = tmp_path / "registries.conf", tmp_path / "registries.conf.d"
    conf.write_text(CONF)
    drop_ins.mkdir()
    (drop_ins / "2.conf").write_text('[[registry]]\nlocation = "plain.x"\nblocked = true\n')
    (drop_ins / "1.conf").write_text('[[registry]]\nlocation = "plain.x"\n[[registry]]\nlocation = "new.x"\n')
    (drop_ins / "ignored.txt").write_text("no TOML")
    found = {rule.source: rule for rule in load_mirrors(conf)}
    assert set(found) == {"quay.io/openshift", "plain.x", "*.cdn.x", "new.x"}
    assert (found["plain.x"].blocked, found["plain.x"].insecure) == (True, False)


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        pytest.param("a.yaml", b"{", "not YAML", id="no YAML"),
        pytest.param("a.conf", b"\xff", "UTF-8", id="no text"),
        pytest.param("a.conf", b"#" * (4 << 20) + b"\n", "larger", id="endless"),
        pytest.param("a.conf", None, "cannot be read", id="not there"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, name: str, raw: bytes | None, says: str) -> None:
    if raw is not None:
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(InputError) as raised:
        load_mirrors(tmp_path / name)
    assert says in raised.value.what
    assert str(tmp_path / name) in raised.value.where


def test_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, own = tmp_path / "named.conf", tmp_path / "config/containers/registries.conf"
    own.parent.mkdir(parents=True)
    named.write_text('[[registry]]\nlocation = "named.x"\n')
    own.write_text('short-name-mode = "disabled"\n[[registry]]\nlocation = "own.x"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(named))
    assert [rule.source for rule in usual_mirrors()] == ["named.x"]
    monkeypatch.delenv("CONTAINERS_REGISTRIES_CONF")
    assert [rule.source for rule in usual_mirrors()] == ["own.x"]
    assert others_of(None) == 'short-name-mode = "disabled"\n'
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "missing"))
    with pytest.raises(InputError, match="cannot be read"):
        usual_mirrors()
