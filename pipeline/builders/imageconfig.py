"""The configuration of a composed image: the base's, changed instruction by instruction as buildah changes it.

What buildah drops when it writes the OCI form (health checks, SHELL, ONBUILD, docker's own fields) is dropped here too.
It touches no files.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layering.reference import Digest
from layering.registry.manifest import ImageConfig
from pipeline.builders.refusal import RefusalReason, Refused

_KEPT = ("author", "architecture", "variant", "os", "os.version", "os.features")
_KEPT_INSIDE = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "ArgsEscaped",
    "Volumes",
)
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # imagebuilder builder.go


@dataclass(kw_only=True)
class ConfigState:
    """What instructions change. `inner` is the `config` object of image-spec config.md, without Env and Labels.

    `base_env` is the base's environment, `own_env` what was set on top of it.
    """

    base_env: dict[str, str]
    labels: dict[str, str]
    inner: dict[str, Any]
    author: str | None
    cmd_was_set: bool = False
    history: list[str] = field(default_factory=list)
    own_env: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """The whole environment; what was set comes last, each where it was set first."""
        kept = {name: value for name, value in self.base_env.items() if name not in self.own_env}
        return {**kept, **self.own_env}

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

    def expose(self, ports: Iterable[tuple[str, str]]) -> None:
        """EXPOSE port and protocol; a number exposed before stays as it is (dispatchers.go, `expose`)."""
        before = self.inner.get("ExposedPorts") or {}
        known = {name.partition("/")[0] for name in before}
        new: dict[str, object] = {f"{port}/{protocol}": {} for port, protocol in ports if port not in known}
        self.inner["ExposedPorts"] = {**before, **new}

    def add_volumes(self, paths: Iterable[str]) -> None:
        """VOLUME. Without a RUN after it, it touches no files (builder.go, `noRunsRemaining`)."""
        self.inner["Volumes"] = {**(self.inner.get("Volumes") or {}), **{path: {} for path in paths}}


def start_config(base: ImageConfig) -> ConfigState:
    """The state before the first instruction. Raises Refused for an environment that cannot be read."""
    inner: Mapping[str, Any] = base.document.get("config") or {}
    env = _environment(inner.get("Env") or ())
    author = base.document.get("author")
    return ConfigState(
        base_env=env,
        own_env={} if "PATH" in env else {"PATH": _DEFAULT_PATH},
        labels=dict(base.labels),
        inner={key: inner[key] for key in _KEPT_INSIDE if inner.get(key) and key not in ("Env", "Labels")},
        author=author if isinstance(author, str) else None,
    )


def scratch_config() -> ConfigState:
    """The state after `FROM scratch`."""
    return ConfigState(base_env={}, own_env={"PATH": _DEFAULT_PATH}, labels={}, inner={}, author=None)


def _environment(pairs: Iterable[Any]) -> dict[str, str]:
    env: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = str(pair).partition("=")
        if not equals or name in env:
            raise Refused(RefusalReason.BASE_CONFIG_NOT_COMPOSABLE, f"the base's environment has {name!r} oddly")
        env[name] = value
    return env


def triggers(base: ImageConfig, *, docker: bool) -> str:
    """The base's ONBUILD lines, as lines of a Containerfile. The OCI form has none.

    Raises Refused for an OCI configuration that has some: whether they count is up to who reads it.
    """
    inner: Mapping[str, Any] = base.document.get("config") or {}
    lines = inner.get("OnBuild") or []
    if lines and not docker:
        raise Refused(RefusalReason.BASE_CONFIG_NOT_COMPOSABLE, "the base's OCI configuration has OnBuild")
    return "\n".join(str(line) for line in lines)


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
