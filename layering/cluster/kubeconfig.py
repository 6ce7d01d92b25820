"""Which entries of a kubeconfig are meant, and whether layerwatch can log in as they say.

kubernetes.io, "Organizing Cluster Access Using kubeconfig Files". Only the choice is made here, so that a wrong name is
answered with those that are there; what the entries mean is the Kubernetes client's to read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from layering.errors import InputError

_WRITE_ANEW = "write it anew: `oc login --kubeconfig FILE`, or `kubectl config view --raw --minify`"
_BYTES_MAX = 4 * 1024 * 1024
_LISTED_MAX, _SHOWN_MAX = 10, 100
_FILE_KEYS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_NO_LOGIN = ("exec", "auth-provider")
_AS_ANOTHER = ("as", "as-uid", "as-groups", "as-user-extra")
_LOGIN_HINT = "give the user a token: oc create token SERVICEACCOUNT, or oc login into a kubeconfig of its own"


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The context that is meant, with its cluster's and its user's entry."""

    name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]


def read_kubeconfig(file: Path, where: str) -> dict[str, Any]:
    """The file as it stands. Raises InputError for one that is not there or no kubeconfig; never quotes from it."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"the kubeconfig cannot be read: {error.strerror}", where=where, next_step="name a file that we may read"
        ) from None
    if len(raw) > _BYTES_MAX:
        raise InputError(f"the kubeconfig is larger than {_BYTES_MAX} bytes", where=where)
    try:
        document = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 a safe loader
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError("the kubeconfig is not YAML", where=f"{where}{line}", next_step=_WRITE_ANEW) from None
    if not isinstance(document, dict) or not isinstance(document.get("clusters"), list):
        raise InputError("this is no kubeconfig: it has no list of clusters", where=where, next_step=_WRITE_ANEW)
    return document


def chosen(document: Mapping[str, Any], name: str | None, where: str) -> Context:
    """The context of that name, or the current one. Raises InputError with the names that there are."""
    contexts = _named(document, "contexts", "context")
    name = name if name is not None else document.get("current-context") or None
    listed = _listed(contexts)
    if name is None:
        raise InputError(
            "the kubeconfig has no current-context", where=where, next_step=f"name a context; it has {listed}"
        )
    if not isinstance(name, str) or name not in contexts:
        raise InputError(f"the kubeconfig has no context {_short(name)}", where=where, next_step=f"it has {listed}")
    context = contexts[name]
    cluster = _entry(document, "clusters", "cluster", context.get("cluster"), f"context {_short(name)}", where)
    user = (
        _entry(document, "users", "user", context.get("user"), f"context {_short(name)}", where)
        if context.get("user")
        else {}
    )
    _check_addresses(cluster, f"the kubeconfig's cluster {_short(context.get('cluster'))}", where)
    _check_login(user, _short(context.get("user")), where)
    return Context(name=name, cluster=cluster, user=user)


def _listed(names: Iterable[str]) -> str:
    """For a message: as many as a person reads."""
    return ", ".join(map(_short, sorted(names)[:_LISTED_MAX])) or "none"


def _short(name: Any) -> str:
    return str(name)[:_SHOWN_MAX]


def named_files(context: Context) -> tuple[str, ...]:
    """The files that the entries name, as they name them: absolute, or relative to the kubeconfig."""
    entries = (context.cluster, context.user)
    return tuple(str(entry[key]) for entry in entries for key in _FILE_KEYS if entry.get(key))


def _named(document: Mapping[str, Any], section: str, key: str) -> dict[str, Mapping[str, Any]]:
    entries = document.get(section)
    return {
        entry["name"]: entry[key]
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get(key), dict)
    }


def _entry(
    document: Mapping[str, Any], section: str, key: str, name: Any, wanted_by: str, where: str
) -> Mapping[str, Any]:
    entries = _named(document, section, key)
    if not isinstance(name, str) or name not in entries:
        listed = _listed(entries)
        raise InputError(
            f"the kubeconfig's {wanted_by} names the {key} {_short(name)}, which is not among its {section}",
            where=where,
            next_step=f"it has {listed}",
        )
    return entries[name]


def _check_addresses(cluster: Mapping[str, Any], entry: str, where: str) -> None:
    """Neither address is quoted: there may be a password in it."""
    if not cluster.get("server") or not isinstance(cluster["server"], str):
        raise InputError(f"{entry} has no server", where=where)
    if not _is_url(cluster["server"]):
        raise InputError(f"the server of {entry} is no URL", where=where, next_step="write it as https://HOST:PORT")
    if cluster.get("proxy-url") and not _is_url(cluster["proxy-url"]):
        raise InputError(
            f"the proxy-url of {entry} is none that layerwatch can use",
            where=where,
            next_step="write it as http://HOST:PORT; there is no SOCKS here",
        )


def _is_url(value: Any) -> bool:
    try:
        url = urlsplit(value if isinstance(value, str) else "")
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # an address in brackets that is none, a port that is no number
        return False


def _check_login(user: Mapping[str, Any], name: str, where: str) -> None:
    for key in _NO_LOGIN:
        if user.get(key) is not None:
            raise InputError(
                f"the kubeconfig's user {name} logs in through `{key}`, and layerwatch runs no such program",
                where=where,
                next_step=_LOGIN_HINT,
            )
    for key in _AS_ANOTHER:
        if user.get(key):
            raise InputError(  # the Kubernetes client would pass over it, and ask with all the user's own rights
                f"the kubeconfig's user {name} acts as somebody else (`{key}`), and layerwatch cannot",
                where=where,
                next_step=_LOGIN_HINT,
            )
