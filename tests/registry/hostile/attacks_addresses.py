"""Attacks that lead the client, or its credentials, elsewhere: token services, redirects, uploads, next pages."""

from layering.errors import ContentError, LayerwatchError, RefusedError
from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.goods import MANIFEST, descriptor, dumped, image
from tests.registry.hostile.rows import Does, Row, Scene

_TOKEN = Answer(status=200, body=b'{"token": "t0ken"}')


def challenged(challenge: str) -> Does:
    """Asks for what `challenge` says wherever there is something to be had; its own token service gives a token."""

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if asked.target.startswith("/token"):
            return _TOKEN
        if asked.headers.get("authorization") == "Bearer t0ken":
            return None
        return error(401, "UNAUTHORIZED", "who are you", {"WWW-Authenticate": _placed(challenge, scene)})

    return does


def led(location: str, status: int = 307, part: str = "/manifests/", *methods: str) -> Does:
    """Sends the client to `location`."""

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if part not in asked.target or (methods and asked.method not in methods):
            return None
        return Answer(status=status, headers={"Location": _placed(location, scene)})

    return does


def _placed(text: str, scene: Scene) -> str:
    """`text` with the addresses of this scene."""
    host = scene.ours.partition("://")[2]
    names = {"ours": scene.ours, "host": host, "thief": scene.thief, "tls": scene.thief_tls, "port": str(scene.port)}
    names["far"] = scene.thief.partition("://")[2]
    for name, value in names.items():
        text = text.replace(f"<{name}>", value)
    return text


def a_token(scene: Scene, asked: Asked) -> Answer:
    """What a thief would answer in a token service's place."""
    return _TOKEN


def _realm(name: str, realm: str, ends: type[LayerwatchError] = RefusedError, **over: object) -> Row:
    does = challenged(f'Bearer realm="{realm}",service="x"')
    return Row(name=f"realm: {name}", does=does, thief=a_token, ends=ends, is_open=True, **over)  # type: ignore[arg-type]


_REALMS = [
    _realm("another host", "<thief>/token"),
    _realm("another host with our name in its path", "<thief>/<host>/token"),
    _realm("another name of this machine", "http://localhost:<port>/token"),
    _realm("another host over TLS", "<tls>/token"),
    _realm("a scheme-relative address", "//<far>/token"),
    _realm("our host as a user's name", "http://<host>@<far>/token", ContentError),
    _realm("our host before a backslash", "http://<host>\\@<far>/token", ContentError),
    _realm("our host after a backslash", "http://<far>\\@<host>/token", ContentError),
    _realm("an escaped dot in the host", "http://127.0.0.1%2eexample.com/token", ContentError),
    _realm("a line break in the host", "http://<far>%0a.<host>/token", ContentError),
    _realm("a tab in it", "http://<far>\t/token", ContentError),
    _realm("letters that look like ours", "http://127.0.0\u00b7.1/token", ContentError),
    _realm("a file", "file:///etc/passwd", ContentError),
    _realm("ftp", "ftp://<far>/token", ContentError),
    _realm("gopher", "gopher://<far>/token", ContentError),
    _realm("script", "javascript:alert(1)", ContentError),
    _realm("a port that is none", "http://<host>9999/token", ContentError),
    _realm("a bracket that does not close", "http://[::1/token", ContentError),
    _realm("a name that is none of IPv6", "http://[zz]/token", ContentError),
    _realm("a name of this machine that means it", "http://registry.example.com:<port>/token",
           names={"registry.example.com": "127.0.0.2"}),
    _realm("a name that means the cloud's metadata", "http://metadata.example.com/token",
           names={"metadata.example.com": "169.254.169.254"}),
    _realm("an http service of a TLS registry", "http://<far>/token", is_tls=True),
    _realm("our own host over http of a TLS registry", "http://<host>/token", is_tls=True),
    _realm("another TLS host of a TLS registry", "<tls>/token", is_tls=True),
]  # fmt: skip

# Where no registry may send anyone, in the spellings that resolvers understand.
_NOWHERE = (
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518",
    "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fe80::1]", "0.0.0.0", "[::]",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "[ff02::1]",
)  # fmt: skip
# Where a public registry may not.
_NOT_PUBLIC = (
    "127.0.0.2", "127.2", "2130706434", "0x7f.0.0.2", "localhost", "LOCALHOST.", "[::1]",
    "[::ffff:127.0.0.2]",
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[64:ff9b::a00:1]", "198.18.0.1",
)  # fmt: skip
_HERE = {"LOCALHOST.": "127.0.0.1", "localhost.": "127.0.0.1"}  # not every resolver knows it
_ADDRESSES = [
    *(
        _realm(f"at {host}", f"http://{host}/latest/meta-data/iam/security-credentials/", seconds=20)
        for host in _NOWHERE
    ),
    *(_realm(f"at {host}", f"http://{host}:<port>/token", names=_HERE) for host in _NOT_PUBLIC),
    *(
        Row(name=f"redirect to {host}", does=led(f"http://{host}/latest/meta-data/"), ends=RefusedError, seconds=20)
        for host in _NOWHERE
    ),
    *(
        Row(
            name=f"a public registry redirects to {host}",
            does=led(f"http://{host}:<port>/x"),
            ends=RefusedError,
            is_public=True,
            seconds=20,
            names=_HERE,
        )
        for host in _NOT_PUBLIC
    ),
    Row(
        name="a public registry redirects to a name that means this machine",
        does=led("http://cdn.example.com:<port>/x"),
        ends=RefusedError,
        is_public=True,
        names={"cdn.example.com": "127.0.0.2"},
    ),
]


def _from_the_thief(*challenges: str) -> Does:
    headers = {"WWW-Authenticate": ", ".join(challenges)}
    return lambda scene, asked: error(
        401, "UNAUTHORIZED", "who are you", {name: _placed(text, scene) for name, text in headers.items()}
    )


def _back(scene: Scene, asked: Asked) -> Answer:
    return Answer(status=307, headers={"Location": f"{scene.ours}/v2/a/b/manifests/secret"})


def _back_and_forth(scene: Scene, asked: Asked) -> Answer | None:
    return led("<thief>/x")(scene, asked) if "/manifests/t" in asked.target else None


def _counting(scene: Scene, asked: Asked) -> Answer | None:
    """A new address with every hop."""
    if "/manifests/" not in asked.target:
        return None
    return Answer(status=302, headers={"Location": f"{asked.target}x"})


def _token_that_redirects(scene: Scene, asked: Asked) -> Answer | None:
    if asked.target.startswith("/token"):
        return Answer(status=307, headers={"Location": f"{scene.thief}/token"})
    return challenged('Bearer realm="<ours>/token"')(scene, asked)


def _replayed(scene: Scene, asked: Asked) -> Answer | None:
    """Sends a request for a token to an internal page, to hear what it says there as the token."""
    return challenged('Bearer realm="<thief>/internal",service="x"')(scene, asked)


def _redirect(name: str, does: Does, ends: type[LayerwatchError] = RefusedError, **over: object) -> Row:
    return Row(name=f"redirect: {name}", does=does, ends=ends, **over)  # type: ignore[arg-type]


_REDIRECTS = [
    *(_redirect(f"{status} to another host that has nothing", led("<thief>/x", status), is_met=True)
      for status in (301, 302, 303, 307, 308)),
    _redirect("to another host that asks for a password", led("<thief>/x"), is_met=True,
              thief=_from_the_thief('Basic realm="x"')),
    _redirect("to another host that asks for a token", led("<thief>/x"), is_met=True,
              thief=_from_the_thief('Bearer realm="<thief>/token"')),
    _redirect("to another host that asks for a token of ours", led("<thief>/x"), is_met=True,
              thief=_from_the_thief('Bearer realm="<ours>/token"')),
    _redirect("to another host and back", _back_and_forth, is_met=True, thief=_back),
    _redirect("to other bytes", led("<thief>/x"), ContentError, do="manifest by digest", is_met=True,
              thief=lambda scene, asked: Answer(status=200, body=MANIFEST + b" ")),
    _redirect("of a blob to other bytes", led("<thief>/x", 307, "/blobs/"), ContentError, do="read_blob", is_met=True,
              thief=lambda scene, asked: Answer(status=200, body=b"x" * 100)),
    _redirect("of the tags to another host whose next page is its own", led("<thief>/x", 307, "/tags/"), do="tags",
              is_met=True, thief=lambda scene, asked: Answer(
                  status=200, headers={"Link": '</v2/a/b/tags/list?last=1>; rel="next"'}, body=b'{"tags": ["1"]}')),
    _redirect("from https to http", led("<thief>/x"), is_tls=True),
    _redirect("from https to http of our own host", led("http://<host>/x"), is_tls=True),
    _redirect("of a blob from https to http", led("<thief>/x", 302, "/blobs/"), is_tls=True, do="read_blob"),
    _redirect("to itself", led("/v2/a/b/manifests/t"), ContentError),
    _redirect("without end", _counting, ContentError),
    _redirect("to no address", led("http://"), ContentError),
    _redirect("with a user's name", led("http://<host>@<far>/x"), ContentError),
    _redirect("with a backslash", led("http://<far>\\@<host>/x"), ContentError),
    _redirect("with a bracket that does not close", led("http://[::1/x"), ContentError),
    _redirect("to a file", led("file:///etc/passwd"), ContentError),
    _redirect("without an address", lambda scene, asked: Answer(status=302), ContentError),
    _redirect("of a token request with a password", _token_that_redirects, is_open=True),
    _redirect("of a token request with an identity token", _token_that_redirects, is_open=True,
              login={"identitytoken": "pl4nted-s3cret"}),
    *(_redirect(f"of a write: {method} of {do}", led("<thief>/x", 307, "", method), do=do) for method, do in (
        ("POST", "push_blob"), ("PUT", "push_blob"), ("PATCH", "push_stream"), ("PUT", "push_manifest"))),
]  # fmt: skip


def _upload(name: str, location: str, ends: type[LayerwatchError] = RefusedError, **over: object) -> Row:
    do = str(over.pop("do", "push_blob"))
    return Row(name=f"upload: {name}", do=do, does=led(location, 202, "/uploads/", "POST"), ends=ends, **over)  # type: ignore[arg-type]


def _patch_elsewhere(scene: Scene, asked: Asked) -> Answer | None:
    return Answer(status=202, headers={"Location": f"{scene.thief}/x"}) if asked.method == "PATCH" else None


_UPLOADS = [
    _upload("at another host", "<thief>/x"),
    _upload("at another host, in pieces", "<thief>/x", do="push_stream"),
    _upload("at another port of our host", "http://127.0.0.1:1/x"),
    _upload("at another scheme", "https://<host>/x"),
    _upload("at a scheme-relative address", "//<far>/x"),
    _upload("at the cloud's metadata", "http://169.254.169.254/x"),
    _upload("at our host as a user's name", "http://<host>@<far>/x", ContentError),
    _upload("at our host after a backslash", "http://<far>\\@<host>/x", ContentError),
    _upload("at a bracket that does not close", "http://[::1/x", ContentError),
    _upload("nowhere", "", ContentError),
    _upload("over http of a TLS registry", "http://<host>/x", is_tls=True),
    Row(name="upload: goes on at another host", do="push_stream", does=_patch_elsewhere, ends=RefusedError),
    Row(name="upload: a mount that is declined goes on at another host", do="copy_blob",
        does=led("<thief>/x", 202, "mount="), ends=RefusedError),
]  # fmt: skip


def paged(link: str) -> Does:
    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/tags/" not in asked.target:
            return None
        return Answer(status=200, headers={"Link": _placed(link, scene)}, body=b'{"tags": ["1"]}')

    return does


def _new_page(scene: Scene, asked: Asked) -> Answer | None:
    if "/tags/" not in asked.target:
        return None
    return Answer(status=200, headers={"Link": f'<{asked.target}x>; rel="next"'}, body=b'{"tags": ["1"]}')


_PAGES = [
    Row(name=f"next page: {name}", do="tags", does=paged(f'<{link}>; rel="next"'), ends=ends)
    for name, link, ends in (
        ("at another host", "<thief>/v2/a/b/tags/list", RefusedError),
        ("at a scheme-relative address", "//<far>/v2/a/b/tags/list", RefusedError),
        ("at another scheme", "https://<host>/v2/a/b/tags/list", RefusedError),
        ("at the cloud's metadata", "http://169.254.169.254/", RefusedError),
        ("with a user's name", "http://<host>@<far>/", ContentError),
        ("with a bracket that does not close", "http://[::1/", ContentError),
        ("the same again", "/v2/a/b/tags/list", ContentError),
    )
] + [Row(name="next page: always another", do="tags", does=_new_page, ends=ContentError)]

_FOREIGN = [
    Row(
        name="a layer that is to be fetched from elsewhere",
        do="layers",
        does=lambda scene, asked: (
            Answer(
                status=200,
                body=dumped(image([{**descriptor(b"elsewhere"), "urls": [f"{scene.thief}/layer"]}])),
            )
            if "/manifests/" in asked.target
            else None
        ),
        ends=RefusedError,
    ),
    Row(
        name="an internal page for a token",
        does=_replayed,
        thief=lambda scene, asked: Answer(status=200, body=b'{"token": "internal"}'),
        ends=RefusedError,
        is_open=True,
    ),
]

ADDRESS_ATTACKS = [*_REALMS, *_ADDRESSES, *_REDIRECTS, *_UPLOADS, *_PAGES, *_FOREIGN]
