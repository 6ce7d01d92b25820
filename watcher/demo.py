"""`layerwatch demo`: the whole job on one machine, told as a story, on the code paths that production uses.

It ends with checks of its own: the digest in the merged file is the digest in the registry, and the image begins with
the layers of the new release's base. It returns 0 only then; anything else raises.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from layering.errors import CheckError, InputError
from layering.findings import passed
from layering.imagecheck import check_image
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.release import read_release
from watcher import demo_git
from watcher.configuration import load
from watcher.decision import Kind
from watcher.demo_world import CLUSTER, MACHINE_CONFIG, NEW, OLD, PLATFORMS, POOL, DemoWorld, demo_world
from watcher.report import Verdict, log_line
from watcher.story import Story
from watcher.watch import Watch, watching

_ELSEWHERE = "name a new directory, where you may write"
_BRANCH = f"layerwatch/{CLUSTER}/{POOL}"


def demo(directory: Path | None) -> int:
    """Play it, in `directory` when one is given. Returns 0; raises a LayerwatchError when something does not hold."""
    story = Story()
    with _stage(directory) as stage, demo_world(stage) as world, watching(load(world.configuration), _unheard) as watch:
        story.title("layerwatch: a layered CoreOS image follows its cluster from one release to the next")
        _tell_the_world(story, world)
        _settle_on_the_old_release(story, world, watch)
        _upgrade(story, world, watch)
        _nothing_twice(story, world, watch)
        _show_the_proposal(story, world)
        _merge(story, world, watch)
        _prove(story, world)
        _farewell(story, stage, kept=directory is not None)
    return 0


def _tell_the_world(story: Story, world: DemoWorld) -> None:
    story.chapter("A small world, made on the spot")
    story.line(f"registry   {world.server.address}, with the releases {OLD} and {NEW} (amd64 and arm64)")
    story.line("source     os-images.git: a Containerfile that adds two files to rhel-coreos")
    story.line(f"cluster    cluster-config.git: {MACHINE_CONFIG} pins what the workers boot")


def _settle_on_the_old_release(story: Story, world: DemoWorld, watch: Watch) -> None:
    story.chapter(f"The cluster runs {OLD}")
    story.working()
    watch.look_and_tick(_untold)
    demo_git.merge(world.cluster_config, _BRANCH)
    story.done("day one: the first image is built, proposed and merged")
    _expect(watch.look_and_tick(lambda verdict: _tell(story, verdict)), Kind.UP_TO_DATE)


def _upgrade(story: Story, world: DemoWorld, watch: Watch) -> None:
    story.chapter(f"Somebody upgrades the cluster to {NEW}")
    world.set_cluster_version(OLD, NEW)
    story.line("ClusterVersion says Completed. The layered workers still boot the old kernel; nobody else would tell.")
    story.working()
    _expect(watch.look_and_tick(lambda verdict: _tell(story, verdict)), Kind.AWAITING_APPROVAL)


def _nothing_twice(story: Story, world: DemoWorld, watch: Watch) -> None:
    story.chapter("The next tick decides the same, and does nothing twice")
    before = _writes(world), _refs(world)
    _expect(watch.look_and_tick(lambda verdict: _tell(story, verdict)), Kind.AWAITING_APPROVAL)
    story.checked("no write reached the registry, no ref moved in git", holds=(_writes(world), _refs(world)) == before)


def _show_the_proposal(story: Story, world: DemoWorld) -> None:
    story.chapter("What a person reads")
    story.block(demo_git.show(world.cluster_config, _BRANCH))
    story.line()
    story.diff(demo_git.diff(world.cluster_config, "main", _BRANCH))


def _merge(story: Story, world: DemoWorld, watch: Watch) -> None:
    story.chapter("The person merges; the Machine Config Operator would roll out now")
    demo_git.merge(world.cluster_config, _BRANCH)
    before = _writes(world), _refs(world)
    _expect(watch.look_and_tick(lambda verdict: _tell(story, verdict)), Kind.UP_TO_DATE)
    story.checked("nothing was written by that tick", holds=(_writes(world), _refs(world)) == before)


def _prove(story: Story, world: DemoWorld) -> None:
    """Believe neither the watcher nor the proposal: read the merged file, ask the registry, read the payload again."""
    story.chapter("Is it true?")
    text = demo_git.show(world.cluster_config, f"main:{MACHINE_CONFIG}")
    pinned = ImageReference.parse_pinned(yaml.safe_load(text)["spec"]["osImageURL"])
    with RegistryClient(world.registries) as client:
        tags = [tag for tag in client.tags(pinned.repository) if tag.startswith(f"{NEW}-")]
        in_registry = {client.resolve(pinned.repository.tagged(tag)).digest for tag in tags}
        story.checked(
            f"main pins {pinned.pinned.short}, the one image in the registry for {NEW}",
            holds=in_registry == {pinned.digest},
        )
        base = read_release(client, world.payloads[NEW]).image("rhel-coreos")
        findings = check_image(client, pinned, base, PLATFORMS)
        story.checked(f"it is built FROM {base.pinned.short}, the rhel-coreos of {NEW}", holds=passed(findings))


def _farewell(story: Story, stage: Path, *, kept: bool) -> None:
    story.line()
    if kept:
        story.line(f"Everything is in {stage}: look at its git repositories and its layerwatch.yaml.")
    story.line('Your own image next: README.md, "Your own image in five minutes".')


def _tell(story: Story, verdict: Verdict) -> None:
    decision = verdict.decision
    story.decided(decision.kind, decision.reason, decision.message)
    if decision.kind in (Kind.REBUILD, Kind.PROPOSE):
        story.working()


def _expect(verdicts: Sequence[Verdict], kind: Kind) -> None:
    for verdict in verdicts:
        if verdict.decision.kind is not kind:
            raise CheckError(f"the watcher says {log_line(verdict)}", where="demo")


def _writes(world: DemoWorld) -> int:
    return sum(request.method not in ("GET", "HEAD") for request in world.server.requests)


def _refs(world: DemoWorld) -> str:
    return demo_git.refs(world.cluster_config)


def _untold(verdict: Verdict) -> None:
    """Most ticks of the story are told by their last verdict."""


def _unheard(note: str) -> None:
    """What a build says is for logs; the story tells the outcome."""


@contextmanager
def _stage(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        with TemporaryDirectory(prefix="layerwatch-demo-") as temporary:
            yield Path(temporary)
        return
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"{directory} is not an empty directory", where="--dir", next_step=_ELSEWHERE)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory} cannot be made: {error.strerror}", where="--dir", next_step=_ELSEWHERE) from None
    yield directory.resolve()
