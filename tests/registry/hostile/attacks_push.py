"""Attacks on what is written: uploads that lie about what they took, or that want more than they should."""

from layering.errors import ContentError, LayerwatchError, RefusedError, UnavailableError
from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.rows import Does, Row, Scene, on

_OTHER = {"Docker-Content-Digest": f"sha256:{'0' * 64}"}


def answers(method: str, answer: Answer, part: str = "/v2/") -> Does:
    return on(part, answer, method)


def _push(name: str, do: str, does: Does, ends: type[LayerwatchError] = ContentError) -> Row:
    return Row(name=f"push: {name}", do=do, does=does, ends=ends)


def _greedy(scene: Scene, asked: Asked) -> Answer | None:
    """Wants the whole in one piece; takes whatever comes."""
    headers = {"Location": "/v2/a/b/uploads/1", "OCI-Chunk-Min-Length": "999999999999"}
    if asked.method in ("POST", "PATCH"):
        for _ in asked.body.chunks():
            pass
        return Answer(status=202, headers=headers)
    return Answer(status=201) if asked.method == "PUT" else None


def _forgetful(scene: Scene, asked: Asked) -> Answer | None:
    """A new place with every piece, and in the end it never heard of any."""
    if asked.method in ("POST", "PATCH"):
        return Answer(status=202, headers={"Location": f"/v2/a/b/uploads/{len(scene.told)}"})
    return error(404, "BLOB_UPLOAD_UNKNOWN", "what upload") if asked.method == "PUT" else None


def _narrow(scene: Scene, asked: Asked) -> Answer | None:
    return error(413, "X", "no") if asked.method in ("PATCH", "PUT") else None


def _long_way(scene: Scene, asked: Asked) -> Answer | None:
    if asked.method != "POST":
        return None
    return Answer(status=202, headers={"Location": "/v2/a/b/uploads/" + "x" * 60_000})


PUSH_ATTACKS = [
    _push("a blob is kept as another", "push_blob", answers("PUT", Answer(status=201, headers=_OTHER))),
    _push("a blob in pieces is kept as another", "push_stream", answers("PUT", Answer(status=201, headers=_OTHER))),
    _push("a blob is kept as what is no digest", "push_blob",
          answers("PUT", Answer(status=201, headers={"Docker-Content-Digest": "yes"}))),
    _push("another blob is mounted", "copy_blob", answers("POST", Answer(status=201, headers=_OTHER), "mount=")),
    _push("a manifest is kept as another", "push_manifest", answers("PUT", Answer(status=201, headers=_OTHER))),
    _push("an upload is open nowhere", "push_stream", answers("POST", Answer(status=202))),
    _push("a piece is taken to nowhere", "push_stream", answers("PATCH", Answer(status=202))),
    _push("a success that opens nothing", "push_blob", answers("POST", Answer(status=200))),
    _push("a manifest is accepted for later", "push_manifest", answers("PUT", Answer(status=202))),
    _push("a manifest is answered with nothing", "push_manifest", answers("PUT", Answer(status=204))),
    _push("a check that is answered with nothing", "push_blob", answers("HEAD", Answer(status=204))),
    _push("a piece is never in its place", "push_stream", answers("PATCH", error(416, "X", "no")), UnavailableError),
    _push("a piece is too large, and the whole is", "push_stream", _narrow, RefusedError),
    _push("it never heard of the upload", "push_stream", _forgetful, RefusedError),
    _push("its address does not end", "push_blob", _long_way, RefusedError),
    _push("the digest is wrong, it says", "push_blob", answers("PUT", error(400, "DIGEST_INVALID", "no")),
          RefusedError),
    _push("the tag is immutable", "push_manifest", answers("PUT", error(409, "TAG_IMMUTABLE", "no")), RefusedError),
    _push("blobs are missing, it says", "push_manifest", answers("PUT", error(400, "MANIFEST_BLOB_UNKNOWN", "no")),
          RefusedError),
    _push("the quota is full", "push_blob", answers("PUT", error(403, "DENIED", "quota")), RefusedError),
    _push("the disk is full", "push_blob", answers("PUT", error(507, "X", "no")), UnavailableError),
]  # fmt: skip

GREEDY = Row(  # no harm is done: it is given what fits into memory
    name="push: pieces as large as the whole are wished for", do="push a large stream", does=_greedy
)
