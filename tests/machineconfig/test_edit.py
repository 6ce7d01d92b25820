"""One value in one MachineConfig: what is left as it is, what is refused, and a whole new file."""

import json
from textwrap import indent

import pytest
import yaml

from layering.errors import InputError
from layering.machineconfig import (
    added_machineconfig,
    lacks_machineconfig,
    new_machineconfig,
    read_claim,
    set_os_image,
)
from layering.machineconfig_find import SIZE_MAX
from layering.reference import ImageReference

OLD = "quay.io/acme/os@sha256:" + "1" * 64
DIGEST = "sha256:" + "2" * 64
NEW = ImageReference.parse(f"quay.io/acme/os@{DIGEST}")
HEAD = "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\nmetadata: {name: a}\n"
PLAIN = f"{HEAD}spec: {{osImageURL: {OLD}}}\n"
NESTED = "x: " + "[" * 300 + "]" * 300 + "\n"
HOSTED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  config: "


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(str(NEW), id="as we write it"),
        pytest.param(f"quay.io/acme/os:4.19@{DIGEST}", id="with a tag"),
        pytest.param(f"mirror.example.com:5000/os@{DIGEST}", id="from a mirror"),
        pytest.param(f"acme/os@{DIGEST}", id="without a host"),
        pytest.param(f'" quay.io/acme/os@{DIGEST} "', id="with blanks"),
        pytest.param(f"|\n    quay.io/acme/os@{DIGEST}", id="with a line break"),
        pytest.param(f"!!str quay.io/acme/os@{DIGEST}", id="with a tag of YAML's"),
    ],
)
def test_the_same_digest_in_any_spelling_changes_no_byte(value: str) -> None:
    text = f"{HEAD}spec:\n  osImageURL: {value}\n"
    edit = set_os_image(text, NEW)
    assert edit.text == text
    assert edit.change is None
    assert edit.old is not None
    assert DIGEST in edit.old


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("quay.io/acme/os:latest", str(NEW), id="a tag"),
        pytest.param(OLD, str(NEW), id="another digest"),
        pytest.param("sha256:x@y # c", f"{NEW} # c", id="no image at all"),
        pytest.param("null", str(NEW), id="null"),
        pytest.param("~", str(NEW), id="tilde"),
        pytest.param("''", f"'{NEW}'", id="empty"),
        pytest.param("12", str(NEW), id="a number"),
        pytest.param("&unused x", f"&unused {NEW}", id="an anchor nobody uses"),
        pytest.param("! x", f"! {NEW}", id="a non-specific tag"),
        pytest.param("&a", f"&a {NEW}", id="an anchor on nothing"),
    ],
)
def test_what_stood_there_is_replaced_in_its_own_quotes(value: str, written: str) -> None:
    edit = set_os_image(f"{HEAD}spec:\n  osImageURL: {value}\n  fips: true\n", NEW)
    assert edit.text == f"{HEAD}spec:\n  osImageURL: {written}\n  fips: true\n"
    assert edit.change is not None
    assert edit.change.line == 5


def test_a_tag_is_never_written() -> None:
    edit = set_os_image(f"{HEAD}spec: {{osImageURL: {OLD}}}\n", ImageReference.parse(f"quay.io/acme/os:v1@{DIGEST}"))
    assert edit.text == f"{HEAD}spec: {{osImageURL: {NEW}}}\n"


def test_an_address_in_brackets_is_quoted() -> None:
    image = ImageReference.parse(f"[::1]:5000/os@{DIGEST}")
    edit = set_os_image(f"{HEAD}spec: {{osImageURL: {OLD}}}\n", image)
    assert edit.text == f'{HEAD}spec: {{osImageURL: "{image}"}}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(f"x: &i {OLD}\n{HEAD}spec:\n  osImageURL: *i\n", "through the anchor &i", id="an alias"),
        pytest.param(f"{HEAD}spec:\n  osImageURL: &i {OLD}\n  y: *i\n", "through the anchor &i", id="an anchor in use"),
        pytest.param(f"{HEAD}spec: &s\n  osImageURL: {OLD}\ny: *s\n", "through the anchor &s", id="the spec in use"),
        pytest.param(f"x: &s {{osImageURL: {OLD}}}\n{HEAD}spec: *s\n", "through the anchor &s", id="the spec an alias"),
        pytest.param(f"x: &s {{osImageURL: {OLD}}}\n{HEAD}spec: {{<<: *s}}\n", "a merge key", id="a merge key"),
        pytest.param(f"x: &s {{spec: {{osImageURL: {OLD}}}}}\n{HEAD}<<: [*s]\n", "a merge key", id="the spec merged"),
        pytest.param(f"x: &s {{a: b}}\n{HEAD}spec: &t\n  <<: *t\n", "has no osImageURL", id="a merge of itself"),
        pytest.param(
            f"kind: List\nitems:\n- &m {{{HEAD.replace(chr(10), ', ')[:-2]}, spec: {{osImageURL: x}}}}\n- *m\n",
            "through the anchor &m",
            id="an item twice",
        ),
        pytest.param(f"{HEAD}spec: {{}}\n", "has no osImageURL", id="the key is missing"),
        pytest.param(f"{HEAD}", "has no osImageURL", id="the spec is missing"),
        pytest.param(f"{HEAD}spec: [osImageURL]\n", "spec is not a mapping", id="the spec is a list"),
        pytest.param(
            f"{HEAD}spec:\n  osImageURL: [{OLD}]\n", "spec.osImageURL is not a text", id="the value is a list"
        ),
        pytest.param(f"{HEAD}spec: {{osImageURL}}\n", "without a colon", id="no colon"),
        pytest.param(f"{HEAD}spec:\n  osImageURL: !!binary eA==\n", "carries the tag", id="a binary"),
        pytest.param(f"{HEAD}spec:\n  osImageURL: >-\n    a\n    b\n", "block scalar", id="folded lines"),
        pytest.param(f"{HEAD}spec:\n  osImageURL: |\n\n    a\n", "block scalar", id="a blank line first"),
        pytest.param(f"{HEAD}spec:\n  osImageURL: x\n  osImageURL: y\n", "stands twice", id="the key twice"),
        pytest.param(f"{HEAD}spec: {{}}\nspec: {{osImageURL: x}}\n", "in line 4 and in line 5", id="the spec twice"),
        pytest.param(f"{HEAD}spec: {{osImageURL: *x}}\n", "the alias *x has no anchor", id="an alias to nothing"),
        pytest.param(f"{HEAD}{{{{ if .Values.os }}}}\n", "not YAML", id="a template"),
        pytest.param(f"{HEAD}spec:\n\tosImageURL: x\n", "not YAML", id="a tab"),
        pytest.param("\x00\x01", "is not allowed in YAML", id="binary"),
        pytest.param('a: "\\UFFFFFFFF"', "not YAML", id="an escape out of range"),
        pytest.param("%YAML 1." + "9" * 5000 + "\n--- a", "not YAML", id="a number out of range"),
        pytest.param(f"{HEAD}{NESTED}", "deeper than", id="deeply nested"),
        pytest.param("#" * (SIZE_MAX + 1), "longer than", id="too long"),
        pytest.param(HOSTED + json.dumps(PLAIN), "not written as a literal block", id="quoted in a ConfigMap"),
        pytest.param(
            HOSTED + "&c |\n" + indent(PLAIN, "    ") + "x: *c\n", "the anchor &c", id="shared in a ConfigMap"
        ),
        pytest.param(f"{HOSTED}|\n    a: [\n", "'ConfigMap' 'c'", id="no YAML in a ConfigMap"),
        pytest.param(f"{HOSTED}|\n    a: 1\n    a: 1\n", "'ConfigMap' 'c'", id="a key twice in a ConfigMap"),
    ],
)
def test_refused_with_a_place_and_a_next_step(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        set_os_image(text, NEW, where="file.yaml")
    assert said in caught.value.what
    assert caught.value.where.startswith("file.yaml")
    assert caught.value.next_step


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("a: |\n  text\n", id="the last value is a block"),
        pytest.param("spec: !!null\n", id="a null with a tag"),
    ],
)
def test_an_insertion_that_would_be_a_guess_is_refused(body: str) -> None:
    with pytest.raises(InputError):
        set_os_image(HEAD + body, NEW, create=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("spec: {fips: true}", "spec: {osImageURL: IMAGE, fips: true}", id="braces"),
        pytest.param("spec: {  }", "spec: {osImageURL: IMAGE  }", id="empty braces"),
        pytest.param("spec: { fips: true }", "spec: { osImageURL: IMAGE, fips: true }", id="blanks in braces"),
        pytest.param("spec: {'fips': true}", "spec: {'osImageURL': 'IMAGE', 'fips': true}", id="quoted keys"),
        pytest.param(
            "spec: {? fips : true}", "spec: {osImageURL: IMAGE, ? fips : true}", id="an explicit key in braces"
        ),
        pytest.param("spec: &s\n  fips: true", "spec: &s\n  osImageURL: IMAGE\n  fips: true", id="an anchor"),
        pytest.param(
            "spec:\n  &s\n  fips: true", "spec:\n  &s\n  osImageURL: IMAGE\n  fips: true", id="an anchor below"
        ),
        pytest.param("? spec\n: fips: true", "? spec\n: osImageURL: IMAGE\n  fips: true", id="an explicit key"),
        pytest.param('"spec":', '"spec": {"osImageURL": "IMAGE"}', id="nothing"),
        pytest.param("spec: null # c", "spec: {osImageURL: IMAGE} # c", id="null"),
        pytest.param("a: [1]  # c", "a: [1]  # c\nspec:\n  osImageURL: IMAGE", id="no spec"),
        pytest.param("a: &n x\nb: *n", "a: &n x\nb: *n\nspec:\n  osImageURL: IMAGE", id="no spec, after an alias"),
    ],
)
@pytest.mark.parametrize("ending", ["", "\n", "\n# end\n---\nother: document\n"])
def test_create_inserts_a_missing_key(before: str, after: str, ending: str) -> None:
    edit = set_os_image(f"{HEAD}{before}{ending}", NEW, create=True)
    assert edit.text == f"{HEAD}{after}{ending}".replace("IMAGE", str(NEW))
    assert edit.old is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(f"spec: {{osImageURL: {OLD}}}", OLD, id="a value"),
        pytest.param("spec: {osImageURL: ''}", None, id="an empty value"),
        pytest.param("spec: {osImageURL: null}", None, id="null"),
        pytest.param("spec: {}", None, id="no key"),
        pytest.param("", None, id="no spec"),
        pytest.param(f"x: &s {{osImageURL: {OLD}}}\nspec: *s", OLD, id="an alias"),
        pytest.param(f"x: &s {{osImageURL: {OLD}}}\ny: &t {{osImageURL: z}}\nspec: {{<<: [*s, *t]}}", OLD, id="merged"),
    ],
)
def test_reading(body: str, expected: str | None) -> None:
    assert read_claim(HEAD + body).image == expected


@pytest.mark.parametrize(
    ("name", "pool", "written"),
    [
        pytest.param(None, "worker", "99-worker-osimageurl", id="a name of its own"),
        pytest.param("50-os.x", "infra", "50-os.x", id="a given name"),
        pytest.param("1e3", "123", "1e3", id="names that look like numbers"),
        pytest.param("null", "true", "null", id="names that look like words of YAML"),
    ],
)
def test_a_new_machineconfig(name: str | None, pool: str, written: str) -> None:
    text = new_machineconfig(NEW, name, pool)
    assert yaml.safe_load(text) == {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfig",
        "metadata": {"name": written, "labels": {"machineconfiguration.openshift.io/role": pool}},
        "spec": {"osImageURL": str(NEW)},
    }
    assert set_os_image(text, NEW, pool=pool).change is None


MADE = new_machineconfig(NEW, None, "worker")


@pytest.mark.parametrize(
    ("text", "name", "pool", "expected"),
    [
        pytest.param(MADE, None, "infra", True, id="another pool's"),
        pytest.param(MADE, "50-more", "worker", True, id="another one of the pool, by name"),
        pytest.param(added_machineconfig(MADE, NEW, None, "infra"), None, "gpu", True, id="a third"),
        pytest.param(MADE, None, "worker", False, id="it is there"),
        pytest.param(MADE, "99-worker-osimageurl", "infra", False, id="another pool's has the name"),
        pytest.param(f"# mine\n{MADE}", None, "infra", False, id="not only what was made"),
        pytest.param(f"{MADE}---\nkind: Other\n", None, "infra", False, id="something else as well"),
        pytest.param(HEAD, None, "infra", False, id="a person's"),
        pytest.param("", None, "infra", False, id="nothing"),
    ],
)
def test_one_is_added_to_those_that_were_made(text: str, name: str | None, pool: str, expected: bool) -> None:
    assert lacks_machineconfig(text, name=name, pool=pool) is expected
    if expected:
        more = added_machineconfig(text, NEW, name, pool)
        assert read_claim(more, name=name, pool=pool).image == str(NEW)
        assert more.startswith(text)


@pytest.mark.parametrize(
    ("image", "name", "pool"),
    [
        pytest.param("quay.io/acme/os:4.19", None, "worker", id="a tag"),
        pytest.param(str(NEW), None, "a: b", id="a pool that is none"),
        pytest.param(str(NEW), "A", "worker", id="capitals"),
        pytest.param(str(NEW), None, "w" * 64, id="a label too long"),
        pytest.param(str(NEW), "", "worker", id="no name"),
        pytest.param(str(NEW), "a\n", "worker", id="a line break"),
    ],
)
def test_no_machineconfig_of_what_kubernetes_would_refuse(image: str, name: str | None, pool: str) -> None:
    with pytest.raises(InputError):
        new_machineconfig(ImageReference.parse(image), name, pool)


def test_an_image_without_a_digest_is_refused() -> None:
    with pytest.raises(InputError, match="is not pinned"):
        set_os_image(f"{HEAD}spec: {{osImageURL: {OLD}}}", ImageReference.parse("quay.io/acme/os:latest"))
