"""What deploy/ says: the objects that the real kubectl makes of an overlay, and what the rules in them grant."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.parts import require

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "deploy/overlays"
NAMESPACE = ACCOUNT = "layerwatch"
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, order=True)
class Right:
    """One verb on one resource (`pods/log`), in one namespace or, when it is empty, in all of them."""

    group: str
    resource: str
    verb: str
    namespace: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}{where}"


def kubectl(*arguments: str, kubeconfig: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the real one, without a home and so without anything it may remember."""
    access = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
    argv = [require("kubectl"), *access, f"--cache-dir={kubeconfig}.cache", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@cache
def built(directory: Path) -> Sequence[Document]:
    """The objects of a kustomization."""
    done = kubectl("kustomize", str(directory))
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one(documents: Sequence[Document], kind: str, namespace: str | None = None) -> Document:
    """The only object of its kind, in this namespace if given."""
    (found,) = (
        document
        for document in documents
        if document["kind"] == kind and namespace in (None, document["metadata"].get("namespace"))
    )
    return found


def granted(documents: Sequence[Document]) -> Mapping[Right, frozenset[str]]:
    """All that the Roles and ClusterRoles grant, with the names it is limited to; none: every name."""
    return {
        right: frozenset(rule.get("resourceNames", ()))
        for document in documents
        if document["kind"] in ("Role", "ClusterRole")
        for rule in document["rules"]
        for right in _rights(rule, document["metadata"].get("namespace", ""))
    }


def _rights(rule: Document, namespace: str) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield Right(group=group, resource=resource, verb=verb, namespace=namespace)
