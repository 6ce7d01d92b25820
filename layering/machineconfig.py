"""Where a MachineConfig names its operating system image, and how to change only that.

`set_os_image` replaces the characters of one value, or inserts one line, and proves by parsing again that nothing else
changed. It never writes a tag, and never touches a value that already has the digest, however that is spelt: the
Machine Config Daemon compares pull specs as strings, so that a mere respelling would reboot a whole pool
(machine-config-operator, pkg/daemon/daemon.go, `checkOS`). This module reads no files and talks to no cluster.
"""

import re
from dataclasses import dataclass, replace

from layering.change import Change
from layering.errors import InputError
from layering.machineconfig_find import API_GROUP, ROLE_LABEL, Listing, Located, machine_configs, select
from layering.machineconfig_merge import Claim, winner
from layering.machineconfig_nodes import NULL_TAG, STRING_TAG, Entry, Mapping, Scalar, Tree, lookup, place
from layering.machineconfig_parse import resolved_tag
from layering.machineconfig_splice import Splice, add_first, add_nested, apply, fill_null, outward, replace_scalar
from layering.reference import ImageReference, same_digest

_KEY = "osImageURL"
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_OBJECT_NAME_LENGTH_MAX = 253
_LABEL_LENGTH_MAX = 63
_DOCUMENT_START = "---\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A text after the edit. `change` is None when the digest was there already and `text` is what was given.

    `old` is the value before, None when there was none; `document` the MachineConfig's name; `notes` are for people.
    """

    text: str
    change: Change | None
    old: str | None
    document: str
    notes: tuple[str, ...] = ()


def set_os_image(
    text: str,
    image: ImageReference,
    *,
    name: str | None = None,
    pool: str | None = None,
    create: bool = False,
    where: str = "",
) -> Edit:
    """Make `image`, by digest, the osImageURL of one MachineConfig in a YAML or JSON text.

    `create` inserts a key that is missing. `where` names the text in errors. Raises InputError when the text cannot be
    parsed, no or several MachineConfigs are meant, the image has no digest, or the value stands in more places than
    one (anchor, alias, merge key).
    """
    image = ImageReference(image.repository, digest=image.pinned)
    listing = machine_configs(text, where)
    config = select(listing, name=name, pool=pool, where=where)
    spec, value = _value(config, where)
    old = value.value.text or None if value and isinstance(value.value, Scalar) and not _null(value.value) else None
    notes = _notes(listing, config, image)
    if same_digest(old, image):
        return Edit(text=text, change=None, old=old, document=config.claim.name, notes=notes)
    if value is None and not create:
        raise InputError(
            f"the MachineConfig {config.claim.name!r} has no {_KEY}",
            where=place(where, config.root.line, config.root.column),
            next_step="insert it with --create, or name another MachineConfig",
        )
    _refuse_shared(config, spec, value, where)
    parsed, splice = config.parsed, _splice(config, spec, value, str(image), where)
    if config.embedding is not None:
        splice = outward(config.embedding, parsed, splice, where)
        parsed = config.embedding.outer
    change = Change(line=_line(text, splice, str(image)), old=old or "", new=str(image))
    return Edit(text=apply(parsed, splice), change=change, old=old, document=config.claim.name, notes=notes)


def read_claim(text: str, *, name: str | None = None, pool: str | None = None, where: str = "") -> Claim:
    """One MachineConfig of a text: its name, its role, and the osImageURL it has, wherever that comes from.

    Raises InputError.
    """
    config = select(machine_configs(text, where), name=name, pool=pool, where=where)
    _value(config, where)
    return config.claim


def new_machineconfig(image: ImageReference, name: str | None, pool: str) -> str:
    """A whole MachineConfig that sets osImageURL for `pool`, called as `machineconfig_name` says.

    It has no Ignition config: the field is optional (openshift/api machineconfiguration/v1 types.go). Raises
    InputError when a name is none that Kubernetes takes, or the image has no digest.
    """
    image = ImageReference(image.repository, digest=image.pinned)
    name = machineconfig_name(name, pool)
    _check_name(pool, "--pool", _LABEL_LENGTH_MAX)
    _check_name(name, "--name", _OBJECT_NAME_LENGTH_MAX)
    return (
        f"apiVersion: {API_GROUP}/v1\n"
        "kind: MachineConfig\n"
        "metadata:\n"
        "  labels:\n"
        f"    {ROLE_LABEL}: {_plain(pool)}\n"
        f"  name: {_plain(name)}\n"
        "spec:\n"
        f'  {_KEY}: "{image}"\n'
    )


def machineconfig_name(name: str | None, pool: str) -> str:
    """What a new MachineConfig for `pool` is called when it is asked for by `name`, or without one."""
    return f"99-{pool}-osimageurl" if name is None else name


def lacks_machineconfig(text: str, *, name: str | None, pool: str, where: str = "") -> bool:
    """Whether another MachineConfig can be put behind those of a text: it holds what `new_machineconfig` makes and
    nothing else, and neither the one that is meant nor one of the same name. Raises InputError.
    """
    claims = [config.claim for config in machine_configs(text, where).configs]
    is_there = any(claim.role == pool and name in (None, claim.name) for claim in claims)
    is_taken = machineconfig_name(name, pool) in (claim.name for claim in claims)
    return bool(claims) and not is_there and not is_taken and text == _DOCUMENT_START.join(map(_remade, claims))


def added_machineconfig(text: str, image: ImageReference, name: str | None, pool: str) -> str:
    """A text that lacks this MachineConfig, with it. Raises InputError as `new_machineconfig` does."""
    return _DOCUMENT_START.join((text, new_machineconfig(image, name, pool)))


def _remade(claim: Claim) -> str:
    """What `new_machineconfig` made of it; nothing when it cannot have made it."""
    try:
        return new_machineconfig(ImageReference.parse_pinned(claim.image or ""), claim.name, claim.role or "")
    except InputError:
        return ""


def _value(config: Located, where: str) -> tuple[Entry | None, Entry | None]:
    """The entries of `spec` and of `spec.osImageURL`. Raises InputError when one has the wrong type."""
    spec = lookup(config.root, "spec")
    if spec is None or _null(spec.value):
        return spec, None
    if not isinstance(spec.value, Mapping):
        raise _wrong_type(spec, "spec", "a mapping", where)
    value = lookup(spec.value, _KEY)
    if value is not None and not isinstance(value.value, Scalar):
        raise _wrong_type(value, f"spec.{_KEY}", "a text", where)
    return spec, value


def _splice(config: Located, spec: Entry | None, value: Entry | None, image: str, where: str) -> Splice:
    text = config.parsed.text
    if spec is None:
        return add_nested(text, config.root, "spec", _KEY, image, where)
    if isinstance(spec.value, Scalar):
        return fill_null(text, spec.key, spec.value, _KEY, image, where)
    if value is not None and isinstance(value.value, Scalar):
        return replace_scalar(text, value.key, value.value, image, where)
    if isinstance(spec.value, Mapping):
        return add_first(text, spec.key, spec.value, _KEY, image, where)
    raise _wrong_type(spec, "spec", "a mapping", where)


def _refuse_shared(config: Located, spec: Entry | None, value: Entry | None, where: str) -> None:
    """Raise InputError when what would be edited also stands elsewhere, or comes from elsewhere."""
    for entry, path in ((spec, "spec"), (value, f"spec.{_KEY}")):
        if entry is not None and entry.merged:
            raise InputError(
                f"{path} of {config.claim.name!r} comes from a merge key (<<)",
                where=place(where, entry.value.line, entry.value.column),
                next_step=f"write {path} into the MachineConfig itself",
            )
    entries = [entry.value for entry in (spec, value) if entry is not None]
    shared = [node for node in (*config.above, config.root, *entries) if config.document.shared(node)]
    around = config.embedding
    if around is not None:
        shared += [node for node in (*around.above, around.scalar) if around.document.shared(node)]
    if shared:
        raise _shared(shared[-1], config.claim.name, where)


def _shared(node: Tree, name: str, where: str) -> InputError:
    return InputError(
        f"{_KEY} of {name!r} stands in several places through the anchor &{node.anchor} and its aliases",
        where=place(where, node.line, node.column),
        next_step=f"write {_KEY} where it belongs, without an alias",
    )


def _notes(listing: Listing, config: Located, image: ImageReference) -> tuple[str, ...]:
    """Which MachineConfig of the file decides, when several set osImageURL for one pool."""
    pool, edited = config.claim.role, replace(config.claim, image=str(image))
    claims = [edited if other is config else other.claim for other in listing.configs]
    verdict = winner(claims, pool) if pool else None
    if verdict is None or (verdict.winner is edited and not verdict.overridden):
        return ()
    lost = "" if verdict.winner is edited else f"{edited.name} does not decide: "
    return (f"{lost}in this file {verdict.winner.name} decides the osImageURL of the pool {pool}: {verdict.why}",)


def _null(node: Tree) -> bool:
    return isinstance(node, Scalar) and node.tag == NULL_TAG


def _wrong_type(entry: Entry, path: str, wanted: str, where: str) -> InputError:
    return InputError(
        f"{path} is not {wanted}",
        where=place(where, entry.value.line, entry.value.column),
        next_step=f"write {path} as {wanted}",
    )


def _line(text: str, splice: Splice, image: str) -> int:
    """The line, from 1, in which the image stands after the splice."""
    before = text[: splice.start] + splice.text[: splice.text.index(image)]
    return len(re.findall(r"\r\n|\n|\r", before)) + 1


def _check_name(text: str, flag: str, length_max: int) -> None:
    if len(text) > length_max or not _OBJECT_NAME.fullmatch(text):
        raise InputError(
            f"{text[:80]!r} is not a name",
            where=flag,
            next_step=f"use at most {length_max} lower-case letters, digits, '-' and '.'",
        )


def _plain(text: str) -> str:
    """A checked name as YAML text: in quotes when plain it would be a number or the like."""
    return text if resolved_tag(text) == STRING_TAG else f'"{text}"'
