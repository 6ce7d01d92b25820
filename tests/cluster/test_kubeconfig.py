"""Which kubeconfigs can be used, and what is said of those that cannot: never a word of what they keep secret."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from layering.cluster.access import InCluster, Kubeconfig
from layering.cluster.api import ClusterApi
from layering.cluster.connection import Connector
from layering.cluster.resources import NODES
from layering.errors import InputError
from tests.kubernetes.certificates import write_certificates

TOKEN = "sha256~very-secret-token"


def kubeconfig(**changes: Any) -> dict[str, Any]:
    """One cluster, user and context; `user` and `cluster` replace these entries, other keys those of the file."""
    cluster = changes.pop("cluster", {"server": "https://127.0.0.1:1"})
    user = changes.pop("user", {"token": TOKEN})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}, {"name": "two", "context": {}}],
        "current-context": "one",
        **changes,
    }


REFUSED: dict[str, tuple[dict[str, Any] | str, str | None, str, str]] = {
    "no YAML": (f"a: [{TOKEN}", None, "not YAML", ""),
    "deep": ("[" * 100_000, None, "not YAML", ""),
    "empty": ("", None, "no kubeconfig", ""),
    "another document": ({"kind": "Secret", "data": {"token": TOKEN}}, None, "no kubeconfig", ""),
    "no such context": (kubeconfig(), "prod", "no context prod", "it has one, two"),
    "no current context": (kubeconfig(**{"current-context": ""}), None, "no current-context", "it has one, two"),
    "contexts of nonsense": (kubeconfig(contexts=[1, {"name": ["x"]}]), None, "no context one", "it has none"),
    "a context without a cluster": (kubeconfig(), "two", "not among its clusters", "it has c"),
    "no such user": (kubeconfig(users=[]), None, "not among its users", "it has none"),
    "a user who runs a program": (
        kubeconfig(user={"exec": {"command": "aws", "args": [TOKEN]}}), None, "logs in through `exec`", "token",
    ),
    "an auth provider": (
        kubeconfig(user={"auth-provider": {"name": "oidc", "config": {"id-token": TOKEN}}}),
        None, "logs in through `auth-provider`", "token",
    ),
    "a user who acts as another": (
        kubeconfig(user={"token": TOKEN, "as": "system:serviceaccount:a:b"}), None, "acts as somebody else", "token",
    ),
    "a token of two lines": (kubeconfig(user={"token": f"{TOKEN}\r\nX-More: 1"}), None, "no token has", ""),
    "a token that is no ASCII": (kubeconfig(user={"token": f"{TOKEN}\u20ac"}), None, "no token has", ""),
    "no server": (kubeconfig(cluster={}), None, "has no server", ""),
    "a server without a scheme": (
        kubeconfig(cluster={"server": "127.0.0.1:6443"}), None, "server of the kubeconfig's cluster c is no URL",
        "https://HOST",
    ),
    "a server with a port that is none": (
        kubeconfig(cluster={"server": f"https://joe:{TOKEN}@127.0.0.1:x"}), None, "is no URL", "https://HOST",
    ),
    "a proxy that speaks SOCKS": (
        kubeconfig(cluster={"server": "https://127.0.0.1:1", "proxy-url": f"socks5://joe:{TOKEN}@127.0.0.1:1"}),
        None, "proxy-url", "no SOCKS",
    ),
    "a proxy that is a number": (
        kubeconfig(cluster={"server": "https://127.0.0.1:1", "proxy-url": 3128}), None, "proxy-url", "http://HOST",
    ),
    "a cluster's name that is none": (
        kubeconfig(contexts=[{"name": "one", "context": {"cluster": ["c"]}}]), None, "not among its clusters", "has c",
    ),
    "a context's name that is none": (kubeconfig(**{"current-context": ["one"]}), None, "no context", "it has one"),
    "an authority that is not there": (
        kubeconfig(cluster={"server": "https://127.0.0.1:1", "certificate-authority": "absent.crt"}),
        None, "absent.crt", "",
    ),
    "a certificate that is none": (
        kubeconfig(user={"client-certificate-data": "!", "client-key-data": TOKEN}), None, "cannot be used", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("document", "context", "what", "next_step"), REFUSED.values(), ids=REFUSED)
def test_refused(
    tmp_path: Path, document: dict[str, Any] | str, context: str | None, what: str, next_step: str
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    with pytest.raises(InputError) as caught:
        Connector(Kubeconfig(file=file, context=context), "prod").get()
    assert what in str(caught.value)
    assert next_step in caught.value.next_step
    assert str(file) in caught.value.where
    assert TOKEN not in str(caught.value)


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Connector(Kubeconfig(file=tmp_path / "absent"), "prod").get()


def test_what_it_says_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig(cluster={"server": "https://api.example.com:6443/k8s/"})))
    connection = Connector(Kubeconfig(file=file), "prod").get()
    assert connection.url == "https://api.example.com:6443/k8s"
    assert connection.authorization is not None
    assert connection.authorization.reveal() == f"Bearer {TOKEN}"
    assert TOKEN not in repr(connection)


def test_a_token_of_a_file_beside_it_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file, token = tmp_path / "kubeconfig", tmp_path / "token"
    file.write_text(yaml.safe_dump(kubeconfig(user={"tokenFile": "token"})))
    token.write_text("first")
    connector = Connector(Kubeconfig(file=file), "prod")
    first = connector.get()
    assert connector.get() is first
    token.write_text("second\n")
    second = connector.get().authorization
    assert second is not None
    assert second.reveal() == "Bearer second"


def test_a_mounted_token_is_read_again_when_its_link_is_moved(tmp_path: Path) -> None:
    """A projected volume changes by renaming the link that its files lie behind."""
    authority = write_certificates(tmp_path).ca.read_bytes()
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "token").write_text(f"token-{number}\n")
        (tmp_path / number / "ca.crt").write_bytes(authority)
    (tmp_path / "data").symlink_to("1")
    environment = {
        "LAYERWATCH_SERVICEACCOUNT_DIR": str(tmp_path / "data"),
        "KUBERNETES_SERVICE_HOST": "::1",
        "KUBERNETES_SERVICE_PORT": "6443",
    }
    connector = Connector(InCluster(environment=environment), "prod")
    first = connector.get()
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(tmp_path / "data")
    second = connector.get()
    assert first.url == second.url == "https://[::1]:6443"
    assert [one.authorization and one.authorization.reveal() for one in (first, second)] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


POD_FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "not in a pod": ({}, "KUBERNETES_SERVICE_HOST is not set"),
    "nothing mounted": ({"KUBERNETES_SERVICE_HOST": "127.0.0.1"}, "token cannot be read: No such file"),
}


@pytest.mark.parametrize(("environment", "what"), POD_FAULTS.values(), ids=POD_FAULTS)
def test_a_pod_that_cannot_ask(tmp_path: Path, environment: dict[str, str], what: str) -> None:
    access = InCluster(environment={"LAYERWATCH_SERVICEACCOUNT_DIR": str(tmp_path), **environment})
    with pytest.raises(InputError) as caught:
        ClusterApi(access, name="prod").list(NODES)
    assert what in caught.value.what
    assert caught.value.next_step
    assert access.namespace is None


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "."}
    )
    return done.stdout


def test_without_the_extra_it_says_which_to_install() -> None:
    said = _python(
        "import sys; sys.modules['kubernetes'] = None\n"
        "from layering.cluster.access import InCluster; from layering.cluster.api import ClusterApi\n"
        "from layering.errors import InputError\n"
        "try: ClusterApi(InCluster(), name='prod')\n"
        "except InputError as error: print(int(error.exit_code), error)"
    )
    assert said.startswith("2 ")
    assert "pip install '.[cluster]'" in said


def test_the_client_is_loaded_only_when_a_cluster_is_asked() -> None:
    said = _python(
        "import sys; import layering.cluster.state, layering.cluster.registries, layering.cluster.watches\n"
        "from layering.cluster.access import InCluster; from layering.cluster.api import ClusterApi\n"
        "ClusterApi(InCluster(), name='prod'); print('kubernetes' in sys.modules)"
    )
    assert said == "False\n"
