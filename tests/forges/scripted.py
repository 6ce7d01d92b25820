"""A forge that answers what a test says, in that order, whatever it is asked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from requests.structures import CaseInsensitiveDict

from tests.git_http import Asked, Served, serving

DROPPED = -1


@dataclass(kw_only=True)
class Scripted:
    """Answers in their order, the last one again and again; what came is in `asked`."""

    answers: list[tuple[int, Any, Mapping[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    address: str = ""

    def say(self, status: int, document: Any = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, {} if document is None else document, named))

    def answer(self, asked: Asked) -> Served | None:
        self.asked.append((asked.method, asked.target, CaseInsensitiveDict(asked.headers)))
        status, document, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == DROPPED:
            return None
        return Served(status=status, headers=headers, body=b"" if status == 304 else json.dumps(document).encode())


@contextmanager
def served() -> Iterator[Scripted]:
    script = Scripted()
    with serving(lambda asked, body: Served(status=500), lambda asked, serve: script.answer(asked)) as address:
        script.address = address
        yield script
