"""How a test says who somebody is: kubeconfig files, the files a pod finds, and tokens that are no longer good."""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://kubernetes.default.svc"
_EXPIRED_SINCE_SECONDS = 120  # the server forgives 60 s of clock skew


def write_kubeconfig(path: Path, *, url: str, ca: Path, token: str, context: str = "test") -> Path:
    """A kubeconfig with one context, of the name `context`, which is the current one."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": context, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))
    return path


def write_pod_files(directory: Path, *, port: int, ca: Path, token: str, namespace: str) -> Mapping[str, str]:
    """The files of a ServiceAccount, as a pod has them, in `directory`; gives the environment that goes with them."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "token").write_text(token)
    (directory / "ca.crt").write_bytes(ca.read_bytes())
    (directory / "namespace").write_text(namespace)
    return {
        "LAYERWATCH_SERVICEACCOUNT_DIR": str(directory),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(port),
    }


def expired_token(key_file: Path, *, service_account: str, uid: str, namespace: str) -> str:
    """A token of that ServiceAccount which ran out two minutes ago: 401 at once (RFC 7519, RS256)."""
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    expiry = int(time.time()) - _EXPIRED_SINCE_SECONDS
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": f"system:serviceaccount:{namespace}:{service_account}",
        "iat": expiry - 600,
        "exp": expiry,
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": service_account, "uid": uid}},
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
