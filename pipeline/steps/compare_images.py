"""What differs between two images."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layering.comparison import LabelChanges, LayerChanges, compare
from layering.comparison_text import as_markdown
from layering.reference import ImageReference
from layering.registry.settings import RegistrySettings
from pipeline.mirrornotes import MirrorNotes
from pipeline.registry_flags import registry_settings, step_client

SUMMARY = "What differs between two images: labels, version, layers, and the bytes a node must fetch."
EXAMPLE = "layerwatch-step compare-images --old REPOSITORY@sha256:… --new REPOSITORY@sha256:… --format markdown"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Two images, and how the answer is printed."""

    old: ImageReference
    new: ImageReference
    markdown: bool
    registries: RegistrySettings


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """`packages` is null: they are not compared in this version. `versions` are old and new, as `old` and `new` are.

    With `--format markdown`, that is printed instead of the JSON.
    """

    packages: Mapping[str, Any] | None
    labels: LabelChanges
    layers: tuple[LayerChanges, ...]
    same_content: bool
    versions: tuple[str | None, str | None]
    old: ImageReference
    new: ImageReference
    text: str | None = field(default=None, repr=False, metadata={"unlisted": True})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    parser.add_argument("--old", required=True, metavar="PULLSPEC", help="the image before, by tag or digest")
    parser.add_argument("--new", required=True, metavar="PULLSPEC", help="the image after, by tag or digest")
    parser.add_argument("--format", choices=["json", "markdown"], default="json", help="what stdout gets")


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    return Inputs(
        old=ImageReference.parse(arguments.old),
        new=ImageReference.parse(arguments.new),
        markdown=arguments.format == "markdown",
        registries=registry_settings(arguments),
    )


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Ask the registry."""
    with step_client(inputs.registries, MirrorNotes(say)) as registry:
        comparison = compare(registry, inputs.old, inputs.new)
    if comparison.same_content:
        say("same content: only dates, history or the names of what it was built from differ")
    return Outputs(
        packages=None,
        labels=comparison.labels,
        layers=comparison.layers,
        same_content=comparison.same_content,
        versions=comparison.versions,
        old=comparison.old,
        new=comparison.new,
        text=as_markdown(comparison) if inputs.markdown else None,
    )
