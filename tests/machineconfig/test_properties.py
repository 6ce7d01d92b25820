"""What holds for every file: one span changes, nothing else does, and only InputError is raised."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.machineconfig import new_machineconfig, read_claim, set_os_image
from layering.reference import ImageReference

OLD = "quay.io/acme/os@sha256:" + "1" * 64
NEW = ImageReference.parse("registry.example.com:5000/acme/worker-os@sha256:" + "2" * 64)
COMMENTS = st.sampled_from(["", "  # a comment", " # osImageURL: x", " # ü 💿 'quotes\" "])
BLANKS = st.sampled_from(["", "\n", "# between\n", "   # osImageURL: no\n\n"])
VALUES = st.sampled_from(
    [OLD, f'"{OLD}"', f"'{OLD}'", f"&a {OLD}", f"!!str '{OLD}'", f"\n      {OLD}", f">-\n      {OLD}"]
)
NEIGHBOURS = st.sampled_from(
    [
        "fips: true\n",
        "kernelArguments: [ 'a=b' , \"c\" ]\n",
        'config: {ignition: {version: "3.4.0"}, note: "osImageURL: \\u00e9"}\n',
        "x-text: |\n  osImageURL: not this\n\n   nor that\n",
        "x-folded: >+\n  some\n  text\n\n",
        "x-nested:\n- a: &n 1\n  b: *n\n-\n  - deep\n",
        '"quoted": ""\n',
        "? complex key\n: value\n",
    ]
)


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file, and whether the MachineConfig in it lies in the documents of a ConfigMap's `config`."""

    text: str
    hosted: bool = False


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by if line.strip() else ''}{line}" for line in text.splitlines(keepends=True))


@st.composite
def block_style(draw: st.DrawFn) -> str:
    before, after = (
        draw(st.lists(NEIGHBOURS, max_size=2, unique=True)),
        draw(st.lists(NEIGHBOURS, max_size=2, unique=True)),
    )
    after = [text for text in after if text not in before]
    if not any("&n" in text for text in (*before, *after)):
        after.append("y: &n 1\n")
    value = f"osImageURL: {draw(VALUES)}"
    value += "\n" if ">-" in value else f"{draw(COMMENTS)}\n"
    spec = draw(BLANKS).join([*before, value, *after])
    return (
        f"apiVersion: machineconfiguration.openshift.io/v1{draw(COMMENTS)}\n{draw(BLANKS)}kind: MachineConfig\n"
        "metadata:\n  name: 99-worker-os\n  labels: {machineconfiguration.openshift.io/role: worker}\n"
        f"spec:{draw(COMMENTS)}\n{draw(BLANKS)}{indented(spec, draw(st.sampled_from([1, 2, 4])))}{draw(BLANKS)}"
    )


@st.composite
def flow_style(draw: st.DrawFn) -> str:
    quote = draw(st.sampled_from(['"', "'", ""]))
    blank = draw(st.sampled_from(["", " ", "\n    "]))
    pairs = [f"{quote}osImageURL{quote}: {quote}{OLD}{quote}", f"{quote}fips{quote}: true", '"é": [1, {"a": null}]']
    spec = f",{blank or ' '}".join(draw(st.permutations(pairs)))
    return (
        '{"apiVersion": "machineconfiguration.openshift.io/v1", "kind": "MachineConfig",\n'
        ' "metadata": {"name": "99-worker-os", "labels": {"machineconfiguration.openshift.io/role": "worker"}},\n'
        f' "spec": {{{blank}{spec}{blank}}}}}\n'
    )


@st.composite
def files(draw: st.DrawFn) -> Written:
    config = draw(st.one_of(block_style(), flow_style()))
    around = draw(st.sampled_from(["alone", "documents", "list", "hosted"]))
    if around == "documents":
        config = f"# first\na: &a [1]\nb: *a\n---{draw(COMMENTS)}\n{config}---\nkind: Other\n"
    elif around == "list":
        config = f"kind: List\nitems:\n-\n{indented(config, 2)}- kind: Other\n"
    elif around == "hosted":
        config = f"kind: ConfigMap\ndata:\n  config: |\n    # text\n{indented(config, 4)}  other: 'x'\n"
    config = config if draw(st.booleans()) else config.removesuffix("\n")
    config = config.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return Written(text=draw(st.sampled_from(["", "\ufeff"])) + config, hosted=around == "hosted")


def loaded(text: str) -> list[Any]:
    return list(yaml.load_all(text, Loader=yaml.BaseLoader))


def values(written: Written) -> list[Any]:
    """The file's contents as PyYAML's own loader has them, the hosted text loaded too."""
    documents = loaded(written.text)
    if written.hosted:
        documents[0]["data"]["config"] = loaded(documents[0]["data"]["config"])
    return documents


@given(files())
def test_only_the_span_of_the_value_changes(file: Written) -> None:
    edited = set_os_image(file.text, NEW, pool="worker").text
    at = edited.index(str(NEW))
    before, after = edited[:at], edited[at + len(str(NEW)) :]
    assert file.text == f"{before}{OLD}{after}"


@given(files())
def test_a_loader_sees_no_other_difference(file: Written) -> None:
    edited = set_os_image(file.text, NEW, name="99-worker-os")
    after = values(Written(text=edited.text, hosted=file.hosted))
    assert repr(after).replace(str(NEW), OLD) == repr(values(file))
    assert repr(after).count(str(NEW)) == 1
    assert edited.old == OLD
    assert set_os_image(edited.text, NEW, pool="worker").text == edited.text


@given(files())
def test_insertion_adds_one_entry(file: Written) -> None:
    text = file.text.replace("osImageURL", "osImageUrl")
    edited = set_os_image(text, NEW, pool="worker", create=True)
    assert read_claim(edited.text, pool="worker").image == str(NEW)
    assert edited.change is not None
    assert str(NEW) in edited.text.split("\n")[edited.change.line - 1]
    lines = [line for line in edited.text.split("\n") if str(NEW) not in line]
    assert [line for line in text.split("\n") if line not in lines] in ([], [text.split("\n")[edited.change.line - 1]])


PIECES = st.sampled_from(
    [
        *(
            "apiVersion: machineconfiguration.openshift.io/v1\n",
            "kind: MachineConfig\n",
            "spec:\n",
            "spec: ",
            "  osImageURL: ",
        ),
        *(
            "osImageURL",
            ": ",
            ":",
            "? ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "&a ",
            "*a",
            "<<: ",
            "!!str ",
            "!x ",
            "|",
            ">-",
            "\n",
        ),
        *(
            "\r\n",
            "\r",
            "  ",
            "\t",
            "#",
            " # c",
            "'",
            '"',
            "\\",
            "---\n",
            "...\n",
            "%YAML 1.1\n",
            "\ufeff",
            "\x85",
            "\u2028",
        ),
        *("null", "x", "é", "💿", OLD, "items:\n", "kind: List\n", "kind: ConfigMap\n", "data:\n", "  config: |\n    "),
        *("metadata: {name: a}\n", "\x00", "@", "`", "=", "~"),
    ]
)
HEAD = "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\n"


@given(
    st.sampled_from(["", HEAD, f"{HEAD}spec:\n"]),
    st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=14).map("".join)),
)
def test_any_text_is_edited_or_refused(head: str, rest: str) -> None:
    try:
        edited = set_os_image(head + rest, NEW, create=True)
    except InputError:
        return
    assert read_claim(edited.text).image == str(NEW) or (edited.change is None and edited.text == head + rest)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_cut_of_a_file_is_edited_or_refused(newline: str) -> None:
    text = (new_machineconfig(NEW, None, "worker") + "---\nkind: Other\n").replace("\n", newline)
    for cut in range(len(text)):
        with suppress(InputError):
            assert set_os_image(text[:cut], ImageReference.parse(OLD), create=True).text.count(OLD) == 1
