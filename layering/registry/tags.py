"""All tags of a repository, page by page (distribution-spec, "Listing Tags"), and never more than are believable."""

from layering.errors import ContentError
from layering.reference import Repository
from layering.registry import answers
from layering.registry.deadline import Deadline
from layering.registry.host import Asking, RegistryHost
from layering.registry.manifest import MANIFEST_BYTES_MAX

_PAGES_MAX = 1000
_TAGS_MAX = 100_000


def list_tags(host: RegistryHost, repository: Repository, deadline: Deadline) -> tuple[str, ...]:
    """The tags, in the registry's order. Raises ContentError for a list without end."""
    path: str | None = f"/v2/{repository.path}/tags/list"
    found: list[str] = []
    pages: set[str] = set()
    while path not in pages and len(pages) < _PAGES_MAX and len(found) <= _TAGS_MAX:
        if path is None:
            return tuple(found)
        pages.add(path)
        asking = Asking(method="GET", path=path, repository=repository, deadline=deadline)
        page = host.fetch(asking, MANIFEST_BYTES_MAX)
        found += answers.tags_of(page, repository)
        path = answers.next_page(page, repository)
    raise ContentError("a list of tags without end", where=str(repository))
