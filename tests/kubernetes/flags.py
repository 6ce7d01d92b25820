"""The command lines of etcd, kube-apiserver and kube-controller-manager, as the tests run them: loopback only."""

from collections.abc import Sequence
from pathlib import Path

from tests.kubernetes.certificates import CertificateFiles
from tests.kubernetes.credentials import ISSUER

_LOOPBACK = "127.0.0.1"
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)


def etcd_flags(data: Path, port: int, peer_port: int) -> Sequence[str]:
    """One member, which loses its data when the machine crashes, not when it does."""
    client, peer = f"http://{_LOOPBACK}:{port}", f"http://{_LOOPBACK}:{peer_port}"
    return (
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def server_flags(directory: Path, files: CertificateFiles, *, port: int, etcd_port: int) -> Sequence[str]:
    """RBAC decides; the admission of ServiceAccounts is off, since nobody makes a namespace's `default` one."""
    return (
        f"--etcd-servers=http://{_LOOPBACK}:{etcd_port}",
        f"--bind-address={_LOOPBACK}",
        f"--advertise-address={_LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={files.server}",
        f"--tls-private-key-file={files.server_key}",
        f"--client-ca-file={files.ca}",
        f"--token-auth-file={directory / 'tokens.csv'}",
        f"--cert-dir={directory}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-signing-key-file={files.service_account_key}",
        f"--service-account-key-file={files.service_account_key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
    )


def controller_flags(kubeconfig: Path, files: CertificateFiles) -> Sequence[str]:
    """Only what an API server alone leaves undone; it listens nowhere."""
    return (
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--service-account-private-key-file={files.service_account_key}",
        f"--root-ca-file={files.ca}",
        f"--controllers={','.join(_CONTROLLERS)}",
    )
