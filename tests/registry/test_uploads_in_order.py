"""Two requests for one upload of the embedded registry: whoever comes in order goes on, and nobody waits."""

from collections.abc import Iterator

import pytest

from layering.registry.manifest import sha256
from layering.registry.server_content import Content, Refused
from layering.registry.storage import MemoryStorage

NAME = "acme/os"


@pytest.fixture
def content() -> Content:
    return Content(MemoryStorage())


def test_who_comes_in_order_goes_on_and_the_other_one_is_refused(content: Content) -> None:
    """The line of the first one hangs; what it still gives is not mixed in."""
    upload = content.begin_upload(NAME)

    def hanging() -> Iterator[bytes]:
        yield b"1"
        assert content.append(NAME, upload, [b"2"], begin=1)
        yield b"x"

    with pytest.raises(Refused) as caught:
        content.append(NAME, upload, hanging())
    assert caught.value.status == 409
    content.finish_upload(NAME, upload, sha256(b"12"))


@pytest.mark.parametrize("begin", [0, 2, -1])
def test_who_comes_out_of_order_stops_nobody(content: Content, begin: int) -> None:
    upload = content.begin_upload(NAME)

    def slow() -> Iterator[bytes]:
        yield b"1"
        assert not content.append(NAME, upload, [b"x"], begin=begin)
        yield b"2"

    assert content.append(NAME, upload, slow())
    content.finish_upload(NAME, upload, sha256(b"12"))


def test_what_is_closed_meanwhile_takes_nothing_more(content: Content) -> None:
    upload = content.begin_upload(NAME)

    def late() -> Iterator[bytes]:
        yield b"1"
        assert content.append(NAME, upload, [])
        content.finish_upload(NAME, upload, sha256(b"1"))
        yield b"x"

    with pytest.raises(Refused):
        content.append(NAME, upload, late())
    with pytest.raises(Refused) as caught:
        content.size_of(NAME, upload)
    assert caught.value.status == 404
