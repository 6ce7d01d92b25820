"""The configuration of a composed image: the base's, changed instruction by instruction as buildah changes it.

What buildah drops when it writes the OCI form (health checks, SHELL, docker's own fields) is dropped here too; what it
would do more than copy (ONBUILD, volumes, an environment without PATH) is refused. It touches no files.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layering.reference import Digest
from layering.registry.manifest import ImageConfig
from pipeline.builders.refusal import RefusalReason, Refused

_KEPT = ("author", "architecture", "variant", "os", "os.version", "os.features")
_KEPT_INSIDE = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "WorkingDir", "Labels", "StopSignal", "ArgsEscaped")
_REFUSED_INSIDE = ("OnBuild", "Volumes")


@dataclass(kw_only=True)
class ConfigState:
    """What instructions change. `inner` is the `config` object of image-spec config.md, without Env and Labels."""

    env: dict[str, str]
    labels: dict[str, str]
    inner: dict[str, Any]
    author: str | None
    cmd_was_set: bool = False
    history: list[str] = field(default_factory=list)

    @property
    def working_directory(self) -> str:
        """An absolute path, `/` by default."""
        return self.inner.get("WorkingDir") or "/"

    @property
    def user(self) -> str:
        """As USER says it; empty for root."""
        return self.inner.get("User") or ""

    def set_entrypoint(self, argv: list[str]) -> None:
        """ENTRYPOINT drops a Cmd that only the base had set (imagebuilder dispatchers.go, `entrypoint`)."""
        self.inner["Entrypoint"] = argv
        if not self.cmd_was_set:
            self.inner.pop("Cmd", None)

    def set_cmd(self, argv: list[str]) -> None:
        """CMD."""
        self.inner["Cmd"] = argv
        self.cmd_was_set = True

    def add_labels(self, labels: Mapping[str, str]) -> None:
        """What `--label` does in buildah: one more LABEL each, at the end."""
        self.labels.update(labels)
        self.history.extend(f"LABEL {name}={value}" for name, value in sorted(labels.items()))

    def expose(self, port: str) -> None:
        """EXPOSE one `PORT/PROTOCOL`."""
        self.inner["ExposedPorts"] = {**(self.inner.get("ExposedPorts") or {}), port: {}}


def start_config(base: ImageConfig) -> ConfigState:
    """The state before the first instruction. Raises Refused for a base whose configuration does more."""
    inner: Mapping[str, Any] = base.document.get("config") or {}
    for key in _REFUSED_INSIDE:
        if inner.get(key):
            raise Refused(RefusalReason.BASE_CONFIG_NOT_COMPOSABLE, f"the base's configuration has {key}")
    author = base.document.get("author")
    return ConfigState(
        env=_environment(inner.get("Env") or ()),
        labels=dict(base.labels),
        inner={key: inner[key] for key in _KEPT_INSIDE if inner.get(key) and key not in ("Env", "Labels")},
        author=author if isinstance(author, str) else None,
    )


def _environment(pairs: Iterable[Any]) -> dict[str, str]:
    env: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = str(pair).partition("=")
        if not equals or name in env:
            raise Refused(RefusalReason.BASE_CONFIG_NOT_COMPOSABLE, f"the base's environment has {name!r} oddly")
        env[name] = value
    if "PATH" not in env:
        raise Refused(RefusalReason.BASE_CONFIG_NOT_COMPOSABLE, "the base's environment has no PATH; buildah adds one")
    return env


def render_config(base: ImageConfig, state: ConfigState, *, diff_id: Digest, created: str, comment: str) -> bytes:
    """The configuration's bytes. `created` is RFC 3339; each instruction is in the history, the last has the layer."""
    inner = {**state.inner, "Env": [f"{name}={value}" for name, value in state.env.items()], "Labels": state.labels}
    document = {
        "created": created,
        **{key: base.document[key] for key in _KEPT if base.document.get(key)},
        **({"author": state.author} if state.author else {}),
        "config": {key: inner[key] for key in _KEPT_INSIDE if inner.get(key)},
        "rootfs": {"type": "layers", "diff_ids": [str(digest) for digest in (*base.diff_ids, diff_id)]},
        "history": [*(base.document.get("history") or ()), *_history(state, created, comment)],
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _history(state: ConfigState, created: str, comment: str) -> list[dict[str, Any]]:
    *empty, last = state.history or [""]
    author = {"author": state.author} if state.author else {}
    return [
        *({"created": created, "created_by": text, "empty_layer": True} for text in empty),
        {"created": created, "created_by": last, **author, "comment": comment},
    ]
