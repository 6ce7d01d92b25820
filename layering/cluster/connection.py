"""A connection to one cluster's API: its address, its credential, and when both are to be read again.

The only module that imports `kubernetes`, and that only where there is a cluster to be asked: loading its models takes
half a second and more. It takes from it how a kubeconfig is read and how connections are configured
(docs/decisions/0009). It sends nothing itself.
"""

import importlib.util
import os
import re
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layering.cluster.access import ClusterAccess, InCluster, Kubeconfig
from layering.cluster.kubeconfig import chosen, named_files, read_kubeconfig
from layering.errors import InputError
from layering.secrets import Secret

if TYPE_CHECKING:
    import urllib3

_HEADER = re.compile(r"[\x20-\x7e]+")
_STAMPS = tuple[tuple[str, int, int, int] | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Connection:
    """Where requests go. `authorization` is the header's value; None when certificates say who we are.

    `files` are those it was made from, `stamps` what they looked like then.
    """

    url: str
    pool: "urllib3.PoolManager"
    authorization: Secret | None
    files: tuple[Path, ...]
    stamps: _STAMPS

    @property
    def is_current(self) -> bool:
        """Whether none of the files has changed since."""
        return _stamps(self.files) == self.stamps


class Connector:
    """Makes the connection when it is wanted, and anew when its files changed. Safe to use from threads."""

    def __init__(self, access: ClusterAccess, name: str) -> None:
        self._access = access
        self._name = name
        self._guard = threading.Lock()
        self._connection: Connection | None = None

    def get(self) -> Connection:
        """The connection. Raises InputError when the files it needs are not there or cannot be used."""
        with self._guard:
            if self._connection is None or not self._connection.is_current:
                self._connection = self._made()
            return self._connection

    def after_refusal(self, refused: Connection) -> Connection | None:
        """After a 401: everything read again; None when the credential is still the refused one. Raises InputError."""
        with self._guard:
            if self._connection is refused:
                self._connection = self._made()
            connection = self._connection or self._made()
            return connection if connection.authorization != refused.authorization else None

    def close(self) -> None:
        """Close the connections that nobody uses at the moment. The next request opens another."""
        with self._guard:
            if self._connection is not None:
                self._connection.pool.clear()

    def _made(self) -> Connection:
        if isinstance(self._access, InCluster):
            return _in_cluster(self._access, self._name)
        return _with_kubeconfig(self._access, self._name)


def check_extra() -> None:
    """Raises InputError when the Kubernetes client is not installed. Does not load it."""
    if importlib.util.find_spec("kubernetes") is None:
        raise InputError(
            "asking a cluster needs the Kubernetes client, which is not installed",
            next_step="install the extra `cluster`: pip install '.[cluster]' in the checkout",
        )


def load_client() -> None:
    """Load it, so that no time limit counts what that takes: seconds, when the machine is busy."""
    import kubernetes.client
    import kubernetes.config  # noqa: F401


def _in_cluster(access: InCluster, name: str) -> Connection:
    url, token_file, ca_file = access.url, access.directory / "token", access.directory / "ca.crt"
    if url is None:
        raise InputError(
            "access is in-cluster, and this is no pod: $KUBERNETES_SERVICE_HOST is not set",
            where=name,
            next_step="name a kubeconfig for it (access.kubeconfig, --kubeconfig FILE), or run in the cluster",
        )
    stamps = _stamps((token_file, ca_file))
    token = _text(token_file, name).strip()
    _text(ca_file, name)
    if not token:
        raise InputError("the ServiceAccount's token is empty", where=f"{name}: {token_file}")
    configuration = _configuration()
    configuration.host = url
    configuration.ssl_ca_cert = str(ca_file)
    return Connection(
        url=url,
        pool=_pool(configuration, (ca_file,), name),
        authorization=_header(f"Bearer {token}", f"{name}: {token_file}"),
        files=(token_file, ca_file),
        stamps=stamps,
    )


def _text(file: Path, name: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        detail = getattr(error, "strerror", None) or "not text"
        raise InputError(
            f"the ServiceAccount's {file.name} cannot be read: {detail}",
            where=f"{name}: {file}",
            next_step="mount the ServiceAccount's token into the pod, or set $LAYERWATCH_SERVICEACCOUNT_DIR",
        ) from None


def _with_kubeconfig(access: Kubeconfig, name: str) -> Connection:
    from kubernetes.config import kube_config
    from kubernetes.config.config_exception import ConfigException

    where = f"{name}: {access.file}"
    stamp = _stamps((access.file,))
    document = read_kubeconfig(access.file, where)
    context = chosen(document, access.context, where)
    files = tuple(access.file.parent / file for file in named_files(context))
    stamps = stamp + _stamps(files)
    configuration = _configuration()
    try:
        loader: Any = kube_config.KubeConfigLoader  # it has no types
        loader(document, active_context=context.name, config_base_path=str(access.file.parent)).load_and_set(
            configuration
        )
    except ConfigException as error:
        raise InputError(
            f"the kubeconfig cannot be used: {error}",
            where=where,
            next_step="see whether `kubectl --kubeconfig FILE get nodes` works with it",
        ) from None
    except (AttributeError, LookupError, TypeError, ValueError, OSError) as error:  # what the loader lets through
        detail = getattr(error, "strerror", None) or type(error).__name__  # the text may quote a credential
        raise InputError(f"the kubeconfig's context {context.name} cannot be used: {detail}", where=where) from None
    return Connection(
        url=str(configuration.host).rstrip("/"),
        pool=_pool(configuration, files, where),
        authorization=_authorization(configuration, where),
        files=(access.file, *files),
        stamps=stamps,
    )


def _configuration() -> Any:
    from kubernetes import client

    configuration = client.Configuration()
    configuration.retries = False  # urllib3 would try four times, and wait as long as any Retry-After says
    return configuration


def _pool(configuration: Any, files: Iterable[Path], where: str) -> "urllib3.PoolManager":
    import urllib3
    from kubernetes.client.rest import RESTClientObject

    if not configuration.verify_ssl:  # the kubeconfig asks for it; the warning would repeat the user's own wish
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    try:
        pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
        pool.connection_pool_kw |= {"ssl_context": _trust(configuration), "ca_certs": None, "ca_cert_data": None}
    except (OSError, ValueError, ImportError, urllib3.exceptions.HTTPError) as error:  # Import: a SOCKS proxy
        named = ", ".join(map(str, files))
        raise InputError(
            f"no connection can be made with {named}: {type(error).__name__}",
            where=where,
            next_step="see whether these are certificates, and whether HTTPS_PROXY names a proxy for http",
        ) from None
    return pool


def _trust(configuration: Any) -> ssl.SSLContext:
    """Whom a cluster's connections trust, read once: of public authorities a copy takes 25 ms and 0.9 MB."""
    from urllib3.util.ssl_ import create_urllib3_context

    ca_file, ca_data = configuration.ssl_ca_cert, configuration.ca_cert_data
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    if ca_file or ca_data:
        context.load_verify_locations(cafile=ca_file, cadata=ca_data)
    elif configuration.verify_ssl:
        context.load_default_certs()
    return context


def _authorization(configuration: Any, where: str) -> Secret | None:
    settings: Mapping[str, Any] = configuration.auth_settings()
    value = settings.get("BearerToken", {}).get("value")
    return _header(value, where) if value else None


def _header(value: str, where: str) -> Secret:
    """A header's value, without the line end that a file has after its token, as kubectl reads it."""
    value = value.strip()
    if not _HEADER.fullmatch(value):
        raise InputError("the token has characters that no token has: a line break, or no ASCII", where=where)
    return Secret(value)


def _stamps(files: Iterable[Path]) -> _STAMPS:
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[str, int, int, int] | None:
    """What tells whether a file changed. Through symbolic links: that is how Kubernetes exchanges mounted files."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (os.path.realpath(file), found.st_ino, found.st_mtime_ns, found.st_size)
