"""Which mirrors there are: read from a file as container tools or `oc` write it, or from where those tools look.

What a cluster itself says is read by layering.cluster and parsed by mirrorsets. Nothing is cached.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from layering.errors import InputError
from layering.registry.mirrorrule import Mirror, MirrorRule, Place, addresses
from layering.registry.mirrorsets import parse_openshift
from layering.registry.registriesconf import parse_registries_conf, render_others, render_registries_conf

__all__ = [
    "Mirror",
    "MirrorRule",
    "Place",
    "addresses",
    "is_registries_conf",
    "load_mirrors",
    "others_of",
    "parse_openshift",
    "parse_registries_conf",
    "render_registries_conf",
    "usual_mirrors",
]

_YAML = {".yaml", ".yml"}
_BYTES_MAX = 4 * 1024 * 1024
_DROP_INS = "registries.conf.d"
_SYSTEM = Path("/etc/containers/registries.conf")
# What PyYAML's constructors raise for a scalar under a tag it does not fit: `!!bool x`, `!!int ""`, `!!timestamp x`.
_NOT_AS_TAGGED = (ValueError, LookupError, AttributeError, OverflowError)


def load_mirrors(path: Path) -> tuple[MirrorRule, ...]:
    """The rules in a file: `oc get idms,itms,icsp -o yaml` when it ends in .yaml, else a registries.conf.

    To a registries.conf belong the files of the directory registries.conf.d beside it, by name; a later file's table
    replaces an earlier one's of the same prefix. Raises InputError for a file that cannot be read or used.
    """
    return _with_drop_ins(path) if is_registries_conf(path) else parse_openshift(_documents(path), str(path))


def is_registries_conf(path: Path) -> bool:
    """Whether `load_mirrors` reads it as a registries.conf."""
    return path.suffix not in _YAML


def usual_mirrors() -> tuple[MirrorRule, ...]:
    """The rules where container tools look: $CONTAINERS_REGISTRIES_CONF, then the user's file, then the system's.

    Raises InputError as `load_mirrors` does, also when the variable names no file.
    """
    return _with_drop_ins(named) if (named := _named()) is not None else _with_drop_ins(_usual(), must_exist=False)


def _named() -> Path | None:
    return Path(value) if (value := os.environ.get("CONTAINERS_REGISTRIES_CONF")) else None


def _usual() -> Path:
    configuration = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    own = Path(configuration) / "containers/registries.conf"
    return own if own.is_file() else _SYSTEM


def others_of(path: Path | None) -> str:
    """What a registries.conf says beside mirrors (short names, for instance), as the beginning of another such file.

    None is the one of `usual_mirrors`. Raises InputError.
    """
    file = path or _named() or _usual()
    return render_others(_text(file), str(file)) if path or file.is_file() else ""


def _with_drop_ins(path: Path, *, must_exist: bool = True) -> tuple[MirrorRule, ...]:
    found: dict[str, tuple[MirrorRule, ...]] = {}
    for file in _files(path, must_exist=must_exist):
        rules = parse_registries_conf(_text(file), str(file))
        found.update({one.source: tuple(rule for rule in rules if rule.source == one.source) for one in rules})
    return tuple(rule for rules in found.values() for rule in rules)


def _files(path: Path, *, must_exist: bool) -> Iterator[Path]:
    if must_exist or path.is_file():
        yield path
    yield from sorted(path.with_name(_DROP_INS).glob("*.conf"))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
        text = raw.decode()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise InputError("not text in UTF-8", where=str(path)) from None
    if len(raw) > _BYTES_MAX:
        raise InputError(f"larger than {_BYTES_MAX} bytes", where=str(path))
    return text


def _documents(path: Path) -> list[object]:
    text = _text(path)
    try:
        return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, RecursionError, *_NOT_AS_TAGGED) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError("not YAML", where=f"{path}{line}") from None
