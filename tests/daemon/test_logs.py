"""The log: text for people, JSON for machines, no line that we did not begin, no secret."""

import io
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from watcher.logs import KNOWN, set_up

ALWAYS = ["time", "level", "message", "logger"]


@contextmanager
def logged(form: str, level: str = "info") -> Iterator[io.StringIO]:
    """What the whole process logs meanwhile; everything is put back as it was."""
    root, hook = logging.getLogger(), threading.excepthook
    handlers, root_level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        set_up(form, level, stream)
        yield stream
    finally:
        root.handlers[:], threading.excepthook = handlers, hook
        root.setLevel(root_level)
        logging.captureWarnings(False)


def defect() -> None:
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("layerwatch").exception("a defect")


def complain() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("an odd thing", stacklevel=1)


def end_a_thread() -> None:
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()


WAYS: dict[str, tuple[Callable[[], None], str]] = {
    "plain": (lambda: logging.getLogger("layerwatch").info("%s is %d", "it", 1), "it is 1"),
    "two lines": (lambda: logging.getLogger("layerwatch").info("one\ntwo\r\nthree"), "one two three"),
    "a terminal's": (lambda: logging.getLogger("layerwatch").info("a\x1b[31mb\u2028c"), "a [31mb c"),
    "a secret": (
        lambda: logging.getLogger("layerwatch").info("from %s", "https://user:hunter2@example.com/x"),
        "from https://***@example.com/x",
    ),
    "another program's": (lambda: logging.getLogger("urllib3").warning("slow"), "slow"),
    "a warning": (complain, "an odd thing"),
    "a defect": (defect, "a defect"),
    "a thread's end": (end_a_thread, "a defect of layerwatch ended worker"),
}


@pytest.mark.parametrize(("say", "message"), WAYS.values(), ids=WAYS)
def test_a_line_of_json(say: Callable[[], None], message: str) -> None:
    with logged("json") as stream:
        say()
    (line,) = stream.getvalue().splitlines()
    document = json.loads(line)
    assert list(document)[:4] == ALWAYS
    assert message in document["message"]
    assert document["time"].endswith("Z")
    assert "hunter2" not in line


@pytest.mark.parametrize(("say", "message"), WAYS.values(), ids=WAYS)
def test_a_line_of_text(say: Callable[[], None], message: str) -> None:
    with logged("text") as stream:
        say()
    first, *more = stream.getvalue().splitlines()
    assert message in first
    assert first[:4].isdigit()
    assert all(line.startswith("  ") for line in more)
    assert "hunter2" not in stream.getvalue()


def test_what_is_known_stands_beside_the_message() -> None:
    known = dict.fromkeys(KNOWN, "https://user:hunter2@example.com/x")
    with logged("json") as stream:
        logging.getLogger("layerwatch").info("it", extra=known)
        logging.getLogger("layerwatch").info("it", extra={"pool": None, "image": "worker-os"})
    full, part = (json.loads(line) for line in stream.getvalue().splitlines())
    assert list(full) == [*ALWAYS, *KNOWN]
    assert {full[name] for name in KNOWN} == {"https://***@example.com/x"}
    assert list(part) == [*ALWAYS, "image"]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(level: str, count: int) -> None:
    log = logging.getLogger("layerwatch")
    with logged("text", level) as stream:
        for say in (log.debug, log.info, log.warning, log.error):
            say("x")
    assert len(stream.getvalue().splitlines()) == count


def test_nothing_commands_a_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for form in ("text", "json"):
        with logged(form) as stream:
            logging.getLogger("layerwatch").info("it said ##[stop-commands]x")
        assert "##[" not in stream.getvalue()
    assert json.loads(stream.getvalue())["message"] == "it said ##[stop-commands]x"
