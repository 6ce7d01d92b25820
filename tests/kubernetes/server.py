"""A real Kubernetes API server with its etcd, for tests: started, broken and started again, gone when the test ends.

    with TestApiServer() as server:
        server.admin.create(NAMESPACES, {"metadata": {"name": "test"}})

Both listen on 127.0.0.1 alone; all their state is one temporary directory. There is no kubelet and no scheduler, so
pods stay as they are written; without `controllers` nothing is collected or aggregated either, and a deleted
namespace stays Terminating. It has no CRDs until somebody loads them (tests/kubernetes/crds.py).
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.kubernetes.admin import CRDS, SERVICE_ACCOUNTS, Admin
from tests.kubernetes.certificates import write_certificates
from tests.kubernetes.crds import wait_until_served
from tests.kubernetes.credentials import expired_token, write_kubeconfig, write_pod_files
from tests.kubernetes.flags import controller_flags, etcd_flags, server_flags
from tests.kubernetes.process import LocalProcess
from tests.kubernetes.rest import RefusedError
from tests.parts import require
from tests.ports import free_port

_READY_SECONDS = 120
_POLL_SECONDS = 0.05
_LAST_WORDS = 3000  # characters
_ADMIN_TOKEN = "admin-of-a-test-server"


class TestApiServer:
    """One cluster. A context manager; `flags` are further flags of kube-apiserver.

    Skips the test where the programs are missing. Raises RuntimeError, with their last words, when they do not start.
    """

    __test__ = False  # not a class of tests, in spite of its name

    def __init__(self, *, flags: Sequence[str] = (), controllers: bool = False) -> None:
        self._etcd, self._api = require("etcd"), require("kube-apiserver")
        self._controllers = require("kube-controller-manager") if controllers else None
        self._flags = tuple(flags)
        self._temporary = tempfile.TemporaryDirectory(prefix="layerwatch-api-", ignore_cleanup_errors=True)
        self.directory = Path(self._temporary.name)
        self._certificates = write_certificates(self.directory)
        (self.directory / "tokens.csv").write_text(f'{_ADMIN_TOKEN},admin,admin,"system:masters"\n')
        self._choose_ports()

    @property
    def url(self) -> str:
        """Where it answers; the port stays the same for as long as it lives."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority that signed its certificate, PEM."""
        return self._certificates.ca

    def start(self) -> Self:
        """Start both, and return when it is ready. Another process may take the ports first: then once more."""
        try:
            self._start_all()
        except RuntimeError as error:
            self.kill_all()
            if "address already in use" not in str(error):
                raise
            self.admin.close()
            self._choose_ports()
            self._start_all()
        return self

    def kill(self) -> None:
        """SIGKILL the API server. etcd, and so every object, stays."""
        self.api_process.kill()

    def start_again(self, *, flags: Sequence[str] | None = None) -> None:
        """Start it on the same port with the same objects, with other `flags` if given; returns when it is ready."""
        self.kill()
        if flags is not None:
            self._flags = tuple(flags)
            self.api_process = self._api_process()
        self.api_process.start()
        self._wait_until_ready()
        wait_until_served(self.admin, self.admin.list(CRDS))  # it is ready long before

    def freeze(self) -> None:
        """SIGSTOP: whoever asks hangs."""
        self.api_process.freeze()

    def thaw(self) -> None:
        """SIGCONT; returns when it answers again."""
        self.api_process.thaw()
        self._wait_until_ready()

    def compact_history(self) -> None:
        """Make etcd forget every revision but the present one.

        A running API server still answers from its cache: only started again does it say 410 to a list of old.
        """
        revision = self._ask_etcd("kv/range", {"key": "AA=="})["header"]["revision"]
        self._ask_etcd("kv/compaction", {"revision": revision, "physical": True})

    def kill_all(self) -> None:
        """SIGKILL everything, etcd last."""
        for process in (self.controller_process, self.api_process, self.etcd_process):
            if process is not None:
                process.kill()

    def token_for(self, service_account: str, namespace: str) -> str:
        """A token of that ServiceAccount, which is created if need be; good for an hour."""
        self._service_account(service_account, namespace)
        path = SERVICE_ACCOUNTS.path(namespace=namespace, name=service_account)
        return str(self.admin.call("POST", f"{path}/token", {"spec": {"expirationSeconds": 3600}})["status"]["token"])

    def expired_token_for(self, service_account: str, namespace: str) -> str:
        """A token of it which the server refuses with 401."""
        uid = self._service_account(service_account, namespace)
        key = self._certificates.service_account_key
        return expired_token(key, service_account=service_account, uid=uid, namespace=namespace)

    def kubeconfig_for(self, token: str, path: Path, *, context: str = "test") -> Path:
        """Write a kubeconfig for whoever has this token to `path`, and give it back."""
        return write_kubeconfig(path, url=self.url, ca=self.ca_file, token=token, context=context)

    def pod_files_for(self, token: str, namespace: str, directory: Path) -> Mapping[str, str]:
        """Write what a pod finds of its ServiceAccount to `directory`; gives the environment that goes with it."""
        return write_pod_files(directory, port=self.port, ca=self.ca_file, token=token, namespace=namespace)

    def _choose_ports(self) -> None:
        self.port, self.etcd_port, peer_port = (free_port() for _ in range(3))
        etcd_argv = (self._etcd, *etcd_flags(self.directory / "etcd", self.etcd_port, peer_port))
        self.etcd_process = LocalProcess(etcd_argv, self.directory / "etcd.log")
        self.api_process = self._api_process()
        self.kubeconfig = self.kubeconfig_for(_ADMIN_TOKEN, self.directory / "admin.kubeconfig")
        self.admin = Admin(self.kubeconfig)
        self.controller_process: LocalProcess | None = None
        if self._controllers:
            flags = controller_flags(self.kubeconfig, self._certificates)
            self.controller_process = LocalProcess([self._controllers, *flags], self.directory / "controllers.log")

    def _api_process(self) -> LocalProcess:
        flags = server_flags(self.directory, self._certificates, port=self.port, etcd_port=self.etcd_port)
        return LocalProcess([self._api, *flags, *self._flags], self.directory / "kube-apiserver.log")

    def _start_all(self) -> None:
        self.etcd_process.start()
        self.api_process.start()
        self._wait_until_ready()
        if self.controller_process is not None:
            self.controller_process.start()

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            ended = [process for process in (self.etcd_process, self.api_process) if not process.is_running]
            if ended or time.monotonic() > end:
                logs = "\n".join(process.log()[-_LAST_WORDS:] for process in ended or [self.api_process])
                raise RuntimeError(f"the test API server {'ended' if ended else 'is not ready in time'}:\n{logs}")
            time.sleep(_POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return self.admin.text("/readyz") == "ok"
        except (requests.RequestException, RefusedError):
            return False

    def _service_account(self, name: str, namespace: str) -> str:
        if not self.admin.exists(SERVICE_ACCOUNTS, name, namespace=namespace):
            self.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": name}}, namespace=namespace)
        return str(self.admin.read(SERVICE_ACCOUNTS, name, namespace=namespace)["metadata"]["uid"])

    def _ask_etcd(self, path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        answer = requests.post(f"http://127.0.0.1:{self.etcd_port}/v3/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    def close(self) -> None:
        """Kill everything, and delete its directory."""
        self.kill_all()
        self.admin.close()
        self._temporary.cleanup()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
