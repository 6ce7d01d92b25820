"""All that is read of what others wrote: a row for each parser, with documents that it takes and what it may raise."""

import atexit
import base64
import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from layering.cluster.clusterversion import read_file
from layering.cluster.kubeconfig import chosen, read_kubeconfig
from layering.containerfile import pin_base
from layering.containerfile_stages import parse as parse_containerfile
from layering.errors import ContentError, InputError, LayerwatchError, UnavailableError
from layering.expansion import expand, raw_words
from layering.forge.marker import Marker
from layering.inflate import inflate
from layering.layerfacts import dump_facts, load_facts, read_facts
from layering.machineconfig import new_machineconfig, read_claim, set_os_image
from layering.platform import Platform
from layering.reference import Digest, ImageReference, Repository
from layering.registry.addresses import absolute, parse
from layering.registry.answers import next_page, tags_of
from layering.registry.bearertoken import parse_token
from layering.registry.challenge import parse_challenges
from layering.registry.credentialhelper import parse_answer
from layering.registry.credentials import parse_auth_document
from layering.registry.host import Fetched
from layering.registry.htpasswd import read_htpasswd
from layering.registry.manifest import OCI_MANIFEST, parse_config, parse_manifest, parse_object
from layering.registry.mirrors import load_mirrors
from layering.registry.registriesconf import parse_registries_conf, render_others
from layering.registry.tokens import basic
from layering.release import parse_image_references
from layering.releasesignatures.claim import parse_claim
from layering.releasesignatures.keyring import Keyring, built_in
from layering.releasesignatures.packets import Packet, signed_message
from layering.request import RebuildRequest
from layering.signing.envelope import Envelope
from layering.signing.keyfile import read_key
from layering.signing.payload import payload, read_payload
from layering.signing.publickey import PublicKey
from layering.signing.sealedkey import SealedKey
from layering.signing.statement import SIGNED, is_about, statement
from layering.tarheaders import read_members
from tests.builders.bases import gzipped
from tests.builders.tars import Member, directory, file, hard_link, symlink, tar
from tests.images.test_release_properties import stream, tag
from tests.machineconfig.test_properties import HEAD
from tests.registry.test_challenge import ROWS as CHALLENGES
from tests.registry.test_keychain import ENTRIES
from tests.registry.test_manifest import DOCKER, IMAGE, IMAGE_CONFIG, INDEX
from tests.registry.test_mirror_files import CONF, ICSP, IDMS, ITMS
from tests.signatures.gpg import claim
from tests.signing.keys import write_key

DIGEST = f"sha256:{'a' * 64}"
PINNED = ImageReference.parse(f"quay.io/acme/os@{DIGEST}")
_KIB = 1024
_FILES = Path(tempfile.mkdtemp(prefix="layerwatch-parsers-"))
atexit.register(shutil.rmtree, _FILES, ignore_errors=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class Parser:
    """One of them. `read` takes bytes as they come and gives what was understood of them.

    `seeds` are taken; `words` are what its documents are made of; `raises` is all that may come out otherwise. Those
    that `broke` it once do so no more. A document of `large` bytes is one that its callers still let through, or as
    much of it as shows how the work grows.
    """

    name: str
    read: Callable[[bytes], object]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    raises: tuple[type[LayerwatchError], ...] = field(default=(InputError,))
    large: int = 256 * _KIB
    broke: Sequence[bytes] = ()


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Of a parser that is given text: what is not UTF-8 comes as arguments of a program do."""
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Of a parser that reads a file."""

    def written(data: bytes) -> object:
        path = _FILES / name
        path.write_bytes(data)
        return read(path)

    return written


def _json(*documents: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(document).encode() for document in documents)


def _yaml(*documents: Any) -> tuple[bytes, ...]:
    return tuple(yaml.safe_dump(document).encode() for document in documents) + _json(*documents)


_REFERENCE_WORDS = (b"quay.io", b"/", b":", b"@", b"sha256:", b"a" * 64, b".", b"__", b"-", b"[::1]", b"5000", b"A")
_JSON_WORDS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b'"',
    b"\\u",
    b"\\ud800",
    b"null",
    b"true",
    b"1",
    b"-0",
    b"1e999",
    b"NaN",
)
_YAML_WORDS = (
    *(
        b"- ",
        b"? ",
        b": ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!int ",
        b"!!binary ",
        b"|",
        b">-",
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
    ),
    *(b"\n", b"  ", b"\t", b"{", b"}", b"[", b"]", b"#", b"'", b'"', b"\\x", b"2001-01-01", b"0o7", b"\xef\xbb\xbf"),
)
_CHALLENGE_WORDS = (b"Bearer", b"Basic", b"realm", b"=", b'"', b",", b"\\", b" ", b"\t", b"scope", b"YQ==")
_TOML_WORDS = (
    *(
        b"[[registry]]\n",
        b"[[registry.mirror]]\n",
        b"prefix",
        b"location",
        b" = ",
        b'"',
        b"'",
        b'"""',
        b"true",
        b"\n",
        b".",
    ),
    *(
        b"blocked",
        b"insecure",
        b"[",
        b"]",
        b"{",
        b"}",
        b"*.x",
        b"a.x:5000/b",
        b"2001-01-01",
        b"1_0",
        b"inf",
        b"\\u0000",
    ),
)
_CONTAINERFILE = (
    b"# escape=\\\nARG BASE=quay.io/acme/os:1\nFROM --platform=linux/amd64 ${BASE:-x} AS base\nRUN <<EOF\necho\nEOF\n"
    b'COPY --from=0 ["a", "b"] \\\n  # c\n  /x\nFROM base\nENV A=${B:+"c d"} E=\'f\'\n'
)
_CONTAINERFILE_WORDS = (
    *(
        b"FROM ",
        b"ARG ",
        b"RUN ",
        b"COPY ",
        b"--from=",
        b"--mount=",
        b" AS ",
        b"<<EOF\n",
        b"<<-'E'",
        b"EOF\n",
        b"\\\n",
        b"`",
    ),
    *(
        b"${",
        b"}",
        b"$",
        b":-",
        b":+",
        b":?",
        b"##",
        b"%",
        b"/",
        b"'",
        b'"',
        b"\\",
        b"\n",
        b"# escape=`\n",
        b"[",
        b"]",
        b"#",
    ),
)
_TAR = tar(
    [
        directory("etc"),
        file("etc/a", b"x" * 600),
        symlink("l", "t" * 120),
        hard_link("h", "etc/a"),
        Member(name="p", pax={"mtime": "1.5"}),
    ]
)
_MARKER = json.dumps(
    {
        "key": "1" * 64,
        "commit": "2" * 40,
        "image": "i",
        "old": None,
        "written": "2026-01-01T00:00:00+00:00",
        "todo": ["labels"],
        "handled": 3,
        "members": {"a": {"key": "1" * 64, "image": "i", "old": None}},
    }
)
_REQUEST = {
    "apiVersion": "layerwatch/v1alpha1",
    "kind": "RebuildRequest",
    "key": "1" * 64,
    "image": "os",
    "base": str(PINNED),
    "source": {"git": "https://git.x/a", "commit": "3" * 40},
    "target": "quay.io/acme/os:1",
    "platforms": ["linux/amd64"],
}
_CLUSTERVERSION = {
    "kind": "ClusterVersion",
    "apiVersion": "config.openshift.io/v1",
    "metadata": {"name": "version", "generation": 2},
    "status": {
        "observedGeneration": 2,
        "desired": {"version": "4.19.2"},
        "availableUpdates": [{"version": "4.19.3", "image": str(PINNED)}],
        "history": [
            {"state": "Completed", "version": "4.19.2", "image": str(PINNED), "startedTime": "2026-01-01T00:00:00Z"}
        ],
    },
}
_KUBECONFIG = {
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://a.x:6443"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}
_REPOSITORY = Repository.parse("quay.io/acme/os")
_URL = "https://quay.io/v2/acme/os/tags/list"
_PRIVATE = write_key(_FILES, "EC P-256").read_bytes()
_PUBLIC = (
    load_pem_private_key(_PRIVATE, None).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)
_ENVELOPE = {
    "payload": base64.b64encode(statement(PINNED, SIGNED, {})).decode(),
    "payloadType": "application/vnd.in-toto+json",
    "signatures": [{"sig": base64.b64encode(b"x" * 70).decode(), "keyid": ""}],
}
_SEALED = {
    "kdf": {"name": "scrypt", "params": {"N": 65536, "r": 8, "p": 1}, "salt": base64.b64encode(bytes(32)).decode()},
    "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(bytes(24)).decode()},
    "ciphertext": base64.b64encode(bytes(200)).decode(),
}
_REFERRERS = {**INDEX, "manifests": [{**INDEX["manifests"][0], "artifactType": "a/b", "annotations": {"k": "v"}}]}
_MESSAGE = b"".join(bytes(Packet(tag=tag, body=b"x" * 200)) for tag in (4, 11, 2))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


_JWT = f"e30.{_base64url(json.dumps({'iat': 1, 'exp': 3601}).encode())}.s"


def _names(text: str) -> object:
    found = ImageReference.parse(text)
    assert ImageReference.parse(str(found)) == found
    return found


def _auth(raw: bytes, *, legacy: bool = False) -> object:
    document = parse_auth_document(raw, "auth.json", legacy=legacy)
    return [basic(document.credential(name)) for name in document.entries]


def _members(data: bytes) -> object:
    return list(read_members([data], lambda header: True, file_bytes_max=1 << 20, where="layer"))


def _layer(data: bytes) -> object:
    return read_facts(inflate([data], compressed_size=len(data), where="layer"), where="layer")


def _pin(text: str) -> object:
    return pin_base(text, PINNED).text, parse_containerfile(text)


def _edit(text: str) -> object:
    return set_os_image(text, PINNED, create=True).text, read_claim(text)


def _verify(data: bytes) -> object:
    return PublicKey.parse(_PUBLIC, "key").verifies(data, b"message"), is_about(data, PINNED, SIGNED)


PARSERS = [
    Parser(
        name="references",
        read=_text(_names),
        words=_REFERENCE_WORDS,
        seeds=[b"ubuntu", b"quay.io/acme/os:1", f"localhost:5000/a/b__c:1@{DIGEST}".encode(), b"[::1]:80/a-b"],
    ),
    Parser(
        name="digests", read=_text(Digest.parse), seeds=[DIGEST.encode(), b"sha512:" + b"b" * 128], words=[b":", b"sha"]
    ),
    Parser(name="platforms", read=_text(Platform.parse), seeds=[b"linux/amd64", b"linux/arm64/v8"], words=[b"/", b"v"]),
    Parser(
        name="challenges",
        read=_text(lambda text: parse_challenges([text])),
        raises=(),
        words=_CHALLENGE_WORDS,
        seeds=[header.encode() for _, headers, _ in CHALLENGES for header in headers],
    ),
    Parser(
        name="manifests",
        read=lambda raw: parse_manifest(raw, None),
        raises=(ContentError,),
        words=_JSON_WORDS,
        seeds=_json(IMAGE, DOCKER),
    ),
    Parser(
        name="indexes",
        read=lambda raw: parse_manifest(raw, OCI_MANIFEST.replace("manifest", "index")),
        raises=(ContentError,),
        words=_JSON_WORDS,
        seeds=_json(INDEX, _REFERRERS),
    ),
    Parser(
        name="configurations", read=parse_config, raises=(ContentError,), words=_JSON_WORDS, seeds=_json(IMAGE_CONFIG)
    ),
    Parser(
        name="auth files",
        read=_auth,
        words=_JSON_WORDS,
        seeds=_json(
            {"auths": ENTRIES, "credHelpers": {"a.x": "b"}, "credsStore": "c"}, {"auths": {"https://a.x/v1/": {}}}
        ),
    ),
    Parser(
        name="answers of credential helpers",
        read=lambda raw: basic(parse_answer(raw, "helper")),
        raises=(),
        words=_JSON_WORDS,
        seeds=_json(*({"ServerURL": "a.x", "Username": name, "Secret": "s"} for name in ("a", "<token>"))),
    ),
    Parser(
        name="answers of token services",
        read=lambda raw: parse_token(raw, "a.x", 0.0),
        raises=(ContentError,),
        words=[*_JSON_WORDS, *(b'"expires_in":', b'"token":"', *_JWT.encode().split(b"."), b".")],
        seeds=_json({"token": "t", "expires_in": 300, "issued_at": "2026-01-01T00:00:00Z"}, {"access_token": _JWT}),
    ),
    Parser(
        name="what tokens say of themselves",
        read=lambda raw: parse_token(json.dumps({"token": f"e30.{_base64url(raw)}.s"}).encode(), "a.x", 0.0),
        words=_JSON_WORDS,
        raises=(),
        seeds=_json({"iat": 1, "exp": 2}, {"nbf": 1.5, "exp": "2"}),
    ),
    Parser(name="old auth files", read=lambda raw: _auth(raw, legacy=True), words=_JSON_WORDS, seeds=_json(ENTRIES)),
    Parser(
        name="registries.conf",
        read=_text(lambda text: (parse_registries_conf(text), render_others(text))),
        words=_TOML_WORDS,
        seeds=[CONF.encode()],
        large=64 * _KIB,
    ),
    Parser(
        name="mirror objects",
        read=_file("mirrors.yaml", load_mirrors),
        words=_YAML_WORDS,
        large=64 * _KIB,
        seeds=_yaml(IDMS, {"kind": "List", "items": [ITMS, ICSP]}),
    ),
    Parser(
        name="image-references",
        read=lambda raw: parse_image_references(parse_object(raw, "payload"), "payload"),
        raises=(ContentError,),
        words=_JSON_WORDS,
        seeds=_json(stream([tag("rhel-coreos"), tag("cli", kind="ImageStreamTag")])),
    ),
    Parser(
        name="lists of tags",
        read=lambda raw: tags_of(Fetched(raw=raw, headers={}, url=_URL), _REPOSITORY),
        raises=(ContentError,),
        words=_JSON_WORDS,
        seeds=_json({"name": "acme/os", "tags": ["1", "latest"]}),
    ),
    Parser(
        name="links",
        raises=(ContentError,),
        words=[b"<", b">", b";", b'rel="next"', b",", b"https://", b"/v2/", b"?", b"%0a"],
        read=_text(lambda text: next_page(Fetched(raw=b"", headers={"Link": text}, url=_URL), _REPOSITORY)),
        seeds=[b'</v2/acme/os/tags/list?last=1&n=100>; rel="next"', b'<https://quay.io/x>; rel=next, <b>; rel="prev"'],
        large=16 * _KIB,
    ),
    Parser(
        name="addresses",
        raises=(ContentError,),
        words=[b"https://", b"@", b":", b"[", b"]", b"%", b"/", b"?", b"#", b"\\", b".."],
        read=_text(lambda text: (absolute(text, _URL, "x"), parse(text, "x"))),
        seeds=[b"https://quay.io:443/v2/?a=b#c", b"http://[::1]/x"],
        large=16 * _KIB,
    ),
    Parser(
        name="htpasswd files",
        read=_file("htpasswd", read_htpasswd),
        words=[b":", b"$2y$", b"\n", b"#"],
        seeds=[b"# people\nalice:$2y$05$" + b"a" * 53 + b"\n"],
    ),
    Parser(
        name="layers",
        read=_members,
        raises=(ContentError,),
        seeds=[_TAR],
        words=[bytes(512), _TAR[:512], b"ustar\x0000"],
    ),
    Parser(
        name="compressed layers",
        read=_layer,
        raises=(ContentError,),
        words=[gzipped(b""), gzipped(_TAR), b"\x1f\x8b"],
        seeds=[gzipped(_TAR), gzipped(_TAR[:1000]) + gzipped(_TAR[1000:])],
    ),
    Parser(
        name="facts of layers",
        read=lambda raw: load_facts(hashlib.sha256(packed := zlib.compress(raw)).digest() + packed),
        raises=(ContentError,),
        words=_JSON_WORDS,
        seeds=[zlib.decompress(dump_facts(read_facts([_TAR], where="layer"))[32:])],
    ),
    Parser(
        name="signed payloads", read=read_payload, raises=(ContentError,), words=_JSON_WORDS, seeds=[payload(PINNED)]
    ),
    Parser(
        name="envelopes",
        read=lambda raw: Envelope.parse(raw, "x").is_by(PublicKey.parse(_PUBLIC, "key")),
        raises=(ContentError,),
        words=_JSON_WORDS,
        seeds=_json(_ENVELOPE),
    ),
    Parser(
        name="signatures and statements",
        read=_verify,
        raises=(),
        words=_JSON_WORDS,
        seeds=[statement(PINNED, SIGNED, {}), bytes.fromhex("3006020101020101")],
    ),
    Parser(
        name="public keys",
        read=lambda pem: PublicKey.parse(pem, "key"),
        seeds=[_PUBLIC],
        words=[b"-----BEGIN PUBLIC KEY-----\n"],
    ),
    Parser(
        name="private keys",
        read=_file("private.pem", lambda path: read_key(path, None)),
        seeds=[_PRIVATE],
        words=[b"-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\n", b"-----END "],
        large=64 * _KIB,
    ),
    Parser(
        name="sealed private keys",
        read=lambda raw: SealedKey.parse(base64.encodebytes(raw), "key"),
        words=_JSON_WORDS,
        seeds=_json(_SEALED),
    ),
    Parser(
        name="claims of releases",
        read=lambda raw: parse_claim(raw, "store"),
        raises=(ContentError,),
        words=_JSON_WORDS,
        seeds=[claim(DIGEST)],
    ),
    Parser(
        name="OpenPGP messages",
        read=signed_message,
        raises=(ContentError,),
        seeds=[_MESSAGE],
        large=64 * _KIB,
        words=[b"\xc8\x01\x01", b"\xc2\xff", b"\xcb\xe0", b"\x88\x00", b"\xff\xff\xff\xff", b"\xa3\x03"],
    ),
    Parser(
        name="OpenPGP keys",
        read=lambda data: Keyring.parse(data, "key"),
        seeds=[built_in().data],
        words=[
            b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
            b"-----END PGP PUBLIC KEY BLOCK-----",
            b"Version: 1\n",
            b"=AAAA\n",
            b"\n",
        ],
    ),
    Parser(
        name="markers",
        read=_text(Marker.parse),
        raises=(),
        words=[b"<!-- layerwatch:v1 ", b" -->", b"\n", b"--"],
        seeds=[f"text\n\n<!-- layerwatch:v1 {base64.b64encode(_MARKER.encode()).decode()} -->\n".encode()],
    ),
    Parser(
        name="what is in markers",
        raises=(),
        words=_JSON_WORDS,
        seeds=[_MARKER.encode()],
        read=lambda raw: Marker.parse(f"<!-- layerwatch:v1 {base64.b64encode(raw).decode()} -->"),
    ),
    Parser(
        name="Containerfiles",
        read=_text(_pin),
        seeds=[_CONTAINERFILE, b"FROM quay.io/acme/os:1\n"],
        broke=[b"FROM a\xff\nFROM b\n", b"FROM a\nRUN <<\xc3EOF\n", b"FROM a\nFROM b\n" * 100],
        words=_CONTAINERFILE_WORDS,
        large=8 * _KIB,
    ),
    Parser(
        name="words of Containerfiles",
        words=_CONTAINERFILE_WORDS,
        large=8 * _KIB,
        seeds=[b"${A:-b}", b"$A\"c${B##d*}\"'e'"],
        read=_text(lambda text: (expand(text, {"A": "a", "B": "dd"}), raw_words(text))),
    ),
    Parser(
        name="MachineConfigs",
        read=_text(_edit),
        words=[*_YAML_WORDS, HEAD.encode(), b"spec:\n", b"  osImageURL: "],
        large=2 * _KIB,
        seeds=[new_machineconfig(PINNED, None, "worker").encode(), HEAD.encode() + b"spec: {osImageURL: a}\n"],
    ),
    Parser(name="rebuild requests", read=_text(RebuildRequest.parse), words=_JSON_WORDS, seeds=_json(_REQUEST)),
    Parser(
        name="ClusterVersions",
        read=_file("cv.yaml", read_file),
        raises=(InputError, UnavailableError),
        words=_YAML_WORDS,
        seeds=_yaml(_CLUSTERVERSION),
    ),
    Parser(
        name="kubeconfigs",
        read=_file("kubeconfig", lambda path: chosen(read_kubeconfig(path, "x"), None, "x")),
        words=_YAML_WORDS,
        seeds=_yaml(_KUBECONFIG),
    ),
]
