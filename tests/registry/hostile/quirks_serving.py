"""Registries that are busy, that keep their blobs elsewhere, that take uploads and list tags in their own way."""

import email.utils
import time

from layering.registry.manifest import sha256
from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.attacks_addresses import led
from tests.registry.hostile.attacks_push import GREEDY
from tests.registry.hostile.goods import LAYER, MANIFEST
from tests.registry.hostile.rows import Does, Row, Scene, on


def _sometimes(answer: Answer, times: int = 1, part: str = "/manifests/") -> Does:
    """This answer to the first requests with a password, and then the truth."""

    def does(scene: Scene, asked: Asked) -> Answer | None:
        told = [one for one in scene.told if part in one.target and "authorization" in one.headers]
        return answer if part in asked.target and len(told) <= times else None

    return does


def _date() -> str:
    return email.utils.formatdate(time.time() + 5, usegmt=True)


def _busy(number: int, **headers: str) -> Answer:
    return error(number, "X", "later", {key.replace("_", "-"): value for key, value in headers.items()})


_PATIENCE = [
    Row(name="busy: 429 with seconds", does=_sometimes(_busy(429, Retry_After="1"))),
    Row(name="busy: 429 with a date", does=_sometimes(_busy(429, Retry_After=_date()))),
    Row(name="busy: 429 without a time", does=_sometimes(_busy(429), 3)),
    Row(name="busy: 503 three times", does=_sometimes(_busy(503), 3)),
    Row(name="busy: 500 once, of a blob", do="read_blob", does=_sometimes(_busy(500), 1, "/blobs/")),
    Row(name="busy: 502 once, to an upload", do="push_blob", does=_sometimes(_busy(502), 1, "/uploads/")),
]


def _cdn(scene: Scene, asked: Asked) -> Answer:
    """Storage that takes only requests it has signed itself."""
    if "authorization" in asked.headers or "X-Amz-Signature=a%2Fb" not in asked.target:
        return error(400, "InvalidArgument", "only one way of authorization")
    return Answer(status=200, body=MANIFEST if "manifest" in asked.target else LAYER)


_SIGNED = "<thief>/blob?X-Amz-Signature=a%2Fb&X=~y"
_NEEDLESS = "/blob%7e/%61?X-Amz-Signature=a%2Fb&X=%7Ey%7e%2d%2f&Z=*()"  # what is signed is signed as it is spelt


def _literal_cdn(scene: Scene, asked: Asked) -> Answer:
    return _cdn(scene, asked) if asked.target == _NEEDLESS else error(403, "SignatureDoesNotMatch", asked.target)


_REDIRECTED = [
    *(Row(name=f"redirect: {status} of a blob to its storage", do="read_blob", does=led(_SIGNED, status, "/blobs/"),
          thief=_cdn, is_met=True) for status in (301, 302, 303, 307, 308)),
    Row(name="redirect: of a release's layer", do="release", thief=_cdn, is_met=True,
        does=led(_SIGNED, 307, f"/blobs/{sha256(LAYER)}")),
    Row(name="redirect: of a manifest", do="manifest", thief=_cdn, is_met=True,
        does=led("<thief>/manifest?X-Amz-Signature=a%2Fb", 307, "/manifests/")),
    Row(name="redirect: to an address with needless escapes", do="read_blob", thief=_literal_cdn, is_met=True,
        does=led(f"<thief>{_NEEDLESS}", 307, "/blobs/")),
    Row(name="redirect: of a TLS registry to other TLS storage", do="read_blob", thief=_cdn, is_met=True, is_tls=True,
        does=led(_SIGNED.replace("<thief>", "<tls>"), 307, "/blobs/")),
    Row(name="redirect: within the registry, by a path", do="manifest by digest",
        does=led("../manifests/t", 307, "/manifests/sha256")),
    Row(name="redirect: within the registry, with the password", do="manifest by digest",
        does=led("/v2/a/b/manifests/t", 308, "/manifests/sha256")),
]  # fmt: skip


def _uploading(location: str, *, finished: int = 201, taken: int = 202) -> Does:
    """An upload that goes on at `location`, whose query must come back as it was."""
    query = location.partition("?")[2]

    def does(scene: Scene, asked: Asked) -> Answer | None:
        place = {"Location": location.replace("<ours>", scene.ours)}
        if asked.method == "POST":
            return Answer(status=202, headers=place)
        if asked.method not in ("PUT", "PATCH"):
            return None
        for _ in asked.body.chunks():
            pass
        if query not in asked.target:
            return error(400, "BLOB_UPLOAD_INVALID", "the state is missing")
        return Answer(status=taken, headers=place) if asked.method == "PATCH" else Answer(status=finished)

    return does


def _declined(scene: Scene, asked: Asked) -> Answer | None:
    """No mount, but an upload in its place."""
    if "mount=" in asked.target:
        return Answer(status=202, headers={"Location": "/v2/c/d/blobs/uploads/1?_state=a%3D"})
    return _uploading("/v2/c/d/blobs/uploads/1?_state=a%3D")(scene, asked)


def _small_pieces(scene: Scene, asked: Asked) -> Answer | None:
    """Takes no more than 4 MiB at a time, as ghcr.io."""
    if asked.method == "PATCH" and int(asked.headers["content-length"]) > 4 << 20:
        return error(416, "RANGE_INVALID", "too large")
    return _uploading("<ours>/v2/a/b/blobs/upload/1?x=1")(scene, asked)


_PUSHED = [
    *(Row(name=f"push: an upload at {name}, {do}", do=do, does=_uploading(location))
      for name, location in (("a path", "/v2/a/b/blobs/uploads/1"), ("an address", "<ours>/v2/a/b/x"),
                             ("a path with a query", "/v2/a/b/blobs/uploads/1?_state=a%2Fb%3D%3D&_v=~"),
                             ("a path with needless escapes", "/v2/a/b/%75ploads/%7e?_state=%7Ea%3d%2d"),
                             ("a place beside it", "1?_state=x"))
      for do in ("push_blob", "push_stream")),
    *(Row(name=f"push: {status} to the last piece", do="push_stream", does=_uploading("/x?y=z", finished=status))
      for status in (200, 202, 204)),
    *(Row(name=f"push: {status} to every piece, as some", do="push_stream", does=_uploading("/x?y=z", taken=status))
      for status in (200, 201, 204)),
    Row(name="push: pieces of 4 MiB at most", do="push_stream", does=_small_pieces),
    Row(name="push: a mount that is declined", do="copy_blob", does=_declined, gives="streamed"),
    *(Row(name=f"push: {status} to a mount", do="copy_blob", gives="streamed",
          does=on("mount=", error(status, "X", "no mounting here"))) for status in (400, 401, 403, 404, 405)),
    Row(name="push: 200 to a manifest", do="push_manifest", does=on("/manifests/", Answer(status=200), "PUT")),
    Row(name="push: a manifest's digest is not said", do="push_manifest",
        does=on("/manifests/", Answer(status=201), "PUT")),
]  # fmt: skip


def _pages(*pages: tuple[str, str]) -> Does:
    """Pages by what is in their target, each with the link to the next."""

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/tags/" not in asked.target:
            return None
        number = int(asked.target.partition("last=")[2] or 0)
        body, link = pages[number]
        headers = {"Link": link.replace("<ours>", scene.ours)} if link else {}
        return Answer(status=200, headers=headers, body=body.encode())

    return does


_LAST = ('{"name": "a/b", "tags": ["2"]}', "")
_TAGS = [
    Row(name="tags: a next page by its path", do="tags", gives="1 2",
        does=_pages(('{"tags": ["1"]}', '</v2/a/b/tags/list?n=1&last=1>; rel="next"'), _LAST)),
    Row(name="tags: a next page by its address", do="tags", gives="1 2",
        does=_pages(('{"tags": ["1"]}', '<<ours>/v2/a/b/tags/list?last=1>; rel=next'), _LAST)),
    Row(name="tags: a next page by its query", do="tags", gives="1 2",
        does=_pages(('{"tags": ["1"]}', '<?last=1>; rel="next"'), _LAST)),
    Row(name="tags: a next page that is empty", do="tags", gives="1",
        does=_pages(('{"tags": ["1"]}', '</v2/a/b/tags/list?last=1>; rel="next"'), ('{"tags": null}', ""))),
    Row(name="tags: links to other things", do="tags", gives="1",
        does=_pages(('{"tags": ["1"]}', '<https://example.com/>; rel="help"'))),
    Row(name="tags: a link that is none", do="tags", gives="1", does=_pages(('{"tags": ["1"]}', "next;;;=,<"))),
    Row(name="tags: null", do="tags", gives="", does=_pages(('{"name": "a/b", "tags": null}', ""))),
    Row(name="tags: empty", do="tags", gives="", does=_pages(('{"name": "a/b", "tags": []}', ""))),
    Row(name="referrers: not offered", do="referrers", gives="None", does=on("/referrers/", error(404, "X", "no"))),
    Row(name="referrers: a web page for every address", do="referrers", gives="None",
        does=on("/referrers/", Answer(status=200, headers={"Content-Type": "text/html"}, body=b"<html>"))),
]  # fmt: skip

SERVING_QUIRKS = [*_PATIENCE, *_REDIRECTED, *_PUSHED, *_TAGS, GREEDY]
