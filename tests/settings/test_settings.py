"""What a configuration says when it is right: defaults, parsed values, paths relative to the file."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from layering.cluster.access import InCluster, Kubeconfig
from layering.forge.manners import Manners
from layering.platform import Platform
from layering.reference import ImageReference, Repository
from tests.settings.documents import cluster, document, image, proposal, written
from tests.settings.test_faults import MISTAKES
from watcher.configuration import load
from watcher.settings import schema
from watcher.settings_cluster import FileAccess
from watcher.settings_faults import ConfigurationError
from watcher.settings_image import FollowedCluster, FollowedName, TektonBuild

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "layerwatch.yaml"


def test_the_example_of_the_documentation() -> None:
    settings = load(EXAMPLE)
    worker, edge = settings.images
    assert (settings.schedule.every_seconds, settings.schedule.jitter_seconds) == (60, 10)
    assert settings.registries.auth_file == EXAMPLE.parent / "pull-secret.json"
    access = settings.clusters[0].access
    assert isinstance(access, FileAccess)
    assert access.file == EXAMPLE.parent / "clusterversion.yaml"
    assert worker.base == FollowedCluster(cluster="prod", tag="rhel-coreos")
    assert worker.target == Repository("registry.example.com", "acme/worker-os")
    assert worker.build.args == {"TIMEZONE": "UTC"}
    assert isinstance(edge.base, FollowedName)
    assert edge.base.image == ImageReference.parse("quay.io/fedora/fedora-coreos:stable")


def test_defaults(tmp_path: Path) -> None:
    settings = load(written(tmp_path, document()))
    (worker,) = settings.images
    (entry,) = worker.proposals
    assert (settings.schedule.every_seconds, settings.schedule.jitter_seconds) == (60, 0)
    assert settings.registries.timeout_seconds == 120
    assert settings.registries.auth_file is None
    assert (worker.source.ref, worker.source.context, worker.source.containerfile) == ("HEAD", ".", "Containerfile")
    assert worker.platforms == (Platform("linux", "amd64"),)
    assert (worker.build.engine, worker.build.builder, worker.build.args) == ("local", "auto", {})
    assert (entry.forge, entry.branch, entry.hold, entry.create) == ("local", "main", "completed", False)


def test_defaults_of_a_cluster_and_its_builds(tmp_path: Path) -> None:
    here = document(clusters=[cluster(access="in-cluster")], images=[image(build={"engine": "tekton"})])
    settings = load(written(tmp_path, here))
    (worker,) = settings.images
    assert isinstance(worker.build, TektonBuild)
    assert (settings.home, settings.home_namespace(), settings.home_namespace("ci")) == ("prod", "layerwatch", "ci")
    assert (worker.build.pipeline, worker.build.service_account) == ("layered-image-rebuild", "layerwatch-build")
    assert (worker.build.timeout, worker.build.attempts, worker.build.backoff) == (7200, 3, 60)
    election = settings.daemon.leader_election
    assert (settings.daemon.api_timeout, election.name, election.lease_duration) == (10, "layerwatch", 15)
    assert (election.renew_deadline, election.retry_period) == (10, 2)


@pytest.mark.parametrize(
    ("access", "api"),
    [
        ({"file": "a.yaml"}, None),
        ("in-cluster", InCluster()),
        ({"kubeconfig": "/k"}, Kubeconfig(file=Path("/k"))),
        ({"kubeconfig": "/k", "context": "admin"}, Kubeconfig(file=Path("/k"), context="admin")),
    ],
    ids=["file", "in-cluster", "kubeconfig", "context"],
)
def test_access(tmp_path: Path, access: Any, api: Any) -> None:
    (prod,) = load(written(tmp_path, document(clusters=[cluster(access=access)]))).clusters
    assert prod.api == api


@pytest.mark.parametrize(
    ("keys", "home", "namespace"),
    [
        ({}, "stage", "builds"),
        ({"daemon": {"cluster": "hub"}}, "hub", "builds"),
        ({"daemon": {"namespace": "os"}}, "stage", "os"),
    ],
    ids=["the first with an API", "named", "namespace"],
)
def test_home(tmp_path: Path, keys: dict[str, Any], home: str, namespace: str) -> None:
    clusters = [cluster(), cluster(name="stage", access="in-cluster"), cluster(name="hub", access={"kubeconfig": "k"})]
    images = [image(build={"engine": "tekton", "namespace": "builds"})]
    settings = load(written(tmp_path, document(clusters=clusters, images=images, **keys)))
    assert (settings.home, settings.home_namespace("ci")) == (home, namespace)


def test_names_of_kubernetes_may_be_as_long_as_kubernetes_lets_them(tmp_path: Path) -> None:
    """40 characters are the limit for what our own names are made of; these are others'."""
    build = {"engine": "tekton", "namespace": "n" * 63, "pipeline": "os.rebuild", "serviceAccountName": "b" * 253}
    content = document(
        clusters=[cluster(access="in-cluster")],
        images=[image(build=build)],
        daemon={"namespace": "n" * 63, "leaderElection": {"name": "layerwatch.example.com"}},
    )
    settings = load(written(tmp_path, content))
    assert settings.home_namespace() == "n" * 63
    assert settings.daemon.leader_election.name == "layerwatch.example.com"


def test_the_smallest_configuration_watches_nothing(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\n"))
    assert (settings.clusters, settings.images) == ((), ())


def test_the_containerfile_is_in_the_context_unless_it_is_named(tmp_path: Path) -> None:
    source = {"git": "a", "context": "worker/"}
    named = {**source, "containerfile": "files/Dockerfile"}
    first, second = load(
        written(tmp_path, document(images=[image(source=source), image(name="b", source=named, proposals=[])]))
    ).images
    assert first.source.containerfile == "worker/Containerfile"
    assert second.source.containerfile == "files/Dockerfile"


@pytest.mark.parametrize(
    ("git", "expected"),
    [
        ("os-images.git", "{directory}/os-images.git"),
        ("../os-images.git", "{directory}/../os-images.git"),
        ("/srv/os-images.git", "/srv/os-images.git"),
        ("file:///srv/os-images.git", "file:///srv/os-images.git"),
        ("https://git.example.com/a.git", "https://git.example.com/a.git"),
        ("ssh://git@git.example.com/a.git", "ssh://git@git.example.com/a.git"),
        ("git@git.example.com:acme/a.git", "git@git.example.com:acme/a.git"),
        ("./odd:name", "{directory}/odd:name"),
    ],
)
def test_paths_of_git_are_relative_to_the_file_and_urls_are_git_s(tmp_path: Path, git: str, expected: str) -> None:
    (loaded,) = load(written(tmp_path, document(images=[image(source={"git": git})]))).images
    assert loaded.source.git == expected.format(directory=tmp_path)


def test_an_image_that_follows_a_tag_may_be_proposed_for_a_cluster_that_nothing_is_known_of(tmp_path: Path) -> None:
    follower = image(base={"image": "quay.io/a/b:stable"}, proposals=[proposal(cluster="elsewhere")])
    (loaded,) = load(written(tmp_path, document(clusters=[], images=[follower]))).images
    assert loaded.proposals[0].cluster == "elsewhere"


def test_aliases_are_read(tmp_path: Path) -> None:
    text = (
        "apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\n"
        "schedule: {every: &time 5m}\nregistries: {timeout: *time}\n"
    )
    assert load(written(tmp_path, text)).registries.timeout_seconds == 300


# The JSON schema

VALIDATOR = jsonschema.Draft202012Validator(schema())
BY_SHAPE_ONLY = ("another", "unknown", "misspelt", "list that", "mapping that", "duration without", "duration as")


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(document(), id="small"),
        pytest.param(document(clusters=[], images=[]), id="empty lists"),
        pytest.param(document(schedule={"cron": "*/5 * * * *"}), id="cron"),
        pytest.param(document(schedule={"every": "1h30m", "jitter": "500ms"}), id="durations"),
        pytest.param(document(images=[image(base={"image": "quay.io/a/b:c"})]), id="follows a tag"),
        pytest.param(document(registries={"insecure": ["127.0.0.1:5000", "[::1]:5000", "r"]}), id="hosts"),
        pytest.param(document(clusters=[cluster(), cluster(name="a-1")]), id="two clusters"),
        pytest.param(document(images=[image(platforms=["linux/amd64", "linux/arm64/v8"])]), id="platforms"),
        pytest.param(document(images=[image(build={"args": {"A": ""}, "engine": "local"})]), id="build"),
        pytest.param(document(images=[image(proposals=[proposal(create=True, hold="none")])]), id="proposal"),
        pytest.param(
            document(
                forges=[{"name": "git", "kind": "gitea", "url": "https://git.example.com/api/v1", "author": "A <a@b>"}],
                proposalDefaults={"labels": ["os"], "windows": [{"days": ["sat"], "from": "22:00", "to": "04:00"}]},
                images=[image(proposals=[proposal(forge="git", repository="acme/config", group="os")])],
            ),
            id="forges",
        ),
        pytest.param(
            document(images=[image(build={"engine": "githubActions", "repository": "acme/os", "backoff": ["1m"]})]),
            id="Actions",
        ),
    ],
)
def test_what_the_loader_takes_the_schema_takes(tmp_path: Path, content: dict[str, Any]) -> None:
    load(written(tmp_path, content))
    VALIDATOR.validate(content)


@pytest.mark.parametrize("name", [name for name in MISTAKES if name.startswith(BY_SHAPE_ONLY)])
def test_mistakes_of_shape_are_found_by_the_schema_too(name: str) -> None:
    assert not VALIDATOR.is_valid(MISTAKES[name][0])


@pytest.mark.parametrize(("content", "path", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_what_the_schema_refuses_the_loader_refuses(
    tmp_path: Path, content: dict[str, Any], path: str, words: str
) -> None:
    if not VALIDATOR.is_valid(content):
        with pytest.raises(ConfigurationError):
            load(written(tmp_path, content))


def test_a_proposal_s_own_keys_go_instead_of_the_defaults(tmp_path: Path) -> None:
    defaults = {"labels": ["os"], "draft": True, "windows": [{"from": "22:00", "to": "04:00"}], "group": "g"}
    entries = [
        proposal(forge="github", repository="a/b", labels=["mine", "too"], windows=[]),
        proposal(pool="infra", draft=False),
    ]
    settings = load(written(tmp_path, document(proposalDefaults=defaults, images=[image(proposals=entries)])))
    on_github, local = settings.images[0].proposals
    assert on_github.manners == Manners(labels=("mine", "too"), draft=True)
    assert (on_github.open_windows, on_github.target.group) == ((), "g")
    assert local.manners == Manners(labels=("os",), draft_optional=True)
    assert (len(local.open_windows), local.target.group) == (1, None)


@pytest.mark.parametrize(
    ("keys", "optional"),
    [
        pytest.param({}, True, id="as usual"),
        pytest.param({"hold": "completed"}, True, id="after the update"),
        pytest.param({"hold": "none"}, False, id="during the update"),
        pytest.param({"group": "g"}, False, id="with others"),
    ],
)
def test_a_draft_is_left_out_only_where_no_update_can_be_on_its_way(
    tmp_path: Path, keys: dict[str, Any], optional: bool
) -> None:
    entry = proposal(forge="github", repository="a/b", draft=True, **keys)
    (found,) = load(written(tmp_path, document(images=[image(proposals=[entry])]))).images[0].proposals
    assert (found.manners.draft, found.manners.draft_optional) == (True, optional)


def test_a_group_that_would_be_called_as_drafts_are_has_the_title_of_one_of_its_entries(tmp_path: Path) -> None:
    keys = {"forge": "gitlab", "repository": "a/b", "group": "draft"}
    entries = [
        proposal(**keys),
        proposal(**keys | {"repository": "A/b"}, pool="infra", file="infra.yaml", title="OS {version}"),
    ]
    content = document(images=[image(proposals=entries)])
    assert len(load(written(tmp_path, content)).images[0].proposals) == 2


@pytest.mark.parametrize("given", [123, "123", "Iv23liAbC9", "Iv1.8a61f9b3a7aba766"])
def test_an_app_s_id_is_its_number_or_its_client_id(tmp_path: Path, given: int | str) -> None:
    entry = {"name": "git", "kind": "github", "app": {"id": given, "privateKeyFile": "k"}}
    content = document(forges=[entry])
    assert VALIDATOR.is_valid(content)
    app = load(written(tmp_path, content)).forge("git").app
    assert app is not None
    assert app.id == str(given)
