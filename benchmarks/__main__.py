"""Runs benchmarks and writes docs/benchmarks.md, with its picture. `make bench` runs all of them."""

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.picture import draw

_PAGE = Path("docs/benchmarks.md")
_PARTS = (
    (
        "build",
        "compose against buildah",
        "The same small Containerfile (COPY, LABEL, ENV) on a large base, pushed to another repository of the\n"
        "same registry. *Cold* means that nothing is known of the base. compose then reads the base's layers\n"
        "once, to learn the modes of its directories from the tar headers, stores none of them, and remembers\n"
        "what it learnt by layer digest; *warm* is every build after that, also for a newer base as far as its\n"
        "layers are the same. buildah keeps the base itself on disk.",
    ),
    (
        "tick",
        "A tick over 200 unchanged images",
        "*Built* is each image with its target tag, *pinned* is that and a MachineConfig of its own in one git\n"
        "repository. The first tick of a process asks for each target tag once, reads the annotations of each image\n"
        "that is pinned, and reads the payload, the base and the source once. Later ticks remember what cannot\n"
        "change, and ask for what can: the source's branch, and the refs of the repository that pins.",
    ),
    (
        "registry",
        "A thousand references of one registry",
        "50 repositories with 20 tags each, TLS, tokens by repository, nothing changed. The daemon follows each of\n"
        "them: a tick asks one HEAD for each, over the connections and with the tokens it has. `layerwatch check`\n"
        "knows nothing: it also needs tokens, what is behind a digest once in each repository, and the target's tag.\n"
        "crane and skopeo are a process for each reference, eight at a time. The floor is what 1,000 HEADs over eight\n"
        "connections must wait. The registry, on the same two cores, is not counted. The tick is\n"
        "measured by itself; what the whole daemon takes stands below. A MB of memory is 1,024 kB here.",
    ),
    (
        "latency",
        "From a cluster's upgrade to its PipelineRun",
        "A real API server with OpenShift's and Tekton's kinds, and a running daemon. The clock starts when the new\n"
        "ClusterVersion status is sent and stops when the PipelineRun is seen. The schedule is an hour, so only a\n"
        "watch can notice. *Another hangs*: a second cluster takes connections and never answers. These are seconds\n"
        "of a shared machine; the goal is 5 at the median.",
    ),
    (
        "fleet",
        "One watcher over 50 clusters",
        "Each cluster has 4 pools, 50 nodes, 60 MachineConfigs; each pool has an image, and a MachineConfig in git.\n"
        "Fifty API servers do not fit on one machine: one real server was filled and asked, and what it said is\n"
        "served, byte for byte and over TLS, for each of the fifty. That it reads as the real one does is checked.\n"
        "*Bare* is what an idle tick asks of the APIs, asked by urllib3 alone, one after the other over open\n"
        "connections. The daemon also watches, with two connections to each cluster; its upgrade ends when all four\n"
        "pools are decided. CPU is that of git, too.",
    ),
    (
        "forges",
        "Requests to a forge",
        "So many pools, each with a proposal of its own, all in one repository. *A process of its own* is\n"
        "`open-pull-request`: it knows nothing, looks at its pull request, and asks git for two branches. A process\n"
        "that goes on, the daemon, asks at each tick what was changed in the repository, and for its branches; only\n"
        "when the base branch moved are its files read again. The forges are those of the tests, which are held to\n"
        "the real ones; the budgets are tests.",
    ),
    ("startup", "Start-up", "Medians of 15 rounds in turn. The goal for `layerwatch-step --help` is at most 1.5."),
)


def main() -> None:
    """Run those that are named, or all, and write the page and the picture; the rest of the page stays."""
    parser = argparse.ArgumentParser(description="Runs benchmarks and writes docs/benchmarks.md.")
    names = [name for name, _, _ in _PARTS]
    parser.add_argument("names", nargs="*", choices=[[], *names], metavar="NAME", help=f"of {', '.join(names)}")
    chosen = parser.parse_args().names
    before = _sections(_PAGE.read_text(encoding="utf-8"))
    parts = [
        before.get(title) if chosen and name not in chosen else _run(name, title, text) for name, title, text in _PARTS
    ]
    page = _head() + "\n" + "\n".join(filter(None, parts))
    _PAGE.write_text(page, encoding="utf-8")
    _PAGE.with_suffix(".svg").write_text(draw(page), encoding="utf-8")
    print(_PAGE)


def _run(name: str, title: str, text: str) -> str:
    print(f"benchmarks: {name} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return f"## {title}\n\n{text}\n\n{output.strip()}\n\nMade by `python -m benchmarks.{name}`.\n"


def _sections(page: str) -> Mapping[str, str]:
    """What stands under each heading, the heading included."""
    found = page.split("\n## ")[1:]
    return {section.partition("\n")[0]: f"## {section.rstrip()}\n" for section in found}


def _head() -> str:
    date = datetime.datetime.now(datetime.UTC).date()
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        "# Benchmarks\n\n"
        "<!-- Made by `make bench`. -->\n\n"
        f"{date}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}.\n\n"
        "Everything runs on one machine over loopback. Bytes, requests, CPU seconds and memory are reliable; wall\n"
        "time is only given as a ratio within one run, because the machine is shared.\n\n"
        "![One rebuild, and one look at a thousand references: what they cost](benchmarks.svg)\n"
    )


if __name__ == "__main__":
    main()
