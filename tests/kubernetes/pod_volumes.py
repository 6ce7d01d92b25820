"""The volumes of a pod as directories, and the mounts of its containers.

emptyDir, secret, configMap, projected, downwardAPI, persistentVolumeClaim. A claim is a directory that all pods of one
kubelet share, bound or not. What is written when the
pod starts stays, but for the downward API: a changed Secret reaches no running pod. Anything else
(hostPath, CSI, ...) is refused. Ownership (fsGroup, runAsUser) is not played.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.kubernetes.container import Mount
from tests.kubernetes.pod_environment import Body, Lookup, MissingReferenceError, contents, field

_WRITABLE = ("emptyDir", "persistentVolumeClaim")
MintToken = Callable[[str, int], str]  # (audience, seconds) -> a token of the pod's ServiceAccount


class PodVolumes:
    """The volumes of one pod below `root`; claims lie below `claims`."""

    def __init__(self, pod: Body, root: Path, claims: Path, lookup: Lookup, mint_token: MintToken) -> None:
        self._pod, self._root, self._claims = pod, root, claims
        self._lookup, self._mint_token = lookup, mint_token
        self._volumes: dict[str, Body] = {v["name"]: v for v in pod["spec"].get("volumes") or ()}

    def make(self) -> None:
        """Create all of them. Raises MissingReferenceError when a Secret or ConfigMap is not there yet."""
        for name, volume in self._volumes.items():
            directory = self._directory(volume)
            directory.mkdir(parents=True, exist_ok=True)
            if "emptyDir" in volume or "persistentVolumeClaim" in volume:
                directory.chmod(0o777)
                continue
            self._write(name, volume)

    def refresh(self, pod: Body) -> None:
        """Write those of the downward API anew: Tekton tells its steps to begin by an annotation of the pod."""
        self._pod = pod
        for name, volume in self._volumes.items():
            if "downwardAPI" in volume and (self._root / name).is_dir():
                self._write(name, volume)

    def mounts(self, container: Body) -> Iterator[Mount]:
        """Those of one container."""
        for mount in container.get("volumeMounts") or ():
            volume = self._volumes[mount["name"]]
            source = self._directory(volume)
            if mount.get("subPath"):
                source = source / mount["subPath"]
                if not source.exists():
                    source.mkdir(parents=True)
            read_only = mount.get("readOnly", False) or not any(kind in volume for kind in _WRITABLE)
            yield Mount(source=str(source), target=mount["mountPath"], read_only=read_only)

    def _write(self, name: str, volume: Body) -> None:
        for path, content, mode in self._files(volume):
            target = self._root / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            whole = target.with_name(f".{target.name}")
            whole.write_bytes(content)
            whole.chmod(mode)
            whole.replace(target)

    def _directory(self, volume: Body) -> Path:
        claim: Body = volume.get("persistentVolumeClaim", {})
        if claim:
            return self._claims / str(self._pod["metadata"]["namespace"]) / str(claim["claimName"])
        return self._root / str(volume["name"])

    def _files(self, volume: Body) -> Iterator[tuple[str, bytes, int]]:
        if "projected" in volume:
            mode = volume["projected"].get("defaultMode", 0o644)
            for source in volume["projected"].get("sources") or ():
                yield from self._source(source, mode)
            return
        for kind in ("secret", "configMap", "downwardAPI"):
            if kind in volume:
                body = volume[kind]
                named = {**body, "name": body.get("secretName") or body.get("name", "")}
                yield from self._source({kind: named}, body.get("defaultMode", 0o644))
                return
        raise MissingReferenceError(f"volume {volume['name']!r} is of a kind the test kubelet does not have")

    def _source(self, source: Body, mode: int) -> Iterator[tuple[str, bytes, int]]:
        for kind, plural in (("secret", "secrets"), ("configMap", "configmaps")):
            if kind in source:
                yield from self._keys(plural, source[kind], mode)
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            text = field(self._pod, item["fieldRef"]["fieldPath"])
            yield item["path"], text.encode(), item.get("mode", mode)
        if "serviceAccountToken" in source:
            wanted: Any = source["serviceAccountToken"]
            token = self._mint_token(wanted.get("audience", ""), wanted.get("expirationSeconds", 3600))
            yield wanted["path"], token.encode(), mode

    def _keys(self, plural: str, reference: Body, mode: int) -> Iterator[tuple[str, bytes, int]]:
        optional = reference.get("optional", False)
        data = contents(plural, reference["name"], self._lookup, optional=optional)
        items = reference.get("items") or [{"key": key, "path": key} for key in data]
        for item in items:
            if item["key"] in data:
                yield item["path"], data[item["key"]], item.get("mode", mode)
            elif not optional:
                raise MissingReferenceError(f"key {item['key']!r} not found in {plural} {reference['name']!r}")
