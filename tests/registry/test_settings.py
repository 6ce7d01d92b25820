"""What reaches a child process: flags without secrets, files that nobody else reads, a proxy."""

import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote

import pytest

from layering.errors import InputError, UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.deadline import Allowance
from layering.registry.keychain import Keychain
from layering.registry.mirrors import load_mirrors
from layering.registry.proxies import bypassed, proxy_for
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked
from layering.registry.settings import (
    Proxy,
    RegistrySettings,
    as_arguments,
    in_files,
    parse_realms,
    proxy_environment,
)
from layering.registry.trust import authorities
from layering.secrets import Secret
from tests.docker_registry import make_certificate
from tests.registry.test_client_trust import unused_address
from tests.registry.test_mirror_files import RULES

DOCUMENT = json.dumps({"auths": {"q.io": {"username": "joe", "password": "hunter2"}}})


def test_a_child_gets_files_for_what_is_only_in_memory(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("FILE")
    directory = tmp_path / "for-the-child"
    directory.mkdir()
    (directory / "auth.json").write_text("left over, and readable by all")
    settings = RegistrySettings(
        auth_document=Secret(DOCUMENT), ca_file=ca, ca_pem="MEMORY", mirrors=RULES, insecure=frozenset({"b:1", "a:1"})
    )
    arguments = as_arguments(settings, directory)
    files = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert arguments[6:] == ["--insecure-registry", "a:1", "--insecure-registry", "b:1"]
    assert "hunter2" not in " ".join(arguments)
    assert Path(files["--authfile"]).read_text() == DOCUMENT
    assert Path(files["--ca-file"]).read_text() == "FILE\nMEMORY\n"
    assert load_mirrors(Path(files["--registries-conf"])) == RULES
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_what_is_in_files_stays_there(tmp_path: Path) -> None:
    settings = RegistrySettings(auth_file=tmp_path / "a", ca_file=tmp_path / "c", registries_conf=tmp_path / "r")
    assert as_arguments(settings, tmp_path / "unused") == [
        "--authfile", str(tmp_path / "a"), "--ca-file", str(tmp_path / "c"), "--registries-conf", str(tmp_path / "r"),
    ]  # fmt: skip
    assert in_files(settings, tmp_path / "unused") == settings
    assert as_arguments(RegistrySettings(), tmp_path / "unused") == []


def test_nothing_of_a_secret_is_printed() -> None:
    settings = RegistrySettings(auth_document=Secret(DOCUMENT), proxy=Proxy(http=Secret("http://u:hunter2@p:1")))
    assert "hunter2" not in repr(settings)


def test_a_document_is_asked_instead_of_any_file(tmp_path: Path) -> None:
    settings = RegistrySettings(auth_document=Secret(DOCUMENT), auth_file=tmp_path / "not there")
    found = Keychain(settings.auth).find(Repository("q.io", "a/b"))
    assert found is not None
    assert (found.username, found.source) == ("joe", "the pull secret, entry q.io")
    assert Keychain(settings.auth).find(Repository("other.io", "a/b")) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"auths": 1}'])
def test_a_document_that_is_none_is_not_quoted(text: str) -> None:
    with pytest.raises(InputError, match="credentials cannot be read") as raised:
        Keychain(Secret(text + "hunter2")).find(Repository("q.io", "a/b"))
    assert "hunter2" not in str(raised.value)


def test_authorities_may_have_comments_between_them(tmp_path: Path) -> None:
    certificate, _ = make_certificate(tmp_path)
    authorities(None, f"# Autorité de certification\n{certificate.read_text()}\n")
    for broken in ("no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        with pytest.raises(InputError, match="no certificates"):
            authorities(None, broken)


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "expected"),
    [
        ("q.io", None, "", False),
        ("q.io", None, "*", True),
        ("q.io", 443, "a.io, q.io", True),
        ("cdn.q.io", None, "q.io", True),
        ("cdn.q.io", None, ".q.io", True),
        ("q.io", None, ".q.io", False),
        ("xq.io", None, "q.io", False),
        ("Q.IO", None, "q.io", True),
        ("q.io", 5000, "q.io:5000", True),
        ("q.io", 443, "q.io:5000", False),
        ("10.0.3.4", None, "10.0.0.0/16", True),
        ("10.1.3.4", None, "10.0.0.0/16", False),
        ("10.0.3.4", 5000, "10.0.3.4:5000", True),
        ("fd00::1", None, "fd00::/8", True),
        ("fd00::1", 5000, "[fd00::1]:5000", True),
        ("registry.openshift-image-registry.svc", 5000, ".cluster.local,.svc,10.0.0.0/16", True),
    ],
)
def test_no_proxy(host: str, port: int | None, no_proxy: str, expected: bool) -> None:
    assert bypassed(host, port, no_proxy) is expected


def test_a_named_proxy_takes_the_environments_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://of-the-environment:1")
    proxy = Proxy(http=Secret("http://p:1"), no_proxy=".svc")
    assert proxy_for("https://q.io/v2/", None) == "http://of-the-environment:1"
    assert proxy_for("https://q.io/v2/", proxy) is None
    assert proxy_for("http://q.io/v2/", proxy) == "http://p:1"
    assert proxy_for("http://a.svc/v2/", proxy) is None
    assert proxy_environment(RegistrySettings()) == {}
    named = proxy_environment(RegistrySettings(proxy=proxy))
    assert (named["http_proxy"], named["HTTPS_PROXY"], named["NO_PROXY"]) == ("http://p:1", "", ".svc")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"HTTPS_PROXY": "http://p:1"}, "http://p:1", id="of the scheme"),
        pytest.param({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://other:1"}, "http://p:1", id="small letters"),
        pytest.param({"HTTP_PROXY": "http://p:1"}, None, id="of another scheme"),
        pytest.param({"ALL_PROXY": "http://p:1"}, "http://p:1", id="of all schemes"),
        pytest.param({"HTTPS_PROXY": "p:1"}, "http://p:1", id="without a scheme of its own"),
        pytest.param({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "q.io"}, None, id="but not to this host"),
        pytest.param({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None, id="but to no host"),
        pytest.param({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "q.io:443"}, None, id="but not to its usual port"),
        pytest.param({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "q.io:80"}, "http://p:1", id="another port"),
        pytest.param({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "o"}, "http://p:1", id="an end of a name is no domain"),
    ],
)
def test_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], expected: str | None
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("https://q.io/v2/", None) == expected


@pytest.mark.parametrize(
    "login",
    [
        pytest.param("joe:hunter2", id="name and password"),
        pytest.param("joe:hunt%40er%3A2", id="escaped"),
        pytest.param("joe", id="no password"),
    ],
)
def test_a_registry_is_asked_through_the_proxy(login: str) -> None:
    seen: list[Asked] = []

    def forward(asked: Asked) -> Answer | None:
        seen.append(asked)
        return Answer(status=404)

    address = unused_address()
    with RegistryServer(intercept=forward) as server:
        proxy = Proxy(http=Secret(f"http://{login}@{server.address}"))
        settings = RegistrySettings(insecure=frozenset({address}), proxy=proxy)
        with RegistryClient(settings, sleep=lambda seconds: None) as client:
            assert client.find(Repository(address, "a/b").tagged("t")) is None
    assert seen[-1].target == f"http://{address}/v2/a/b/manifests/t"
    scheme, _, told = seen[-1].headers["proxy-authorization"].partition(" ")
    expected = f"{unquote(login)}{'' if ':' in login else ':'}"  # RFC 7617: a name, a colon, a password
    assert (scheme, base64.b64decode(told).decode()) == ("Basic", expected)


@pytest.mark.parametrize("address", ["socks5://u:hunter2@p:1", "http://u:hunter2@[::1", "http://u:hunter2\u20ac@p:1"])
def test_a_proxy_that_can_be_none_is_told(address: str) -> None:
    settings = RegistrySettings(proxy=Proxy(https=Secret(address)))
    with (
        RegistryClient(settings, sleep=lambda seconds: pytest.fail("it was tried again")) as client,
        pytest.raises(InputError, match="the proxy's address cannot be used") as caught,
    ):
        client.find(Repository("registry.example.com", "a/b").tagged("t"))
    assert "hunter2" not in repr(caught.value)


REALMS = {"a.example.com:5000": frozenset({"auth.example.com"}), "*": frozenset({"one.example.com:8443", "[::1]:1"})}


def test_realms_and_time_reach_a_child_as_they_are(tmp_path: Path) -> None:
    settings = RegistrySettings(realms=REALMS, timeout_seconds=0.25)
    arguments = as_arguments(settings, tmp_path)
    realms = [arguments[index + 1] for index, flag in enumerate(arguments) if flag == "--auth-realm"]
    assert parse_realms(realms) == parse_realms([",".join(realms)]) == REALMS
    assert arguments[-2:] == ["--registry-timeout", "250ms"]
    assert settings.token_services("a.example.com:5000") == REALMS["a.example.com:5000"] | REALMS["*"]


@pytest.mark.parametrize("text", ["https://a.example.com", "a b", "=a.example.com=b", "a.example.com/x", "a=", "é"])
def test_what_is_no_realm_is_said(text: str) -> None:
    with pytest.raises(InputError, match="HOST"):
        parse_realms([text])


def test_a_steps_operations_have_their_time_together() -> None:
    """Each would have had half a second; what is done apart is not counted."""
    with RegistryServer(intercept=slowly(0.3)) as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        with RegistryClient(settings, allowance=Allowance(1.0)) as client:

            def ask_twenty_times() -> None:
                for number in range(20):
                    client.find(Repository(server.address, "a/b").tagged(str(number)))

            with client.paused():
                time.sleep(1.1)
            with pytest.raises(UnavailableError, match="took too long"):
                ask_twenty_times()
    assert 1 <= len(server.requests) < 20


def slowly(seconds: float) -> Callable[[Asked], None]:
    def hook(asked: Asked) -> None:
        time.sleep(seconds)

    return hook
