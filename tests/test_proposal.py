"""The text of a proposal: what it says, and what no label, name or message can make it say."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering import proposal
from layering.comparison import Comparison, LabelChanges, LayerChanges
from layering.evidence import Evidence
from layering.findings import Finding, Severity
from layering.platform import Platform
from layering.proposal import Facts, title
from layering.reference import Digest, Repository

OS = Repository("registry.example.com", "acme/os")
OLD, NEW, BASE = (OS.at(Digest("sha256", digit * 64)) for digit in "123")
AMD64 = Platform("linux", "amd64")
LEAST = Facts(cluster="prod", pool="worker", image=NEW, key="a" * 64)
SIZE_MAX = 60_000  # GitHub takes 65536 characters


def body(facts: Facts) -> str:
    return proposal.body(facts, SIZE_MAX)


def comparison(label: str = "x", count: int = 1, version: str | None = None) -> Comparison:
    names = [f"{label}{number}" for number in range(count)]
    return Comparison(
        old=OLD,
        new=NEW,
        versions=(version, version),
        labels=LabelChanges(
            added=dict.fromkeys(names, label), removed={}, changed={f"changed {label}": (label, f"{label}2")}
        ),
        layers=(LayerChanges(platform=AMD64, shared=50, added=1, removed=1, fetch_bytes=12_345),) * count,
        same_content=False,
    )


def facts(text: str, count: int = 1) -> Facts:
    """Whatever comes from outside is `text`."""
    findings = (Finding(rule="a-rule", severity=Severity.WARNING, message=text),) * count
    return replace(
        LEAST,
        old_image=text,
        version=text,
        old_version=text,
        base=BASE,
        old_base=text,
        source=text,
        commit=text,
        evidence=Evidence(findings=findings, comparison=comparison(text, count, text)),
    )


def outside_of_spans(markdown: str) -> str:
    """What is left without code spans (CommonMark 0.31: from a run of backticks to the next one of that length)."""
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        pytest.param({}, "prod/worker: OS image 222222222222", id="nothing known"),
        pytest.param({"name": "worker-os", "version": "4.19.2"}, "prod/worker: worker-os on 4.19.2", id="a release"),
        pytest.param({"version": "9.6.20250601-0"}, "prod/worker: OS image on 9.6.20250601-0", id="an OS version"),
        pytest.param({"version": "4.20.0-rc.1+x~y_z"}, "prod/worker: OS image on 4.20.0-rc.1+x~y_z", id="all signs"),
        pytest.param({"version": "fixes #1"}, "prod/worker: OS image 222222222222", id="an issue to close"),
        pytest.param({"version": "GH-26"}, "prod/worker: OS image 222222222222", id="an issue of GitHub's"),
        pytest.param({"version": "fixes.gh-26"}, "prod/worker: OS image 222222222222", id="one in small letters"),
        pytest.param({"version": "4-high-1"}, "prod/worker: OS image on 4-high-1", id="a word that ends so"),
        pytest.param({"version": "@acme/all"}, "prod/worker: OS image 222222222222", id="a mention"),
        pytest.param({"version": "http://x"}, "prod/worker: OS image 222222222222", id="a link"),
        pytest.param({"version": "1\n\nLayerwatch-Key: x"}, "prod/worker: OS image 222222222222", id="lines"),
        pytest.param({"version": "1" * 101}, "prod/worker: OS image 222222222222", id="a long version"),
        pytest.param({"name": "n" * 300}, f"prod/worker: {'n' * 187}", id="a long name"),
    ],
)
def test_title(given: dict[str, Any], line: str) -> None:
    assert title(replace(LEAST, **given)) == line


TEXTS = st.text(alphabet=st.one_of(st.sampled_from("`|\n\r\\ @<[#:-"), st.characters()), max_size=300)


@given(TEXTS)
def test_a_title_is_one_short_line(text: str) -> None:
    line = title(replace(LEAST, name=text, version=text))
    assert len(line) <= 200
    assert line.isprintable()


def test_what_is_not_known_is_not_mentioned() -> None:
    text = body(LEAST)
    assert text.startswith("Pool `worker` of cluster `prod` should boot a new OS image.\n\n")
    assert "| Image | -   | `222222222222` |" in text
    for word in ("Base", "Built on", "Checked", "Platform", "Label", "commit `", "None"):
        assert word not in text
    assert text.endswith(f"- image `{NEW}`\n- build key `{LEAST.key}`\n\n</details>\n")


def test_what_is_known_is_told() -> None:
    known = replace(
        LEAST,
        why="the source of the image changed",
        old_image=str(OLD),
        version="4.19.2",
        old_version="4.19.1",
        base=BASE,
        old_base=f"sha256:{'4' * 64}",
        source="https://git.example.com/os.git",
        commit="c" * 40,
        evidence=Evidence(findings=(), comparison=comparison(version="9.6")),
    )
    text = body(known)
    assert text.startswith(
        "Pool `worker` of cluster `prod` should boot a new OS image: the source of the image changed."
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert ["Built on", "`4.19.1`", "`4.19.2`"] in rows
    assert ["OS version", "`9.6`", "`9.6`"] in rows
    assert ["Base", "`444444444444`", "`333333333333`"] in rows
    assert ["Image", "`111111111111`", "`222222222222`"] in rows
    assert ["`linux/amd64`", "50", "1", "1", "12 kB"] in rows
    assert ["`x0`", "-", "`x`"] in rows
    assert "**Checked:** it is FROM that base" in text
    assert f"- base `{BASE}`\n- base now `sha256:{'4' * 64}`\n- source `https://git.example.com/os.git`\n" in text
    assert "**Differences:** a node fetches 12 kB." in text


def test_the_image_that_the_line_pins_is_told_by_who_looked() -> None:
    assert "| Image | `111111111111` | `222222222222` |" in proposal.body(LEAST, SIZE_MAX, str(OLD))
    known = replace(LEAST, old_image=str(OLD))
    assert proposal.body(known, SIZE_MAX, str(BASE)) == proposal.body(known, SIZE_MAX)


SOURCES = {
    "another commit": (
        "a" * 40,
        f"changed since [`{'a' * 12}`](https://git.example.com/os/compare/{'a' * 40}...{'c' * 40})",
    ),
    "the same commit": ("c" * 40, None),
    "what is no commit": ("main](https://evil.example)", None),
    "nothing": (None, None),
}


@pytest.mark.parametrize(("before", "told"), SOURCES.values(), ids=SOURCES)
def test_a_source_that_moved_can_be_compared(before: str | None, told: str | None) -> None:
    text = body(replace(LEAST, old_commit=before, source="https://git.example.com/os.git", commit="c" * 40))
    (line,) = [line for line in text.splitlines() if line.startswith("**From** ")]
    assert line.endswith(f", {told}." if told else f"/commit/{'c' * 40}).")


def test_the_worst_findings_come_first_and_an_error_is_no_pass() -> None:
    findings = [Finding(rule="note", severity=Severity.INFO, message="i") for _ in range(30)]
    findings.append(Finding(rule="bad", severity=Severity.ERROR, message="e"))
    text = body(replace(LEAST, evidence=Evidence(findings=tuple(findings))))
    assert "Checked" not in text
    assert "\n\n- error `bad`: `e`\n- note `note`: `i`\n" in text
    assert "\n- and 11 more\n" in text


def test_why_nothing_is_compared_is_told() -> None:
    text = body(replace(LEAST, evidence=Evidence(findings=(), not_compared="it is @gone")))
    assert "Not compared with the image in use: `it is @gone`." in text


def test_full_names_are_whole_however_long() -> None:
    image = Repository("registry.example.com", "/".join(["group"] * 30)).at(NEW.pinned)
    assert f"- image `{image}`\n" in body(replace(LEAST, image=image))


HOSTILE = {
    "a mention": "@acme/all",
    "an issue to close": "fixes #1",
    "a link": "[yes](http://evil.example)",
    "an image": "![x](http://evil.example/x.png)",
    "HTML": "<script>alert(1)</script><!--",
    "a heading and a trailer": "x\n\n# Approved\n\nLayerwatch-Key: bbbb",
    "a table row": "x | y |\n| z",
    "the end of a span": "x`` @all ` <b>",
    "a digest": "x@sha256:@acme/all#1",
    "turned text": "\u202egnp.exe",
    "half a pair": "\ud800",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_from_outside_gets_out_of_its_span(text: str) -> None:
    harmless, hostile = (outside_of_spans(body(facts(what))) for what in ("x", text))
    assert re.sub(" +|-{2,}", "", hostile) == re.sub(" +|-{2,}", "", harmless)


@given(TEXTS.filter(lambda text: text.strip()))
def test_whatever_comes_from_outside_changes_no_word_of_ours(text: str) -> None:
    harmless, hostile = (outside_of_spans(body(facts(what))) for what in ("x", text))
    assert re.sub(" +|-{2,}", "", hostile) == re.sub(" +|-{2,}", "", harmless)
    body(facts(text)).encode("utf-8")


def test_a_body_has_room_in_every_forge() -> None:
    text = body(facts("x" * 1000, count=500))
    assert len(text) < SIZE_MAX
    assert text.count("\n| and ") == 2


@pytest.mark.parametrize(
    ("given", "said", "unsaid"),
    [
        ({"old_image": str(OLD)}, "reboot into the image before;", "the cluster's own"),
        ({}, "into what was pinned before, or the cluster's own image where nothing was;", "the image before"),
        (
            {"old_image": str(OLD), "evidence": Evidence(not_compared="there is no such thing")},
            "see that it is still there before you go back to it",
            "the cluster's own",
        ),
    ],
    ids=["one was pinned", "it is not known whether one was", "what was pinned cannot be read"],
)
def test_going_back(given: dict[str, Any], said: str, unsaid: str) -> None:
    text = body(replace(LEAST, **given))
    assert said in text
    assert unsaid not in text
