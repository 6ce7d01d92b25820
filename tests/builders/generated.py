"""Containerfiles from a seed: a grammar of what people write for a base image, the ordinary and the odd.

A case says whether it needs the contents of files that are not in its context (a shell, a name in the base's
/etc/passwd, another image): only then may compose leave it to buildah. The same seed gives the same case for ever.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.builders.generated_world import BASES, CONTEXTS

_FLAGS = ("", "", "", "--chown=7:8 ", "--chmod=0711 ", "--chown=9:9 --chmod=2644 ", "--chmod=600 ")
_SOURCES = (
    "f", "suid", "d", "d/", "d/sub", "empty", "a.conf bb.conf", "*.conf", "d/x", ".", "?.conf", "d*", "d/s*",
    "[ab]*.conf", "[^x]*.conf", "over", "over/", "d/*", "to-file", "to-directory", "to-directory/x", "linked",
    "linked/one linked/two", "umlaut",
    "umlaut/ä", "over/motd", "attributes", "attributes/noted", "./d/../f", "/f", "d/./sub/", "pipe", "plain.tar",
    "d/link",
)  # fmt: skip
_ARCHIVES = ("plain.tar", "packed.tar.gz", "packed.tar.bz2", "packed.tar.xz", "odd.tar", "plain.tar f", "not-packed.gz",
             "*.tar", "d", "f", "zip.zip", "empty.tar")  # fmt: skip
_PLACES = (
    "/etc", "/etc/", "/tmp/x", "/tmp/x/", "/opt/old", "/opt/kept/", "/new/a/b/", "rel", "rel/", ".", "./", "/root/",
    "/usr/bin/", "/etc/conf.d/z/", "/etc/motd", "/w", "/", "/etc/../srv/q/", "/ü/x", "/etc/conf.d", "/var/vol/in/",
)  # fmt: skip
_LINKED_PLACES = ("/home/core/", "/home", "/bin/", "/bin/tool", "/mnt/deep/", "/mnt", "/chain/x", "/tozone", "/loop/x",
                  "/home/../y/", "/var/up/z/")  # fmt: skip
_WORKDIRS = ("/w", "/etc", "x", "..", "/srv/q", "/home/me", "$V/s", "/w/", "/etc/motd/../n", "'/q r'")
_SETTINGS = (
    "ENV A=1 B=$X", 'ENV A="x $X y" C=${NONE:-d}', "ENV A legacy value", "ENV X=2\nENV Y=$X", "ENV P=a\\ b", "ENV E=",
    "ENV U=$NONE.", "ENV Q='a b' R=\"c'd\"", "ENV PATH=/y:$PATH", "ENV D=\\$X", "ENV N=${X:+yes}${NONE:+no}", "ENV X=",
    "ARG V=7\nENV W=$V", "ARG GIVEN\nLABEL given=$GIVEN", "ARG X=9\nENV Z=$X", "ARG G\nLABEL g=${G}", "ARG V",
    "ARG L=\"a b\"\nLABEL l=$L", "LABEL a=b c='d e' \"f g\"=h", "LABEL a=$X$V", "LABEL one two", "LABEL m=\"q\\\"r\"",
    "LABEL version=9", "USER 5:6", "USER root", "CMD a  b", 'CMD ["x", "$X"]', "CMD []", "CMD echo \"$X\" \\\n  b",
    "ENTRYPOINT x y", 'ENTRYPOINT ["x"]', "ENTRYPOINT []", "EXPOSE 80 53/udp", "EXPOSE 1-3 ${NONE:-9}/udp",
    "STOPSIGNAL SIGTERM",
    "MAINTAINER Jo <jo@example.com>", "HEALTHCHECK NONE", "HEALTHCHECK --interval=5s CMD true",
    'SHELL ["/bin/x", "-c"]',
    "VOLUME /var/vol", 'VOLUME ["/vol", "/etc"]', "ONBUILD COPY f /", "ARG TARGETARCH\nLABEL arch=$TARGETARCH",
    "ENV S=${X}/${Y:-${X}}", "LABEL e=\"${X:-a b}\"", "USER 1000\nWORKDIR /of/1000",
    "CMD echo \\\"q\\\"", "EXPOSE 80/tcp 80",
)  # fmt: skip
_COPIES = ('COPY ["f", "a.conf", "/sp ace/"]', 'COPY "f" /quoted/', "COPY f \\\n  # a comment\n  a.conf \\\n  /srv/",
           'COPY ["sp ace", "/etc/"]', "COPY $F /etc/${F}2", "COPY --chown=$O f /owned/",
           "COPY ${NONE}f /etc/", "COPY --chown=1000 f /x1000", "COPY --chmod=$M f /moded",
           "COPY --chown=1000: d/ /srv/", "ADD [\"plain.tar\", \"/un packed/\"]")  # fmt: skip
_NOWHERE = ("STOPSIGNAL $SIG", "EXPOSE $PORT", "COPY sp\\ ace /etc/", "LABEL e=${X:-a b}", "COPY [!x]*b.conf /etc/",
            "ENV A", "CMD [1]", "COPY d /etc/motd", "COPY none /x", "WORKDIR", "COPY --chown=nobody f /x")  # fmt: skip
_FOREIGN = (
    "RUN true", "RUN echo x > /etc/ran", "COPY --from=other f /etc/", "COPY --chown=core f /etc/cored",
    "COPY --chown=core:core d /srv/", "USER core\nWORKDIR /made/by/core/too", "USER core\nWORKDIR /made/by/core",
)  # fmt: skip


_STAGE_SOURCES = ("/", "/p", "p/", "/p/f", "/s", "s/*", "/p /s", "/p/../s/f", "/p/link", "p/sub", "t/*", "t")

_OWN_SOURCES = ("/p", "p/", "/p/f", "/p /s", "/p/../s/f", "p/sub", "t")  # of a stage on the base, made by that stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """`body` follows the FROM. `base` and `context` are names of `generated_world`."""

    seed: int
    body: str
    base: str
    context: str
    needs_contents: bool

    def __str__(self) -> str:
        return f"seed {self.seed}, base {self.base}, context {self.context}:\n{self.body}"


def generated(seed: int) -> Case:
    """One case. Every eighth asks for contents of the base; the first two lines declare what others put in."""
    chance = random.Random(seed)
    lines = [_instruction(chance) for _ in range(chance.randint(1, 6))]
    needs_contents = seed % 8 == 7
    if needs_contents:
        lines.insert(chance.randint(0, len(lines)), chance.choice(_FOREIGN))
    lines = _with_stages(random.Random(f"stages {seed}"), ["ARG F=f", "ARG O=3:4", *lines])
    return Case(
        seed=seed,
        body=_spelled(chance, lines),
        base=chance.choice(BASES),
        context=chance.choice(CONTEXTS),
        needs_contents=needs_contents,
    )


def _with_stages(chance: random.Random, lines: list[str]) -> list[str]:
    """For one in four: a stage or two before the lines, and copies from them among these."""
    if chance.random() < 0.75:
        return lines
    first = chance.choice(("scratch", "scratch", "{base}"))
    stages, names = [f"FROM {first} AS one", *_stage(chance)], ["one", "1"]
    sources = dict.fromkeys(names, _STAGE_SOURCES if first == "scratch" else _OWN_SOURCES)
    if chance.random() < 0.4:
        copies = [_copy_from(chance, "one", sources["one"], "/p/") for _ in range(2)]
        stages += ["FROM scratch", *_stage(chance), *copies, "FROM none.example/unused AS unused", "RUN false"]
        names.append("2")
    after = [*lines]
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(names)
        after.insert(chance.randint(2, len(after)), _copy_from(chance, name, sources.get(name, _STAGE_SOURCES)))
    return [*stages, "FROM {base}", *after]


def _stage(chance: random.Random) -> list[str]:
    """Instructions that make what is copied from it; now and then more."""
    made = [
        f"COPY {chance.choice(_FLAGS)}f d/link /p/",
        f"COPY {chance.choice(_FLAGS)}d /p",
        f"COPY {chance.choice(_FLAGS)}{chance.choice(('over', 'd/sub', 'suid', 'umlaut', 'empty'))} /s/",
        f"ADD {chance.choice(_FLAGS)}{chance.choice(('plain.tar', 'packed.tar.gz', 'odd.tar'))} /t/",
        "COPY f /s/",
        chance.choice(("WORKDIR /w", "USER 5:6\nWORKDIR /w/v", "COPY linked /w/", "COPY attributes /w")),
    ]
    return [*made, *(chance.choice(_SETTINGS) for _ in range(chance.randint(0, 2)))]


def _copy_from(chance: random.Random, stage: str, sources: Sequence[str], place: str = "") -> str:
    flags, place = chance.choice(_FLAGS), place or chance.choice(_PLACES)
    return f"COPY --from={stage} {flags}{chance.choice(sources)} {place}"


def _spelled(chance: random.Random, lines: list[str]) -> str:
    """The lines, one in three spelt as few people would."""
    odd = [_odd_spelling(chance, line) if chance.random() < 0.3 else line for line in lines]
    return "\n".join(odd).replace("\n", "\r\n" if chance.random() < 0.1 else "\n")


def _odd_spelling(chance: random.Random, line: str) -> str:
    keyword, space, rest = line.partition(" ")
    return chance.choice(
        [
            f"{keyword.lower()}{space}{rest}",
            f"{keyword}\t {rest}",
            f"  {line}",
            f"{line} \t",
            f"# a comment\n\n{line}",
            f"{keyword} \\\n{rest}",
            f"{keyword} \\\n# a comment\n\n  {rest}",
        ]
    )


def _instruction(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.4:
        places = _LINKED_PLACES if chance.random() < 0.2 else _PLACES
        return f"COPY {chance.choice(_FLAGS)}{chance.choice(_SOURCES)} {chance.choice(places)}"
    if kind < 0.5:
        return f"ADD {chance.choice(_FLAGS)}{chance.choice(_ARCHIVES)} {chance.choice(_PLACES)}"
    if kind < 0.58:
        return f"WORKDIR {chance.choice(_WORKDIRS)}"
    return chance.choice(_COPIES if kind < 0.66 else _NOWHERE if kind > 0.985 else _SETTINGS)
