"""Where the token goes when git speaks to a forge: to that address alone, no argument, no file; whom it trusts."""

import os
import shutil
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from layering.errors import InputError, RefusedError
from layering.forge.remotegit import RemoteGit
from tests.forges.origin import BRANCH, FILE, LOGIN, TOKEN, USER, WRONG, Origin, commit_of_ours, origin_at
from tests.git_http import Asked, Served, git_over_http
from tests.kubernetes.certificates import write_certificates

Serve = Callable[[], Served]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_gets_the_token(origin: Origin, git: RemoteGit, tmp_path: Path, status: int) -> None:
    with origin_at(tmp_path / "other" / "forge.git") as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")

        def redirects(asked: Asked, serve: Serve) -> Served:
            query = asked.target.partition("forge.git")[2]
            return Served(status=status, headers={"Location": f"{elsewhere}{query}"})

        origin.between = redirects
        with pytest.raises(RefusedError, match=f"it redirects elsewhere .status {status}") as caught:
            git.refs(["main"])
        assert other.asked == []
    assert "gitUrl" in caught.value.next_step


@pytest.mark.parametrize("kind", ["POST fetch or list", "POST push"])
def test_no_later_redirect_gets_the_token(origin: Origin, git: RemoteGit, tmp_path: Path, kind: str) -> None:
    commit = commit_of_ours(git)
    with origin_at(tmp_path / "other" / "forge.git") as other:

        def redirects(asked: Asked, serve: Serve) -> Served:
            query = asked.target.partition("forge.git")[2]
            return Served(status=307, headers={"Location": f"{other.url}{query}"}) if asked.kind == kind else serve()

        origin.between = redirects
        with pytest.raises(RefusedError, match="redirects elsewhere"):
            git.push(commit, BRANCH, None) if "push" in kind else git.refs(["main"])
        assert (other.asked, other.head(BRANCH)) == ([], None)


def test_a_machines_configuration_leads_nowhere_else(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other headers, helpers, rewritten addresses and hooks of the machine's git."""
    asked = tmp_path / "helper-was-asked"
    with origin_at(tmp_path / "other" / "forge.git") as other:
        home = tmp_path / "home"
        (home / "hooks").mkdir(parents=True)
        (home / "hooks" / "pre-push").write_text(f"#!/bin/sh\ntouch {asked}\n")
        (home / "hooks" / "pre-push").chmod(0o755)
        (home / ".gitconfig").write_text(
            f'[url "http://{other.address}/"]\n\tinsteadOf = http://{origin.address}/\n'
            f'\tpushInsteadOf = http://{origin.address}/\n'
            f'[http "{origin.url}"]\n\textraHeader = Authorization: Basic c29tZTpib2R5\n'
            f"[http]\n\textraHeader = X-Of-The-Machine: 1\n\tfollowRedirects = true\n"
            f'[credential]\n\thelper = "!touch {asked}; echo username=a; echo password=b"\n'
            f'[credential "{origin.url}"]\n\thelper = "!touch {asked}"\n'
            f"[core]\n\thooksPath = {home}/hooks\n\taskPass = touch {asked}\n"
            f"[push]\n\tfollowTags = true\n\tdefault = matching\n[fetch]\n\tprune = true\n"
            f'[remote "there"]\n\tmirror = true\n'
        )  # fmt: skip
        for name, value in {"HOME": str(home), "GIT_ASKPASS": f"touch {asked}", "GIT_TRACE_CURL": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        origin.git("tag", "-a", "-m", "v1", "v1", "main")
        with origin.opened() as git:
            commit = commit_of_ours(git)
            assert git.push(commit, BRANCH, None)
        with origin.opened(login=lambda: WRONG) as git, pytest.raises(RefusedError):
            git.refs(["main"])
        assert (origin.head(BRANCH), other.asked) == (commit, [])
    assert not asked.exists()


def test_without_a_login_the_machines_helpers_are_asked(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "credentials"
    store.write_text(f"http://{USER}:{TOKEN.replace('/', '%2F').replace('+', '%2B')}@{origin.address}\n")
    (tmp_path / ".gitconfig").write_text(f"[credential]\n\thelper = store --file {store}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with RemoteGit(origin.url) as git:
        assert git.refs(["main"]) == {"main": origin.head("main")}


def test_the_token_is_in_no_argument_and_no_file(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git before the real one writes down what every one of its processes is called with."""
    seen = tmp_path / "seen"
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    real = shutil.which("git")
    shim.write_text(
        f'#!/bin/sh\necho "$@" >> {seen}\n{real} "$@"; code=$?\n'
        f'for one in /proc/[0-9]*/cmdline; do tr "\\0" " " < $one >> {seen} 2>/dev/null; done\nexit $code\n'
    )
    shim.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")

    def slowly(asked: Asked, serve: Serve) -> Served:  # git-remote-http runs now
        with seen.open("ab") as file:
            for each in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    file.write(each.read_bytes().replace(b"\0", b" ") + b"\n")
                except OSError:
                    continue
        return serve()

    origin.between = slowly
    with origin.opened() as git:
        assert git.push(commit_of_ours(git), BRANCH, None)
        git.file(str(origin.head("main")), FILE)
        kept = [file.read_bytes() for file in git._directory.rglob("*") if file.is_file()]
    called = seen.read_text(errors="replace")
    assert all(word in called for word in ("ls-remote", "fetch", "push", "remote-http", origin.url))
    basic = "bGF5ZXJ3YXRjaC1ib3Q6"
    assert origin.asked[0].headers["authorization"].startswith(f"Basic {basic}")
    for text in (called, *(each.decode("utf-8", "replace") for each in kept)):
        assert TOKEN not in text
        assert basic not in text


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ssh://git@forge.example.com/acme/gitops.git", "not an address of git over HTTP"),
        ("git@forge.example.com:acme/gitops.git", "not an address of git over HTTP"),
        ("/srv/gitops.git", "not an address of git over HTTP"),
        ("ext::sh -c date", "not an address of git over HTTP"),
        ("https:///gitops.git", "not an address of git over HTTP"),
        ("https://forge.example.com/a b", "not an address of git over HTTP"),
        ("https://forge.example.com/a\nb", "not an address of git over HTTP"),
        ("https://me:hunter2secret@forge.example.com/acme/gitops.git", "its address carries a login"),
        ("http://forge.example.com/acme/gitops.git", "plain http"),
        ("http://10.0.0.1/acme/gitops.git", "plain http"),
        ("http://127.0.0.1.example.com/acme/gitops.git", "plain http"),
    ],
)
def test_addresses_that_are_not_spoken_to(url: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        RemoteGit(url, login=lambda: LOGIN)
    assert caught.value.next_step
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:3000", "127.1.2.3", "[::1]:80"])
def test_plain_http_stays_on_the_machine(host: str) -> None:
    RemoteGit(f"http://{host}/acme/gitops.git").close()


def test_plain_http_to_others_when_told() -> None:
    RemoteGit("http://forge.example.com/acme/gitops.git", insecure=True).close()


# Whom it trusts


def test_a_certificate_of_a_named_authority(origin: Origin, tmp_path: Path) -> None:
    files = write_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server, files.server_key)
    with git_over_http(origin.path.parent, USER, TOKEN, tls=context) as address:
        url = f"https://{address}/forge.git"
        with RemoteGit(url, login=lambda: LOGIN, ca_file=files.ca) as git:
            assert git.refs(["main"]) == {"main": origin.head("main")}
        with RemoteGit(url, login=lambda: LOGIN) as git, pytest.raises(RefusedError, match="certificate") as caught:
            git.refs(["main"])
    assert "caFile" in caught.value.next_step


def test_authorities_are_added_to_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("ours", "A"), ("git's", "B"), ("system's", "C"), ("bundle", "D")):
        (tmp_path / name).write_text(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "git's"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system's"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "stale"))
    with RemoteGit("https://127.0.0.1:1/forge.git", ca_file=tmp_path / "ours") as git:
        joint = (git._directory / "authorities.pem").read_text().split("\n")
    assert sorted(line for line in joint if len(line) == 1) == ["A", "B", "C"]


@pytest.mark.parametrize(("name", "text"), [("ca.pem", "no certificate"), ("missing.pem", None)])
def test_a_file_without_certificates(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="no certificates can be read") as caught:
        RemoteGit("https://forge.example.com/x.git", ca_file=tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
