"""The shape of an attack and of a quirk: what a registry does, what is asked of it, and how that ends."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from layering.errors import LayerwatchError
from layering.registry.server_http import Answer, Asked


class Scene(Protocol):
    """What a hostile registry knows of the world: its own address, and the places it would lead a client to."""

    @property
    def ours(self) -> str:
        """The registry's own URL."""

    @property
    def thief(self) -> str:
        """URL of another host, over plain http."""

    @property
    def thief_tls(self) -> str:
        """URL of another host with a certificate that is trusted."""

    @property
    def told(self) -> Sequence[Asked]:
        """What the registry was asked so far."""

    @property
    def port(self) -> int:
        """The port of `thief`."""


Does = Callable[[Scene, Asked], Answer | None]
Raw = Callable[[Asked], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One behaviour of a registry.

    `does` answers in its place, None where it is honest; or `raw` writes the bytes of its answers. `do` is the
    operation that is tried: a name in victim.OPERATIONS. `ends` is the error it must end in, None for success, and then
    it gives `gives` (None: what an ordinary registry gives). `says` stands in the
    error.

    `thief` answers in the other hosts' place. `is_met` says that they may be asked, never with a secret unless
    `is_trusted`. `is_open`: the registry asks for no password by itself. `login` is the entry in the file of
    credentials. `seconds` is the time that the operation has. `names` is what host names mean, `is_public` has the
    registry's own address pass for public, and `settings` are others of the order.
    """

    name: str
    do: str = "resolve"
    does: Does | None = None
    raw: Raw | None = None
    thief: Does | None = None
    ends: type[LayerwatchError] | None = None
    gives: str | None = None
    says: str = ""
    is_met: bool = False
    is_trusted: bool = False
    is_open: bool = False
    is_tls: bool = False
    is_public: bool = False
    login: Mapping[str, Any] | None = None
    seconds: float = 60.0
    names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def on(part: str, answer: Answer, *methods: str) -> Does:
    """The same answer to every request for what has `part` in its target, by one of the methods, if any are named."""

    def does(scene: Scene, asked: Asked) -> Answer | None:
        return answer if part in asked.target and (not methods or asked.method in methods) else None

    return does
