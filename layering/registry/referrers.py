"""What refers to an image, page by page (distribution-spec v1.1, "Listing Referrers").

The index under a tag that the specification has for registries without this list is neither read nor written.
"""

from layering.errors import ContentError
from layering.reference import Digest, Repository
from layering.registry import answers
from layering.registry.bodies import BrokenOffError, body
from layering.registry.deadline import Deadline
from layering.registry.host import Asking, Fetched, RegistryHost
from layering.registry.manifest import MANIFEST_BYTES_MAX, OCI_INDEX, Descriptor, ImageIndex, parse_manifest

# 404 by the specification; the others have been seen. ghcr.io sends to a host that keeps no such list and has no time.
_NOT_OFFERED = (301, 302, 303, 307, 308, 400, 404, 405, 406)
_PAGES_MAX = 100
_REFERRERS_MAX = 1000


def list_referrers(
    host: RegistryHost, repository: Repository, subject: Digest, artifact_type: str, deadline: Deadline
) -> tuple[Descriptor, ...] | None:
    """Descriptors of those of one kind, of others as well where the registry does not filter; None: not offered.

    Raises ContentError for a list without end.
    """
    path: str | None = f"/v2/{repository.path}/referrers/{subject}?artifactType={artifact_type.replace('+', '%2B')}"
    found: list[Descriptor] = []
    pages: set[str] = set()
    while path not in pages and len(pages) < _PAGES_MAX and len(found) <= _REFERRERS_MAX:
        if path is None:
            return tuple(found)
        pages.add(path)
        page = _page(host, Asking(method="GET", path=path, repository=repository, deadline=deadline, redirects=False))
        if page is None:
            return None
        parsed = parse_manifest(page.raw, OCI_INDEX, str(repository.at(subject)))
        found += parsed.manifests if isinstance(parsed, ImageIndex) else ()
        path = answers.next_page(page, repository)
    raise ContentError("a list of referrers without end", where=str(repository.at(subject)))


def _page(host: RegistryHost, asking: Asking) -> Fetched | None:
    """None where the list is not offered: also for a 200 that is no index, which some answer to any address."""

    def once() -> Fetched | None:
        with host.ask(asking) as answer:
            if answer.status in _NOT_OFFERED:
                return None
            if answer.status != 200:
                raise host.refusal(answer, asking)
            if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() != OCI_INDEX:
                return None
            raw = body(answer, limit_bytes=MANIFEST_BYTES_MAX, deadline=asking.deadline)
            return Fetched(raw=raw, headers=answer.headers, url=answer.url)

    return host.anew(once, asking.deadline, BrokenOffError)
