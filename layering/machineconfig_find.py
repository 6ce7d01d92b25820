"""Which MachineConfigs are in a file, where, and which one is meant.

They are found as documents, as items of a `List`, and in the `config` of a ConfigMap (HyperShift). This module reads
and chooses; it does not edit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from layering.errors import InputError
from layering.machineconfig_embedded import Embedding, embedded
from layering.machineconfig_merge import Claim, winner
from layering.machineconfig_nodes import Document, Mapping, Scalar, Sequence, Tree, lookup, text_at
from layering.machineconfig_parse import Parsed, parse

API_GROUP = "machineconfiguration.openshift.io"
ROLE_LABEL = f"{API_GROUP}/role"
_GENERATED_BY = f"{API_GROUP}/generated-by-controller-version"
_HOSTED_ROLE = "worker"  # HyperShift's controller labels every MachineConfig it takes from a ConfigMap so
SIZE_MAX = 4 * 1024 * 1024
"""In characters; an object in etcd has at most 1.5 MiB, and a file may hold several."""
_LISTED_MAX = 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Located:
    """One MachineConfig: the text it is parsed from, what it lies in, and what it says."""

    parsed: Parsed
    document: Document
    above: tuple[Tree, ...]
    root: Mapping
    embedding: Embedding | None
    claim: Claim


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Listing:
    """The MachineConfigs of a file, and one line about each thing in it that is none."""

    configs: tuple[Located, ...]
    others: tuple[str, ...]

    def __str__(self) -> str:
        lines = [_described(config.claim) for config in self.configs] + list(self.others)
        more = [f"… and {len(lines) - _LISTED_MAX} more"] if len(lines) > _LISTED_MAX else []
        return "".join(f"\n    {line}" for line in lines[:_LISTED_MAX] + more) or " nothing"


def machine_configs(text: str, where: str = "") -> Listing:
    """Every MachineConfig in a YAML or JSON text. Raises InputError when it cannot be parsed or is too long."""
    if len(text) > SIZE_MAX:
        raise InputError(f"the text is longer than {SIZE_MAX} characters", where=where, next_step="split the file")
    parsed = parse(text, where)
    configs: list[Located] = []
    others: list[str] = []
    for document, above, root in _objects(parsed):
        if _is_machine_config(root):
            configs.append(_located(parsed, document, above, root))
        elif inner := _hosted(parsed, document, above, root, where):
            configs.extend(inner)
        else:
            others.append(_other(root))
    return Listing(configs=tuple(configs), others=tuple(others))


def select(listing: Listing, *, name: str | None, pool: str | None, where: str = "") -> Located:
    """The MachineConfig that is meant: by name, by pool label, or because there is only one.

    Raises InputError, listing what is in the file, when none or several fit.
    """
    fitting = [
        config
        for config in listing.configs
        if (name is None or config.claim.name == name) and (pool is None or config.claim.role == pool)
    ]
    if pool is not None and name is None and len(fitting) > 1:
        fitting = _setting(fitting, pool, where)
    if len(fitting) == 1:
        return fitting[0]
    wanted = _wanted(name, pool)
    found = "is no MachineConfig" if not fitting else f"are {len(fitting)} MachineConfigs"
    raise InputError(
        f"there {found}{wanted}; in the file:{listing}",
        where=where,
        next_step="name one (name of the proposal, --name)"
        if listing.configs
        else "name a file that holds a MachineConfig",
    )


def _setting(fitting: list[Located], pool: str, where: str) -> list[Located]:
    """Of several for one pool the one that sets osImageURL; raises InputError when two do."""
    decided = winner((config.claim for config in fitting), pool)
    if decided is None:
        return fitting
    if decided.overridden:
        lines = "".join(f"\n    {_described(claim)}" for claim in (*decided.overridden, decided.winner))
        raise InputError(
            f"{len(decided.overridden) + 1} MachineConfigs set the osImageURL of the pool {pool}:{lines}\n"
            f"  {decided.winner.name} wins: {decided.why}",
            where=where,
            next_step="remove osImageURL from the others, or "
            f"name one (name of the proposal, --name): {decided.winner.name}",
        )
    return [config for config in fitting if config.claim is decided.winner]


def _objects(parsed: Parsed) -> Iterator[tuple[Document, tuple[Tree, ...], Mapping]]:
    """Every object with what it lies in: the documents, and the items of lists instead of the lists."""
    for document in parsed.documents:
        pending: list[tuple[tuple[Tree, ...], Tree]] = [((), document.root)]
        while pending:
            above, root = pending.pop()
            if not isinstance(root, Mapping):  # an alias among the items: seen where its anchor stands
                continue
            items = lookup(root, "items")
            if items and isinstance(items.value, Sequence) and (text_at(root, "kind") or "").endswith("List"):
                inside = (*above, root, items.value)
                pending.extend((inside, item) for item in reversed(items.value.items))
            else:
                yield document, above, root


def _is_machine_config(root: Mapping) -> bool:
    group = (text_at(root, "apiVersion") or "").partition("/")[0]
    return text_at(root, "kind") == "MachineConfig" and group == API_GROUP


def _located(
    parsed: Parsed, document: Document, above: tuple[Tree, ...], root: Mapping, embedding: Embedding | None = None
) -> Located:
    claim = Claim(
        name=text_at(root, "metadata", "name") or "",
        role=text_at(root, "metadata", "labels", ROLE_LABEL) or (_HOSTED_ROLE if embedding else None),
        image=text_at(root, "spec", "osImageURL") or None,
        line=root.line,
        generated=text_at(root, "metadata", "annotations", _GENERATED_BY) is not None,
    )
    return Located(parsed=parsed, document=document, above=above, root=root, embedding=embedding, claim=claim)


def _hosted(
    outer: Parsed, document: Document, above: tuple[Tree, ...], root: Mapping, where: str
) -> tuple[Located, ...]:
    """The MachineConfigs in a ConfigMap's `config`; none when that is something else."""
    data = lookup(root, "data") if text_at(root, "kind") == "ConfigMap" else None
    entry = lookup(data.value, "config") if data and isinstance(data.value, Mapping) else None
    if data is None or entry is None or not isinstance(entry.value, Scalar) or data.merged or entry.merged:
        return ()
    embedding = embedded(outer, document, (*above, root, data.value), entry.value)
    try:
        inner = parse(entry.value.text, where, embedding.origin)
    except InputError:  # any text may be under that key; one that is no YAML holds no MachineConfig
        return ()
    return tuple(
        _located(inner, inner_document, inner_above, mapping, embedding)
        for inner_document, inner_above, mapping in _objects(inner)
        if _is_machine_config(mapping)
    )


def _described(claim: Claim) -> str:
    pool = f"pool {claim.role}" if claim.role else "no pool label"
    image = f"osImageURL {claim.image[:120]!r}" if claim.image else "no osImageURL"
    return f"line {claim.line}: MachineConfig {claim.name[:120]!r} ({pool[:120]}), {image}"


def _other(root: Mapping) -> str:
    kind, name = text_at(root, "kind"), text_at(root, "metadata", "name")
    return f"line {root.line}: {(kind or 'something without a kind')[:80]!r} {(name or '')[:120]!r}"


def _wanted(name: str | None, pool: str | None) -> str:
    words = [f"named {name!r}" if name is not None else "", f"for the pool {pool!r}" if pool is not None else ""]
    return "".join(f" {word}" for word in words if word)
