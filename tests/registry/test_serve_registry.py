"""`layerwatch registry` as a program: where it listens, whom it lets in, how it ends, and what is left of it."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.errors import RefusedError
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image
from tests.docker_registry import PASSWORD, htpasswd_line, make_certificate, write_auth_file

PROGRAM = [sys.executable, "-m", "watcher.cli", "registry"]


@contextlib.contextmanager
def serving(*flags: str | Path, listen: str = "127.0.0.1:0") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running program and the URL of its first line."""
    argv = [*PROGRAM, "--listen", listen, *map(str, flags)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said, _, url = process.stdout.readline().strip().partition(" on ")
            assert said == "listening"
            yield process, url
        finally:
            process.kill()


def refused(*flags: str | Path, listen: str = "127.0.0.1:0") -> tuple[int, str]:
    done = subprocess.run([*PROGRAM, "--listen", listen, *map(str, flags)], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_when_asked(number: signal.Signals) -> None:
    with serving() as (process, url):
        assert url.startswith("http://127.0.0.1:")
        address = url.removeprefix("http://")
        with RegistryClient(RegistrySettings(insecure=frozenset({address}))) as client:
            client.push_blob(Repository(address, "a/b"), b"x")
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_directory_survives_a_kill(tmp_path: Path) -> None:
    with serving("--dir", tmp_path / "data" / "new") as (process, url):
        address = url.removeprefix("http://")
        with RegistryClient(RegistrySettings(insecure=frozenset({address}))) as client:
            image = push_os_image(client, Repository(address, "a/b"), "t", version="1", seed="1")
        process.kill()
        process.wait()
    with serving("--dir", tmp_path / "data" / "new") as (_, url):
        address = url.removeprefix("http://")
        repository = Repository(address, "a/b")
        with RegistryClient(RegistrySettings(insecure=frozenset({address}))) as client:
            assert client.resolve(repository.tagged("t")).digest == image.digest
            manifest = client.image(repository.tagged("t"))
            for layer in manifest.layers:
                assert len(client.read_blob(repository, layer, limit_bytes=1 << 20)) == layer.size


def test_tls_and_passwords(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    (tmp_path / "htpasswd").write_text("# people\n\n" + htpasswd_line("joe", PASSWORD))
    with serving("--tls-cert", certificate, "--tls-key", key, "--htpasswd", tmp_path / "htpasswd") as (_, url):
        address = url.removeprefix("https://")
        repository = Repository(address, "a/b")
        right = write_auth_file(tmp_path / "right.json", address, "joe", PASSWORD)
        with RegistryClient(RegistrySettings(auth_file=right, ca_file=certificate)) as client:
            client.push_blob(repository, b"x")
        for username, password in [("joe", "wrong"), ("jim", PASSWORD), ("joe", "n\0l"), ("joe", "é" * 80)]:
            wrong = write_auth_file(tmp_path / "wrong.json", address, username, password)
            with (
                RegistryClient(RegistrySettings(auth_file=wrong, ca_file=certificate)) as client,
                pytest.raises(RefusedError, match="401"),
            ):
                client.push_blob(repository, b"y")
        with RegistryClient(RegistrySettings(auth_file=right)) as client, pytest.raises(RefusedError, match="trusted"):
            client.find(repository.tagged("t"))


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"])
def test_no_other_address_than_loopback_without_passwords(listen: str) -> None:
    code, said = refused(listen=listen)
    assert code == 2
    assert "--htpasswd" in said


def test_any_address_when_it_is_wanted() -> None:
    with serving("--allow-anonymous", listen="0.0.0.0:0") as (_, url):
        assert url.startswith("http://0.0.0.0:")


@pytest.mark.parametrize("listen", ["", "5000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", ":5000"])
def test_an_address_that_is_none(listen: str) -> None:
    code, said = refused(listen=listen)
    assert (code, "HOST:PORT" in said) == (2, True)


def test_an_address_that_is_taken() -> None:
    with serving() as (_, url):
        code, said = refused(listen=url.removeprefix("http://"))
    assert (code, "cannot listen" in said) == (4, True)


def test_files_that_do_not_do(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    file = tmp_path / "file"
    file.write_text("joe:plain\n")
    cut = tmp_path / "cut"
    cut.write_text("joe:$2y$05$short\n")
    for flags, said in [
        (("--tls-cert", certificate), "belong together"),
        (("--tls-cert", key, "--tls-key", certificate), "not a certificate"),
        (("--tls-cert", tmp_path / "none", "--tls-key", key), "not a certificate"),
        (("--htpasswd", tmp_path / "none"), "cannot be read"),
        (("--htpasswd", file), "line 1"),
        (("--htpasswd", cut), "line 1"),
        (("--dir", file), "--dir"),
        (("--dir", file / "below"), "--dir"),
    ]:
        code, told = refused(*flags)
        assert (code, said in told) == (2, True), told
        assert "plain" not in told


def test_help_says_what_it_is_for() -> None:
    done = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "for trying and testing" in done.stdout
