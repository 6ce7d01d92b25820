"""What a configuration may not say: for each mistake the place, and words of the message, all in one run."""

from pathlib import Path
from typing import Any

import pytest

from layering.errors import InputError
from tests.settings.documents import cluster, document, image, proposal, written
from watcher.configuration import load
from watcher.settings_faults import ConfigurationError


def faults_of(file: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    return [(fault.path, f"{fault.message}; {fault.suggestion}") for fault in caught.value.faults]


def one_image(**keys: Any) -> dict[str, Any]:
    return document(images=[image(**keys)])


def one_proposal(**keys: Any) -> dict[str, Any]:
    return one_image(proposals=[proposal(**keys)])


def source(**keys: Any) -> dict[str, Any]:
    return one_image(source={"git": "os-images.git", **keys})


def one_build(**keys: Any) -> dict[str, Any]:
    return one_image(build={"engine": "tekton", **keys})


def in_cluster(**keys: Any) -> dict[str, Any]:
    return {**one_build(**keys), "clusters": [cluster(access="in-cluster")]}


IMAGE, SOURCE, PROPOSAL = "images[0]", "images[0].source", "images[0].proposals[0]"

FORGE = {"name": "git", "kind": "gitea", "url": "https://git.example.com/api/v1"}


def forges(**changes: Any) -> dict[str, Any]:
    return document(forges=[FORGE | changes])


def app(number: Any) -> dict[str, Any]:
    return document(forges=[{"name": "git", "kind": "github", "app": {"id": number, "privateKeyFile": "k"}}])


def on_forge(**changes: Any) -> dict[str, Any]:
    return one_proposal(**({"forge": "github", "repository": "acme/cluster-config"} | changes))


def on_actions(**changes: Any) -> dict[str, Any]:
    return one_image(build={"engine": "githubActions", "repository": "acme/os-images"} | changes)


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    # The document
    "another version": (document(apiVersion="layerwatch/v2"), "apiVersion", "must be 'layerwatch/v1alpha1'"),
    "another kind": (document(kind="Watch"), "kind", "must be 'WatchConfig'"),
    "unknown key": (
        document(nonsense=1),
        "nonsense",
        "it has apiVersion, clusters, daemon, forges, http",
    ),
    "misspelt key": (document(cluster=[]), "cluster", "did you mean clusters?"),
    "list that is a mapping": (document(images={}), "images", "must be a list"),
    "mapping that is text": (document(schedule="60s"), "schedule", "must be a mapping"),
    "section left empty": (document(clusters=None), "clusters", "must be a list"),
    # The schedule
    "duration without unit": (document(schedule={"every": 60}), "schedule.every", "write 60s, 60m or 60h"),
    "duration as bare text": (document(schedule={"every": "60"}), "schedule.every", "write it as 60s"),
    "duration with another unit": (document(schedule={"every": "1 day"}), "schedule.every", "write it as 60s"),
    "duration too long": (document(schedule={"every": "9999h"}), "schedule.every", "31 days"),
    "too often": (document(schedule={"every": "500ms"}), "schedule", "every must be 1s or more"),
    "jitter as long as every": (document(schedule={"every": "10s", "jitter": "10s"}), "schedule", "shorter than every"),
    "jitter longer than the default": (document(schedule={"jitter": "60s"}), "schedule", "which is 60s"),
    "every and cron": (document(schedule={"every": "60s", "cron": "* * * * *"}), "schedule", "exclude each other"),
    "cron and jitter": (document(schedule={"cron": "* * * * *", "jitter": "1s"}), "schedule", "jitter goes with every"),
    "cron with four fields": (document(schedule={"cron": "* * * *"}), "schedule.cron", "has 4"),
    "cron that never comes": (document(schedule={"cron": "0 0 30 2 *"}), "schedule.cron", "has a day 30"),
    "misspelt key of the schedule": (document(schedule={"evry": "60s"}), "schedule.evry", "did you mean every?"),
    # Registries
    "host with a scheme": (document(registries={"insecure": ["http://r:5000"]}), "registries.insecure[0]", "HOST:PORT"),
    "no time": (document(registries={"timeout": "0s"}), "registries.timeout", "1s or more"),
    "file that is a number": (document(registries={"authFile": 5}), "registries.authFile", "must be text"),
    "file without a name": (document(registries={"caFile": ""}), "registries.caFile", "must not be empty"),
    "nobody's home": (document(registries={"caFile": "~no-such-user/ca"}), "registries.caFile", "who is not there"),
    "a policy that is none": (
        document(registries={"releaseSignatures": {"policy": "maybe"}}),
        "registries.releaseSignatures.policy",
        "must be 'require', 'warn' or 'ignore'",
    ),
    "a store that is no address": (
        document(registries={"releaseSignatures": {"stores": ["/s", "ftp://example.com/s"]}}),
        "registries.releaseSignatures.stores[1]",
        "not an http or https address",
    ),
    "an identity with a tag": (
        document(registries={"releaseSignatures": {"identity": "quay.io/acme/os-release:4.19"}}),
        "registries.releaseSignatures.identity",
        "has a tag",
    ),
    "NUL in a path": (document(registries={"caFile": "a\0b"}), "registries.caFile", "cannot be printed"),
    # Clusters
    "cluster's name with capitals": (
        document(clusters=[cluster(), cluster(name="Stage")]),
        "clusters[1].name",
        "lower-case letters",
    ),
    "cluster's name too long": (document(clusters=[cluster(), cluster(name="a" * 41)]), "clusters[1].name", "40"),
    "two clusters of one name": (document(clusters=[cluster(), cluster()]), "clusters[1].name", "clusters[0].name"),
    "cluster without access": (document(clusters=[{"name": "prod"}]), "clusters[0].access", "is missing"),
    "access by another key": (document(clusters=[cluster(access={"fil": "x"})]), "clusters[0].access.fil", "file?"),
    "access that is another word": (
        document(clusters=[cluster(access="incluster")]),
        "clusters[0].access",
        "must be 'in-cluster'",
    ),
    "access by file and kubeconfig": (
        document(clusters=[cluster(access={"file": "a", "kubeconfig": "b"})]),
        "clusters[0].access",
        "one of the three",
    ),
    "context without kubeconfig": (
        document(clusters=[cluster(access={"context": "admin"})]),
        "clusters[0].access.kubeconfig",
        "is missing",
    ),
    # The daemon
    "home that is no cluster": (document(daemon={"cluster": "hub"}), "daemon.cluster", "no cluster with an API"),
    "home that is a file": (document(daemon={"cluster": "prod"}), "daemon.cluster", "there is none"),
    "no time to answer": (document(daemon={"apiTimeout": "10ms"}), "daemon.apiTimeout", "1s or more"),
    "deadline as long as the lease": (
        document(daemon={"leaderElection": {"renewDeadline": "15s"}}),
        "daemon.leaderElection",
        "and that shorter than leaseDuration",
    ),
    # Builds with Tekton
    "nowhere to run it": (one_build(), f"{IMAGE}.build.engine", "no cluster with an API"),
    "a cluster that is a file": (one_build(cluster="prod"), f"{IMAGE}.build.cluster", "no cluster with an API"),
    "Tekton's key of a local build": (
        one_image(build={"attempts": 2}),
        f"{IMAGE}.build.attempts",
        "goes with another form",
    ),
    "no attempts": (in_cluster(attempts=0), f"{IMAGE}.build.attempts", "greater than or equal to 1"),
    "a workspace without a name": (
        in_cluster(workspaces=[{"emptyDir": {}}]),
        f"{IMAGE}.build.workspaces[0]",
        "no name",
    ),
    "the request as a param": (in_cluster(params={"request": "x"}), f"{IMAGE}.build.params", "layerwatch itself"),
    "a param that is a number": (in_cluster(params={"A": 1}), f"{IMAGE}.build.params.A", "must be text"),
    "another engine": (
        one_image(build={"engine": "jenkins"}),
        f"{IMAGE}.build.engine",
        "local, tekton or githubActions",
    ),
    "a namespace that is no label": (in_cluster(namespace="a.b"), f"{IMAGE}.build.namespace", "of a namespace"),
    "a namespace that is too long": (in_cluster(namespace="a" * 64), f"{IMAGE}.build.namespace", "of a namespace"),
    "a pipeline's name that is none": (in_cluster(pipeline="a_b"), f"{IMAGE}.build.pipeline", "a Kubernetes object"),
    "a ServiceAccount's name that is too long": (
        in_cluster(serviceAccountName="a" * 254),
        f"{IMAGE}.build.serviceAccountName",
        "a Kubernetes object",
    ),
    "no cluster that could hold signatures": (
        document(registries={"releaseSignatures": {"stores": ["/s", "cluster"]}}),
        "registries.releaseSignatures.stores[1]",
        "no cluster with an API",
    ),
    "no cluster to say how registries are reached": (
        document(registries={"mirrors": "cluster"}),
        "registries.mirrors",
        "no cluster with an API",
    ),
    # Images
    "image without target": (one_image(without=["target"]), f"{IMAGE}.target", "is missing"),
    "image without source": (one_image(without=["source"]), f"{IMAGE}.source", "is missing"),
    "image's name is no label": (one_image(name="worker_os"), f"{IMAGE}.name", "is not a name"),
    "two images of one name": (
        document(images=[image(), image(proposals=[])]),
        "images[1].name",
        "worker-os stands twice, first as images[0].name",
    ),
    "target with a tag": (one_image(target="r.example.com/a:1"), f"{IMAGE}.target", "has a tag or digest"),
    "target with capitals": (one_image(target="r.example.com/Acme"), f"{IMAGE}.target", "lower-case"),
    "no platform": (one_image(platforms=[]), f"{IMAGE}.platforms", "must not be empty"),
    "half a platform": (one_image(platforms=["amd64"]), f"{IMAGE}.platforms[0]", "linux/amd64"),
    "platform by uname": (one_image(platforms=["linux/x86_64"]), f"{IMAGE}.platforms[0]", "write linux/amd64"),
    "platform twice": (one_image(platforms=["linux/amd64"] * 2), f"{IMAGE}.platforms[1]", "stands twice"),
    # What an image follows
    "cluster that is not there": (
        one_image(base={"cluster": "pord", "tag": "rhel-coreos"}),
        f"{IMAGE}.base.cluster",
        "there is no cluster pord; did you mean prod?",
    ),
    "tag of no cluster": (one_image(base={"tag": "rhel-coreos"}), f"{IMAGE}.base.cluster", "is missing"),
    "cluster without tag": (one_image(base={"cluster": "prod"}), f"{IMAGE}.base", "exactly one of tag and stream"),
    "tag and stream": (
        one_image(base={"cluster": "prod", "tag": "rhel-coreos", "stream": "rhel-9"}),
        f"{IMAGE}.base",
        "exactly one of tag and stream",
    ),
    "stream and image": (one_image(base={"stream": "rhel-9", "image": "a:b"}), f"{IMAGE}.base", "one of the two forms"),
    "cluster and image": (one_image(base={"cluster": "prod", "image": "a:b"}), f"{IMAGE}.base", "one of the two forms"),
    "base that is text": (one_image(base="quay.io/a/b:c"), f"{IMAGE}.base", "one of the two forms"),
    "image without a tag": (one_image(base={"image": "quay.io/a/b"}), f"{IMAGE}.base.image", "the tag to follow"),
    "image that is no reference": (one_image(base={"image": "Quay.io/A/B:c"}), f"{IMAGE}.base.image", "lower-case"),
    # Its source
    "source without git": (one_image(source={}), f"{SOURCE}.git", "is missing"),
    "password in a URL": (source(git="https://joe:hunter2@git.example.com/x"), f"{SOURCE}.git", "credential helper"),
    "token in a URL": (source(git="https://ghp-hunter2@git.example.com/x"), f"{SOURCE}.git", "credential helper"),
    "token in a query": (
        source(git="https://git.example.com/x?private_token=hunter2"),
        f"{SOURCE}.git",
        "a query in it",
    ),
    "URL that is an option": (source(git="--upload-pack=touch /x"), f"{SOURCE}.git", "starts with '-'"),
    "ref that is an option": (source(ref="--all"), f"{SOURCE}.ref", "is not a branch"),
    "ref that is a range": (source(ref="a..b"), f"{SOURCE}.ref", "is not a branch"),
    "ref that is a refspec": (source(ref="+main:main"), f"{SOURCE}.ref", "is not a branch"),
    "context outside": (source(context="../other"), f"{SOURCE}.context", "without '..'"),
    "context from the root": (source(context="/etc"), f"{SOURCE}.context", "a relative path"),
    "Containerfile outside": (source(containerfile="a/../../b"), f"{SOURCE}.containerfile", "without '..'"),
    "match of nothing": (source(match=["stage:"]), f"{SOURCE}.match[0]", "stage:"),
    # Its build
    "unknown builder": (one_image(build={"builder": "docker"}), f"{IMAGE}.build.builder", "'buildah'"),
    "argument that is a number": (one_image(build={"args": {"A": 1.10}}), f"{IMAGE}.build.args.A", "quotes around it"),
    "argument's odd name": (one_image(build={"args": {"a-b": "1"}}), f"{IMAGE}.build.args.a-b", "build argument"),
    # Its proposals
    "proposal for no cluster": (one_proposal(cluster="stage"), f"{PROPOSAL}.cluster", "clusters has prod"),
    "file outside": (one_proposal(file="../../etc/passwd"), f"{PROPOSAL}.file", "without '..'"),
    "file from the root": (one_proposal(file="/etc/passwd"), f"{PROPOSAL}.file", "a relative path"),
    "file in .git": (one_proposal(file=".git/config"), f"{PROPOSAL}.file", "git's own files"),
    "branch that is an option": (one_proposal(branch="-x"), f"{PROPOSAL}.branch", "is not a branch"),
    "yes in words": (one_proposal(create="yes"), f"{PROPOSAL}.create", "true or false"),
    "unknown hold": (one_proposal(hold="maybe"), f"{PROPOSAL}.hold", "'completed' or 'none'"),
    "a forge nobody knows": (on_forge(forge="sourcehut"), f"{PROPOSAL}.forge", "add it to forges"),
    "a forge of another name": (on_forge(forge="githib"), f"{PROPOSAL}.forge", "did you mean github"),
    "a forge that has no public address": (on_forge(forge="gitea"), f"{PROPOSAL}.forge", "add it to forges"),
    "two images for one pool": (
        document(images=[image(), image(name="other-os")]),
        "images[1].proposals[0]",
        "pool worker of cluster prod has an image already: worker-os",
    ),
    "one pool twice": (one_image(proposals=[proposal(), proposal(file="b.yaml")]), "images[0].proposals[1]", "already"),
    # Forges, and how proposals are presented there
    "a repository that is a path": (on_forge(repository="../config.git"), f"{PROPOSAL}.repository", "OWNER/NAME"),
    "a forge twice": (document(forges=[FORGE, FORGE]), "forges[1].name", "git stands twice"),
    "a forge called local": (forges(name="local"), "forges[0].name", "repository on this machine"),
    "a forge of no kind": (forges(kind="svn"), "forges[0].kind", "must be 'github', 'gitlab' or 'gitea'"),
    "Gitea nowhere": (document(forges=[{"name": "git", "kind": "gitea"}]), "forges[0]", "no public address"),
    "a forge in plain sight": (forges(url="http://git.example.com/api/v1"), "forges[0]", "plain http"),
    "a forge with a login": (forges(url="https://u:p@git.example.com"), "forges[0]", "carries a login"),
    "a forge with a query": (forges(url="https://git.example.com/api/v1?x=1"), "forges[0]", "name that address: url"),
    "a token for a file": (forges(tokenFile="0123456789abcdef" * 2 + "01234567"), "forges[0]", "tokenFile is a token"),
    "a token for a variable": (forges(tokenEnv="ghp_0123456789abcdefghij"), "forges[0]", "tokenEnv is a token"),
    "two secrets": (forges(tokenFile="t", tokenEnv="T"), "forges[0]", "exactly one of"),
    "an App elsewhere": (
        forges(app={"id": 1, "privateKeyFile": "k"}),
        "forges[0]",
        "app goes with kind github only",
    ),
    "an App of no id": (app(""), "forges[0].app.id", "no App has such an id"),
    "an App of two words": (app("hello world"), "forges[0].app.id", "no App has such an id"),
    "an App below nothing": (app(-5), "forges[0].app.id", "its number, or its client id"),
    "an App of a truth": (app(True), "forges[0].app.id", "must be text"),
    "a label of two lines": (on_forge(labels=["a", "b\nc"]), f"{PROPOSAL}.labels[1]", "one line"),
    "an assignee of a blank": (on_forge(assignees=[" "]), f"{PROPOSAL}.assignees[0]", "one line"),
    "a reviewer of two lines": (on_forge(reviewers=["a\u2028b"]), f"{PROPOSAL}.reviewers[0]", "one line"),
    "a milestone of a blank": (on_forge(milestone="  "), f"{PROPOSAL}.milestone", "one line"),
    "an author without mail": (forges(author="me"), "forges[0].author", "NAME <MAIL>"),
    "a prefix of two lines": (forges(commitPrefix="a\nb"), "forges[0].commitPrefix", "one line"),
    "a limit below nothing": (forges(maxOpen=-1), "forges[0].maxOpen", "greater than or equal to 0"),
    "an unknown placeholder": (on_forge(title="{node}"), f"{PROPOSAL}.title", "{node} is no placeholder"),
    "a title of drafts": (
        on_forge(forge="gitlab", title=" {pool}: {version}", pool="draft"),
        f"{PROPOSAL}.title",
        "gitlab takes a title that begins with 'draft:' for a draft's; leave that out; draft: true",
    ),
    "a default title of drafts": (
        forges() | {"proposalDefaults": {"title": "[wip] {version}"}, "images": on_forge(forge="git")["images"]},
        "proposalDefaults.title",
        "gitea takes a title that begins with '[wip]' for a draft's",
    ),
    "a group's usual title of drafts": (
        on_forge(forge="gitlab", group="draft"),
        f"{PROPOSAL}.group",
        "for a draft's; call the group otherwise, or give it a title",
    ),
    "a team without a name": (on_forge(reviewers=["amy", "team:"]), f"{PROPOSAL}.reviewers[1]", "names no team"),
    "a branch of ours": (one_proposal(branch="layerwatch/prod/worker"), PROPOSAL, "is the proposal's own"),
    "a group of branches": (one_proposal(group="os"), PROPOSAL, "group is for pull requests"),
    "a cluster called group": (
        document(clusters=[cluster(), cluster(name="group")]),
        "clusters[1].name",
        "called group",
    ),
    "a default that is none": (
        document(proposalDefaults={"draft": "yes"}),
        "proposalDefaults.draft",
        "true or false",
    ),
    "a window's time that YAML reads as a number": (
        one_proposal(windows=[{"from": 1320, "to": "04:00"}]),
        f"{PROPOSAL}.windows[0].from",
        "in quotes",
    ),
    "a day that is none": (
        one_proposal(windows=[{"days": ["day"], "from": "22:00", "to": "04:00"}]),
        f"{PROPOSAL}.windows[0].days",
        "must be a list of mon",
    ),
    "a time zone that is none": (
        one_proposal(windows=[{"from": "22:00", "to": "04:00", "timeZone": "Europe/Berlni"}]),
        f"{PROPOSAL}.windows[0].timeZone",
        "Europe/Berlin",
    ),
    # Builds on GitHub Actions
    "a workflow's repository that is none": (on_actions(repository="acme"), f"{IMAGE}.build.repository", "match"),
    "a workflow that is no file": (on_actions(workflow="rebuild"), f"{IMAGE}.build.workflow", "match"),
    "Actions of another forge": (on_actions(forge="gitlab"), f"{IMAGE}.build.forge", "of kind github"),
    "no time to wait": (on_actions(backoff=[]), f"{IMAGE}.build.backoff", "at least 1 item"),
}


@pytest.mark.parametrize(("content", "path", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_one_mistake_is_one_fault(tmp_path: Path, content: dict[str, Any], path: str, words: str) -> None:
    faults = faults_of(written(tmp_path, content))
    others = [fault for fault in faults if fault[0] != path and "is missing" not in fault[1]]
    (found,) = [message for at, message in faults if at == path]
    assert words in found
    assert others == []
    assert "hunter2" not in str(faults)


def test_all_faults_come_in_one_run_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
apiVersion: layerwatch/v1alpha1
kind: WatchConfig
shedule: {every: 60}
clusters:
  - {name: prod, access: in-cluster}
  - {name: prod, access: {file: a}}
images:
  - name: worker-os
    base: {cluster: pord, tag: rhel-coreos}
    source: {git: a, contxt: b}
    target: registry.example.com/acme/worker-os:latest
    proposals:
      - {cluster: prod, pool: worker, repository: a, file: ../b}
      - {cluster: prod, pool: worker, repository: a, file: c, file: d}
"""
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text))
    assert [(fault.line, fault.path) for fault in caught.value.faults] == [
        (3, "shedule"),
        (6, "clusters[1].name"),
        (9, "images[0].base.cluster"),
        (10, "images[0].source.contxt"),
        (11, "images[0].target"),
        (13, "images[0].proposals[0].file"),
        (14, "images[0].proposals[1]"),
        (14, "images[0].proposals[1].file"),
    ]
    message = str(caught.value)
    assert "8 faults" in message
    assert "shedule (line 3): is not a key of this place; did you mean schedule?" in message
    assert "next: " in message


def test_the_contract_s_own_example_is_read(tmp_path: Path) -> None:
    content = document(
        registries={"authFile": "/etc/pull-secret/.dockerconfigjson", "mirrors": "cluster"},
        clusters=[cluster(access="in-cluster")],
        images=[
            image(
                build={"engine": "tekton", "namespace": "layerwatch", "pipeline": "layered-image-rebuild"},
                proposals=[proposal(forge="github", repository="acme/cluster-config")],
            )
        ],
    )
    assert load(written(tmp_path, content)).images[0].proposals[0].forge == "github"


HEAD = "apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\n"
NOT_YAML: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "one YAML document"),
    "a list": (b"- a\n", "one YAML document"),
    "two documents": (f"{HEAD}---\n{HEAD}".encode(), "one YAML document"),
    "a tab": (f"{HEAD}schedule:\n\tevery: 60s\n".encode(), "line 4"),
    "an open bracket": (f"{HEAD}images: [\n".encode(), "not YAML"),
    "latin-1": (f"{HEAD}# Müller\n".encode("latin-1"), "not YAML"),
    "zeros": (b"\0" * 100, "not YAML"),
    "an unknown alias": (f"{HEAD}images: *x\n".encode(), "undefined alias"),
    "too large": (HEAD.encode() + b"#" * 1024 * 1024, "larger than"),
    "a deep well": (f"{HEAD}images: {'[' * 5000}".encode(), "nested too deeply"),
    "a well that a program dug": (f"{HEAD}images: {'[' * 40}{']' * 40}\n".encode(), "nested too deeply"),
    "an alias of itself": (f"{HEAD}images: &a [*a]\n".encode(), "aliases that multiply"),
    "a billion laughs": (
        f"{HEAD}a0: &a0 [1, 1]\n".encode()
        + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)),
        "aliases that multiply",
    ),
}


@pytest.mark.parametrize(("content", "words"), NOT_YAML.values(), ids=NOT_YAML.keys())
def test_what_cannot_be_read_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(InputError, match=words) as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert caught.value.next_step


ODD_YAML: dict[str, tuple[str, str, str]] = {
    "key twice": ("kind: WatchConfig\n", "kind", "twice, first in line 2"),
    "merge key": ("schedule: {<<: {every: 60s}}\n", "schedule", "no merge key"),
    "key that is a list": ("? [a]\n: b\n", "", "plain text"),
    "tag that does not fit": ("schedule: {every: !!int x}\n", "schedule.every", "what its tag says"),
    "truth that is neither": ("schedule: {every: !!bool x}\n", "schedule.every", "what its tag says"),
    "day that never was": ("schedule: {every: 2001-13-99}\n", "schedule.every", "what its tag says"),
    "tag of a program": ("schedule: {every: !!python/name:os.system x}\n", "schedule.every", "what its tag says"),
    "keys that pydantic uses": ("'[key]': 1\nFollowedCluster: 2\n", "[key]", "is not a key"),
    "key with an escape code": ('"\\e[2J": 1\n', "'\\x1b[2J'", "is not a key"),
}


@pytest.mark.parametrize(("text", "path", "words"), ODD_YAML.values(), ids=ODD_YAML.keys())
def test_yaml_that_is_no_configuration(tmp_path: Path, text: str, path: str, words: str) -> None:
    assert any(path == at and words in message for at, message in faults_of(written(tmp_path, HEAD + text)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file") as caught:
        load(tmp_path / "layerwatch.yaml")
    assert "-c FILE" in caught.value.next_step
